"""The text form of patterns: `format` and `parse`, exact inverses."""

from __future__ import annotations

from pytest_mlflow_traces.core.notation.formatter import format as format  # noqa: A004  # the name of what it does
from pytest_mlflow_traces.core.notation.formatter import parse as parse
from pytest_mlflow_traces.core.notation.parser import NotationError as NotationError
