"""The small parts of a span, and how its name is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SpanError:
    """State the exception that a span recorded; `type` is `None` where the span is ERROR and recorded none."""

    type: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """State one event of a span; MLflow gives its time in nanoseconds."""

    name: str
    timestamp_ns: int
    attributes: Mapping[str, Any]


def visible(text: str) -> str:
    """Return `text` on one line, with what a terminal would not show (or would obey) as escapes."""
    if text.isprintable() and text == text.strip() and text:
        return text
    shown = escaped(text)
    return shown if shown and shown == shown.strip() else f"'{shown}'"


def escaped(text: str) -> str:
    """Return `text` with an escape for each character that does not print; spaces stay."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
