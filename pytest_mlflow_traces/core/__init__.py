"""The pure middle: traces as trees, expectations, findings. No pytest, no MLflow, no I/O, no clock."""
