"""The spans of one trace as columns in pre-order: the form in which they are built, matched and explained.

Position `i` is one span in every column; its subtree is `i .. stops[i] - 1`, and `parents[i]` is `-1` for a root. Any
list of spans becomes a table: orphans and the members of a cycle become roots, and what was wrong is in `problems`.
Nothing recurses, so a chain of 100,000 spans is as good as any. Building is O(n), or O(n log n) where the spans do not
come in the order of their start times.
"""

from __future__ import annotations

from functools import partial
from itertools import compress, repeat
from operator import eq, gt
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans import usage
from pytest_mlflow_traces.core.spans.attachments import with_contents
from pytest_mlflow_traces.core.spans.records import SpanError, SpanEvent, as_text, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_STATUSES = {
    **{code: code for code in ("OK", "ERROR", "UNSET")},
    **{f"STATUS_CODE_{code}": code for code in ("OK", "ERROR", "UNSET")},
}
_KEPT = 1_000  # answers
_LISTED = 50  # of each kind of problem; a path costs a look at the siblings
PATH_WHOLE, PATH_ENDS = 12, 4  # names of a path that is shown whole, and at each end of one that is not


class SpanTable:
    """The spans of one trace in pre-order, siblings ordered by start time and then by order of creation.

    `records` are the spans as they came, with the public attributes of `mlflow.entities.Span`.
    """

    __slots__ = ("_asked", "_by_name", "_decoded", "answers", "ends", "names", "parents", "records", "starts",
                 "statuses", "stops", "structural_problems", "turns", "types")  # fmt: skip

    def __init__(self, records: Sequence[Any]) -> None:
        ids: list[str] = [record.span_id for record in records]
        starts: list[int] = [record.start_time_ns or 0 for record in records]
        first = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
        parent_ids = [record.parent_id or None for record in records]
        above = [-1 if parent is None else first.get(parent, -1) for parent in parent_ids]
        order: Sequence[int] = range(len(ids))
        if any(map(gt, starts, starts[1:])):
            order = sorted(order, key=starts.__getitem__)  # a stable sort: ties stay in order of creation

        twice = [k for k in order if first[ids[k]] != k] if len(first) < len(ids) else []
        orphans = [k for k in order if above[k] < 0 and parent_ids[k] is not None]
        pre_order = _pre_order(above, order)
        cut: list[int] = []
        if len(pre_order) < len(ids):
            cut = _cut_cycles(above, order, reached=pre_order)
            pre_order = _pre_order(above, order)

        def name(k: int) -> str:
            return visible(records[k].name)

        self.structural_problems = (
            *_told("duplicate id", twice, name, lambda k: f"has the id {ids[k]!r} of another span"),
            *_told("orphan", orphans, name, lambda k: f"names the parent {parent_ids[k]!r}, which is not in the trace"),
            *_told("cycle", cut, name, lambda _: "is its own ancestor"),
        )
        self.records: Sequence[Any] = [records[k] for k in pre_order]
        self.names = [as_text(record.name) for record in self.records]
        self.types = [as_text(record.span_type or "UNKNOWN") for record in self.records]
        self.statuses = [_status_of(record) for record in self.records]
        self.starts = [starts[k] for k in pre_order]
        # 0 is how OTLP says that a span has not ended
        self.ends: list[int | None] = [
            record.end_time_ns or None if record.start_time_ns else record.end_time_ns for record in self.records
        ]
        position = [0] * len(ids)
        for i, k in enumerate(pre_order):
            position[k] = i
        self.parents = [-1 if above[k] < 0 else position[above[k]] for k in pre_order]
        self.stops = _stops(self.parents)
        # by the ids of spans, the number of the siblings with which each took turns: any of them might have been first
        self.turns: Mapping[str, int] = {}
        # what patterns that ask for the structure alone were answered, where tables of the same structure share that
        self.answers: dict[Any, Any] | None = None
        self._decoded: dict[tuple[str, int], Any] = {}
        self._by_name: dict[str, list[int]] | None = None
        self._asked = False

    def __len__(self) -> int:
        return len(self.names)

    def took_turns(self, i: int, k: int) -> bool:
        """Return whether two siblings ran in tasks or threads that were there at one time: either may be first."""
        turn = self.turns.get(self.records[i].span_id) if self.turns else None
        return turn is not None and turn == self.turns.get(self.records[k].span_id)

    def keep(self, key: tuple[Any, ...], owner: object, answer: object) -> None:
        """Keep an answer for all tables of the same structure, of which `key` says by its id who asked."""
        if self.answers is not None:
            if len(self.answers) >= _KEPT:  # a test may write its pattern anew for each trace
                self.answers.clear()
            self.answers[key] = owner, answer  # kept alive: it is known by its id

    def roots(self) -> list[int]:
        """The positions of the spans without a parent."""
        return self._siblings(0, len(self.names))

    def children(self, i: int) -> list[int]:
        """The positions of the children of `i`."""
        return self._siblings(i + 1, self.stops[i])

    def _siblings(self, i: int, stop: int) -> list[int]:
        found, stops = [], self.stops
        while i < stop:
            found.append(i)
            i = stops[i]
        return found

    def depth(self, i: int) -> int:
        """How many ancestors `i` has."""
        depth, parents = -1, self.parents
        while i >= 0:
            depth, i = depth + 1, parents[i]
        return depth

    def named(self, name: str) -> list[int]:
        """The positions of the spans called `name`."""
        if self._by_name is None:
            if not self._asked:  # one question is answered faster by looking than by building an index
                self._asked = True
                return list(compress(range(len(self.names)), map(eq, self.names, repeat(name))))
            self._by_name = {}
            for i, each in enumerate(self.names):
                self._by_name.setdefault(each, []).append(i)
        return list(self._by_name.get(name, ()))

    def inputs(self, i: int) -> Any:
        """The inputs of `i`, decoded when first asked for."""
        return self._field("inputs", i)

    def outputs(self, i: int) -> Any:
        """The outputs of `i`, decoded when first asked for."""
        return self._field("outputs", i)

    def attributes(self, i: int) -> Mapping[str, Any]:
        """The attributes of `i`, decoded when first asked for."""
        return self._field("attributes", i) or {}

    def attribute(self, i: int, key: str) -> Any:
        """One attribute of `i`, `None` where it has none; MLflow's entity decodes no other one for it."""
        record = self.records[i]
        get = getattr(record, "get_attribute", None)
        return (getattr(record, "attributes", None) or {}).get(key) if get is None else get(key)

    def _field(self, field: str, i: int) -> Any:
        key = field, i
        if key not in self._decoded:
            value, held = getattr(self.records[i], field), getattr(self.records[i], "_attachments", None)
            self._decoded[key] = with_contents(value, held) if held else value
        return self._decoded[key]

    def events(self, i: int) -> tuple[SpanEvent, ...]:
        """The events of `i`, in the order in which they were added."""
        return tuple(
            SpanEvent(as_text(event.name), event.timestamp, dict(event.attributes or {}))
            for event in self.records[i].events or ()
        )

    def error(self, i: int) -> SpanError | None:
        """The last exception that `i` recorded; for an ERROR span without one, an error of type `None`."""
        for event in reversed(self.records[i].events or ()):
            if event.name == "exception":
                said = event.attributes or {}
                return SpanError(_text_or_none(said, "exception.type"), _text_or_none(said, "exception.message"))
        if self.statuses[i] != "ERROR":
            return None
        description = getattr(self.records[i].status, "description", None)
        return SpanError(None, str(description) if description else None)

    def path(self, i: int) -> str:
        """The names from the root to `i`; from the second on, siblings of one name are numbered `[2]`."""
        names = []
        while i >= 0:
            names.append(visible(self.names[i]) + self._ordinal(i))
            i = self.parents[i]
        if len(names) > PATH_WHOLE:  # a path is for reading: of a very deep one, its ends
            names = [*names[:PATH_ENDS], f"... {len(names) - 2 * PATH_ENDS} more ...", *names[-PATH_ENDS:]]
        return " > ".join(reversed(names))

    def _ordinal(self, i: int) -> str:
        parent, name = self.parents[i], self.names[i]
        k = 0 if parent < 0 else parent + 1
        number = 1
        while k < i:
            number += self.names[k] == name
            k = self.stops[k]
        return f"[{number}]" if number > 1 else ""

    def note_dropped(self, counts: Mapping[str, int]) -> None:
        """Note, by the ids of spans, how many attributes and events of theirs an exporter counted as dropped."""

        def says(i: int) -> str:
            return f"lost {counts[self.records[i].span_id]:,} of its attributes and events before they were sent"

        losing = [i for i, record in enumerate(self.records) if record.span_id in counts] if counts else []
        self.structural_problems += tuple(_told("dropped", losing, self.path, says))

    def missing(self) -> str | None:
        """Why this is not the whole of a trace, so that what is absent from it may have been there, or `None`."""
        if not len(self):
            return "it has no spans"
        if self.structural_problems:
            return self.structural_problems[0]
        return f"unfinished: span {self.path(self.ends.index(None))} has no end time" if None in self.ends else None

    def problems(self) -> tuple[str, ...]:
        """What is wrong with this trace, each as a text that names the span."""
        found = list(self.structural_problems)
        roots = self.roots()
        if len(roots) > 1:
            listed = ", ".join(visible(self.names[i]) for i in roots[:5]) + (", ..." if len(roots) > 5 else "")
            found.append(f"several roots: {len(roots)} spans have no parent in this trace: {listed}")
        checks = zip(range(len(self)), self.starts, self.ends, self.parents, strict=True)
        unfinished: list[int] = []
        negative: list[int] = []
        early: list[int] = []
        for i, start, end, parent in checks:
            if end is None:
                unfinished.append(i)
            elif end < start:
                negative.append(i)
            if parent >= 0 and start < self.starts[parent]:
                early.append(i)
        found += _told("unfinished", unfinished, self.path, lambda _: "has no end time")
        found += _told("negative duration", negative, self.path, lambda _: "ends before it starts")
        found += _told("early child", early, self.path, lambda _: "starts before its parent")
        for attribute, kind in usage.NAMES.items():
            records = ((i, self.attribute(i, attribute)) for i in range(len(self)))
            odd = [i for i, record in records if record and not usage.is_addable(record, attribute)]
            found += _told(kind, odd, self.path, partial(self._unaddable, attribute))
        return tuple(found)

    def _unaddable(self, attribute: str, i: int) -> str:
        return f"recorded {self.attribute(i, attribute)!r:.120}, which MLflow cannot add"

    def with_times(self, records: Sequence[Any], starts: list[int], ends: Sequence[int | None]) -> SpanTable:
        """Another table of the same structure."""
        new = object.__new__(SpanTable)
        new.names, new.types, new.statuses = self.names, self.types, self.statuses
        new.parents, new.stops, new.structural_problems = self.parents, self.stops, self.structural_problems
        new.records, new.starts, new.ends, new.turns, new.answers = records, starts, list(ends), {}, self.answers
        new._decoded, new._by_name, new._asked = {}, None, False
        return new

    def without(self, removed: Iterable[int]) -> SpanTable:
        """The same table with the spans at `removed` gone and their children in their place."""
        gone = set(removed)
        new = object.__new__(SpanTable)
        kept = [i for i in range(len(self.names)) if i not in gone]
        renumbered = {i: k for k, i in enumerate(kept)}
        above = list(self.parents)  # the nearest ancestor that stays; parents stand before children
        for i, parent in enumerate(above):
            if parent in gone:
                above[i] = above[parent]
        for column in ("records", "names", "types", "statuses", "starts", "ends"):
            values = getattr(self, column)
            setattr(new, column, [values[i] for i in kept])
        new.parents = [renumbered.get(above[i], -1) for i in kept]
        new.stops = _stops(new.parents)
        new.structural_problems, new.turns = self.structural_problems, self.turns
        new._decoded, new._by_name, new._asked, new.answers = {}, None, False, None
        return new


