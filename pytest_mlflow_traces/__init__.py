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
    from pytest_mlflow_traces.core.contracts import Contract as Contract
    from pytest_mlflow_traces.core.contracts import assert_trace as assert_trace
    from pytest_mlflow_traces.core.findings import Finding as Finding
    from pytest_mlflow_traces.core.findings import TraceAssertionError as TraceAssertionError
    from pytest_mlflow_traces.core.patterns.constructors import any_order as any_order
    from pytest_mlflow_traces.core.patterns.constructors import one_of as one_of
    from pytest_mlflow_traces.core.patterns.constructors import optional as optional
    from pytest_mlflow_traces.core.patterns.constructors import parallel as parallel
    from pytest_mlflow_traces.core.patterns.constructors import repeat as repeat
    from pytest_mlflow_traces.core.patterns.constructors import span as span
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
    from pytest_mlflow_traces.warnings import MlflowTracesWarning as MlflowTracesWarning

_HOMES = {
    # capture
    "capture_traces": "capture",
    "CapturedTraces": "capture.traces",
    # the tree
    "Span": "core.trace",
    "Trace": "core.trace",
    "read_traces": "files.traces",
    # the pattern language
    "any_order": "core.patterns.constructors",
    "one_of": "core.patterns.constructors",
    "optional": "core.patterns.constructors",
    "parallel": "core.patterns.constructors",
    "repeat": "core.patterns.constructors",
    "span": "core.patterns.constructors",
    # expectations
    "Budget": "core.budgets.budget",
    "if_present": "core.budgets.budget",
    "Contract": "core.contracts",
    "assert_trace": "core.contracts",
    "BoolTag": "core.tags.schema",
    "FloatTag": "core.tags.schema",
    "IntTag": "core.tags.schema",
    "ListTag": "core.tags.schema",
    "Metadata": "core.tags.schema",
    "TagSchema": "core.tags.schema",
    "Finding": "core.findings",
    "TraceAssertionError": "core.findings",
    # warnings, for filters
    "MlflowTracesWarning": "warnings",
    "SecretTagWarning": "core.tags.portability",
}
__all__ = [
    "BoolTag",
    "Budget",
    "CapturedTraces",
    "Contract",
    "Finding",
    "FloatTag",
    "IntTag",
    "ListTag",
    "Metadata",
    "MlflowTracesWarning",
    "SecretTagWarning",
    "Span",
    "TagSchema",
    "Trace",
    "TraceAssertionError",
    "any_order",
    "assert_trace",
    "capture_traces",
    "if_present",
    "one_of",
    "optional",
    "parallel",
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
