"""Names of spans in a contract file that no trace of some has: a misspelt one forbids nothing, and is never found.

A name that must be there is told in any case; one that need not be (what is forbidden, or optional) only where the
traces have one that is spelt nearly so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.contract_files.lint import Remark, read_parts
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern
from pytest_mlflow_traces.core.patterns.relations import all_spans, required_spans
from pytest_mlflow_traces.core.text.suggestions import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_mlflow_traces.core.budgets.limits import Limit
    from pytest_mlflow_traces.core.contract_files.demands import Parts
    from pytest_mlflow_traces.core.contract_files.model import ContractTable
    from pytest_mlflow_traces.core.contract_files.places import Key
    from pytest_mlflow_traces.core.order.terms import Terms
    from pytest_mlflow_traces.core.patterns.nodes import Text

Seen: TypeAlias = "Collection[tuple[str, str]]"  # the names and types of spans


class _Named(NamedTuple):
    """A pattern that says a name or a type, where it does, and whether a trace must have such a span."""

    key: Key
    pattern: Pattern
    required: bool


def unknown_names(text: str, seen: Seen) -> list[Remark]:
    """Return the names and types in a contract file that no span of these has.

    Raises:
        ContractFileError: for what is not a contract.
    """
    said, parts, places = read_parts(text)
    found = []
    for named in _named(said, parts, ()):
        for pattern, required in _spans(named.pattern, named.required):
            what = _unknown(pattern, seen, required)
            if what is not None:
                error = places.error("", named.key)
                found.append(Remark(error.line, error.column, "lint.unknown_name", what))
    return sorted(set(found))


def _named(said: ContractTable, parts: Parts, path: Key) -> Iterator[_Named]:
    if parts.applies_to is not None:
        yield _Named((*path, "applies_to"), parts.applies_to, required=True)
    for number, pattern in enumerate(parts.only):
        yield _Named((*path, "only", number), pattern, required=False)
    for key, expectation in parts.keyed(said, path):
        if isinstance(expectation, Pattern | Has):
            yield _Named(key, expectation if isinstance(expectation, Pattern) else expectation.pattern, required=True)
        elif isinstance(expectation, Rule):
            yield from _of_rule(key, expectation.terms)
        elif isinstance(expectation, Budget):
            for word, limits in expectation.said.items():
                for limit in limits if isinstance(limits, tuple) else ():
                    yield _Named((*key, word), limit.pattern, _is_required(word, limit))
    for key, table, inner in parts.inside(said, path):
        yield from _named(table, inner, key)


def _of_rule(key: Key, terms: Terms) -> Iterator[_Named]:
    required = terms.word == "each" and not terms.optional
    yield _Named(key, terms.pattern, required)
    if terms.other is not None:
        yield _Named(key, terms.other, required)
    if terms.between is not None:
        yield _Named(key, terms.between, required=False)


def _is_required(word: str, limit: Limit) -> bool:
    return not limit.optional and (word != "calls" or limit.least > 0)


def _spans(pattern: Pattern, required: bool) -> Iterator[tuple[SpanPattern, bool]]:
    """Yield the spans that a pattern speaks of, and whether each must be there."""
    waiting = [(pattern, required)]
    while waiting:
        pattern, required = waiting.pop()
        must = {id(each) for each in required_spans(pattern)} if required else ()
        for each in all_spans(pattern)[0]:
            yield each, id(each) in must
            waiting += [(inner, id(each) in must) for inner in each.has]
            waiting += [(inner, False) for inner in each.lacks]


def _unknown(pattern: SpanPattern, seen: Seen, required: bool) -> str | None:
    """Return what is unknown about the name or the type of a pattern, `None` where some span has both."""
    name, kind = pattern.name, pattern.type
    if any(_is(name, its_name) and _is(kind, its_type) for its_name, its_type in seen):
        return None
    names, types = {each for each, _ in seen}, {each for _, each in seen}
    for what, text, known in (("name", name, names), ("type", kind, types)):
        if not any(_is(text, each) for each in known):
            near = nearest(text, known) if isinstance(text, str) else ""
            return f"no trace has a span of {what} {_shown(text)}{near}" if required or near else None
    if not required:
        return None
    having = listed(sorted({its_type for its_name, its_type in seen if _is(name, its_name)}))
    return f"no trace has a span of name {_shown(name)} and type {_shown(kind)}: its type is {having}"


def _is(text: Text | None, actual: str) -> bool:
    if text is None:
        return True
    return text == actual if isinstance(text, str) else text.fullmatch(actual) is not None


def _shown(text: Text | None) -> str:
    return repr(text) if text is None or isinstance(text, str) else f"/{text.pattern}/"
