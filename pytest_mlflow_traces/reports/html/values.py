"""What code under test recorded, as text that may stand on a page.

What looks like a secret is masked, what does not print is an escape, and what is long is cut, and says so. None of it
is markup then or ever: the page puts it into the document as text.
"""

from __future__ import annotations

import json
from typing import Any

from pytest_mlflow_traces.core.spans.records import printable
from pytest_mlflow_traces.core.text.redaction import is_named_secret, masked, redacted, redacted_values

_TEXT = 4_000  # characters of one text
_VALUE = 20_000  # of a value that has texts in it
_LOOKED_AT = _TEXT + 1_000  # a secret that the cut goes through is to be seen as one
_JSON = 100_000  # characters of a text that is looked into
_ITEMS, _DEPTH, _NODES = 200, 30, 5_000  # of a value that has others in it


def encoded(data: object) -> str:
    """Return JSON that may stand in an element of HTML: ASCII, and nothing in it begins a tag or an entity."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def shown_text(text: str, most: int = _TEXT) -> str:
    """Return a text of as many lines as it has."""
    shown = redacted(text[:_LOOKED_AT])
    lines = "\n".join(map(printable, shown[:most].split("\n")))
    return f"{lines}… ({len(text):,} characters, cut)" if len(text) > _LOOKED_AT or len(shown) > most else lines


def shown_line(text: str, most: int = 300) -> str:
    """Return a text on one line."""
    return printable(shown_text(text, most))


def shown_value(value: object, key: str = "") -> str:
    """Return any value as text, data as indented JSON; `key` is what it is recorded under."""
    safe = _Copy().of(key, value)
    if isinstance(safe, str):
        return safe
    text = json.dumps(safe, indent=2, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}… ({len(text):,} characters, cut)"


class _Copy:
    """A copy of data in which all texts are fit to be shown; as much of it as anybody reads."""

    def __init__(self) -> None:
        self._left = _NODES

    def of(self, key: object, value: object, depth: int = 0) -> Any:
        self._left -= 1
        if isinstance(value, str):
            if is_named_secret(key, value):
                return masked(value)
            is_json = value[:1] in ("{", "[") and len(value) <= _JSON  # as the arguments of a tool call often are
            return shown_text(str(redacted_values(value)) if is_json else value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict | list | tuple) and (depth >= _DEPTH or self._left <= 0):
            return f"… ({len(value):,} items, cut)"
        if isinstance(value, dict):
            return self._dict(value, depth)
        if isinstance(value, list | tuple):
            items = [self.of(key, each, depth + 1) for each in value[:_ITEMS]]
            return items + ([f"… ({len(value) - _ITEMS:,} more, cut)"] if len(value) > _ITEMS else [])
        return shown_text(_code(value))

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        shown = {}
        for number, (key, each) in enumerate(value.items()):
            if number == _ITEMS:
                shown["…"] = f"{len(value) - _ITEMS:,} more, cut"
                break
            shown[shown_line(str(key))] = self.of(key, each, depth + 1)
        return shown


def _code(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<a {type(value).__name__} whose repr raises {type(error).__name__}>"
