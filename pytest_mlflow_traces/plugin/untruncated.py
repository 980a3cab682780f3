"""Failed assertions on traces, printed whole: pytest cuts what a plugin explains to eight lines without `-vv`.

Light, since it surrounds the tests of a run before the first of them has a trace.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from _pytest.assertion import util  # pytest has no public way round its limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_mlflow_traces.plugin.assertrepr import FailedComparison

TREE = "pytest_mlflow_traces.core.trace"  # loaded by the first who needs a trace; before, there is nothing to explain


@contextmanager
def untruncated_comparisons(config: pytest.Config, failed: list[FailedComparison]) -> Iterator[None]:
    """Have failed assertions on traces print whole; what they are explained by goes to `failed`, too."""
    shortened: Any = getattr(util, "_reprcompare", None)
    if shortened is None:
        yield
        return

    def whole(op: str, left: object, right: object) -> Any:
        comparison = None
        if TREE in sys.modules:
            from pytest_mlflow_traces.plugin.assertrepr import explained

            comparison = explained(config, op, left, right)
        if comparison is None:
            return shortened(op, left, right)
        failed.append(comparison)
        text = "\n~".join(line.replace("\n", "\\n") for line in comparison.lines)
        return text.replace("%", "%%") if config.getvalue("assertmode") == "rewrite" else text

    util._reprcompare = whole
    try:
        yield
    finally:
        util._reprcompare = shortened
