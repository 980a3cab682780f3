"""Which spans break a rule of order, in O((spans + hits) log spans).

A rule asks for a *witness* of each p: a q that reaches p, with no r between that could cut it off. `each` wants one,
`never` none. Whatever the direction and the certainty asked for, a few numbers say it all: q reaches p where `reach` of
q is within a bound of p; so does r; and r cuts q off where its `value` is above that of q. So the best q is the one of
the highest value, and it will do unless the r of the highest value is above. Then only a q related to this r can do
better, since related spans are neither before nor after each other; those few are tried one by one. Most spans need
none of this (`glance`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.order.furthest import NOTHING, furthest
from pytest_mlflow_traces.core.order.glance import at_a_glance
from pytest_mlflow_traces.core.order.same import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_mlflow_traces.core.order.terms import Terms
    from pytest_mlflow_traces.core.order.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Fault:
    """A span that breaks a rule; for `never`, with the span that it must not follow, precede or be inside of."""

    span: int
    witness: int | None = None
    lacks_key: bool = False


class Judge:
    """One rule on one line of time."""

    def __init__(self, rule: Terms, line: Timeline) -> None:
        self.rule, self.line = rule, line
        self.spans = line.find(rule.pattern)  # those that the rule is about: p
        self.others = line.find(rule.other) if rule.other is not None else []  # q
        self.cuts = line.find(rule.between) if rule.between is not None else []  # r
        self._keys = Keys()
        self._known: dict[tuple[int, bool], Hashable | None] = {}

    def faults(self) -> Iterator[Fault]:
        """Return the spans that break the rule, in their order."""
        rule = self.rule
        if rule.relation is None:
            yield from map(Fault, self.spans)
            return
        wanted = rule.word == "each"
        keyed = [p for p in self.spans if self.key(p) is not None] if rule.same else self.spans
        witnesses = self._inside(keyed) if rule.relation == "inside" else self._witnesses(keyed)
        for p in self.spans:
            if rule.same and self.key(p) is None:
                yield Fault(p, lacks_key=True)
            elif (witnesses[p] is None) == wanted:
                yield Fault(p, witnesses[p])

    def key(self, i: int, *, other: bool = False) -> Hashable | None:
        """Return the key of a span, as one that the rule is about or as an `other`; `None` where it is missing."""
        if not self.rule.same:
            return ()
        if (i, other) not in self._known:
            table, k = self.line.home(i)
            self._known[i, other] = self._keys.of(table, k, [pair[other] for pair in self.rule.same])
        return self._known[i, other]

    def cuts_in(self, p: int, r: int) -> bool:
        """Return whether r counts for p: not where its key is known to be another one."""
        return self.key(r, other=True) in (None, self.key(p))

    def _inside(self, spans: Sequence[int]) -> dict[int, int | None]:
        """Return, for each span, a q above it, or `None`: one walk in pre-order, with what is open at each span."""
        line, never = self.line, self.rule.word == "never"
        open_: list[tuple[int, Hashable | None]] = []
        by_key: defaultdict[Hashable | None, list[int]] = defaultdict(list)
        asked, others, found = set(spans), set(self.others), dict[int, int | None]()
        for i in sorted(asked | others):
            while open_ and line.stops[open_[-1][0]] <= i:
                by_key[open_.pop()[1]].pop()
            if i in asked:
                above = by_key[self.key(i)] or (by_key[None] if never else [])
                found[i] = above[-1] if above else None
            if i in others:
                key = self.key(i, other=True)
                open_.append((i, key))
                by_key[key].append(i)
        return found

    def _witnesses(self, spans: Sequence[int]) -> dict[int, int | None]:
        """Return, for each span, a q that it is after (or before) as far as the rule asks, or `None`."""
        groups, others, cuts = (defaultdict[Hashable | None, list[int]](list) for _ in range(3))
        for p in spans:
            groups[self.key(p)].append(p)
        for grouped, all_ in ((others, self.others), (cuts, self.cuts)):
            for i in all_:
                grouped[self.key(i, other=True)].append(i)
        loose = others[None] if self.rule.same and self.rule.word == "never" else []
        found: dict[int, int | None] = {}
        if not loose and not cuts[None]:
            for key, its in groups.items():
                found |= at_a_glance(self.line, self.rule, its, others[key], cuts[key])
        left = [p for p in spans if p not in found] if found else spans
        if not left:
            return found
        numbers = _Numbers(self)
        of_all = self._furthest(loose, left, numbers.other, numbers.bound)
        cut_of_all = self._furthest(cuts[None], left, numbers.cut, numbers.cut_bound)
        for key, group in groups.items():
            its = [p for p in group if p not in found]
            if not its:
                continue
            best = self._furthest(others[key], its, numbers.other, numbers.bound)
            worst = self._furthest(cuts[key], its, numbers.cut, numbers.cut_bound)
            relatives = None
            for p in its:
                q, r = max(best[p], of_all[p]), max(worst[p], cut_of_all[p])
                if q == NOTHING or q[0] >= r[0]:
                    found[p] = None if q == NOTHING else q[1]
                else:
                    if relatives is None:
                        relatives = _Relatives(self, numbers, [*others[key], *loose], [*cuts[key], *cuts[None]])
                    found[p] = relatives.uncut(p, r[1])
        return found

    def _furthest(
        self,
        spans: Iterable[int],
        asked: Iterable[int],
        number: Callable[[int], tuple[int, int]],
        bound: Callable[[int], int],
    ) -> dict[int, tuple[int, int]]:
        return furthest(self.line, [(*number(i), i) for i in spans], [(bound(p), p) for p in asked])


class _Numbers:
    """The reach and the value of each q and r, and the bounds of each p, by the direction and certainty of a rule."""

    def __init__(self, judge: Judge) -> None:
        rank, over = judge.line.ranked([*judge.spans, *judge.others, *judge.cuts])
        self._rank, self._over = rank, over
        self._sure = judge.rule.word == "each"
        self._later = judge.rule.relation == "after"

    def other(self, i: int) -> tuple[int, int]:
        if self._later:
            return (self._over[i], self._rank[i]) if self._sure else (self._rank[i], self._over[i] - 1)
        return -self._rank[i], -self._rank[i] - (not self._sure)

    def bound(self, p: int) -> int:
        if self._later:
            return self._rank[p] - (not self._sure)
        return -self._over[p] if self._sure else -self._rank[p] - 1

    def cut(self, i: int) -> tuple[int, int]:
        if self._later:
            return (self._rank[i] if self._sure else self._over[i]), self._rank[i]
        return -self._rank[i], -(self._rank[i] if self._sure else self._over[i])

    def cut_bound(self, p: int) -> int:
        if self._later:
            return self._rank[p] - self._sure
        return -self._rank[p] - 1 if self._sure else -self._over[p]


class _Relatives:
    """The q of one key that are related to an r, by their values: what this r cannot cut off."""

    def __init__(self, judge: Judge, numbers: _Numbers, others: list[int], cuts: list[int]) -> None:
        self._line, self._numbers = judge.line, numbers
        self._others, self._cuts = sorted(others), sorted(cuts)
        self._of: dict[int, list[int]] = {}
        self._cutting: dict[int, list[int]] = {}

    def uncut(self, p: int, r: int) -> int | None:
        """Return a q that reaches p and is related to r, and that no other cut comes between either."""
        line, numbers = self._line, self._numbers
        bound, cut_bound = numbers.bound(p), numbers.cut_bound(p)
        for q in self._related(r):
            if numbers.other(q)[0] <= bound and not line.related(q, p):
                cuts = self._unrelated_cuts(q)
                if not any(numbers.cut(each)[0] <= cut_bound and not line.related(each, p) for each in cuts):
                    return q
        return None

    def _related(self, r: int) -> list[int]:
        if r not in self._of:
            others, stop = self._others, self._line.stops[r]
            found = others[bisect_left(others, r) : bisect_left(others, stop)]
            above = self._above.get(r, -1)
            while above >= 0:
                found.append(above)
                above = self._above.get(above, -1)
            value = self._numbers.cut(r)[1]
            found = [q for q in found if self._numbers.other(q)[1] < value]
            self._of[r] = sorted(found, key=lambda q: self._numbers.other(q)[1], reverse=True)
        return self._of[r]

    @cached_property
    def _above(self) -> dict[int, int]:
        """The nearest q above each q and r that has one."""
        found, open_, others = {}, list[int](), set(self._others)
        for i in sorted({*self._others, *self._cuts}):
            while open_ and self._line.stops[open_[-1]] <= i:
                open_.pop()
            if open_:
                found[i] = open_[-1]
            if i in others:
                open_.append(i)
        return found

    def _unrelated_cuts(self, q: int) -> list[int]:
        """Return the cuts beyond q that are not related to it."""
        if q not in self._cutting:
            numbers, value = self._numbers, self._numbers.other(q)[1]
            beyond = (r for r in self._cuts if numbers.cut(r)[1] > value)
            self._cutting[q] = [r for r in beyond if not self._line.related(q, r)]
        return self._cutting[q]
