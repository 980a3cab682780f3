"""What a run exercised of what is expected, and what ran that nothing looks at, as data that can be merged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.adequacy.branches import Branch
from pytest_mlflow_traces.core.adequacy.names import Named, unnamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_mlflow_traces.core.adequacy.names import Kind


class Coverage:
    """The branches of all that is expected, which of them were taken, and what ran.

    A group was in more than one order where two of its items came in both.
    """

    def __init__(self) -> None:
        self.branches: dict[Branch, bool] = {}
        self.orders: dict[Branch, set[tuple[int, int]]] = {}
        self.ran: Counter[Kind] = Counter()
        self.named: set[Named] = set()
        self.held = 0  # comparisons
        self.intricate = 0  # of these, nobody knows which branches they took

    def expect(self, branches: Iterable[Branch]) -> None:
        """Add branches that may be taken."""
        for branch in branches:
            self.branches.setdefault(branch, False)

    def take(self, branch: Branch) -> None:
        """Note that a branch was taken."""
        self.branches[branch] = True

    def order(self, branch: Branch, pair: tuple[int, int]) -> None:
        """Note that of the items of a group one came before another."""
        pairs = self.orders.setdefault(branch, set())
        pairs.add(pair)
        if pair[::-1] in pairs:
            self.take(branch)

    @property
    def taken(self) -> int:
        """How many branches were taken."""
        return sum(self.branches.values())

    @property
    def missed(self) -> list[Branch]:
        """The branches that were not, by file and line."""
        return sorted(branch for branch, taken in self.branches.items() if not taken)

    @property
    def percent(self) -> float:
        """How many of a hundred branches were taken; 0 where nothing held, 100 where nothing that held has a branch."""
        return 100 * self.taken / len(self.branches) if self.branches else 100.0 * bool(self.held)

    @property
    def unnamed(self) -> dict[Kind, int]:
        """The names and types of spans that nothing looks at, and in how many traces they ran."""
        return unnamed(self.ran, self.named)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "branches": [[*_parts(branch), taken] for branch, taken in self.branches.items()],
            "orders": [[*_parts(branch), *pair] for branch, pairs in self.orders.items() for pair in pairs],
            "ran": [[*kind, count] for kind, count in self.ran.items()],
            "named": [each.to_data() for each in self.named],
            "held": self.held,
            "intricate": self.intricate,
        }

    def merge(self, said: Mapping[str, Any]) -> None:
        """Add what another process knows, as its `to_data` returned it."""
        for *parts, taken in said["branches"]:
            self.branches[Branch(*parts)] = taken or self.branches.get(Branch(*parts), False)
        for *parts, one, two in said["orders"]:
            self.order(Branch(*parts), (one, two))
        for name, type_, count in said["ran"]:
            self.ran[name, type_] += count
        self.named.update(map(Named.from_data, said["named"]))
        self.held += said["held"]
        self.intricate += said["intricate"]


def _parts(branch: Branch) -> tuple[str, int, str, str]:
    return branch.file, branch.line, branch.what, branch.way
