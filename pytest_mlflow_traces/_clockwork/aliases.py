"""Finding who imported a function by name (`from time import sleep`), and giving them another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SEEN: dict[str, tuple[int, int, tuple[str, ...]]] = {}
"""By module: which object, how many names, and those that had one of the functions. Two thousand modules take 20 ms to
search, so one that has as many names as before is not searched again."""


def rebind(functions: Mapping[Any, Any], spared: Callable[[str], bool]) -> None:
    """Replace the functions, which are to be always the same or their replacements, in all modules but those spared."""
    wanted = {id(function): replacement for function, replacement in functions.items()}
    known = wanted.keys() | {id(replacement) for replacement in functions.values()}
    for name, module in list(sys.modules.items()):
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict):
            continue
        identity, count, having = _SEEN.get(name, (0, 0, ()))
        if identity != id(module) or count != len(names):
            having = () if spared(name) else tuple(key for key, value in list(names.items()) if id(value) in known)
            _SEEN[name] = id(module), len(names), having
        for key in having:
            replacement = wanted.get(id(names.get(key)))
            if replacement is not None:
                names[key] = replacement
