"""Look for tags near given ones that keep every rule of a schema, or that break exactly one.

A local search: take a rule that is broken, change one of the tags it looks at, keep the change where fewer rules are
broken, and step aside where no change helps. What a tag is changed to comes from its form, from the other tags that the
rule looks at (their items, their lengths, their sums), and from the constants in the code of the rules.
"""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.tags.rules import UNKNOWN, rules_of
from pytest_mlflow_traces.core.tags.validate import Problem, broken_rules, plan_of, problems
from pytest_mlflow_traces.strategies.tag_values import constants_of, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from pydantic import BaseModel

_STEPS = 40  # changes of one search
_TRIES = 60  # candidates for one change
_FAR = 3.0  # how much worse it is that the rule to break holds than that another is broken


class Decider:
    """What is wrong with sets of tags of one schema that differ in few tags, with each text read once."""

    def __init__(self, schema: type[BaseModel]) -> None:
        self._plan = plan_of(schema)
        self._values: dict[tuple[str, str], Any] = {}
        self._empty: BaseModel | None = None
        if not any(rules_of(schema, mode) for mode in ("before", "wrap")) and not any(
            map(self._plan.looks_around, self._plan.names)
        ):
            self._empty = self._plan.bare.model_validate({})

    def problems(self, tags: Mapping[str, str], undecided: set[str] | None = None) -> list[Problem]:
        """Return what is wrong by the schema, where nothing is known of metadata; add what that leaves `undecided`."""
        plan = self._plan
        if self._empty is None or not all(tag in plan.names for tag in tags):
            return problems(plan.schema, tags)
        values = self._empty.model_copy()
        found = []
        for tag, text in tags.items():
            value = values.__dict__[plan.names[tag]] = self._read(tag, text)
            if value is UNKNOWN:
                found.append(Problem("value", tag))
        for tag in plan.sources:
            values.__dict__[plan.names[tag]] = UNKNOWN
        object.__setattr__(values, "__pydantic_fields_set__", {plan.names[tag] for tag in tags})
        found += [Problem("missing", tag) for tag in plan.required if tag not in tags and tag not in plan.sources]
        return found + broken_rules(plan, values, undecided)

    def _read(self, tag: str, text: str) -> Any:
        key = tag, text
        if key not in self._values:
            try:
                values = self._plan.bare.model_validate({tag: text})
                wrong = any(each.tag == tag for each in self._plan.answered({tag: text}))
                self._values[key] = UNKNOWN if wrong else values.__dict__[self._plan.names[tag]]
            except Exception:
                self._values[key] = UNKNOWN
        return self._values[key]


class TagSearch:
    """A search for tags of a schema that are as wanted; `fixed` are left alone."""

    def __init__(self, schema: type[BaseModel], fixed: AbstractSet[str] = frozenset()) -> None:
        self._plan = plan_of(schema)
        self._decider = Decider(schema)
        self._free = [tag for tag in self._plan.names if tag not in fixed and tag not in self._plan.sources]
        self._constants = sorted({text for rule in self._plan.rules for text in constants_of(rule.call)})

    def problems(self, tags: Mapping[str, str]) -> list[Problem]:
        """Return what is wrong with the tags."""
        return self._decider.problems(tags)

    def undecided(self) -> set[str]:
        """Return the rules that look at metadata, as far as good tags tell."""
        found: set[str] = set()
        start = {tag: next(options(self._plan.forms[tag], None, {}, {}, [])) for tag in self._free}
        tags = self.mended(start, Random(0), lambda _: None)  # noqa: S311
        if tags is not None:
            self._decider.problems(tags, found)
        return found

    def mended(
        self,
        tags: Mapping[str, str],
        random: Random,
        fresh: Callable[[str], str | None],
        target: tuple[str, str | None] | None = None,
    ) -> dict[str, str] | None:
        """Return tags without problems, or whose only problem is `target`, a kind and a rule; `None` if none are found.

        `fresh` gives another value of a tag, `None` for no such tag.
        """
        current = dict(tags)
        wrong = self.problems(current)
        cost = _cost(wrong, target)
        been = set()
        for _ in range(_STEPS):
            if not cost:
                return current
            been.add(_key(current))
            aside = []
            for candidate in self._nearby(current, self._at_fault(wrong, target, random), random, fresh):
                found = self.problems(candidate)
                price = _cost(found, target)
                if price < cost:
                    break
                if price < cost + 1 and _key(candidate) not in been:
                    aside.append((price, candidate, found))
            else:
                if not aside:
                    return None
                # a step aside leads out of where each change by itself makes things worse
                price, candidate, found = random.choice(sorted(aside, key=lambda each: each[0])[:8])
            current, wrong, cost = candidate, found, price
        return current if not cost else None

    def _at_fault(self, wrong: list[Problem], target: tuple[str, str | None] | None, random: Random) -> list[str]:
        """Return the tags of one problem, or all where the rule to break holds."""
        others = [each for each in wrong if (each.kind, each.rule) != target]
        if not others or (target is not None and len(others) == len(wrong) and random.random() < 0.5):
            return self._free
        problem = random.choice(others)
        if problem.kind != "rule":
            return [problem.tag] if random.random() < 0.8 else self._free
        return list(problem.reads) if problem.reads else self._free

    def _nearby(
        self, tags: dict[str, str], at_fault: list[str], random: Random, fresh: Callable[[str], str | None]
    ) -> Iterator[dict[str, str]]:
        changes: list[tuple[str, str | None]] = []
        for tag in at_fault:
            if tag in self._free:
                others = {other: tags[other] for other in at_fault if other != tag and other in tags}
                found = options(self._plan.forms[tag], tags.get(tag), others, self._plan.forms, self._constants)
                changes += [(tag, text) for text in dict.fromkeys(found) if text != tags.get(tag)]
                if tag not in self._plan.required and tag in tags:
                    changes.append((tag, None))
        random.shuffle(changes)
        changes = changes[:_TRIES]
        drawn = random.sample(known := [tag for tag in at_fault if tag in self._free], k=min(3, len(known)))
        absent = [tag for tag in drawn if tag not in tags]
        # lazily, since drawing costs; a tag that was absent is drawn rather than made up
        pairs = itertools.chain(
            ((tag, fresh(tag)) for tag in absent), changes, ((tag, fresh(tag)) for tag in drawn if tag in tags)
        )
        for tag, text in pairs:
            candidate = {name: value for name, value in tags.items() if name != tag}
            if text is not None:
                candidate[tag] = text
            yield candidate


def _cost(wrong: list[Problem], target: tuple[str, str | None] | None) -> float:
    if target is None:
        return len(wrong)
    hits = sum((each.kind, each.rule) == target for each in wrong)
    return len(wrong) - hits + (0.0 if hits == 1 else _FAR)


def _key(tags: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(tags.items())
