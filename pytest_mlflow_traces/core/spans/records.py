"""The small parts of a span, and how its name is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a runner of GitHub obeys in the log of a job: `::error::text` where a line begins with it, behind spaces too, and
# `##[error]text` anywhere (Runner.Common/ActionCommand.cs of actions/runner).
_COMMAND = re.compile(r"\A(?P<margin>\s*):(?=:)|(?<=##)\[")


@dataclass(frozen=True, slots=True)
class SpanError:
    """The exception that a span recorded; `type` is `None` where the span is ERROR and recorded none.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces
    >>> with capture_traces() as traces:
    ...     try:
    ...         with mlflow.start_span("search"):
    ...             raise TimeoutError("no answer in 30 s")
    ...     except TimeoutError:
    ...         pass
    >>> error = traces.one().root.error
    >>> error.type, error.message
    ('TimeoutError', 'no answer in 30 s')
    """

    type: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """One event of a span; MLflow gives its time in nanoseconds.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces
    >>> with capture_traces() as traces, mlflow.start_span("search") as search:
    ...     search.add_event(mlflow.entities.SpanEvent("retry", attributes={"attempt": 2}))
    >>> [(event.name, event.attributes["attempt"]) for event in traces.one().root.events]
    [('retry', 2)]
    """

    name: str
    timestamp_ns: int
    attributes: Mapping[str, Any]


class _Unnamed(str):
    """The name of a span that has none: it is shown, and no name is equal to it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = str.__hash__

    def __reduce__(self) -> str:
        return "UNNAMED"  # the one there is, in another process and in a copy too


UNNAMED: Final = _Unnamed("(unnamed)")


def as_text(given: object) -> str:
    """Return a name or a type from outside as the text that all else takes it for."""
    if given is None:
        return UNNAMED
    return given if given is UNNAMED else str.__str__(given) if isinstance(given, str) else str(given)


def visible(given: object) -> str:
    """Return a text on one line, with what a terminal would not show (or would obey) as escapes."""
    text = given if isinstance(given, str) else as_text(given)  # of a span that has not come through the door
    if text.isprintable() and text == text.strip() and text and text[:2] != "::" and "##[" not in text:
        return text
    shown = escaped(text)
    return shown if shown and shown == shown.strip() else f"'{shown}'"


def escaped(text: str) -> str:
    """Return `text` as it may stand in a log: on one line, with nothing in it that a terminal or a CI would obey."""
    return _COMMAND.sub(
        lambda found: r"\x5b" if found["margin"] is None else rf"{found['margin']}\x3a", printable(text)
    )


def printable(text: str) -> str:
    """Return `text` with an escape for each character that does not print; spaces stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
