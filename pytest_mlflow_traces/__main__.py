"""`python -m pytest_mlflow_traces` is the console script."""

from __future__ import annotations

from pytest_mlflow_traces.cli import main

if __name__ == "__main__":
    main(prog_name="pytest-mlflow-traces")
