"""The warning of the plugin, by itself so that a filter that names it loads nothing else."""

from __future__ import annotations

import pytest


class MlflowTracesWarning(pytest.PytestWarning):
    """A trace is not whole, or was lost; `mlflow_traces_strict = true` makes it a failure.

    A filter knows it, as any warning, by its name: `-W ignore::pytest_mlflow_traces.MlflowTracesWarning`.

    >>> import warnings
    >>> from pytest_mlflow_traces import MlflowTracesWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", MlflowTracesWarning)
    """
