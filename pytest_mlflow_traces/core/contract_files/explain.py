"""A contract file in plain English, all that it says and at the end what it does not look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.contract_files.lint import read_parts
from pytest_mlflow_traces.core.contract_files.phrases import joined, phrase, tree
from pytest_mlflow_traces.core.contract_files.tag_tables import OTHERS
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.durations import exact_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_mlflow_traces.core.budgets.limits import Limit
    from pytest_mlflow_traces.core.contract_files.demands import Parts
    from pytest_mlflow_traces.core.contract_files.model import ContractTable, TagTable
    from pytest_mlflow_traces.core.order.terms import Terms

_KINDS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_LISTS = {"str": "texts", "int": "whole numbers", "float": "numbers", "bool": "booleans"}
_LIMITS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "multiple_of": "a multiple of {}",
    "min_length": "no shorter than {}",
    "max_length": "no longer than {}",
    "pattern": "in which /{}/ is found",
}
_DURATIONS = {"latency", "latency_of", "self_time_of", "p95_of"}
_RELATIONS = {
    ("each", "after"): "starts after the end of {}",
    ("each", "before"): "ends before the start of {}",
    ("each", "inside"): "is somewhere inside {}",
    ("never", "after"): "starts after the start of {}",
    ("never", "before"): "starts before the start of {}",
    ("never", "inside"): "is anywhere inside {}",
}
_LOOKS: dict[str, Callable[[ContractTable], object]] = {
    "the shape of the tree": lambda said: said.shape,
    "how long anything takes": lambda said: said.budget and {*said.budget.model_fields_set} & _DURATIONS,
    "tokens": lambda said: said.budget and said.budget.tokens is not None,
    "cost": lambda said: said.budget and said.budget.cost_usd is not None,
    "tags": lambda said: said.tags,
    "metadata": lambda said: said.metadata,
}


def explain(text: str) -> str:
    """Return what a contract file says, in sentences.

    Raises:
        ContractFileError: for what is not a contract.
    """
    said, parts, _ = read_parts(text)
    lines = [*_contract(said, parts)]
    unseen = [what for what, looks in _LOOKS.items() if not any(map(looks, _tables(said)))]
    if unseen:
        lines += ["", f"What none of it looks at: {joined(unseen)}."]
    return "\n".join(lines)


def _tables(said: ContractTable) -> Iterator[ContractTable]:
    yield said
    for inner in said.contract or ():
        yield from _tables(inner)


def _contract(said: ContractTable, parts: Parts, outer: Sequence[Parts] = ()) -> Iterator[str]:
    yield f"Contract {parts.name!r}" + "".join(f", inside {each.name!r}" for each in outer[-1:])
    if parts.about is not None:
        yield parts.about.strip()
    which = [f"that {each.name!r} is about" for each in outer[-1:] if any(one.applies_to is not None for one in outer)]
    which += [] if parts.applies_to is None else [f"that has {phrase(parts.applies_to)}"]
    yield f"It is about each trace{f' {joined(which)}' if which else ''}."
    if parts.only:
        yield f"It looks only at {joined(map(phrase, parts.only))}, and at the roots; what stands between is left out."
    for expectation in parts.expectations:
        yield from _sentences(expectation)
    yield from _tags(said)
    for name in said.expect or ():
        yield f"- All holds that the code {name} expects."
    if said.contract:
        yield f"- {counted(len(said.contract), 'contract')} inside it, below, too, for the traces that both are about."
    for _, table, inner in parts.inside(said, ()):
        yield ""
        yield from _contract(table, inner, [*outer, parts])


def _sentences(expectation: Any) -> Iterator[str]:
    if isinstance(expectation, Pattern):
        yield "- The tree is this, and nothing else:"
        yield from (f"  {line}" for line in tree(expectation))
    elif isinstance(expectation, Has):
        yield f"- There is {phrase(expectation.pattern)}."
    elif isinstance(expectation, Rule):
        yield f"- {_order(expectation.terms)}"
    elif isinstance(expectation, Budget):
        yield from (f"- {sentence}" for sentence in _budget(expectation))


def _order(terms: Terms) -> str:
    over = " (over all traces of a session)" if terms.per == "session" else ""
    if terms.relation is None or terms.other is None:
        return f"There is {phrase(terms.pattern, 'no')}{over}."
    is_each = terms.word == "each"
    q = f"{phrase(terms.other)}{_same(terms)}"
    text = f"{phrase(terms.pattern, 'Each' if is_each else 'No')} {_RELATIONS[terms.word, terms.relation].format(q)}"
    if terms.between is not None:
        r = phrase(terms.between, "no" if is_each else "a")
        text += f", with {r} between" if is_each else f", unless {r} is between"
    if not is_each:
        return f"{text}{over}."
    return f"{text}{over}. There {'need not' if terms.optional else 'must'} be one."


def _same(terms: Terms) -> str:
    alike = [one.text for one, other in terms.same if one.text == other.text]
    words = [f"that has the same {joined(alike)}"] if alike else []
    words += [f"whose {other.text} is its {one.text}" for one, other in terms.same if one.text != other.text]
    return f" {joined(words)}" if words else ""


def _budget(budget: Budget) -> Iterator[str]:
    for word, said in budget.said.items():
        if word == "latency":
            yield f"The trace takes at most {exact_duration(said)}."
        elif word == "tokens":
            yield f"The trace takes at most {said:,} tokens."
        elif word == "cost_usd":
            yield f"The trace costs at most {said} US dollars."
        else:
            yield from (_limit(word, limit) for limit in said)


def _limit(word: str, limit: Limit) -> str:
    rest = "; there need not be one" if limit.optional else ""
    if word == "calls":
        if not limit.most:
            return f"There is {phrase(limit.pattern, 'no')}."
        few = f"exactly {counted(limit.most, 'call')}"
        if limit.least != limit.most:
            few = f"{limit.least} to {limit.most} calls" if limit.least else f"at most {counted(limit.most, 'call')}"
        return f"There {'is' if limit.most == 1 else 'are'} {few} of {phrase(limit.pattern)}{rest}."
    took = {
        "latency_of": "takes at most {}",
        "self_time_of": "takes at most {} beside what is inside of it",
        "p95_of": "takes at most {} in 95 % of all cases, over all traces together",
    }[word]
    return f"{phrase(limit.pattern, 'Each')} {took.format(exact_duration(limit.most))}{rest}."


def _tags(said: ContractTable) -> Iterator[str]:
    for what, table in (("tag", said.tags), ("metadata", said.metadata)):
        if table is None:
            continue
        if isinstance(table.get("schema"), str) and ":" in str(table["schema"]):
            yield f"- The tags are what the code {table['schema']} says."
            continue
        for name, kind in table.items():
            if name != OTHERS:
                yield f"- The {what} {name!r} is {_kind(kind)}."
        if what == "tag":
            yield "- Other tags may be there." if OTHERS in table else "- There are no other tags."


def _kind(said: str | list[str] | TagTable) -> str:
    if isinstance(said, list):
        return "one of " + ", ".join(map(repr, said)) if len(said) > 1 else repr(said[0])
    if isinstance(said, str):
        inner = said.removeprefix("list[").removesuffix("]")
        return _KINDS[said] if inner == said else f"a list of {_LISTS[inner]}"
    words = _kind(said.values if said.values is not None else said.type or "str") if said.type != "list" else ""
    if said.items is not None:
        words = f"a list, each item of which is {_kind(said.items)}"
    limits = [form.format(value) for word, form in _LIMITS.items() if (value := getattr(said, word)) is not None]
    return ", ".join([words, *limits]) + (", or absent" if said.optional else "")
