"""What all tests share."""

from __future__ import annotations

import os

# before any test module imports MLflow, which decides then whether to phone home
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
