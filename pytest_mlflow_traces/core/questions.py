"""What is asked of traces, noted with its answer while somebody listens, so that it can be asked again of others.

A question inside of a question is a part of it: what a contract asks a trace is no question of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind: TypeAlias = Literal["is", "in", "holds", "holds where it applies", "calls"]

_inside: ContextVar[bool] = ContextVar("mlflow_traces_inside_of_a_question", default=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What some traces were asked, all at once, and the answer.

    Of `is` and `in`, `expected` is a pattern; of `holds` (by `assert_trace`) and `holds where it applies` (a contract
    of the suite), an expectation; of `calls`, what answers by itself when it is called with the trace.
    """

    kind: Kind
    expected: Any
    traces: tuple[Any, ...]
    answer: bool


class Look(NamedTuple):
    """A look at single spans: for all of a table that are like a pattern, or at some; `found` is whether any is."""

    pattern: Any
    table: Any
    spans: tuple[int, ...] | None
    found: bool


class Questions:
    """The questions that were asked while this listened, each once, and the looks at single spans."""

    active: ClassVar[Questions | None] = None  # for all threads: a test may compare in any

    def __init__(self) -> None:
        self._asked: dict[tuple[object, ...], Question] = {}
        self.of_spans = 0
        self._looks: dict[tuple[object, ...], Look] = {}

    @property
    def asked(self) -> list[Question]:
        """The questions, in the order in which they came."""
        return list(self._asked.values())

    @property
    def looks(self) -> list[Look]:
        """The looks at single spans, each once."""
        return list(self._looks.values())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note what is asked meanwhile."""
        outer, Questions.active = Questions.active, self
        try:
            yield
        finally:
            Questions.active = outer

    def add(self, question: Question) -> None:
        """Note a question."""
        # its parts are kept alive, so their ids are theirs alone
        self._asked.setdefault((question.kind, id(question.expected), *map(id, question.traces)), question)

    def add_look(self, look: Look) -> None:
        """Note a look at single spans."""
        self.of_spans += 1
        self._looks.setdefault((id(look.pattern), id(look.table), look.spans), look)


def note(kind: Kind, expected: Any, traces: Sequence[Any], answer: bool) -> None:
    """Note a question, where somebody listens and it is not a part of another one."""
    if Questions.active is not None and traces and not _inside.get():
        Questions.active.add(Question(kind, expected, tuple(traces), answer))


def note_of_span(pattern: Any, table: Any, found: bool, spans: tuple[int, ...] | None = None) -> None:
    """Note what was asked of single spans."""
    if Questions.active is not None and not _inside.get():
        Questions.active.add_look(Look(pattern, table, spans, found))


@contextmanager
def one_question() -> Iterator[None]:
    """Have nothing noted of what is asked meanwhile, as it is a part of one question, or none of the test's."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)
