"""How near a rule of order came to holding: of the spans that it asks for, the one that nearly did."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.patterns.nodes import short, span_patterns_of
from pytest_mlflow_traces.core.text.durations import readable_duration
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pytest_mlflow_traces.core.order.judging import Judge
    from pytest_mlflow_traces.core.order.timeline import Timeline
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

_Ordered: TypeAlias = "tuple[list[int], list[int]]"  # spans by their starts, and these
_SHOWN = 60  # characters of a key
_AROUND = 50  # spans on either side in time among which the nearest miss is looked for


class Miss(NamedTuple):
    """The nearest miss in words, and the spans that it is about."""

    text: str
    concerned: tuple[int, ...] = ()


class Misses:
    """The nearest misses of one rule on one line of time."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._rule, self._line = judge, judge.rule, judge.line

    def nearest(self, p: int) -> Miss:
        """Return what comes nearest to what `each` asks for."""
        rule, line, judge = self._rule, self._line, self._judge
        if rule.other is not None and not judge.others:
            near = meant(rule.other, line)
            return Miss(f"no {short(rule.other)} at all{near and f'; {near}'}")
        same = [q for q in self._around(p, *self._by_key.get(judge.key(p), ([], []))) if q != p]
        if not same:
            q = self._closest(p, self._around(p, *self._all))
            if q == p:
                return Miss("only itself")
            return Miss(f"only {self._name(q)}, of {self.key_text(q, other=True)}", (q,))
        if rule.relation == "inside":
            q = self._closest(p, same)
            where = "which is inside of it" if line.related(p, q) else "which it is not inside of"
            return Miss(f"only {self._name(q)}, {where}", (q,))
        if rule.relation == "before" and line.ends[p] is None:
            return Miss("a span that never ended itself")
        unrelated = [q for q in same if not line.related(p, q)]
        if not unrelated:
            q = self._closest(p, same)
            where = "which is inside of it" if line.stops[p] > q > p else "which it is inside of"
            return Miss(f"only {self._name(q)}, {where}", (q,))
        return self._cut(p, unrelated) or self._overlapping(p, unrelated) or self._beyond(p, unrelated)

    def _ordered(self, spans: list[int]) -> _Ordered:
        starts = self._line.starts
        ordered = sorted(spans, key=starts.__getitem__)
        return ordered, [starts[i] for i in ordered]

    @cached_property
    def _all(self) -> _Ordered:
        return self._ordered(self._judge.others)

    @cached_property
    def _cuts(self) -> _Ordered:
        return self._ordered(self._judge.cuts)

    @cached_property
    def _by_key(self) -> dict[Hashable | None, _Ordered]:
        groups: dict[Hashable | None, list[int]] = {}
        for q in self._judge.others:
            groups.setdefault(self._judge.key(q, other=True), []).append(q)
        return {key: self._ordered(group) for key, group in groups.items()}

    def _around(self, p: int, ordered: list[int], times: list[int]) -> list[int]:
        at = bisect_left(times, self._line.starts[p])
        return ordered[max(0, at - _AROUND) : at + _AROUND]

    def _cut(self, p: int, others: list[int]) -> Miss | None:
        line, after = self._line, self._rule.relation == "after"
        found = [q for q in others if (line.surely_before(q, p) if after else line.surely_before(p, q))]
        if not found:
            return None
        q = self._closest(p, found)
        one, two = (q, p) if after else (p, q)
        cuts, times = self._cuts
        reach = cuts[bisect_left(times, line.starts[one]) : bisect_right(times, line.starts[two])]
        r = next(
            r
            for r in (reversed(reach) if after else reach)  # from p on
            if self._judge.cuts_in(p, r) and line.possibly_before(one, r) and line.possibly_before(r, two)
        )
        return Miss(f"{self._name(q)}, but {self._name(r)} between", (q, r))

    def _overlapping(self, p: int, others: list[int]) -> Miss | None:
        found = [q for q in others if self._overlap(p, q) is not None]
        if not found:
            return None
        q = self._closest(p, found)
        return Miss(f"only {self._name(q)}, {self._overlap(p, q)}", (q,))

    def _beyond(self, p: int, others: list[int]) -> Miss:
        q = self._closest(p, others)
        side = "after" if self._rule.relation == "after" else "before"
        return Miss(f"only {self._name(q)}, which is {side} it", (q,))

    def _overlap(self, p: int, q: int) -> str | None:
        """Say by how much q overlaps p, `None` where it does not."""
        line = self._line
        if line.surely_before(p, q) or line.surely_before(q, p):
            return None
        ends = [end for end in (line.ends[p], line.ends[q]) if end is not None]
        latest = max(line.starts[p], line.starts[q])
        if line.ends[q] is None and (self._rule.relation == "after" or not ends):
            return "which never ended"
        return f"which overlaps it by {readable_duration(max(0, min(ends) - latest))}"

    def forbidden(self, p: int, q: int) -> str:
        """Return in words how p stands to a q that it must not stand to so."""
        rule, line = self._rule, self._line
        text = f"one {rule.relation} {self._name(q)}"
        if rule.relation != "inside":
            overlap = self._overlap(p, q)
            text += "" if overlap is None else f", {overlap}"
        if rule.same and self._judge.key(q, other=True) is None:
            table, i = line.home(q)
            places = ", ".join(other.text for _, other in rule.same if not other.read(table, i))
            text += f", which has no {places}"
        return text

    def key_text(self, i: int, *, other: bool = False) -> str:
        """Return the key of a span in words: `inputs.order_id 7`."""
        table, k = self._line.home(i)
        texts = []
        for pair in self._rule.same:
            found = pair[other].read(table, k)
            if found:
                code = repr(found[0])
                texts.append(f"{pair[other].text} {code if len(code) <= _SHOWN else code[: _SHOWN - 4] + ' ...'}")
            else:
                texts.append(f"no {pair[other].text}")
        return " and ".join(texts)

    def _closest(self, p: int, others: list[int]) -> int:
        starts = self._line.starts
        return min(others, key=lambda q: (abs(starts[q] - starts[p]), abs(q - p)))

    def _name(self, i: int) -> str:
        table, k = self._line.home(i)
        number = f"[{self._line.trace_of(i)}] " if len(self._line.tables) > 1 else ""
        return f"{number}{table.path(k)}"


def meant(pattern: Pattern, line: Timeline) -> str:
    """Return the question whether another name was meant, where no span has that of the pattern."""
    names = {name for table in line.tables for name in table.names}
    wanted = [each.name for each in span_patterns_of(pattern) if isinstance(each.name, str) and each.name not in names]
    return next((near for name in wanted if (near := nearest(name, names).lstrip("; "))), "")
