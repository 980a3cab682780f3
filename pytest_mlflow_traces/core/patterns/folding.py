"""Nodes of any depth folded without recursion; and as a flat list and back, for pickle, which would recurse."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Place:
    """What stands for the node at `index` of the list."""

    index: int


def built(
    root: T, parts_of: Callable[[T], Iterable[T]], build: Callable[[T, list[U]], U], made: dict[int, U] | None = None
) -> U:
    """Return what `build` makes of `root` and what it has made of its parts, however deep they nest."""
    made = {} if made is None else made
    stack = [root]
    while stack:
        top = stack[-1]
        parts = parts_of(top)
        missing = [part for part in parts if id(part) not in made]
        if missing:
            stack.extend(missing)
            continue
        if id(top) not in made:
            made[id(top)] = build(top, [made[id(part)] for part in parts])
        stack.pop()
    return made[id(root)]


def walked(root: T, parts_of: Callable[[T], Sequence[Any]], kind: type[T]) -> Iterator[T]:
    """Yield `root` and all that it is made of, each part of a kind once, in the order in which it is written."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += [part for part in reversed(parts_of(node)) if isinstance(part, kind)]


def flattened(root: Any) -> list[tuple[type, tuple[object, ...]]]:
    """Return the nodes below `root` and itself, each as its class and its fields, after the nodes that these hold.

    A node is a dataclass whose `parts` are the nodes (and other things) that stand in its fields, alone or in tuples.
    """
    made: list[tuple[type, tuple[object, ...]]] = []
    places: dict[int, Place] = {}

    def flatten(node: Any, _: list[Place]) -> Place:
        made.append((type(node), tuple(_put(getattr(node, each.name), places) for each in fields(node))))
        return Place(len(made) - 1)

    built(root, lambda node: [part for part in node.parts if hasattr(part, "parts")], flatten, places)
    return made


def unflattened(flat: list[tuple[type, tuple[object, ...]]]) -> Any:
    """Return the last node of what `flattened` gave, made anew with all below it."""
    made: list[object] = []
    for kind, values in flat:
        made.append(kind(*(_got(value, made) for value in values)))
    return made[-1]


def _put(value: object, places: dict[int, Place]) -> object:
    if isinstance(value, tuple):
        return tuple(places.get(id(item), item) for item in value)
    return places.get(id(value), value)


def _got(value: object, made: list[object]) -> object:
    if isinstance(value, tuple):
        return tuple(made[item.index] if isinstance(item, Place) else item for item in value)
    return made[value.index] if isinstance(value, Place) else value
