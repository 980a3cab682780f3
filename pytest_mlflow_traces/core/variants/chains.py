"""The least list of lines that several lists of lines and of spans have in common, whatever their order.

A list is a chain of blocks, each of which holds what comes in any order: of some key (a name), so many. What is joined
says of each key how many there are, and of two what order they have, where that is known. Of two that may both be
absent it is known only where something that is always there stands between. So no two neighbouring blocks both hold
what may be absent, and such chains are closed under intersection: of any lists, there is one least chain that has them
all. That is what makes `joined` independent of the order, and of how the lists are put together.

Of the spans of one key, those that are always there have a place each, first to last; the others share one, the tail.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

TAIL = 0  # the number of what may be absent; the others count from 1
Symbol = tuple["Hashable", int]


@dataclass(slots=True, eq=False)
class Item:
    """One line of a list, or one span: its key, how often it is there, and who says so."""

    key: Hashable
    low: int
    high: int | None
    sources: tuple[Any, ...] = ()


@dataclass(slots=True, eq=False)
class Block:
    """Items in any order; or just one of them, and at least `low`, 0 or 1."""

    items: list[Item]
    is_choice: bool = False
    low: int = 0


@dataclass(slots=True, eq=False)
class Place:
    """Spans of one key in a block of what was joined, and the sources of all of them."""

    key: Hashable
    low: int
    high: int | None
    sources: dict[int, Any] = field(default_factory=dict)  # by identity


@dataclass(slots=True, eq=False)
class Joined:
    """A block of what was joined: places in any order, or just one of them."""

    places: list[Place]
    is_choice: bool = False
    low: int = 0


def joined(chains: Sequence[Sequence[Block]]) -> list[Joined]:
    """Return the least chain that has all of some chains; the first may hold an order that was asked for by hand."""
    read = [_Chain(blocks) for blocks in chains]
    keys = dict.fromkeys(key for chain in read for key in chain.lows)
    fixed = {key: min(chain.lows.get(key, 0) for chain in read) for key in keys}
    for chain in read:
        chain.place(fixed)
    items: dict[Symbol, list[Item]] = {}
    for symbol, item in (pair for chain in read for step in chain.steps for pair in step.items()):
        items.setdefault(symbol, []).append(item)
    return [_block(symbols, read, fixed, items) for symbols in _merged(_components(read), read[0], fixed)]


class _Chain:
    """One of the lists that are joined, and where in it each symbol may stand."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = [replace(block, items=_by_key(block.items)) for block in blocks]
        self.lows: dict[Hashable, int] = {}
        self.highs: dict[Hashable, int | None] = {}
        self.loose: dict[Hashable, int | None] = {}  # the same without what is one of several
        for block in self.blocks:
            for item in block.items:
                self.lows[item.key] = self.lows.get(item.key, 0) + (0 if block.is_choice else item.low)
                self.highs[item.key] = _sum(self.highs.get(item.key, 0), item.high)
                self.loose[item.key] = _sum(self.loose.get(item.key, 0), 0 if block.is_choice else item.high)
        self.steps: list[dict[Symbol, Item]] = []  # in their order; those of one step in any order
        self.first: dict[Symbol, int] = {}  # step
        self.last: dict[Symbol, int] = {}

    def place(self, fixed: dict[Hashable, int]) -> None:
        """Find where each symbol may stand: of spans of one key, the second comes after the first."""
        low: dict[Hashable, int] = {}
        high: dict[Hashable, int | None] = {}
        for block in self.blocks:
            found: list[dict[Symbol, Item]] = []
            for item in block.items:
                stop, most = _sum(high.get(item.key, 0), item.high), fixed[item.key]
                last = most if stop is None else min(stop, most)
                places = [*range(low.get(item.key, 0) + 1, last + 1), *([TAIL] if stop is None or stop > most else [])]
                found += [{(item.key, place): item} for place in places]
                low[item.key] = low.get(item.key, 0) + (0 if block.is_choice else item.low)
                high[item.key] = stop
            if len(block.items) > 1:
                together: dict[Symbol, Item] = {}
                for step in found:
                    together = step | together
                found = [together]
            self.steps += found
        for number, step in enumerate(self.steps):
            for symbol in step:
                self.first.setdefault(symbol, number)
                self.last[symbol] = number

    def asks_for_order(self, one: Symbol, two: Symbol, fixed: dict[Hashable, int]) -> bool:
        """Return whether two symbols may both be absent here, and yet one stands after the other.

        No chain that was joined says that, so that somebody else must have.
        """
        if any(symbol not in self.first or self._is_asked_for(symbol, fixed) for symbol in (one, two)):
            return False
        between = self.steps[self.last[one] + 1 : self.first[two]]
        is_apart = any(self._is_asked_for(symbol, fixed) for step in between for symbol in step)
        return self.last[one] < self.first[two] and not is_apart

    def _is_asked_for(self, symbol: Symbol, fixed: dict[Hashable, int]) -> bool:
        return symbol[1] != TAIL or self.lows[symbol[0]] > fixed[symbol[0]]


