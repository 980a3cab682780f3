"""Random traces of the shape that agents leave, single edits of them, and the undoing of what an explanation says.

An explanation of one edit is right when it is one difference, and undoing it (taking the unexpected span out, putting
the missing one in, ...) gives a trace that the pattern matches. That judges ties fairly: of two equal siblings, it does
not matter which one is called the duplicate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, repeat
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern
from tests.support.building import Record, Status, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from pytest_mlflow_traces.core.explaining.align import edits as told
    from pytest_mlflow_traces.core.trace import Trace

NAMES = {
    "AGENT": ["cost_agent", "security_agent", "query_agents", "planner"],
    "TOOL": ["genie_query", "genie_attempt", "web_search", "dashboard_linker", "search"],
    "CHAT_MODEL": ["chat", "ChatDatabricks"],
    "CHAIN": ["RunnableSequence", "turn", "chain"],
    "RETRIEVER": ["retrieve", "retrieve_short_term", "retrieve_long_term"],
    "MEMORY": ["load_context", "save_context"],
    "PARSER": ["StrOutputParser"],
}
TYPES = list(NAMES)
INNER = ["AGENT", "CHAIN", "TOOL", "MEMORY"]
NEW = ["audit", "retry", "guard", "proxy", "web_search", "turn", "chat"]


@dataclass(eq=False)
class Node:
    """A span that can be changed."""

    name: str
    type: str
    status: str = "OK"
    children: list[Node] = field(default_factory=list)
    parent: Node | None = None

    def add(self, child: Node, place: int | None = None) -> None:
        self.children.insert(len(self.children) if place is None else place, child)
        child.parent = self

    @property
    def place(self) -> int:
        assert self.parent is not None
        return next(k for k, each in enumerate(self.parent.children) if each is self)

    def cut(self) -> None:
        assert self.parent is not None
        del self.parent.children[self.place]
        self.parent = None

    def walk(self) -> Iterator[Node]:
        stack = [self]
        while stack:
            each = stack.pop()
            yield each
            stack.extend(reversed(each.children))

    def copy(self) -> Node:
        new = Node(self.name, self.type, self.status)
        for child in self.children:
            new.add(child.copy())
        return new

    def key(self) -> tuple[Any, ...]:
        return self.name, self.type, self.status, tuple(child.key() for child in self.children)

    def spec(self) -> list[Any]:
        record = Record(self.name, span_type=self.type, status=Status(self.status))
        below = [part for child in self.children for part in child.spec()]
        return [record, below] if below else [record]


def trace_of(root: Node) -> Trace:
    # a super root, so that edits can take away or double the root itself
    return tree(*[part for child in root.children for part in child.spec()])


def random_span(random: Random, inner: bool) -> Node:
    kind = random.choice(INNER if inner else TYPES)
    return Node(random.choice(NAMES[kind]), kind, "ERROR" if random.random() < 0.05 else "OK")


def random_root(random: Random, size: int) -> Node:
    """Make a trace below a super root: some lists repeat one name, some spans hold one child, as agents do."""
    top = Node("", "")
    root = Node("orchestrator_invoke", "AGENT")
    top.add(root)
    open_spans, count = [root], 1
    while count < size:
        parent = open_spans[min(int(random.expovariate(0.5)), len(open_spans) - 1)]
        style = random.random()
        run = random.randint(1, 4) if style < 0.7 else 1
        first = random_span(random, inner=random.random() < 0.5)
        for _ in range(run):
            child = first.copy() if 0.25 < style < 0.5 else random_span(random, inner=random.random() < 0.5)
            parent.add(child)
            count += 1
            if child.type in INNER and random.random() < 0.7:
                open_spans.insert(0, child)
        if random.random() < 0.1 and parent.children:
            parent.add(random.choice(parent.children).copy())
            count += 1
        if len(open_spans) > 1 and random.random() < 0.5:
            open_spans.remove(parent)
    return top


# -- single edits: each changes the trace below a super root, and returns whether it could -----------------------------


def _spans(top: Node) -> list[Node]:
    return list(top.walk())[1:]


def _rename(random: Random, top: Node) -> bool:
    random.choice(_spans(top)).name = "renamed" if random.random() < 0.6 else random.choice(NEW)
    return True


def _retype(random: Random, top: Node) -> bool:
    random.choice(_spans(top)).type = random.choice([*TYPES, "UNKNOWN"])
    return True


def _status(random: Random, top: Node) -> bool:
    span = random.choice(_spans(top))
    span.status = random.choice([each for each in ("OK", "ERROR", "UNSET") if each != span.status])
    return True


def _insert_leaf(random: Random, top: Node) -> bool:
    new = Node(random.choice(NEW), random.choice(TYPES)) if random.random() < 0.5 else random_span(random, inner=False)
    parent = random.choice(_spans(top))
    parent.add(new, random.randint(0, len(parent.children)))
    return True


def _insert_subtree(random: Random, top: Node) -> bool:
    new = random_root(random, random.randint(2, 8)).children[0]
    new.name = random.choice(NEW)
    parent = random.choice(_spans(top))
    parent.add(new, random.randint(0, len(parent.children)))
    return True


def _delete_leaf(random: Random, top: Node) -> bool:
    leaves = [span for span in _spans(top)[1:] if not span.children]
    if leaves:
        random.choice(leaves).cut()
    return bool(leaves)


def _delete_subtree(random: Random, top: Node) -> bool:
    inner = [span for span in _spans(top)[1:] if span.children]
    if inner:
        random.choice(inner).cut()
    return bool(inner)


def _duplicate(random: Random, top: Node) -> bool:
    span = random.choice(_spans(top)[1:])
    assert span.parent is not None
    span.parent.add(span.copy(), random.randint(span.place, len(span.parent.children)))
    return True


def _wrap(random: Random, top: Node) -> bool:
    span = random.choice(_spans(top))
    parent, place = span.parent, span.place
    assert parent is not None
    new = Node(random.choice(NEW), random.choice(TYPES))
    for child in parent.children[place : place + random.choice([1, 1, 2, 3, 9])]:
        child.cut()
        new.add(child)
    parent.add(new, place)
    return True


def _lift(random: Random, top: Node) -> bool:
    inner = [span for span in _spans(top)[1:] if span.children]
    if not inner:
        return False
    span = random.choice(inner)
    parent, place = span.parent, span.place
    assert parent is not None
    span.cut()
    for child in reversed(list(span.children)):
        parent.add(child, place)
    return True


def _move(random: Random, top: Node) -> bool:
    span = random.choice(_spans(top)[1:])
    inside = set(map(id, span.walk()))
    homes = [each for each in _spans(top) if id(each) not in inside and each is not span.parent]
    if not homes:
        return False
    home = random.choice(homes)
    span.cut()
    home.add(span, random.randint(0, len(home.children)))
    return True


def _to_child(random: Random, top: Node) -> bool:
    span = random.choice(_spans(top)[1:])
    assert span.parent is not None
    if span.place == 0:
        return False
    sibling = span.parent.children[span.place - 1]
    span.cut()
    sibling.add(span)
    return True


def _to_sibling(random: Random, top: Node) -> bool:
    deep = [span for span in _spans(top)[1:] if span.parent is not None and span.parent.parent is not top]
    if not deep:
        return False
    span = random.choice(deep)
    parent = span.parent
    assert parent is not None
    assert parent.parent is not None
    span.cut()
    parent.parent.add(span, parent.place + 1)
    return True


def _swap(random: Random, top: Node) -> bool:
    homes = [span for span in _spans(top) if len(span.children) > 1]
    if not homes:
        return False
    home = random.choice(homes)
    one, two = random.sample(range(len(home.children)), 2)
    home.children[one], home.children[two] = home.children[two], home.children[one]
    return True


def _reorder(random: Random, top: Node) -> bool:
    homes = [span for span in _spans(top) if len(span.children) > 1]
    if homes:
        random.shuffle(random.choice(homes).children)
    return bool(homes)


EDITS: dict[str, tuple[Callable[[Random, Node], bool], str]] = {
    "rename": (_rename, "shape.different"),
    "retype": (_retype, "shape.different"),
    "status": (_status, "shape.different"),
    "insert leaf": (_insert_leaf, "shape.unexpected"),
    "insert subtree": (_insert_subtree, "shape.unexpected"),
    "delete leaf": (_delete_leaf, "shape.missing"),
    "delete subtree": (_delete_subtree, "shape.missing"),
    "duplicate": (_duplicate, "shape.unexpected"),
    "wrap": (_wrap, "shape.unexpected"),
    "delete, lift children": (_lift, "shape.missing"),
    "move": (_move, "shape.moved"),
    "sibling to child": (_to_child, "shape.moved"),
    "child to sibling": (_to_sibling, "shape.moved"),
    "swap": (_swap, "shape.order"),
    "reorder": (_reorder, "shape.order"),
}


# -- patterns that say less than the trace, and still match it --------------------------------------------------------


def loosened(random: Random, root: Node) -> Pattern:
    """Return a pattern that matches `root`, made looser in all the ways of the language."""
    made: dict[int, Pattern] = {}
    for span in reversed(list(root.walk())):
        children: Any = _loose_list(random, [(child, made[id(child)]) for child in span.children])
        if random.random() < 0.05:
            children = None
        made[id(span)] = SpanPattern(
            span.name if random.random() < 0.97 else None,
            span.type if random.random() < 0.8 else None,
            span.status if random.random() < 0.6 else None,
            children=children,
        )
    return made[id(root)]


def _loose_list(random: Random, spans: list[tuple[Node, Pattern]]) -> tuple[Any, ...]:
    items: list[Any] = []
    k = 0
    while k < len(spans):
        node, pattern = spans[k]
        run = k + 1
        while run < len(spans) and spans[run][0].key() == node.key():
            run += 1
        choice = random.random()
        if run - k > 1 and choice < 0.5:
            low = random.randint(0, run - k)
            items.append(repeat(pattern, low, random.choice([None, run - k, run - k + 1])))
            k = run
            continue
        if choice < 0.08:
            if not items or items[-1] is not ...:
                items.append(...)
            k = min(len(spans), k + random.randint(0, 2))
            continue
        if choice < 0.14:
            items.append(optional(pattern))
        elif choice < 0.2:
            items.append(one_of(pattern, SpanPattern("another", "TOOL")))
        elif choice < 0.3 and len(spans) - k > 1:
            size = random.randint(2, min(5, len(spans) - k))
            group: list[Any] = [each for _, each in spans[k : k + size]]
            random.shuffle(group)
            if random.random() < 0.3:
                group[0] = optional(group[0])
            items.append(any_order(*group))
            k += size
            continue
        else:
            items.append(pattern)
        k += 1
    return tuple(items)


# -- undoing what an explanation says ---------------------------------------------------------------------------------


def undone(top: Node, edit: Any, pattern: Pattern) -> bool:
    """Return whether the trace matches `pattern` once what `edit` says is put right."""
    trace = _Repair(top.copy(), pattern)
    return bool(getattr(trace, type(edit).__name__.lower())(edit)) and trace_of(trace.top) == pattern


class _Repair:
    def __init__(self, top: Node, pattern: Pattern) -> None:
        self.top = top
        self._pattern = pattern
        self._spans = _spans(top)

    def _home(self, i: int) -> Node:
        return self.top if i < 0 else self._spans[i]

    def _place(self, parent: int, before: int) -> int:
        children = self._home(parent).children
        places = [k for k, each in enumerate(children) if before < len(self._spans) and each is self._spans[before]]
        return places[0] if places else len(children)

    def _put(self, new: Node, parent: int, before: int) -> None:
        self._home(parent).add(new, self._place(parent, before))

    def missing(self, edit: told.Missing) -> bool:
        if edit.lifted:
            return self._lowered(edit)
        for _ in range(edit.count):
            self._put(instance(edit.pattern), edit.parent, edit.before)
        return True

    def _lowered(self, edit: told.Missing) -> bool:
        """Put the missing span around some of the spans there, so that the trace matches."""
        home, children, pattern = self._home(edit.parent), list(self._home(edit.parent).children), edit.pattern
        assert isinstance(pattern, SpanPattern)
        for start in [self._place(edit.parent, edit.before), *range(len(children))]:
            for stop in range(start, len(children) + 1):
                new = instance(SpanPattern(pattern.name, pattern.type, pattern.status))
                for child in children[start:stop]:
                    new.add(child.copy())
                home.children[:] = [*children[:start], new, *children[stop:]]
                if trace_of(self.top) == self._pattern:
                    return True
        return False

    def unexpected(self, edit: told.Unexpected) -> bool:
        span = self._spans[edit.span]
        parent, place = span.parent, span.place
        assert parent is not None
        span.cut()
        for child in reversed(list(span.children)) if edit.wrapper else ():
            parent.add(child, place)
        return True

    def different(self, edit: told.Different) -> bool:
        for name in edit.fields:
            setattr(self._spans[edit.span], name, getattr(edit.pattern, name))
        return bool(edit.fields)

    def moved(self, edit: told.Moved) -> bool:
        self._spans[edit.span].cut()
        self._put(self._spans[edit.span], edit.parent, edit.before)
        return True

    def disordered(self, edit: told.Disordered) -> bool:
        for each in edit.displaced:
            self._spans[each.span].cut()
        for each in edit.displaced:
            self._put(self._spans[each.span], edit.parent, each.before)
        return True


def instance(pattern: Pattern) -> Node:
    """Return the smallest subtree that the one-span `pattern` matches."""
    if isinstance(pattern, OneOf):
        return instance(pattern.alternatives[0])
    assert isinstance(pattern, SpanPattern)
    made = Node(str(pattern.name or "any"), str(pattern.type or "UNKNOWN"), pattern.status or "OK")
    for item in pattern.children or ():
        for child in _instances(item):
            made.add(child)
    return made


def _instances(item: Any) -> list[Node]:
    if isinstance(item, SpanPattern):
        return [instance(item)]
    if isinstance(item, Repeat):
        return [node for _ in range(item.min) for node in _instances(item.item)]
    if isinstance(item, OneOf):
        return _instances(item.alternatives[0])
    if isinstance(item, AnyOrder):
        return [node for each in item.items for node in _instances(each)]
    return []
