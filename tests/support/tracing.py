"""Hypothesis strategies for traces of few kinds of spans, with siblings that follow each other or overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.support.building import Record, Status, trace_of

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.trace import Trace


@st.composite
def traces(draw: st.DrawFn, *, names: str = "abcde", most: int = 12, roots: int = 2) -> Trace:
    """Draw a finished trace without problems, apart from several roots where those are allowed."""
    parents = [-1]
    for number in range(1, draw(st.integers(1, most))):
        parents.append(draw(st.integers(-1 if parents.count(-1) < roots else 0, number - 1)))
    made = []
    clock = 0
    for number, parent in enumerate(parents):
        # a sibling begins when the one before has ended, or while it runs
        clock += draw(st.sampled_from([0, 5, 20, 20, 20]))
        record: Record = Record(
            draw(st.sampled_from(names)),
            span_id=str(number),
            parent_id=None if parent < 0 else str(parent),
            span_type=draw(st.sampled_from(["UNKNOWN", "TOOL"])),
            status=Status(draw(st.sampled_from(["OK", "OK", "ERROR"]))),
            start_time_ns=clock,
            end_time_ns=clock + 10,
        )
        made.append(record)
    by_id: dict[str, Any] = {record.span_id: record for record in made}
    for record in reversed(made):
        if record.parent_id is not None:
            above = by_id[record.parent_id]
            above.end_time_ns = max(above.end_time_ns, record.end_time_ns)
    return trace_of(made)
