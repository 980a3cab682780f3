"""What a run looks like as text. Pure: no pytest, no MLflow, no I/O."""