def _told(kind: str, spans: Sequence[int], name: Callable[[int], str], says: Callable[[int], str]) -> list[str]:
    """Return a text for each of the first spans that have a problem, and how many more there are."""
    told = [f"{kind}: span {name(i)} {says(i)}" for i in spans[:_LISTED]]
    more = len(spans) - _LISTED
    return told if more <= 0 else [*told, f"{kind}: {more} more span{'s' if more > 1 else ''} like this"]


def status_of(code: Any) -> str:
    """Return a status by its code: taken for "UNSET", one that nobody knows would pass for no error."""
    # MLflow's code is a str enum, which finds the plain string in a dict
    status = _STATUSES.get(code) if isinstance(code, str) else None
    if status is None:
        legal = "'OK', 'ERROR', 'UNSET', alone or behind 'STATUS_CODE_'"
        raise ValueError(f"not a span: unknown status code {code!r:.80} (legal: {legal})")
    return status


def _status_of(record: Any) -> str:
    status = record.status
    return "UNSET" if status is None else status_of(getattr(status, "status_code", status))


def _text_or_none(said: Mapping[str, Any], key: str) -> str | None:
    value = said.get(key)
    return None if value is None else str(value)


def _pre_order(above: list[int], order: Sequence[int]) -> list[int]:
    """Return what can be reached from the roots, parents before children, siblings in the given order."""
    count = len(above)
    child, sibling, root = [-1] * count, [-1] * count, -1
    for k in reversed(order):
        parent = above[k]
        if parent < 0:
            sibling[k], root = root, k
        else:
            sibling[k], child[parent] = child[parent], k
    found: list[int] = []
    stack = [root]
    while stack:
        k = stack.pop()
        while k >= 0:
            found.append(k)
            if sibling[k] >= 0:
                stack.append(sibling[k])
            k = child[k]
    return found


def _cut_cycles(above: list[int], order: Sequence[int], *, reached: list[int]) -> list[int]:
    """Make the first span of each cycle a root, in `above`; return those spans."""
    settled = set(reached)
    rank = {k: r for r, k in enumerate(order)}
    cut = []
    for k in order:
        walk: dict[int, None] = {}
        while k >= 0 and k not in settled and k not in walk:
            walk[k] = None
            k = above[k]  # the walk goes up from where the loop stands
        if k in walk:
            members = list(walk)
            first = min(members[members.index(k) :], key=rank.__getitem__)
            above[first] = -1
            cut.append(first)
        settled.update(walk)
    return cut


def _stops(parents: list[int]) -> list[int]:
    stops = list(range(1, len(parents) + 1))
    for i in range(len(parents) - 1, 0, -1):
        parent = parents[i]
        if parent >= 0 and stops[i] > stops[parent]:
            stops[parent] = stops[i]
    return stops
