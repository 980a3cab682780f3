"""Edits of what spans and the trace say beside the tree: status, values, attributes, tags, times, tokens."""

from __future__ import annotations

import json
import math
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.adequacy.mutant import WHOLE, Mutant, with_record
from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.spans.usage import SPAN_COST, SPAN_TOKEN_USAGE, is_addable, is_amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.trace import Trace

_CHANGED = "changed"
_RAISED = {"exception.type": "RuntimeError", "exception.message": "made by a mutant"}
_IN_SPANS = {"inputs": "mlflow.spanInputs", "outputs": "mlflow.spanOutputs"}
# what MLflow copies into spans from the metadata of the trace
_COPIED = ("user.id", "session.id")
_TIMES = 10


def status_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield each failure of a span that did not fail, and each span that failed without its failure."""
    for i, status in enumerate(trace.table.statuses):
        edit = "recovered" if status == "ERROR" else "failed"
        yield Mutant(edit, i, "", partial(_ended, trace, i, "OK" if status == "ERROR" else "ERROR"))


def _ended(trace: Trace, i: int, code: str) -> Trace:
    table = trace.table
    events = [event for event in table.records[i].events or () if event.name != "exception"]
    if code == "ERROR":
        at = table.ends[i] or table.starts[i]
        events.append(SimpleNamespace(name="exception", timestamp=at, attributes=_RAISED))
    status = SimpleNamespace(status_code=code, description=_RAISED["exception.message"] if code == "ERROR" else None)
    new = with_record(table, i, status=status, events=events)
    new.statuses[i] = code
    return trace.edited(new, **({"status": code} if i == 0 else {}))


def value_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield a change of each leaf of inputs and outputs, of those in one list the first."""
    for i in range(len(trace.table)):
        for field, read in (("inputs", trace.table.inputs), ("outputs", trace.table.outputs)):
            value = read(i)
            for path, route in _leaves(value, field) if value is not None else ():
                yield Mutant("value", i, path, partial(_with_value, trace, i, field, value, route))


def _with_value(trace: Trace, i: int, field: str, value: Any, route: Sequence[Any]) -> Trace:
    new = _changed(value, route)
    attributes = {**trace.table.attributes(i), _IN_SPANS[field]: new}
    changed = {field: new, "attributes": attributes, "get_attribute": attributes.get, "_attachments": None}
    return trace.edited(with_record(trace.table, i, **changed))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield a path and a route for each kind of leaf in a value; the elements of one list are of one kind."""
    seen = set()
    waiting: list[tuple[str, Sequence[Any], Any]] = [(path, (), value)]
    while waiting:
        path, route, each = waiting.pop()
        if isinstance(each, dict) and each:
            waiting += [(f"{path}.{key}", (*route, key), inner) for key, inner in reversed(each.items())]
        elif isinstance(each, list) and each:
            waiting += [(f"{path}[]", (*route, k), inner) for k, inner in reversed([*enumerate(each)])]
        elif path not in seen:
            seen.add(path)
            yield path, route


def _changed(value: Any, route: Sequence[Any]) -> Any:
    """Return a value with another one at the end of a route."""
    top = [value]
    at: Any = top
    key: Any = 0
    for step in route:
        at[key] = at[key].copy()
        at, key = at[key], step
    at[key] = _another(at[key])
    return top[0]


def _another(value: object) -> object:
    """Return a value of the same type that is not equal to it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        more = value + 1
        return more if math.isfinite(more) and more != value else 0
    if isinstance(value, dict):
        return {_CHANGED: True}
    if isinstance(value, list):
        return [_CHANGED]
    return _CHANGED if value != _CHANGED else f"{_CHANGED} again"


def attribute_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield each attribute of the user's dropped, and changed."""
    for i in range(len(trace.table)):
        attributes = trace.table.attributes(i)
        for key in attributes:
            if not convert.is_system(key) and key not in _COPIED:
                others = {each: value for each, value in attributes.items() if each != key}
                yield Mutant("attribute dropped", i, str(key), partial(_with_attributes, trace, i, others))
                changed = {**attributes, key: _another(attributes[key])}
                yield Mutant("attribute changed", i, str(key), partial(_with_attributes, trace, i, changed))


def _with_attributes(trace: Trace, i: int, attributes: Mapping[str, Any], **facts: Any) -> Trace:
    new = with_record(trace.table, i, attributes=attributes, get_attribute=attributes.get)
    return trace.edited(new, **facts)


def tag_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield each tag of the user's dropped, and changed."""
    for tag, value in trace.tags.items():
        others = {each: said for each, said in trace.tags.items() if each != tag}
        yield Mutant("tag dropped", WHOLE, str(tag), partial(trace.edited, tags=others))
        changed = {**trace.tags, tag: _another(value)}
        yield Mutant("tag changed", WHOLE, str(tag), partial(trace.edited, tags=changed))


def time_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield each span ten times as long, what came after it later."""
    for i, (start, end) in enumerate(zip(trace.table.starts, trace.table.ends, strict=True)):
        if end is not None and end > start:
            yield Mutant("slow", i, "", partial(_slowed, trace, i, (_TIMES - 1) * (end - start)))


def _slowed(trace: Trace, i: int, more: int) -> Trace:
    table = trace.table
    new = table.picked(range(len(table)), table.parents)
    new.ends[i] = (table.ends[i] or 0) + more
    while i >= 0:
        end, parent = table.ends[i], table.parents[i]
        if end is not None:
            for k in (k for k in table.later(i) if table.starts[k] >= end):
                for each in range(k, table.stops[k]):
                    new.starts[each] += more
                    until = new.ends[each]
                    new.ends[each] = None if until is None else until + more
        if parent >= 0:
            until = new.ends[parent]
            new.ends[parent] = None if until is None else until + more
        i = parent
    return trace.edited(new)


def cost_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield each span that recorded tokens or a cost with ten times as much."""
    for i in range(len(trace.table)):
        attributes = trace.table.attributes(i)
        records = {key: attributes[key] for key in (SPAN_TOKEN_USAGE, SPAN_COST) if key in attributes}
        if any(any(filter(is_amount, record.values())) for key, record in records.items() if is_addable(record, key)):
            yield Mutant("dear", i, "", partial(_dearer, trace, i, records))


def _dearer(trace: Trace, i: int, records: Mapping[str, Any]) -> Trace:
    attributes: dict[str, Any] = {**trace.table.attributes(i)}
    metadata = {**trace.metadata}
    for key, total in ((SPAN_TOKEN_USAGE, convert.TOKEN_USAGE), (SPAN_COST, convert.COST)):
        record = records.get(key)
        if record is not None and is_addable(record, key):
            attributes[key] = {part: _multiplied(amount, _TIMES) for part, amount in record.items()}
            known = convert.decoded_numbers(metadata, total)
            if known is not None and not _is_counted_above(trace, i, key):
                more = {part: _multiplied(amount, _TIMES - 1) for part, amount in record.items() if is_amount(amount)}
                metadata[total] = json.dumps({part: said + more.get(part, 0) for part, said in known.items()})
    return _with_attributes(trace, i, attributes, metadata=metadata)


def _multiplied(amount: Any, times: int) -> Any:
    return amount * times if is_amount(amount) else amount


def _is_counted_above(trace: Trace, i: int, key: str) -> bool:
    """Return whether MLflow's sum leaves a record out, since a span above it has one."""
    above = trace.table.parents[i]
    while above >= 0:
        if trace.table.attribute(above, key) is not None:
            return True
        above = trace.table.parents[above]
    return False
