"""Test what an AI agent did, from its MLflow traces: capture, say what must hold, see exactly where it does not.

The names are loaded when first asked for (PEP 562): pytest imports this package at every start, used or not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture import capture_traces as capture_traces
    from pytest_mlflow_traces.capture.traces import CapturedTraces as CapturedTraces
    from pytest_mlflow_traces.core.budgets.budget import Budget as Budget
    from pytest_mlflow_traces.core.budgets.budget import if_present as if_present
    from pytest_mlflow_traces.core.budgets.latency import LatencyStatistics as LatencyStatistics
    from pytest_mlflow_traces.core.contracts import Contract as Contract
    from pytest_mlflow_traces.core.contracts import assert_trace as assert_trace
    from pytest_mlflow_traces.core.expectation import Expectation as Expectation
    from pytest_mlflow_traces.core.findings import Finding as Finding
    from pytest_mlflow_traces.core.findings import TraceAssertionError as TraceAssertionError
    from pytest_mlflow_traces.core.matching import PatternTooComplexError as PatternTooComplexError
    from pytest_mlflow_traces.core.notation import NotationError as NotationError
    from pytest_mlflow_traces.core.notation import format as format  # noqa: A004  # the name of what it does
    from pytest_mlflow_traces.core.notation import parse as parse
    from pytest_mlflow_traces.core.order.rule import each as each
    from pytest_mlflow_traces.core.order.rule import never as never
    from pytest_mlflow_traces.core.patterns.constructors import any_order as any_order
    from pytest_mlflow_traces.core.patterns.constructors import one_of as one_of
    from pytest_mlflow_traces.core.patterns.constructors import optional as optional
    from pytest_mlflow_traces.core.patterns.constructors import parallel as parallel
    from pytest_mlflow_traces.core.patterns.constructors import repeat as repeat
    from pytest_mlflow_traces.core.patterns.constructors import span as span
    from pytest_mlflow_traces.core.rates.rates import assert_rate as assert_rate
    from pytest_mlflow_traces.core.spans import SpanError as SpanError
    from pytest_mlflow_traces.core.spans import SpanEvent as SpanEvent
    from pytest_mlflow_traces.core.tags.portability import SecretTagWarning as SecretTagWarning
    from pytest_mlflow_traces.core.tags.schema import BoolTag as BoolTag
    from pytest_mlflow_traces.core.tags.schema import FloatTag as FloatTag
    from pytest_mlflow_traces.core.tags.schema import IntTag as IntTag
    from pytest_mlflow_traces.core.tags.schema import ListTag as ListTag
    from pytest_mlflow_traces.core.tags.schema import Metadata as Metadata
    from pytest_mlflow_traces.core.tags.schema import TagSchema as TagSchema
    from pytest_mlflow_traces.core.trace import Span as Span
    from pytest_mlflow_traces.core.trace import Trace as Trace
    from pytest_mlflow_traces.files.traces import read_traces as read_traces
    from pytest_mlflow_traces.plugin.baselines.baseline import TraceBaseline as TraceBaseline
    from pytest_mlflow_traces.warnings import MlflowTracesWarning as MlflowTracesWarning

_HOMES = {
    # capture
    "capture_traces": "capture",
    "CapturedTraces": "capture.traces",
    "LatencyStatistics": "core.budgets.latency",
    # the tree
    "Span": "core.trace",
    "Trace": "core.trace",
    "SpanError": "core.spans",
    "SpanEvent": "core.spans",
    "read_traces": "files.traces",
    # the pattern language
    "any_order": "core.patterns.constructors",
    "one_of": "core.patterns.constructors",
    "optional": "core.patterns.constructors",
    "parallel": "core.patterns.constructors",
    "repeat": "core.patterns.constructors",
    "span": "core.patterns.constructors",
    "PatternTooComplexError": "core.matching",
    "format": "core.notation",
    "parse": "core.notation",
    "NotationError": "core.notation",
    # expectations
    "Budget": "core.budgets.budget",
    "if_present": "core.budgets.budget",
    "Contract": "core.contracts",
    "Expectation": "core.expectation",
    "assert_rate": "core.rates.rates",
    "assert_trace": "core.contracts",
    "each": "core.order.rule",
    "never": "core.order.rule",
    "BoolTag": "core.tags.schema",
    "FloatTag": "core.tags.schema",
    "IntTag": "core.tags.schema",
    "ListTag": "core.tags.schema",
    "Metadata": "core.tags.schema",
    "TagSchema": "core.tags.schema",
    "Finding": "core.findings",
    "TraceAssertionError": "core.findings",
    # baselines
    "TraceBaseline": "plugin.baselines.baseline",
    # warnings, for filters
    "MlflowTracesWarning": "warnings",
    "SecretTagWarning": "core.tags.portability",
}
__all__ = [
    "BoolTag",
    "Budget",
    "CapturedTraces",
    "Contract",
    "Expectation",
    "Finding",
    "FloatTag",
    "IntTag",
    "LatencyStatistics",
    "ListTag",
    "Metadata",
    "MlflowTracesWarning",
    "NotationError",
    "PatternTooComplexError",
    "SecretTagWarning",
    "Span",
    "SpanError",
    "SpanEvent",
    "TagSchema",
    "Trace",
    "TraceAssertionError",
    "TraceBaseline",
    "any_order",
    "assert_rate",
    "assert_trace",
    "capture_traces",
    "each",
    "format",
    "if_present",
    "never",
    "one_of",
    "optional",
    "parallel",
    "parse",
    "read_traces",
    "repeat",
    "span",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