def _by_key(items: Sequence[Item]) -> list[Item]:
    """Return the items of a block, those of one key as one: which of them a span is, nobody knows."""
    found: dict[Hashable, Item] = {}
    for each in items:
        known = found.get(each.key, Item(each.key, 0, 0))
        found[each.key] = Item(
            each.key, known.low + each.low, _sum(known.high, each.high), known.sources + each.sources
        )
    return [*found.values()]


def _components(chains: Sequence[_Chain]) -> list[list[Symbol]]:
    """Return the symbols that come before and after each other, with those that come before them in front."""
    graph: dict[Any, list[Any]] = {}
    for which, chain in enumerate(chains):
        for number, step in enumerate(chain.steps):
            node = which, number, None
            graph[node] = [*step, (which, number + 1, None)] if number + 1 < len(chain.steps) else [*step]
            for symbol in step:
                graph.setdefault(symbol, []).append(node)
    return [found for each in strongly_connected(graph) if (found := [node for node in each if len(node) == 2])]


def strongly_connected(graph: dict[Any, list[Any]]) -> list[list[Any]]:
    """Return the strongly connected components, those that lead to others first (R. E. Tarjan, 1972)."""
    found: list[list[Any]] = []
    number: dict[Any, int] = {}
    low: dict[Any, int] = {}
    open_: dict[Any, None] = {}
    for start in graph:
        if start in number:
            continue
        stack = [(start, iter(graph[start]))]
        number[start] = low[start] = len(number)
        open_[start] = None
        while stack:
            node, edges = stack[-1]
            for other in edges:
                if other not in number:
                    number[other] = low[other] = len(number)
                    open_[other] = None
                    stack.append((other, iter(graph[other])))
                    break
                if other in open_:
                    low[node] = min(low[node], number[other])
            else:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
                if low[node] == number[node]:
                    component: list[Any] = []
                    while not component or component[-1] != node:
                        component.append(open_.popitem()[0])
                    found.append(component)
    return found[::-1]


def _merged(components: list[list[Symbol]], text: _Chain, fixed: dict[Hashable, int]) -> list[list[Symbol]]:
    """Merge what nothing stands between that is always there, where some of both may be absent."""
    found: list[list[Symbol]] = []
    for component in components:
        number = len(found) - 1
        merged = component
        while number >= 0:
            other = found[number]
            pairs = ((one, two) for one in _absent(other) for two in _absent(merged))
            if not all(text.asks_for_order(one, two, fixed) for one, two in pairs):
                merged = [symbol for each in found[number:] for symbol in each] + merged
                del found[number:]
                number = len(found)
            elif len(_absent(other)) < len(other):
                break
            number -= 1
        found.append(merged)
    return found


def _absent(symbols: Iterable[Symbol]) -> list[Symbol]:
    return [symbol for symbol in symbols if symbol[1] == TAIL]


def _block(
    symbols: Sequence[Symbol],
    chains: Sequence[_Chain],
    fixed: dict[Hashable, int],
    items: Mapping[Symbol, Sequence[Item]],
) -> Joined:
    places: dict[Hashable, Place] = {}
    for symbol in sorted(symbols, key=lambda symbol: symbol[1] or float("inf")):  # the first of a key first
        place = places.setdefault(symbol[0], Place(symbol[0], 0, 0))
        place.sources.update((id(source), source) for item in items[symbol] for source in item.sources)
    here = set(symbols)
    counts = Counter(key for key, number in symbols if number != TAIL)
    for key, place in places.items():
        place.low = place.high = counts[key]
        if (key, TAIL) in here:
            highs = [chain.highs.get(key, 0) for chain in chains]
            place.high = None if None in highs else place.low + max(filter(None, highs)) - fixed[key]
    if len(places) == 1 or counts:
        return Joined([*places.values()])
    totals = [_total(places, chain, fixed) for chain in chains]
    is_choice = all(high <= 1 for _, high in totals)
    return Joined([*places.values()], is_choice, min(low for low, _ in totals) if is_choice else 0)


def _total(keys: Iterable[Hashable], chain: _Chain, fixed: dict[Hashable, int]) -> tuple[int, float]:
    """Return how many spans of some keys a chain asks for and lets in, but for those that have a place each."""
    choices = [block for block in chain.blocks if block.is_choice and any(item.key in keys for item in block.items)]
    lows = [chain.lows.get(key, 0) - fixed[key] for key in keys if key in chain.lows]
    highs = [_number(chain.loose[key]) - fixed[key] for key in keys if key in chain.loose]
    return sum(lows) + sum(block.low for block in choices), sum(highs) + len(choices)


def _number(limit: int | None) -> float:
    return float("inf") if limit is None else limit


def _sum(one: int | None, two: int | None) -> int | None:
    return None if one is None or two is None else one + two
