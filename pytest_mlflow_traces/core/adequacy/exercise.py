"""Comparisons that held, taken into a coverage: which branches of what was expected the traces took.

Only what may go another way has branches. A rule of order is exercised by a span that it is about, a limit by a span
under it, a contract by a trace that it applies to; `never(p)` alone, a limit of the whole trace and one of no calls by
being asked, as more than that would break them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_mlflow_traces.core.adequacy.branches import IN_ORDERS, Branch, bare, ways_of
from pytest_mlflow_traces.core.adequacy.names import named_in
from pytest_mlflow_traces.core.adequacy.witness import Witness
from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.contracts import Contract, parts_of, seen_by
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.matching.matcher import find
from pytest_mlflow_traces.core.notation import parse
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern, asks_structure_alone
from pytest_mlflow_traces.core.patterns.written import place_of, written_in
from pytest_mlflow_traces.core.spans.structure import structure_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.adequacy.branches import Ways
    from pytest_mlflow_traces.core.adequacy.coverage import Coverage
    from pytest_mlflow_traces.core.adequacy.names import Named
    from pytest_mlflow_traces.core.patterns.written import Place
    from pytest_mlflow_traces.core.questions import Questions
    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

_KEPT = 1_000  # patterns; a test may write its own anew for each trace


class Subject(NamedTuple):
    """What a pattern was held against: siblings of a table, or any of its spans."""

    table: SpanTable
    siblings: tuple[int, ...] | None


class _Outline:
    """What is known of one pattern."""

    def __init__(self, pattern: Pattern, home: Place) -> None:
        self.pattern = pattern  # kept alive: it is known by its id
        self.ways: Ways = ways_of(pattern, home)
        self.named: set[Named] = set(named_in(pattern))
        self.seen: set[tuple[str, tuple[int, ...] | None]] = set()  # the structures that have nothing new to say

    @cached_property
    def is_structural(self) -> bool:
        """Whether it is the same to all traces of one structure."""
        return asks_structure_alone(self.pattern)

    @cached_property
    def code(self) -> str:
        """Its code with nothing but names and types."""
        return bare(self.pattern)


class Exercise:
    """What takes comparisons into a coverage."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._outlines: dict[int, _Outline] = {}
        self._baselines: dict[tuple[str, int, str], Pattern] = {}

    def asked(self, questions: Questions, home: Place) -> None:
        """Take in what a test asked, and what it looked for; what did not hold has just looked.

        What answers by itself says nothing of its branches; a baseline is taken in as what it holds.
        """
        for each in questions.asked:
            self._coverage.held += each.answer and each.kind != "calls"
            if each.answer and each.kind == "in":
                self._anywhere(each.expected, each.traces, home)
            elif each.answer:
                self.held(each.expected, each.traces, home)
            elif isinstance(each.expected, Pattern):
                self._look(each.expected, home)
        for look in questions.looks:
            if look.found:
                self.pattern(look.pattern, [Subject(look.table, look.spans)], home)
            else:
                self._look(look.pattern, home)

    def baseline(self, name: str, home: Place, body: int, text: str, traces: Sequence[Trace]) -> None:
        """Take in that a baseline held of what was seen of some traces; of none, that it is there.

        It is at `home`, and the text of its pattern begins at the line `body` of the same file.
        """
        key = (*home, text)
        if key not in self._baselines:
            with written_in(home[0], body):
                self._baselines[key] = parse(text)
        what = f"baseline [{name}]" if name else "baseline"
        self._branch(Branch.at(home, what, "compared"), taken=bool(traces))
        self._coverage.held += len(traces)
        self.held(self._baselines[key], traces, home)

    def held(self, expectation: Any, traces: Sequence[Trace], home: Place) -> None:
        """Take in that an expectation held of some traces; of none, that it is there.

        What does not know where it is written is at `home`.
        """
        home = place_of(expectation) or home
        if isinstance(expectation, Pattern):
            self.pattern(expectation, [Subject(trace.table, tuple(trace.table.roots())) for trace in traces], home)
        elif isinstance(expectation, Has):
            self._anywhere(expectation.pattern, traces, home)
        elif isinstance(expectation, Rule):
            self._rule(expectation, traces, home)
        elif isinstance(expectation, Budget):
            self._budget(expectation, traces, home)
        elif isinstance(expectation, Contract):
            self._contract(expectation, traces, home)

    def pattern(self, pattern: Pattern, subjects: Sequence[Subject], home: Place) -> None:
        """Take in that a pattern held of some siblings, or of some span of a table."""
        outline = self._outline(pattern, home)
        self._coverage.expect(way.branch for way in outline.ways.values())
        self._coverage.named |= outline.named
        for subject in subjects:
            if not self._may_take_more(outline, subject.table):
                continue
            key = structure_hash(subject.table), subject.siblings
            if key not in outline.seen:
                self._witness(outline, subject)
                if outline.is_structural:
                    outline.seen.add(key)

    def _may_take_more(self, outline: _Outline, table: SpanTable) -> bool:
        """Return whether a table may take a branch that none has taken: not where a span for it is missing."""
        return any(
            not self._coverage.branches[branch] and (needs is None or table.named(needs))
            for branch, needs in outline.ways.values()
        )

    def _witness(self, outline: _Outline, subject: Subject) -> None:
        witness = Witness(subject.table)
        if subject.siblings is None:
            witness.of_any(outline.pattern)
        else:
            witness.of_siblings(outline.pattern, subject.siblings)
        self._coverage.intricate += not witness.is_whole
        for node, way in witness.ways:
            if isinstance(way, tuple) and (node, IN_ORDERS) in outline.ways:
                self._coverage.order(outline.ways[node, IN_ORDERS].branch, way)
            elif (node, way) in outline.ways:
                self._coverage.take(outline.ways[node, way].branch)

    def _outline(self, pattern: Pattern, home: Place) -> _Outline:
        outline = self._outlines.get(id(pattern))
        if outline is None:
            if len(self._outlines) >= _KEPT:
                self._outlines.clear()
            outline = self._outlines[id(pattern)] = _Outline(pattern, home)
        return outline

    def _anywhere(self, pattern: Pattern, traces: Sequence[Trace], home: Place) -> None:
        self.pattern(pattern, [Subject(trace.table, None) for trace in traces], home)

    def _look(self, pattern: Pattern, home: Place) -> None:
        self._coverage.named |= self._outline(pattern, home).named

    def _branch(self, branch: Branch, *, taken: bool) -> None:
        self._coverage.expect([branch])
        if taken:
            self._coverage.take(branch)

    def _rule(self, rule: Rule, traces: Sequence[Trace], home: Place) -> None:
        terms = rule.terms
        place, code = place_of(terms.pattern) or home, f"{terms.word}({self._outline(terms.pattern, home).code})"
        if terms.relation is None:  # with such a span it would not hold, so no alternative of it can be taken
            self._look(terms.pattern, home)
            self._branch(Branch.at(place, code, "asked"), taken=bool(traces))
            return
        for each in (terms.pattern, terms.other, terms.between):
            if each is not None:
                self._anywhere(each, traces, home)
        code += "" if terms.other is None else f".{terms.relation}({self._outline(terms.other, home).code})"
        self._branch(Branch.at(place, code, "about a span"), taken=_has(traces, terms.pattern))

    def _budget(self, budget: Budget, traces: Sequence[Trace], home: Place) -> None:
        for word, said in budget.said.items():
            if not isinstance(said, tuple):
                self._branch(Branch.at(home, f"Budget {word}", "asked"), taken=bool(traces))
                continue
            for limit in said:
                place, what = (
                    place_of(limit.pattern) or home,
                    f"Budget {word} {self._outline(limit.pattern, home).code}",
                )
                if not limit.most and word == "calls":
                    self._look(limit.pattern, home)
                    self._branch(Branch.at(place, what, "asked"), taken=bool(traces))
                    continue
                self._anywhere(limit.pattern, traces, home)
                self._branch(Branch.at(place, what, "with a span under it"), taken=_has(traces, limit.pattern))

    def _contract(self, contract: Contract, traces: Sequence[Trace], home: Place) -> None:
        its = [trace for trace in traces if contract.applies(trace)]
        self._branch(Branch.at(home, f"contract {contract.name!r}", "applied"), taken=bool(its))
        if contract.applies_to is not None:
            self._anywhere(contract.applies_to, its, home)
        for each in contract.only:
            self._look(each, home)
        seen = [seen_by(contract, trace) for trace in its]
        for part in parts_of(contract):
            self.held(part, seen, home)


def _has(traces: Sequence[Trace], pattern: Pattern) -> bool:
    return any(find(trace.table, pattern) for trace in traces)
