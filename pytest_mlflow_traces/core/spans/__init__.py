"""The spans of one trace, as a table: how they come in, and what can be read off them."""

from __future__ import annotations

from pytest_mlflow_traces.core.spans.records import SpanError as SpanError
from pytest_mlflow_traces.core.spans.records import SpanEvent as SpanEvent
