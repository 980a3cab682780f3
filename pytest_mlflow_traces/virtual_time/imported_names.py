"""Finding who imported a function by name (`from time import sleep`), and giving them another."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@contextmanager
def rebound(functions: Sequence[tuple[Any, Any]], spared: Callable[[str, Any], bool]) -> Iterator[None]:
    """Replace functions, given with what is to stand for each, in all modules but those spared; then put them back.

    `spared` is asked with the name of a module and what is replaced there, or put back.
    """
    replacements = {id(function): replacement for function, replacement in functions}
    originals = {id(replacement): function for function, replacement in functions}
    known = frozenset(replacements.keys() | originals.keys())  # one that stayed from the last time is put back now
    seen: dict[str, tuple[int, int, tuple[str, ...]]] = {}
    # Every name of every module, each time: a test that has put a stub in the place of one may since have taken it out,
    # and nothing cheaper tells. Two thousand modules have eighty thousand names, which take 10 ms.
    for module, names in _modules():
        having = _having(names, known, module, spared)
        _replace(names, having, replacements)
        seen[module] = id(names), len(names), having
    try:
        yield
    finally:
        # Modules that were imported meanwhile may hold replacements. That one held all the while may have rebound a
        # name is not worth a second search: a replacement does out of virtual time what the original does.
        for module, names in _modules():
            identity, count, having = seen.get(module, (0, 0, ()))
            if identity != id(names) or count != len(names):
                having = _having(names, known, module, spared)
            _replace(names, having, originals)


def _modules() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, module in list(sys.modules.items()):
        names = getattr(module, "__dict__", None)
        if isinstance(names, dict):
            yield name, names


def _having(
    names: dict[str, Any], known: frozenset[int], module: str, spared: Callable[[str, Any], bool]
) -> tuple[str, ...]:
    if known.isdisjoint(map(id, list(names.values()))):
        return ()
    return tuple(key for key, value in list(names.items()) if id(value) in known and not spared(module, value))


def _replace(names: dict[str, Any], having: tuple[str, ...], replacements: Mapping[int, Any]) -> None:
    for key in having:
        replacement = replacements.get(id(names.get(key)))
        if replacement is not None:
            names[key] = replacement
