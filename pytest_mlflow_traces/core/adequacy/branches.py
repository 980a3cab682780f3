"""The ways in which what is expected may go: each is a branch, with the place where it is written.

Of two parts that a file says in one line alike, the second is another branch, and so named. What differs in operands
alone is the same: the questions of a parametrized test do not make its pattern many.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.adequacy.search import ABOVE, ABSENT, LEAST, PRESENT
from pytest_mlflow_traces.core.patterns.folding import built, walked
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern, short
from pytest_mlflow_traces.core.patterns.operands import whole_number
from pytest_mlflow_traces.core.patterns.written import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.patterns.written import Place

IN_ORDERS = "in more than one order"
Ways: TypeAlias = "dict[tuple[int, object], Way]"  # by the id of a pattern, and which way it goes


@dataclass(frozen=True, slots=True, order=True)
class Branch:
    """One way in which something that is expected may go: `optional(span('retry'))`, present."""

    file: str
    line: int
    what: str
    way: str

    @classmethod
    def at(cls, place: Place, what: str, way: str) -> Branch:
        """Make the branch of what is written at a place."""
        return cls(*place, what, way)


class Way(NamedTuple):
    """A branch of a pattern, and the name of a span without which nothing takes it; `None` where none is known."""

    branch: Branch
    needs: str | None


def ways_of(pattern: Pattern, home: Place) -> Ways:
    """Return the branches of a pattern and of all that it is made of, `lacks` apart: what is not there goes no way.

    What was made when nobody wanted to know where is at `home`.
    """
    found: Ways = {}
    times: Counter[tuple[Place, str]] = Counter()
    for node in walked(pattern, _below, Pattern):
        ways = dict(_ways(node))
        if not ways:
            continue
        place, what = place_of(node) or home, bare(node)
        times[place, what] += 1
        number = times[place, what]
        what = what if number == 1 else f"{what}, the {number}. of this line"
        found |= {(id(node), way): Way(Branch.at(place, what, said), _needs(node, way)) for way, said in ways.items()}
    return found


def _needs(node: Pattern, way: object) -> str | None:
    part = node.item if isinstance(node, Repeat) and way == PRESENT else None
    part = node.alternatives[way] if isinstance(node, OneOf) and isinstance(way, int) else part
    return part.name if isinstance(part, SpanPattern) and isinstance(part.name, str) else None


def bare(pattern: Pattern) -> str:
    """Return the code of a pattern with nothing but the names and types of spans, cut where it is long."""

    def made(node: Pattern, parts: list[Pattern]) -> Pattern:
        if isinstance(node, SpanPattern):
            return SpanPattern(node.name, node.type)
        if isinstance(node, Repeat):
            return replace(node, item=parts[0])
        return OneOf(tuple(parts)) if isinstance(node, OneOf) else replace(node, items=tuple(parts))  # type: ignore[type-var]  # the fourth is AnyOrder

    return short(built(pattern, _inner, made))


def _inner(node: Pattern) -> list[Pattern]:
    return [] if isinstance(node, SpanPattern) else [part for part in node.parts if isinstance(part, Pattern)]


def _below(node: Pattern) -> Sequence[object]:
    """Return what a node is made of, but for what it forbids: no span can take that."""
    return (*node.has, *(node.children or ())) if isinstance(node, SpanPattern) else node.parts


def _ways(node: Pattern) -> Iterator[tuple[object, str]]:
    if isinstance(node, Repeat) and (node.min, node.max) == (0, 1):
        yield from ((way, way) for way in (PRESENT, ABSENT))
    elif isinstance(node, Repeat) and node.min != node.max:
        least = whole_number(node.min)
        yield LEAST, f"{LEAST}, {least}"
        yield ABOVE, f"{ABOVE}, {least}"
    elif isinstance(node, OneOf) and len(node.alternatives) > 1:
        yield from ((number, bare(each)) for number, each in enumerate(node.alternatives))
    elif isinstance(node, AnyOrder) and not node.overlapping and len(set(node.items)) > 1:
        yield IN_ORDERS, IN_ORDERS
