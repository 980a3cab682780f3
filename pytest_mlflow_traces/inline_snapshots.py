"""The door to inline-snapshot: `assert mlflow_traces.one() == snapshot()` writes the pattern into the test, as code.

inline-snapshot finds it by its entry point, from 0.32 on. What is written is what a baseline holds: names, types,
status and the tree; what overlapped, in any order.
"""

from __future__ import annotations

import re
from typing import Any

from inline_snapshot.plugin import Builder, Import, ImportFrom, customize

from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.patterns.recorded import recorded
from pytest_mlflow_traces.core.trace import Trace

_PACKAGE = "pytest_mlflow_traces"
_NAMES = re.compile(r"\b(any_order|one_of|optional|parallel|repeat|span)\(|\b(re)\.")
_TEXTS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


@customize
def trace_as_code(value: Any, builder: Builder) -> Any:
    """Return the pattern of a trace, and the code of a pattern."""
    if isinstance(value, Trace):
        return recorded(value.table)  # which comes here next
    if not isinstance(value, Pattern):
        return None
    code = value.__repr__()  # `repr` itself is patched meanwhile, and would come here again
    # what stands in the names of spans is no name of the code
    used = {ours or module for ours, module in _NAMES.findall(_TEXTS.sub("''", code))}
    imports = [Import(name) if name == "re" else ImportFrom(_PACKAGE, name) for name in sorted(used)]
    return builder.create_code(code, imports=imports)
