"""What a contract file says in vain, whatever the traces: parts that can never hold, never fail, or do nothing.

What is said is sure. "Can never hold" means that no trace to which the contract applies holds it, "can never fail" that
the part holds wherever the others do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.contract_files.demands import Part, Parts, View, line
from pytest_mlflow_traces.core.contract_files.reading import contract_of, read_model
from pytest_mlflow_traces.core.order.terms import BETWEEN
from pytest_mlflow_traces.core.patterns.relations import idle_items, implies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.core.contract_files.demands import Reason, Relation
    from pytest_mlflow_traces.core.contract_files.model import ContractTable
    from pytest_mlflow_traces.core.contract_files.places import Key, Places

_ENDS = {
    "after": "the first of them has none before it",
    "before": "the last of them has none after it",
    "inside": "the outermost of them is inside none",
}

Said: TypeAlias = "tuple[Key, str, str]"  # where, the rule, and what


class Remark(NamedTuple):
    """What is in vain in a contract file, and where; lines and columns count from 1."""

    line: int
    column: int
    rule: str
    text: str


def lint(text: str) -> list[Remark]:
    """Return what a contract file says in vain, in the order of the text.

    Raises:
        ContractFileError: for what is not a contract.
    """
    said, parts, places = read_parts(text)
    found = []
    for key, rule, what in remarks(said, parts, (), View(parts.only)):
        error = places.error("", key)
        found.append(Remark(error.line, error.column, f"lint.{rule}", what))
    return sorted(set(found))


def read_parts(text: str) -> tuple[ContractTable, Parts, Places]:
    """Return what a text says as a model and as a contract, and where it stands."""
    said, places = read_model(text)
    return said, contract_of(text, Parts.made), places


def remarks(said: ContractTable, parts: Parts, path: Key, view: View) -> Iterator[Said]:
    """Yield what a contract, and those inside it, say in vain, each with its path; `view` is what outer ones ask."""
    view.add(said, parts, path)
    for part in view.present:
        found = view.gone(part)
        if found is not None:
            yield part.key, "never_holds", f"{part.said} can never hold: {found.text}"
    for part in view.inherited():
        found = view.gone(part, here=True)
        if found is not None:
            yield found.key, "never_holds", f"{part.said} can never hold: {found.text}"
    for part in view.absent.all:
        yield from _idle(part, view.out_of_place(part.pattern))
    for part in view.limits:
        yield from _idle(part, view.gone(part))
    for rule in view.rules:
        yield from _of_rule(view, rule)
    for shape in view.shapes:
        for item in idle_items(shape.pattern):
            what = notation.format(item).splitlines()[0]
            yield shape.key, "no_effect", f"{what!r:.80} does nothing beside '...', which takes in whatever comes"
    for key, table, inner in parts.inside(said, path):
        yield from remarks(table, inner, key, view.inside(inner.only))


def _of_rule(view: View, rule: Relation) -> Iterator[Said]:
    key, terms, relation, q = rule
    p, is_each = terms.pattern, terms.word == "each"
    said = f"{terms.word} {line(p)} {relation} {line(q)}"
    holds = f"holds only where there is no {line(p)}" if terms.optional else "can never hold"
    if is_each and implies(q, p):
        yield key, "never_holds", f"{said} {holds}: every {line(q)} is like {line(p)}, too, and {_ENDS[relation]}"
    if not is_each or terms.optional:
        whole, other = Part(key, said, p), view.gone(Part(key, said, q))
        yield from _idle(whole, view.gone(whole) or (None if is_each else other))
        if is_each and other is not None:
            yield key, "never_holds", f"{said} {holds}: {other.text}"
    if terms.between is not None:
        word = BETWEEN[relation]
        between = Part((*key, word), f"{word} {line(terms.between)}", terms.between)
        found = view.gone(between)
        if found is not None:
            yield between.key, "no_effect", f"{between.said} does nothing: {found.text}"


def _idle(part: Part, found: Reason | None) -> Iterator[Said]:
    if found is not None:
        yield part.key, "never_fails", f"{part.said} can never fail: {found.text}"
