"""Recorded patterns written one way: what stands in any order, in the order of what it says.

Two runs of the same code start their workers in another order. Both are recorded as `any order`, and are the same here.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.notation.lines import span_line
from pytest_mlflow_traces.core.patterns.folding import built
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTES = 8


def canonical(pattern: Pattern) -> Pattern:
    """Return a recorded pattern with its groups in order, the same in every process.

    Args:
        pattern: What `recorded` returned: spans with their children, and `any order`.
    """
    return built(pattern, _below, _sorted)[2]


def _below(pattern: Pattern) -> list[Pattern]:
    return [each for each in pattern.parts if isinstance(each, Pattern)]


def _sorted(pattern: Pattern, below: Sequence[tuple[str, bytes, Pattern]]) -> tuple[str, bytes, Pattern]:
    """Return the line of a node, the hash of its subtree, and the node with what is below it in order."""
    made: Pattern
    if isinstance(pattern, AnyOrder):
        below = sorted(below, key=lambda each: each[:2])
        head, made = "any order", AnyOrder(tuple(each[2] for each in below))
    elif isinstance(pattern, SpanPattern):
        head, made = span_line(pattern, ""), replace(pattern, children=tuple(each[2] for each in below))
    else:
        raise TypeError(f"not a recorded pattern: {pattern!r:.80}")
    # the length of each part tells where it ends, so that no text passes for another
    text = head.encode("utf-8", "surrogatepass")
    hashed = blake2b(b"%d:%s" % (len(text), text), digest_size=_BYTES)
    for _, digest, _ in below:
        hashed.update(digest)
    return head, hashed.digest(), made
