"""What all traces of a suite have in common, as the lines of one contract: rules, a shape, tags and what is spent.

It is learnt from all tests but some, asked about those, and loosened until it flags no more of their runs than was
asked. Nothing is kept that a trace it was learnt from would break.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.learning.aspects import Kind
from pytest_mlflow_traces.core.learning.extras import spending_of, tags_of
from pytest_mlflow_traces.core.learning.facts import facts_of, spans_by_kind
from pytest_mlflow_traces.core.learning.held_out import HeldOut
from pytest_mlflow_traces.core.learning.learnt import Line
from pytest_mlflow_traces.core.learning.rule_lines import RuleLines
from pytest_mlflow_traces.core.learning.shape import common_shape
from pytest_mlflow_traces.core.learning.strata import FEWEST, Evidence, broken_by
from pytest_mlflow_traces.core.notation.formatter import format_lines
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.learning.rule_lines import RuleLine
    from pytest_mlflow_traces.core.learning.strata import Candidate
    from pytest_mlflow_traces.core.trace import Trace

MOST_LINES = 60
_FOLDS = 10
_MOST_KINDS = 40
# from strict to loose: the share of what was asked that held-out runs may come to, and the tests of a rule
_DEMANDS = [(share, FEWEST) for share in (1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.1)]
_DEMANDS += [(0.0, fewest) for fewest in (FEWEST, 5, 8, 12, 20)]


@dataclass(frozen=True, slots=True)
class AllTraces:
    """The lines that all traces are held to, and how often they flag runs that pass."""

    lines: Sequence[Line]
    held_out: HeldOut


def all_traces(
    tests: Mapping[str, Sequence[Trace]], most: float, *, failing: Sequence[Trace] = (), apart: str | None = None
) -> AllTraces | None:
    """Return what the traces of passing runs have in common, as strict as the share of false alarms allows.

    Args:
        tests: The passing runs of each test.
        most: The share of passing runs of other tests that may be flagged, as held-out tests tell.
        failing: Runs that failed: where not all rules have room, those that catch more of these stay.
        apart: The tag that tells the tests apart.

    Returns:
        `None` where there are too few tests, or where nothing can be said within that share.
    """
    tests = {test: runs for test, runs in tests.items() if runs}
    return None if len(tests) <= FEWEST else _Learning(tests, failing, apart).learnt(most)


class _Learning:
    """One learning from the runs of some tests."""

    def __init__(self, tests: Mapping[str, Sequence[Trace]], failing: Sequence[Trace], apart: str | None) -> None:
        self._tests = tests
        self._names = [*tests]
        self._traces = [trace for runs in tests.values() for trace in runs]
        self._of = [number for number, runs in enumerate(tests.values()) for _ in runs]
        self._failing = failing
        self._apart = apart
        self._kinds, self._separator = _vocabulary(tests)

    @cached_property
    def _evidence(self) -> Evidence:
        facts = [dict(facts_of(trace, self._kinds, self._separator)) for trace in self._traces]
        return Evidence.gathered(facts, self._of)

    @cached_property
    def _folds(self) -> list[int]:
        """Tests to hold out together, as bits."""
        numbers = [*range(len(self._names))]
        Random(0).shuffle(numbers)  # noqa: S311  # the same each time, and no secret
        return [sum(1 << number for number in numbers[fold::_FOLDS]) for fold in range(min(_FOLDS, len(numbers)))]

    def learnt(self, most: float) -> AllTraces | None:
        """Return the strictest lines that flag no more held-out runs than a share."""
        limit = most * len(self._traces)
        lines, flagged = [], 0
        for learn in self._extras():
            line, its = self._with_extra(learn)
            if line is not None and 2 * (flagged | its).bit_count() <= limit:  # half of it is left for rules
                lines.append(line)
                flagged |= its
        rules: Sequence[Line] = ()
        for share, fewest in _DEMANDS:
            its = self._held_out(most * share, fewest)
            if (flagged | its).bit_count() <= limit:
                room = MOST_LINES - sum(map(_size, lines))
                rules = self._rule_lines(self._evidence.chosen(self._all, most * share, fewest), room)
                flagged |= its
                break
        if not lines and not rules:
            return None
        return AllTraces([*lines, *rules], self._as_held_out(flagged))

    @property
    def _all(self) -> int:
        return (1 << len(self._names)) - 1

    def _held_out(self, share: float, fewest: int) -> int:
        """Return the runs that the rules learnt from the tests of other folds flag."""
        flagged = 0
        for fold in self._folds:
            chosen = self._evidence.chosen(self._all & ~fold, share, fewest)
            flagged |= broken_by(chosen) & self._evidence.runs_of(fold)
        return flagged

    def _extras(self) -> Iterator[Callable[[Mapping[str, Sequence[Trace]]], Any]]:
        yield lambda tests: common_shape([trace for runs in tests.values() for trace in runs])
        yield lambda tests: tags_of(tests, self._apart)
        yield spending_of

    def _with_extra(self, learn: Callable[[Mapping[str, Sequence[Trace]]], Any]) -> tuple[Line | None, int]:
        """Return what is learnt from all tests, and the runs that it flags where it is learnt from other folds."""
        said, flagged = learn(self._tests), 0
        if said is None or not _holds(said, self._traces):
            return None, 0
        for fold in self._folds:
            rest = {test: runs for number, (test, runs) in enumerate(self._tests.items()) if not fold >> number & 1}
            expected = learn(rest)
            if expected is not None:
                held_out = (i for i, number in enumerate(self._of) if fold >> number & 1)
                flagged |= sum(1 << i for i in held_out if not _holds(expected, [self._traces[i]]))
        runs, tests = len(self._traces), len(self._names)
        return Line(said, f"{runs} of {counted(runs, 'run')} in {counted(tests, 'test')}"), flagged

    def _rule_lines(self, candidates: Sequence[Candidate], room: int) -> list[Line]:
        failing = {
            Kind(trace.table.names[i], trace.table.types[i])
            for trace in self._traces
            for i, status in enumerate(trace.table.statuses)
            if status == "ERROR"
        }
        kinds = {kind for trace in self._traces for kind in spans_by_kind(trace.table)}
        made = RuleLines(kinds, failing, self._separator, len(self._traces))
        found = [each for line in made.of(candidates) for each in self._sound(line, made)]
        caught = [sum(not _holds(each.line.expectation, [trace]) for trace in self._failing) for each in found]
        best = sorted(range(len(found)), key=lambda i: (-caught[i], -found[i].tests))[: max(0, room)]
        return [found[i].line for i in sorted(best)]

    def _sound(self, line: RuleLine, made: RuleLines) -> Iterable[RuleLine]:
        """Return a line that holds of every trace, or those of its rules that do."""
        if _holds(line.line.expectation, self._traces):
            return [line]
        return [each for rule in line.rules for each in made.of([rule]) if _holds(each.line.expectation, self._traces)]

    def _as_held_out(self, flagged: int) -> HeldOut:
        said: dict[str, list[bool]] = {name: [] for name in self._names}
        for i, number in enumerate(self._of):
            said[self._names[number]].append(bool(flagged >> i & 1))
        return HeldOut(said)


def _holds(expectation: Any, traces: Iterable[Trace]) -> bool:
    if isinstance(expectation, Pattern):
        return all(trace == expectation for trace in traces)
    return not any(expectation.check(trace) for trace in traces)


def _size(line: Line) -> int:
    return len(format_lines(line.expectation)) if isinstance(line.expectation, Pattern) else 1


def _vocabulary(tests: Mapping[str, Sequence[Trace]]) -> tuple[list[Kind], Kind | None]:
    """Return the kinds of spans without children that rules are about, and the one that separates turns."""
    in_tests: Counter[Kind] = Counter()
    in_runs: Counter[Kind] = Counter()
    spans: Counter[Kind] = Counter()
    inner: set[Kind] = set()
    for runs in tests.values():
        seen = [spans_by_kind(trace.table) for trace in runs]
        in_tests.update([*dict.fromkeys(kind for each in seen for kind in each)])  # in the order in which they come
        for trace, each in zip(runs, seen, strict=True):
            in_runs.update(each.keys())
            spans.update({kind: len(its) for kind, its in each.items()})
            above = {trace.table.parents[i] for its in each.values() for i in its} - {-1}
            inner |= {Kind(trace.table.names[i], trace.table.types[i]) for i in above}
    leaves = [kind for kind, count in in_tests.most_common() if count >= FEWEST and kind not in inner]
    total = sum(map(len, tests.values()))
    turning = [kind for kind in leaves if in_runs[kind] == total and spans[kind] > total]
    separator = max(turning, key=lambda kind: spans[kind], default=None)
    return leaves[:_MOST_KINDS], separator
