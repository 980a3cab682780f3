"""Immutable nodes of any depth as a flat list and back, for pickle, which recurses into what it is given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """What stands for the node at `index` of the list."""

    index: int


def flattened(root: Any) -> list[tuple[type, tuple[object, ...]]]:
    """Return the nodes below `root` and itself, each as its class and its fields, after the nodes that these hold.

    A node is a dataclass whose `parts` are the nodes (and other things) that stand in its fields, alone or in tuples.
    """
    made: list[tuple[type, tuple[object, ...]]] = []
    places: dict[int, Place] = {}
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in places:
            continue
        parts = [part for part in node.parts if hasattr(part, "parts")]
        if not ready:
            stack.append((node, True))
            stack.extend((part, False) for part in parts)
            continue
        places[id(node)] = Place(len(made))
        made.append((type(node), tuple(_put(getattr(node, each.name), places) for each in fields(node))))
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
