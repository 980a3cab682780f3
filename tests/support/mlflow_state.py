"""All of MLflow's state that a capture puts back, in a form that can be compared."""

from __future__ import annotations

import os
from typing import Any

from pytest_mlflow_traces.capture import mlflow_internals


def comparable(state: mlflow_internals.State) -> dict[str, Any]:
    """Return the parts of a state by their names; two are equal if nothing changed."""
    holders = mlflow_internals._MODULE_GLOBALS
    names = [f"{getattr(holder, '__name__', type(holder).__name__)}.{name}" for holder, name in holders]
    variables = ((os.fsdecode(key), os.fsdecode(value)) for key, value in state._table.items())
    return {
        "environment": {key: value for key, value in variables if key.startswith(mlflow_internals._PREFIXES)},
        "filters": state.filters,
        "context": state.context,
        "thread": state.thread,
        "active models": [model.model_id for model in state.models.values() if model.model_id is not None],
        "active runs": [runs for _, runs in state.runs if runs],
        "processors": state.processors,
        **dict(zip(names, state.globals, strict=True)),
    }
