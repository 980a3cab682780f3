"""The text of a contract file that was learnt: each line with what supports it, as a comment.

`Contract.to_toml()` writes no comments, and a learnt contract is read by a person before it is kept.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_mlflow_traces.core.contract_files.model import FORMAT
from pytest_mlflow_traces.core.contract_files.writing import line_of, said_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LISTS = ("has", "never")
_TABLES = ("tags", "metadata")


class Line(NamedTuple):
    """Something that is expected, and what it was seen in."""

    expectation: Any
    support: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """A contract that was learnt, or several: those inside say for which traces."""

    name: str
    lines: Sequence[Line] = ()
    inside: Sequence[Learnt] = ()
    applies_to: Pattern | None = None
    only: Sequence[Pattern] = ()
    about: str = ""
    notes: Sequence[str] = ()  # comments at its head

    def to_toml(self) -> str:
        """Return the text of a contract file."""
        return "\n".join([f"format = {FORMAT}", *_contract(self, "")]) + "\n"


def _contract(learnt: Learnt, path: str) -> Iterator[str]:
    yield from (f"# {note}" for note in learnt.notes)
    yield f"name = {_string(learnt.name)}"
    if learnt.about:
        yield f"about = {_string(learnt.about)}"
    if learnt.applies_to is not None:
        yield f"applies_to = {_string(line_of(learnt.applies_to, 'applies_to'))}"
    if learnt.only:
        yield f"only = {_value([line_of(each, 'only') for each in learnt.only])}"
    said = [(said_by(line.expectation), f"  # {line.support}") for line in learnt.lines]
    for data, support in said:
        if "shape" in data:
            yield from ["", f"shape = {_block(data['shape'])}{support}"]
    for word in _LISTS:
        lines = [f"  {_string(each)},{support}" for data, support in said for each in data.get(word, ())]
        yield from ["", f"{word} = [", *lines, "]"] if lines else []
    for data, support in said:
        for rule in data.get("order", ()):
            yield from ["", f"[[{path}order]]{support}", *(f"{key} = {_value(value)}" for key, value in rule.items())]
    yield from _budget([(data["budget"], support) for data, support in said if "budget" in data], path)
    for word in _TABLES:
        tags = [
            f"{_key(key)} = {_value(value)}{support}"
            for data, support in said
            for key, value in data.get(word, {}).items()
        ]
        yield from ["", f"[{path}{word}]", *tags] if tags else []
    for each in learnt.inside:
        yield from ["", f"[[{path}contract]]", *_contract(each, f"{path}contract.")]


def _budget(said: Sequence[tuple[dict[str, Any], str]], path: str) -> Iterator[str]:
    alone = [
        f"{word} = {_value(value)}{support}"
        for data, support in said
        for word, value in data.items()
        if not isinstance(value, dict)
    ]
    yield from ["", f"[{path}budget]", *alone] if alone else []
    calls = [
        f"{_key(key)} = {_value(value)}{support}"
        for data, support in said
        for key, value in data.get("calls", {}).items()
    ]
    yield from ["", f"[{path}budget.calls]", *calls] if calls else []


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_value(each)}' for key, each in value.items())} }}"
    return json.dumps(value)


def _string(text: str) -> str:
    if ('"' in text or "\\" in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _block(text: str) -> str:
    if "'''" not in text and all(line.isprintable() for line in text.split("\n")):
        quotes = "'''" if '"' in text or "\\" in text else '"""'
        return f"{quotes}\n{text}{quotes}"
    return _string(text)
