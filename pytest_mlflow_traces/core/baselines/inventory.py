"""What a baseline may hold beside the tree: which tags and attributes there are, and how often each tool is called.

    tags: confidence domains error_type? ...
    attributes cost_agent: confidence domains
    calls genie_query: 2
    calls web_search: {0,1}
    calls: ...

Keys alone, never values. `?` after a key lets it be absent, `...` lets others be there. An attributes line is about all
spans of one name; calls lines are about spans of type TOOL, and a tool without a line is not called, unless a line
`calls: ...` says otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.notation.lines import quantifier
from pytest_mlflow_traces.core.notation.literals import ReadingError, quoted, read_string
from pytest_mlflow_traces.core.runs.records import TOOL
from pytest_mlflow_traces.core.spans.convert import is_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_mlflow_traces.core.trace import Trace

TAGS, ATTRIBUTES, CALLS = "tags", "attributes", "calls"
_OPEN, _NONE = "...", "none"
_LINE = re.compile(r"(tags|attributes|calls):(?= |$)|(attributes|calls) (?=\S.*:)")
_SURE = re.compile(r"""(tags|attributes|calls)(?: (?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']\S*))?:(?= |$)""")
_KEY = re.compile(r"[\w.:/@+$%&~()\[\]<>-]+")
_NUMBER = re.compile(r"([0-9]{1,9})|\{([0-9]{1,9}),([0-9]{0,9})\}")


@dataclass(frozen=True, slots=True)
class Holding:
    """One line: `kind`, the name that it is about (`None` for tags, and for `calls: ...`), and what it says."""

    kind: str
    name: str | None = None
    keys: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    is_open: bool = False
    low: int = 0
    high: int | None = None

    def __str__(self) -> str:
        about = self.kind if self.name is None else f"{self.kind} {_word(self.name)}"
        if self.kind == CALLS and self.name is not None:
            count = "{0,1}" if (self.low, self.high) == (0, 1) else quantifier(self.low, self.high)
            return f"{about}: {self.low if self.low == self.high else count}"
        words = [f"{_word(key)}{'?' if key in self.optional else ''}" for key in self.keys]
        return f"{about}: {' '.join([*words, *([_OPEN] if self.is_open else [])]) or _NONE}"


def is_holding(line: str) -> bool:
    """Return whether a line above a pattern is one of these."""
    return bool(_LINE.match(line))


def is_surely_holding(line: str) -> bool:
    """Return whether a line is one of these even where a root span that is called `calls` or `attributes` may stand.

    The line of such a root can hold a colon, too: `calls ns:TOOL`, `calls TOOL attributes={"a": 1}`.
    """
    return bool(_SURE.match(line))


def read_holding(line: str) -> Holding:
    """Read one line; raise a `ReadingError` that says what is wrong with it, and where."""
    line = line.rstrip()
    found = _LINE.match(line)
    if not found:
        raise ReadingError(0, "tags:, attributes NAME: or calls NAME:")
    if found[1]:
        kind, name, at = found[1], None, found.end()
    else:
        kind = found[2]
        name, at = _read_word(line, found.end(), ":")
    if line[at : at + 1] == ":":
        at += 1
    if kind == CALLS and name is not None:
        return _read_calls(line, name, at)
    keys, optional, is_open = _read_keys(line, at)
    if name is None and kind != TAGS and keys:
        raise ReadingError(at + 1, f"`...` or `none`; each name has a line of its own, {kind} NAME: ...")
    return Holding(kind, name, keys, optional, is_open)


def _read_calls(line: str, name: str, at: int) -> Holding:
    number = _NUMBER.fullmatch(line[at:].strip())
    if not number:
        raise ReadingError(at + 1, "a number of calls: 2, {1,3} or {1,}")
    if number[1]:
        return Holding(CALLS, name, low=int(number[1]), high=int(number[1]))
    low, high = int(number[2]), int(number[3]) if number[3] else None
    if high is not None and low > high:
        raise ReadingError(at + 1, "the smaller number first")
    return Holding(CALLS, name, low=low, high=high)


def _read_keys(line: str, at: int) -> tuple[tuple[str, ...], frozenset[str], bool]:
    keys: list[str] = []
    optional: set[str] = set()
    is_open = False
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        if line.startswith(_OPEN, at):
            is_open, at = True, at + len(_OPEN)
            continue
        start = at
        key, at = _read_word(line, at, "?")
        if line[at : at + 1] == "?":
            optional.add(key)
            at += 1
        if at < len(line) and line[at] != " ":
            raise ReadingError(at, "a space between keys")
        if line[start:at] != _NONE:
            keys.append(key)
    return tuple(dict.fromkeys(keys)), frozenset(optional), is_open


def _read_word(line: str, at: int, stop: str) -> tuple[str, int]:
    if line[at] in "\"'":
        return read_string(line, at)
    found = _KEY.match(line, at)
    word = found[0] if found else ""
    if stop == ":":
        word = word.rstrip(":")
    if not word:
        raise ReadingError(at, "a key, in quotes where it holds more than letters and digits")
    return word, at + len(word)


def _word(key: str) -> str:
    plain = _KEY.fullmatch(key) and not key.endswith(":") and key != _NONE and not key.startswith(_OPEN)
    return key if plain else quoted(key)


def recorded_holdings(trace: Trace, kinds: Iterable[str]) -> list[Holding]:
    """Return the lines for a trace."""
    found: list[Holding] = []
    if TAGS in kinds:
        found.append(Holding(TAGS, keys=tuple(sorted(map(str, trace.tags)))))
    if ATTRIBUTES in kinds:
        attributes = attributes_of(trace)
        found += [Holding(ATTRIBUTES, name, *keys) for name, keys in attributes.items()]
        found += [] if attributes else [Holding(ATTRIBUTES)]
    if CALLS in kinds:
        calls = calls_of(trace)
        found += [Holding(CALLS, name, low=count, high=count) for name, count in calls.items()]
        found += [] if calls else [Holding(CALLS)]
    return found


def attributes_of(trace: Trace) -> dict[str, tuple[tuple[str, ...], frozenset[str]]]:
    """Return by name of span which keys there are, and which of them not all have; MLflow's own are none."""
    found = {}
    for name in dict.fromkeys(trace.table.names):
        each = [_own_keys(trace, i) for i in trace.table.named(name)]
        keys = {key for some in each for key in some}
        if keys:
            found[name] = tuple(sorted(keys)), frozenset(key for key in keys if not all(key in some for some in each))
    return found


def _own_keys(trace: Trace, i: int) -> set[str]:
    return {str(key) for key in trace.table.attributes(i) if not is_system(key)}


def calls_of(trace: Trace) -> dict[str, int]:
    table = trace.table
    return dict(Counter(name for name, type_ in zip(table.names, table.types, strict=True) if type_ == TOOL))


def check_holdings(holdings: Sequence[Holding], trace: Trace) -> list[Finding]:
    """Return every way in which a trace is not what the lines say."""
    found: list[Finding] = []
    for line in holdings:
        if line.kind == TAGS:
            found += _check_keys(line, "tags", map(str, trace.tags))
        elif line.kind == ATTRIBUTES and line.name is not None:
            table = trace.table
            spans = table.named(line.name)
            for i in spans:
                found += _check_keys(line, f"attributes of {table.path(i)}", _own_keys(trace, i))
            if not spans:
                found.append(Finding("baseline.attributes", line.name, str(line), "no such span"))
        elif line.kind == ATTRIBUTES and not line.is_open:
            held = {each.name for each in holdings}
            found += [
                Finding("baseline.attributes", name, str(line), "some")
                for name in attributes_of(trace)
                if name not in held
            ]
    return [*found, *_check_calls([line for line in holdings if line.kind == CALLS], trace)]


def _check_keys(line: Holding, where: str, keys: Iterable[str]) -> Iterator[Finding]:
    there = set(keys)
    for key in line.keys:
        if key not in there and key not in line.optional:
            yield Finding(f"baseline.{line.kind}", where, f"the key {key!r}", "it is absent")
    if not line.is_open:
        for key in sorted(there - set(line.keys)):
            yield Finding(f"baseline.{line.kind}", where, "no other key", repr(key))


def _check_calls(lines: Sequence[Holding], trace: Trace) -> Iterator[Finding]:
    if not lines:
        return
    calls = calls_of(trace)
    for line in lines:
        count = calls.pop(line.name, 0) if line.name is not None else 0
        if line.name is not None and not (line.low <= count <= (count if line.high is None else line.high)):
            yield Finding("baseline.calls", line.name, str(line), str(count))
    if not any(line.is_open for line in lines):
        for name, count in calls.items():
            yield Finding("baseline.calls", name, "no call of this tool", str(count))


def rewritten_holdings(lines: Sequence[Holding], trace: Trace, kinds: Iterable[str]) -> list[Holding | None]:
    """Return each line as it holds of the trace, `None` where it is to go, and the lines for what none was about.

    The result begins with one entry for each of `lines`; further ones are new.
    """
    found: list[Holding | None] = [_mended(line, trace) for line in lines]
    wanted = {line.kind for line in lines} | set(kinds)
    known = {(line.kind, line.name) for line in lines}
    opened = {line.kind for line in lines if line.is_open and line.name is None}
    for new in recorded_holdings(trace, wanted):
        # who holds the attributes of some spans by hand does not ask for those of others
        by_hand = new.kind == ATTRIBUTES and ATTRIBUTES not in kinds and None not in {line.name for line in lines}
        if (new.kind, new.name) not in known and new.kind not in opened and not by_hand:
            found.append(new)
    return found


def _mended(line: Holding, trace: Trace) -> Holding | None:
    if line.name is None and line.kind != TAGS:
        return line if line.is_open or not (calls_of(trace) if line.kind == CALLS else attributes_of(trace)) else None
    findings = check_holdings([line], trace)
    if not any(finding.where == line.name or line.kind != CALLS for finding in findings):
        return line
    if line.kind == CALLS and line.name is not None:
        count = calls_of(trace).get(line.name, 0)
        if not count:
            return None
        exact = line.low == line.high
        high = None if line.high is None else max(line.high, count)
        return replace(line, low=count, high=count) if exact else replace(line, low=min(line.low, count), high=high)
    if line.kind == TAGS:
        keys, partial = tuple(sorted(map(str, trace.tags))), frozenset[str]()
    else:
        keys, partial = attributes_of(trace).get(line.name or "", ((), frozenset()))
        if not trace.table.named(line.name or ""):
            return None
    kept = [key for key in line.keys if key in keys or key in line.optional]
    new = [] if line.is_open else [key for key in keys if key not in kept]
    optional = (line.optional | partial) & {*kept, *new}
    return replace(line, keys=(*kept, *new), optional=optional)
