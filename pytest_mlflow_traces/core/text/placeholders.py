"""Placeholders in the place of what looks personal or secret, the same value by the same one in all that is written."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pytest_mlflow_traces.core.text.personal_data import found_in, is_name, kind_by_key

PLACEHOLDER = re.compile(r"<redacted-[a-z]+-[0-9]+>")
_HARMLESS = {"", "true", "false", "none", "null"}
_SHORTEST = 3  # characters of what is replaced wherever it stands; what is shorter, under its own key alone


@dataclass(frozen=True, slots=True)
class Replaced:
    """What was replaced, where first, and by what."""

    kind: str
    value: str
    placeholder: str
    where: str


class Placeholders:
    """What is known to be personal or secret, and what stands for it.

    First `learn` from all there is, then replace: what one key gives away is replaced in every text.

    >>> placeholders = Placeholders()
    >>> placeholders.learn({"customer": {"name": "Ada Lovelace"}})
    >>> placeholders.replaced("What does Ada Lovelace owe?", "question")
    'What does <redacted-name-1> owe?'
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}  # each value's kind
        self._made: dict[str, Replaced] = {}
        self._counts: Counter[str] = Counter()
        self._regex: re.Pattern[str] | None = None

    @property
    def all(self) -> tuple[Replaced, ...]:
        """What was replaced."""
        return tuple(self._made.values())

    def learn(self, value: Any, key: str = "", above: str = "") -> None:
        """Note what looks personal or secret anywhere in a value, its keys included."""
        self._regex = None
        if isinstance(value, dict):
            for name, each in value.items():
                self.learn(str(name))
                self.learn(each, str(name), key)
        elif isinstance(value, list | tuple):
            for each in value:
                self.learn(each, key, above)
        elif (kind := _kind(value, key, above)) is not None:
            self._known.setdefault(str(value), kind)
            for part in str(value).split() if kind == "name" else ():
                self._known.setdefault(part, kind)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            for found, text in found_in(str(value)):
                self._known.setdefault(text, found)

    def replaced(self, value: Any, where: str, key: str = "", above: str = "") -> Any:
        """Return a value with placeholders in it; `where` is what the first place of each is called."""
        if isinstance(value, dict):
            names = {name: self._text(str(name), f"a key of {where}") for name in value}
            return {
                names[name]: self.replaced(each, f"{where}.{names[name]}", str(name), key)
                for name, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.replaced(each, f"{where}[{i}]", key, above) for i, each in enumerate(value)]
        kind = _kind(value, key, above)
        if kind is not None:
            return self._placeholder(str(value), kind, where)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._placeholder(str(value), self._known[str(value)], where) if str(value) in self._known else value
        return self._text(value, where) if isinstance(value, str) else value

    def _text(self, text: str, where: str) -> str:
        if self._regex is None:
            known = sorted((each for each in self._known if len(each) >= _SHORTEST), key=len, reverse=True)
            # not inside of a longer word: "Anna" is in "greet_Anna", and not in "Annapurna"
            texts = "|".join(map(re.escape, known))
            self._regex = re.compile(rf"(?<![^\W_])(?:{texts})(?![^\W_])" if known else r"(?!)")
        return self._regex.sub(lambda found: self._placeholder(found[0], self._known[found[0]], where), text)

    def _placeholder(self, value: str, kind: str, where: str) -> str:
        made = self._made.get(value)
        if made is None:
            self._counts[kind] += 1
            made = self._made[value] = Replaced(kind, value, f"<redacted-{kind}-{self._counts[kind]}>", where)
        return made.placeholder


def _kind(value: Any, key: str, above: str) -> str | None:
    """Return what a single value is, by the key that it stands under."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not key:
        return None
    if str(value).lower() in _HARMLESS:
        return None
    kind = kind_by_key(key) or (kind_by_key(f"{above}_{key}") if above else None)
    if kind is None and isinstance(value, str) and key.lower() in ("name", "from", "to", "cc", "by") and is_name(value):
        kind = "name"
    # an e-mail address below "user" is told as what it is
    return kind and next((found for found, text in found_in(str(value)) if text == str(value)), kind)
