"""Which lines of a list stand for which of the spans that came: the alignment that explains a trace, told by lines."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import Entry, demanding, holds, may_be_absent, name_of
from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
from pytest_mlflow_traces.core.explaining.align.costs import Assumed
from pytest_mlflow_traces.core.explaining.align.rows import Row
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, SpanPattern, span_patterns_of
from pytest_mlflow_traces.core.patterns.recorded import strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

Step = tuple["Entry | None", tuple[int, ...]]  # a line and the spans it stands for; no line: a span that is new


class Pairs:
    """The alignment of lines with the spans of one table."""

    def __init__(self, table: SpanTable, matcher: Matcher, pattern: Pattern) -> None:
        self._table = table
        self._matcher = matcher
        self._aligner = Aligner(table, matcher, pattern, Assumed(edited=True))
        self.meant: dict[int, tuple[SpanPattern, ...]] = {}  # what a span is in the pattern, here or elsewhere

    def steps(self, lines: Sequence[Entry], i: int, spans: Sequence[int]) -> list[Step]:
        """Return the lines and the children of the span at `i`, in an order that is both theirs."""
        steps: list[Step] = []
        done = 0
        for (rank, new), run in groupby(self._rows(lines, i, spans), lambda row: (row.rank, row.new)):
            stood = tuple(row.span for row in run)
            # what is new in front of a gap may as well be in the midst of what the gap takes
            stop = rank + (new and rank < len(lines) and lines[rank].is_gap)
            steps += [(line, ()) for line in lines[done:stop]]
            if new or (rank < done and not lines[rank].is_gap):
                steps += _new(stood)
            else:
                steps += self._stood(lines[rank] if rank >= done else Entry("...", ...), stood)
            done = max(done, stop, rank + (not new))
        steps += [(line, ()) for line in lines[done:]]
        absent = [line for line, stood in steps if line and not stood and line.patterns and may_be_absent(line)]
        for line, stood in steps if absent else ():
            moved = next((each for each in absent if holds(self._matcher, each, stood[0])), None) if not line else None
            if moved is not None:
                self.meant.setdefault(stood[0], moved.patterns)
        return self._reclaimed(steps)

    def _rows(self, lines: Sequence[Entry], i: int, spans: Sequence[int]) -> list[Row]:
        only = lines[0].pattern if len(lines) == len(spans) == 1 else None
        if isinstance(only, SpanPattern) and only.name == self._table.names[spans[0]]:
            return [Row(0, spans[0], only)]  # as in long chains, where looking on would take long
        rows = self._aligner.rows(tuple(line.pattern for line in lines if line.pattern is not None), i)
        self.meant.update({row.span: span_patterns_of(row.unit) for row in rows if row.unit is not None})
        here = {row.span: row for row in rows}
        return [here[k] for k in spans]

    def is_moving(self, line: Entry, spans: Iterable[int]) -> bool:
        """Return whether one of `spans` is what a line is about that stands for none of them."""
        meant = [self.meant[k][0] for k in spans if k in self.meant]
        return bool(line.patterns) and any(each is line.patterns[0] for each in meant)

    def seats(self, lines: Sequence[Entry], spans: Sequence[int]) -> tuple[list[tuple[int, ...]], list[int]]:
        """Return the spans of each line of a group in any order, and the spans of none."""
        seats: list[list[int]] = [[] for _ in lines]
        places: dict[tuple[SpanPattern, ...], list[int]] = {}  # lines that say the same are one to the alignment
        for place, line in enumerate(lines):
            places.setdefault(line.patterns, []).append(place)
        for k in spans:
            for place in places.get(self.meant[k], ()) if k in self.meant else ():
                high = lines[place].limits[1]
                if high is None or len(seats[place]) < high:
                    seats[place].append(k)
                    break
        kept = [self._alike(line, seat) if seat else () for line, seat in zip(lines, seats, strict=True)]
        seated = {k for seat in kept for k in seat}
        return kept, [k for k in spans if k not in seated]

    def _stood(self, line: Entry, spans: tuple[int, ...]) -> list[Step]:
        """Return the steps for a line and the spans that the alignment gave to it."""
        if line.is_gap or line.pattern is None:
            return [(line, spans)]
        if line.patterns:
            kept = self._alike(line, spans)
        elif isinstance(line.pattern, AnyOrder):
            kept = tuple(k for k in spans if k in self.meant or line.pattern.gap)
        else:
            kept = spans if self._matcher.accepts((line.pattern,), spans) else ()
        return _parted(line, spans, kept)

    def _alike(self, line: Entry, spans: Sequence[int]) -> tuple[int, ...]:
        """Return the spans in a row that a line can stand for: those that match, or differ from it in the same way."""
        unit = line.unit
        bare = SpanPattern(children=unit.children) if isinstance(unit, SpanPattern) else None

        def difference(k: int) -> tuple[bool, bool, object]:
            if unit is None or self._matcher.matches(unit, k):
                return True, True, None
            if not isinstance(unit, SpanPattern) or bare is None or not self._matcher.matches(bare, k):
                return False, False, self._aligner.context.costs.hashes.prints[k]
            now = strict(self._table, k, ())
            failed = self._matcher.local_failures(unit, k)
            return False, True, tuple(getattr(now, field, None) for field in failed)

        runs = [(key, tuple(run)) for key, run in groupby(spans, difference)]
        return max(reversed(runs), key=lambda run: (run[0][:2], len(run[1])))[1]

    def nearest(self, unit: Pattern, i: int) -> SpanPattern:
        """Return which alternative of a line the span at `i` comes nearest to."""
        return unit if isinstance(unit, SpanPattern) else self._aligner.priced(unit, i, float("inf"))[1]

    def is_alike(self, pattern: SpanPattern, i: int) -> bool:
        """Return whether less than everything differs between a line and the span at `i`."""
        most = self._aligner.context.costs.most(pattern, i)
        return self._aligner.priced(pattern, i, most)[0] < most

    # -- a gap takes spans at no cost, so that a line whose span merely moved seems to be lost -----------------------

    def _reclaimed(self, steps: list[Step]) -> list[Step]:
        """Take the spans of lost lines from gaps and from lines that can spare them, or what is wrapped around one."""
        free = [i for line, stood in steps if line and line.is_gap for i in stood]
        steps = self._nearer(steps, [*free, *(i for line, stood in steps if line is None for i in stood)])
        spare = [i for line, stood in steps if line and not line.is_gap for i in self._spare(line, stood)]
        wanted = {i for i in free if i in self.meant} | self._called_for(steps, [*free, *spare])
        lost = [line for line, stood in steps if line and not stood and line.patterns and not may_be_absent(line)]
        wanted |= self._holders(free, [line.unit for line in lost if line.unit is not None])
        taken: list[Step] = []
        for line, stood in steps:
            if line is None or not line.is_gap:
                taken += _parted(line, stood, [i for i in stood if i not in wanted])
                continue
            taken.append((line, ()))
            for is_wanted, run in groupby(stood, wanted.__contains__):
                if is_wanted:
                    taken += _new(run)
                elif taken[-1][0] is line:
                    taken[-1] = line, tuple(run)
                else:
                    taken.append((Entry("...", ...), tuple(run)))
        return taken

    def _nearer(self, steps: list[Step], free: Sequence[int]) -> list[Step]:
        """Let lines go of their span where no line has another one that bears their name and comes nearer."""
        made: list[Step] = []
        for line, stood in steps:
            if line is None or not stood or not line.patterns:
                made.append((line, stood))
                continue
            there = [k for k in free if self._table.names[k] == name_of(line) and k not in self.meant]
            best = max([stood[0], *there], key=partial(self._in_common, line))
            if best == stood[0]:
                made.append((line, stood))
                continue
            for k in stood:
                del self.meant[k]
            self.meant[best] = line.patterns
            made += [*_new(stood), (line, ())]
        return made

    def _spare(self, line: Entry, stood: tuple[int, ...]) -> tuple[int, ...]:
        """Return the spans at the ends of a run that a line does not ask for."""
        if not line.patterns:
            return tuple(i for i in (*stood[:1], *stood[-1:]) if i not in self.meant)
        count = min(len(stood) - line.limits[0], 2)
        return (stood[0], stood[-1]) if count == 2 else stood[len(stood) - count :] if count > 0 else ()

    def _in_common(self, line: Entry, i: int) -> tuple[bool, int]:
        there = [self._table.names[k] for k in self._table.children(i)]
        common = Counter(filter(None, map(name_of, line.below))) & Counter(there)
        return holds(self._matcher, line, i), common.total()

    def _called_for(self, steps: Iterable[Step], free: Sequence[int]) -> set[int]:
        """Return which spans lost lines are about: as many of a name as they ask for, those that match first."""
        found: set[int] = set()
        missing: Counter[str] = Counter()
        asking: dict[str, list[Entry]] = {}
        for line, stood in steps:
            held = Counter(self._table.names[i] for i in stood)
            if line is None:
                missing.subtract(held)
            for each in demanding(line) if line else ():
                name, low = name_of(each), each.limits[0]
                if name is not None:
                    taken = min(low, held[name])
                    held[name] -= taken
                    missing[name] += low - taken
                    asking.setdefault(name, []).append(each)
                elif not stood:
                    found.update([i for i in free if i not in found and holds(self._matcher, each, i)][:low])
        for name, lines in asking.items():
            there = [i for i in free if self._table.names[i] == name and i not in found] if missing[name] > 0 else []
            there.sort(key=lambda i: not any(holds(self._matcher, each, i) for each in lines))
            found.update(there[: missing[name]])
        return found

    def _holders(self, free: Iterable[int], units: Iterable[Pattern]) -> set[int]:
        """Return which spans have something below them that a lost line is about."""
        found = sorted(k for unit in units for k in self._matcher.find(unit))
        return {i for i in free if bisect(found, i) < bisect(found, self._table.stops[i] - 1)}


def _parted(line: Entry | None, stood: tuple[int, ...], kept: Sequence[int]) -> list[Step]:
    """Return the steps of a line that gives up what stands at the ends, up to the spans that it keeps."""
    first, stop = (stood.index(kept[0]), stood.index(kept[-1]) + 1) if kept else (0, 0)
    return [*_new(stood[:first]), (line, stood[first:stop]), *_new(stood[stop:])]


def _new(spans: Iterable[int]) -> list[Step]:
    return [(None, (i,)) for i in spans]
