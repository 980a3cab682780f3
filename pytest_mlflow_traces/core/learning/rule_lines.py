"""Rules that were learnt, as lines of a contract: those that differ in a name stand in one line, with a regex."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.budgets.budget import Budget, if_present
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.learning.aspects import Kind, any_of
from pytest_mlflow_traces.core.learning.learnt import Line
from pytest_mlflow_traces.core.order.rule import each, never
from pytest_mlflow_traces.core.patterns.constructors import one_of, span
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pytest_mlflow_traces.core.learning.facts import Rule
    from pytest_mlflow_traces.core.learning.strata import Candidate
    from pytest_mlflow_traces.core.patterns.nodes import Pattern


class RuleLine(NamedTuple):
    """A line of a contract, and the rules that it stands for."""

    line: Line
    rules: Sequence[Candidate]

    @property
    def tests(self) -> int:
        """The tests that support each of its rules, at least."""
        return min(rule.tests.bit_count() for rule in self.rules)


class RuleLines:
    """What the rules about the spans of some traces say as expectations.

    Args:
        kinds: The kinds of all spans: where a name has one type alone, a line about several types leaves it out.
        failing: The kinds of spans of which some failed; a span that is asked for must not have.
        separator: The kind that stands between what is done at a time.
        runs: How many runs there are.
    """

    def __init__(self, kinds: Collection[Kind], failing: Collection[Kind], separator: Kind | None, runs: int) -> None:
        self._types = Counter(kind.name for kind in kinds)
        self._failing = failing
        self._separator = separator
        self._runs = runs

    def of(self, candidates: Iterable[Candidate]) -> list[RuleLine]:
        """Return the lines for some rules."""
        families: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            families[candidate.rule.family].append(candidate)
        found = [*self._calls(families.pop("has", []), families.pop("calls", []), families.pop("size", []))]
        found += self._failures(families.pop("fails", []))
        for rules in families.values():
            found += self._relations(rules)
        return found

    def _line(self, expectation: object, rules: Sequence[Candidate]) -> RuleLine:
        tests = min(rule.tests.bit_count() for rule in rules)
        more = " or more" * (len(rules) > 1)
        support = f"{self._runs} of {counted(self._runs, 'run')}, tried in {counted(tests, 'test')}{more}"
        return RuleLine(Line(expectation, support), rules)

    def _calls(
        self, present: Sequence[Candidate], calls: Sequence[Candidate], sizes: Sequence[Candidate]
    ) -> Iterator[RuleLine]:
        needed = {rule.rule.one: rule for rule in present}
        limits: dict[Kind | None, Candidate] = {}
        for rule in sorted([*calls, *sizes], key=_limit, reverse=True):
            limits[rule.rule.one] = rule
        for kind, rule in limits.items():
            also = [needed.pop(kind)] if kind in needed else []
            pattern = span() if kind is None else kind.pattern()
            yield self._line(Budget(calls={pattern: (len(also), _limit(rule))}), [rule, *also])
        for kind, rule in needed.items():
            if kind is not None:
                yield self._line(Has(kind.pattern()), [rule])

    def _failures(self, rules: Sequence[Candidate]) -> Iterator[RuleLine]:
        kinds = [rule.rule.one for rule in rules if rule.rule.one is not None]
        if kinds:
            yield self._line(never(self._pattern(kinds, status="ERROR")), rules)

    def _relations(self, rules: Sequence[Candidate]) -> Iterator[RuleLine]:
        """Yield the lines of rules of one family about two kinds, the ones of all that share the other together."""
        ones: defaultdict[tuple[Kind | None, object], list[Candidate]] = defaultdict(list)
        for rule in rules:
            ones[_other(rule.rule), rule.rule.more].append(rule)
        groups: defaultdict[object, list[Candidate]] = defaultdict(list)
        for (_, more), those in ones.items():
            alike = frozenset(_one(rule.rule) for rule in those)
            # a rule that asks for another one does not hold of each of several
            apart = those[0].rule.other if those[0].rule.family in {"after", "before"} else None
            groups[alike, more, apart].extend(those)
        for those in groups.values():
            yield self._line(self._relation(those), those)

    def _relation(self, rules: Sequence[Candidate]) -> object:
        family, _, _, more = rules[0].rule
        pattern = self._pattern(_kinds(map(_one, (rule.rule for rule in rules))))
        others = _kinds(map(_other, (rule.rule for rule in rules)))
        if family == "next":
            return never(pattern).after(self._pattern(others), since=span())
        if family == "turn" and self._separator is not None:
            return never(pattern).after(self._pattern(others), since=self._separator.pattern())
        status = "OK" if others[0] in self._failing else None
        other = others[0]._replace(status=status).pattern()
        if family == "before":
            return if_present(each(pattern).before(other))
        return if_present(each(pattern).after(other, same=f"inputs.{more}" if more else None))

    def _pattern(self, kinds: Sequence[Kind], status: str | None = None) -> Pattern:
        """Return the pattern of spans of some kinds, the names in one regex."""
        names: defaultdict[str | None, list[str]] = defaultdict(list)
        is_plain = len({kind.type for kind in kinds}) > 1 and all(self._types[kind.name] == 1 for kind in kinds)
        for kind in kinds:
            names[None if is_plain else kind.type].append(kind.name)
        patterns = [span(any_of(those), type=type_, status=status) for type_, those in names.items()]
        return patterns[0] if len(patterns) == 1 else one_of(*patterns)


def _limit(rule: Candidate) -> int:
    return int(rule.rule.more)


def _one(rule: Rule) -> Kind | None:
    """Return the kind that the line of a rule begins with."""
    return rule.other if rule.family == "next" else rule.one


def _other(rule: Rule) -> Kind | None:
    return rule.one if rule.family == "next" else rule.other


def _kinds(kinds: Iterable[Kind | None]) -> list[Kind]:
    return sorted({kind for kind in kinds if kind is not None}, key=str)
