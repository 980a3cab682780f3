"""Hypothesis strategies for the tags of a schema: valid sets, and sets in which exactly one thing is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck

from pytest_mlflow_traces.core.tags.formats import OtherForm
from pytest_mlflow_traces.core.tags.portability import is_own, tag_finding
from pytest_mlflow_traces.core.tags.validate import Problem, plan_of, problems
from pytest_mlflow_traces.core.text.suggestions import nearest
from pytest_mlflow_traces.strategies.tag_values import CHARACTERS, constants_of, faults_of, faulty, nearby, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mlflow_traces.core.tags.schema import TagSchema
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema

__tracebackhide__ = True  # a failure points at the test, not in here

_T = TypeVar("_T")
_Target: TypeAlias = "tuple[str, str | None]"  # the kind of a problem, and its rule
_STEPS = 300  # changes of one search
_ATTEMPTS = 3  # searches, each from tags of its own, before an example is given up
_TRIED = 12  # values of one tag, before another fault is tried
_FRESH = 0.05  # of the changes
_SIDEWAYS = 0.1  # of the changes that make nothing better
_PATIENCE = 5  # examples that are given up before the schema is, where none was ever found


@dataclass(frozen=True, slots=True)
class InvalidTags:
    """Tags in which exactly one thing is wrong: the only finding on them has this `rule` and this `where`.

    >>> from pytest_mlflow_traces import BoolTag, TagSchema
    >>> class Tags(TagSchema):
    ...     has_error: BoolTag
    >>> invalid = InvalidTags({"has_error": "True"}, "tags.value", "tag 'has_error'")
    >>> [(finding.rule, finding.where) for finding in Tags.check_tags(invalid.tags)]
    [('tags.value', "tag 'has_error'")]
    """

    tags: Mapping[str, Any]
    rule: str
    where: str


class TagSets:
    """The sets of tags of one schema, and whether any was ever possible."""

    def __init__(self, schema: type[TagSchema], overrides: Mapping[str, Any], call: str) -> None:
        self.schema = schema
        self.plan = plan_of(schema)
        self.call = call
        _check_overrides(self.plan, overrides, call)
        self.strategies = {
            tag: _given(overrides[tag]) if tag in overrides else _texts_of(self.plan, tag, call)
            for tag in self.plan.names
            if tag not in self.plan.sources
        }
        self.free = [tag for tag in self.strategies if tag not in overrides]
        self.faults = faults_of(self.plan)
        # Hypothesis itself draws those of all local modules, but in too few of its texts for a rule to see its own
        self.constants = {
            rule.name: sorted(set(constants_of(getattr(rule.call, "__code__", None)))) for rule in self.plan.rules
        }
        self._found = self._given_up = 0  # examples

    def strategy(self, make: Callable[[TagSets, st.DrawFn], _T]) -> st.SearchStrategy[_T]:
        """Return the strategy of what `valid` or `invalid` makes."""

        @st.composite
        def drawn(draw: st.DrawFn) -> _T:
            made = make(self, draw)
            self._found += 1
            return made

        return drawn()

    def is_optional(self, tag: str) -> bool:
        """Return whether a tag may be left out; what is given is there, unless its strategy draws None."""
        return tag in self.free and tag not in self.plan.required

    def drawn(self, draw: st.DrawFn) -> dict[str, str]:
        """Draw each tag by itself."""
        tags: dict[str, str] = draw(_other_tags(self.plan)) if self.plan.is_open else {}
        for tag, strategy in self.strategies.items():
            if not self.is_optional(tag) or draw(st.booleans()):
                text = draw(strategy)
                if text is not None:
                    tags[tag] = text
        return tags

    def solved(self, draw: st.DrawFn, tags: dict[str, str], target: _Target | None = None) -> dict[str, str] | None:
        """Return tags without problems, or with `target` as the only one, by a stochastic local search; None for none.

        One tag is changed at a time, of those that a broken rule has read. A change that makes something better is
        kept, and some that make nothing worse. The steps are not drawn: the simplest choices would walk in circles.
        """
        wrong = problems(self.schema, tags)
        if not _cost(wrong, target):
            return tags
        random = Random(draw(st.integers(0, 99)))  # noqa: S311  # no secret
        for _ in range(_STEPS if self.free else 0):
            candidate = self._changed(draw, random, tags, [each for each in wrong if _target(each) != target])
            found = problems(self.schema, candidate)
            gain = _cost(wrong, target) - _cost(found, target)
            if gain > 0 or (gain == 0 and random.random() < _SIDEWAYS):
                tags, wrong = candidate, found
            if not _cost(wrong, target):
                return tags
        return None

    def _changed(self, draw: st.DrawFn, random: Random, tags: dict[str, str], wrong: list[Problem]) -> dict[str, str]:
        """Return tags of which one is another, or is left out, for the sake of a rule that is broken."""
        problem = random.choice(wrong) if wrong else Problem("")
        reads = problem.reads or (problem.tag,)
        tag = random.choice([tag for tag in reads if tag in self.free] or self.free)
        if tag not in tags or random.random() < _FRESH:  # rather drawn than made up
            text: Any = draw(self.strategies[tag])  # never None, which only a given strategy draws
            return {**tags, tag: text}
        if self.is_optional(tag) and random.random() < 0.5:
            return {name: text for name, text in tags.items() if name != tag}
        beside = [tags[other] for other in reads if other in tags and other != tag]
        beside += self.constants.get(problem.rule or "", [])
        texts = [text for text in nearby(self.plan.forms[tag], tags[tag], beside) if text != tags[tag]]
        return {**tags, tag: random.choice(texts or [tags[tag]])}

    def valid(self, draw: st.DrawFn) -> dict[str, str]:
        """Draw tags that keep every rule; give the example up where none are found."""
        for _ in range(_ATTEMPTS):
            tags = self.solved(draw, self.drawn(draw))
            if tags is not None and not self.schema.check_tags(tags):
                return tags
        return self._give_up(lambda: self._unsatisfied(draw))

    def invalid(self, draw: st.DrawFn) -> InvalidTags:
        """Draw tags in which exactly one thing is wrong; give the example up where none are found."""
        faults = draw(st.permutations(self.faults))
        tags = self.valid(draw)
        for kind, at in faults:
            for _ in range(_TRIED):
                rule = kind == "rule"
                broken = self.solved(draw, tags, (kind, at)) if rule else draw(faulty(kind, at, self.plan, tags))
                if broken is None:
                    break
                findings = self.schema.check_tags(broken)
                if len(findings) == 1:
                    return InvalidTags(broken, findings[0].rule, findings[0].where)
        return self._give_up(lambda: f"{self.call}: found nothing that the schema refuses by itself")

    def _give_up(self, told: Callable[[], str]) -> NoReturn:
        """Give an example up, or the schema where none was ever found."""
        self._given_up += 1
        if not self._found and self._given_up >= _PATIENCE:
            raise UnsatisfiableSchemaError(told())
        reject()

    def _unsatisfied(self, draw: st.DrawFn) -> str:
        findings = self.schema.check_tags(self.drawn(draw))
        told = "".join(f"\n  {finding}" for finding in findings[:5])
        wrong = problems(self.schema, self.drawn(draw))
        tags = [tag for each in wrong for tag in (each.reads or (each.tag,)) if tag in self.free]
        some = next(iter([*tags, *self.strategies]), "tag")
        return (
            f"{self.call}: found no tags that keep all rules of the schema; the nearest break{told}\n"
            f"Pass strategies or values for the tags that the rules look at: {self.call[:-1]}, {some}=...)"
        )


class UnsatisfiableSchemaError(FailedHealthCheck):  # which Hypothesis raises at once, and does not try to shrink
    """No tags were found that keep all rules of a schema, or that break one.

    >>> from hypothesis import given, settings
    >>> from pydantic import model_validator
    >>> from pytest_mlflow_traces import BoolTag, TagSchema
    >>> from pytest_mlflow_traces import strategies
    >>> class Tags(TagSchema):
    ...     has_error: BoolTag
    ...     @model_validator(mode="after")
    ...     def never(self):
    ...         raise ValueError("no tags are good enough")
    >>> @settings(derandomize=True)
    ... @given(strategies.tags(Tags))
    ... def test(tags):
    ...     pass
    >>> try:
    ...     test()
    ... except strategies.UnsatisfiableSchemaError as error:
    ...     "never" in str(error)
    True
    """


def _cost(wrong: list[Problem], target: _Target | None) -> int:
    """Return how far tags are from having `target` as their only problem."""
    # a value that is illegal costs more than all the rules that are not asked about it
    cost = sum(1 if each.kind == "rule" else 50 for each in wrong)
    hits = sum(_target(each) == target for each in wrong)
    return cost - hits + (0 if target is None or hits == 1 else 3)


def _target(problem: Problem) -> _Target:
    return problem.kind, problem.rule


def _check_overrides(plan: CompiledSchema, overrides: Mapping[str, Any], call: str) -> None:
    for tag, value in overrides.items():
        if tag in plan.sources:
            raise TypeError(f"{call}: {tag!r} is metadata, and only tags are drawn")
        if tag not in plan.names:
            raise TypeError(f"{call}: the schema names no tag {tag!r}{nearest(tag, plan.names)}")
        if not isinstance(value, str | st.SearchStrategy):
            raise TypeError(f"{call}: {tag} is a text or a strategy of texts, got {value!r:.80}")


def _given(value: Any) -> st.SearchStrategy[str | None]:
    return st.just(value) if isinstance(value, str) else value


def _texts_of(plan: CompiledSchema, tag: str, call: str) -> st.SearchStrategy[str | None]:
    """Return what a tag may be by itself, with what its own validators make of that."""
    strategy = texts_of(plan.forms[tag], f"{call[:-1]}, {tag}=...)").filter(lambda text: tag_finding(tag, text) is None)
    certain = not plan.validators(tag) and not isinstance(plan.forms[tag], OtherForm)
    if certain or plan.looks_around(tag):
        return strategy
    return strategy.filter(lambda text: not any(each.tag == tag for each in problems(plan.schema, {tag: text})))


def _other_tags(plan: CompiledSchema) -> st.SearchStrategy[dict[str, str]]:
    """Return tags that an open schema does not name."""
    texts = st.text(CHARACTERS, max_size=12)
    return st.dictionaries(_names(plan), texts, max_size=2).filter(
        lambda tags: not any(is_own(name, text) for name, text in tags.items())
    )


def _names(plan: CompiledSchema) -> st.SearchStrategy[str]:
    names = st.from_regex(r"[a-z][a-z0-9_.-]{0,11}", fullmatch=True)
    return names.filter(lambda name: name not in plan.names and tag_finding(name, "") is None)
