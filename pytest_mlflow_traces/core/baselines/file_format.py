"""The text of a baseline file: its format and the test in comments, then a section for each trace.

    # pytest-mlflow-traces baseline, format 1
    # test_agent.py::test_two_turns

    agent AGENT OK
      plan LLM OK

    [second turn]
    tags: domains user_id
    agent AGENT OK ...

The section without a name comes first, where there is one. A section has lines about keys and calls (`holdings`) above
its pattern (`notation`), each of which may be left out. What an update does not concern keeps every character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.inventory import (
    Holding,
    check_holdings,
    is_holding,
    is_surely_holding,
    read_holding,
    rewritten_holdings,
)
from pytest_mlflow_traces.core.baselines.update import DemandError, rewritten
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.notation import NotationError
from pytest_mlflow_traces.core.notation.literals import ReadingError, quoted, read_string
from pytest_mlflow_traces.core.patterns.recorded import recorded
from pytest_mlflow_traces.core.spans.records import escaped, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace

FORMAT = 1
_FORMAT_LINE = re.compile(r"# pytest-mlflow-traces baseline, format ([0-9]{1,9})\s*")
_CONFLICT = re.compile(r"<{7} |\|{7} |={7}\s*$|>{7} ")  # as git writes it
_HEADER = re.compile(r"\[(.+)\]\s*")
_LIKE_HOLDING = re.compile(r"^(attributes|calls)(?= )", re.MULTILINE)  # without an indent there is but the root
_PLAIN = re.compile(r"\w([\w .:/-]*\w)?")


class BaselineError(ValueError):
    """What is wrong with the text of a baseline; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Section:
    """One trace of a baseline file: its lines as they are, the first of which is `first` in the file."""

    name: str
    header: str  # the line that names it; empty for the one without a name
    above: tuple[str, ...]  # up to the last line about keys or calls
    text: str  # the pattern, comments included
    first: int
    intro: tuple[str, ...] = ()  # the comments directly above the header

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """What is held beside the tree."""
        return tuple(read_holding(line) for line in self.above if is_holding(line))

    @property
    def pattern(self) -> Pattern:
        """The tree that is held."""
        return notation.parse(self.text)

    @property
    def lines(self) -> list[str]:
        """All its lines."""
        return [*self.intro, *([self.header] if self.header else []), *self.above, *self.text.split("\n")]

    def findings(self, trace: Trace, kinds: Iterable[str] = ()) -> list[Finding]:
        """Return what of a trace is not as held beside the tree, and which of the `kinds` are not held at all."""
        holdings = self.holdings
        missing = [kind for kind in kinds if kind not in {holding.kind for holding in holdings}]
        hint = "record them with --mlflow-traces-update"
        found = [Finding(f"baseline.{kind}", "this baseline", f"to hold {kind}", "none", hint) for kind in missing]
        return found + check_holdings(holdings, trace)

    def rewritten(self, trace: Trace, shown: Trace, kinds: Iterable[str], unordered: Container[int]) -> Section:
        """Return this section as it holds of a trace.

        Args:
            trace: The whole trace, for keys and calls.
            shown: What is seen of it, for the tree.
            kinds: What is to be held beside the tree.
            unordered: The positions of spans whose new children are written in any order.

        Raises:
            BaselineError: where something does not hold that was demanded by hand.
        """
        table, holdings = shown.table, rewritten_holdings(self.holdings, trace, list(kinds))

        def change(text: str) -> str:
            return rewritten(text, table, unordered) if text else notation.format(recorded(table, unordered))

        return self.changed(change, holdings)

    def changed(self, change: Callable[[str], str], holdings: Sequence[Holding | None]) -> Section:
        """Return this section with another text, and with other lines above it.

        Args:
            change: What makes the text of the pattern another.
            holdings: What each line about keys and calls says now, `None` where it goes, and new ones.

        Raises:
            BaselineError: where something does not hold that was demanded by hand.
        """
        try:
            text = change(self.text)
        except DemandError as error:
            line = self.body + error.line - 1
            raise BaselineError(
                f"line {line}: {error.demand} does not hold for {error.span}; change it by hand", line
            ) from None
        if text != self.text:  # in quotes, the root is none of the lines above it
            text = _LIKE_HOLDING.sub(lambda found: quoted(found[0]), text, count=1)
        return replace(self, above=tuple(_above(self.above, holdings)), text=text)

    @property
    def body(self) -> int:
        """The number of the first line of the pattern's text."""
        return self.first + bool(self.header) + len(self.above)


def _above(lines: tuple[str, ...], holdings: Sequence[Holding | None]) -> list[str]:
    found = iter(holdings)
    kept = []
    for line in lines:
        if not is_holding(line):
            kept.append(line)
        elif (now := next(found)) is not None:
            kept.append(line if now == read_holding(line) else str(now))
    return kept + [str(holding) for holding in found]


def new_section(name: str) -> Section:
    """Return the section of this name with nothing in it yet."""
    return Section(name, "" if not name else f"[{name if _PLAIN.fullmatch(name) else quoted(name)}]", (), "", 0)


@dataclass(frozen=True, slots=True)
class BaselineText:
    """A whole file: what stands above the sections, and the sections."""

    head: tuple[str, ...]
    sections: tuple[Section, ...] = ()
    end: str = "\n"  # what stands after the last line that is not blank
    line_end: str = "\n"  # in the file
    mark: str = ""  # of the order of bytes, at the start of the file

    def section(self, name: str) -> Section | None:
        """Return the section of this name."""
        return next((section for section in self.sections if section.name == name), None)

    def with_section(self, section: Section) -> BaselineText:
        """Return the file with a section put in the place of the one of its name, or added."""
        sections = {each.name: each for each in self.sections} | {section.name: section}
        return replace(self, sections=tuple(sorted(sections.values(), key=lambda each: each.name != "")))

    def without(self, names: Container[str]) -> BaselineText:
        """Return the file without the sections of these names."""
        return replace(self, sections=tuple(each for each in self.sections if each.name not in names))

    def __str__(self) -> str:
        lines = list(self.head)
        is_new = False
        for section in self.sections:
            is_after_new, is_new = is_new, not section.first
            if (is_new or is_after_new) and lines[-1].strip():
                lines.append("")
            lines += section.lines
        return "\n".join(lines).rstrip("\n") + self.end

    @property
    def in_file(self) -> str:
        """The text with the mark and the line ends of the file that it was read from."""
        return self.mark + str(self).replace("\n", self.line_end)


def new_baseline(test: str) -> BaselineText:
    """Return a file without sections, of the test that it belongs to."""
    return BaselineText((f"# pytest-mlflow-traces baseline, format {FORMAT}", f"# {printable(test)}", ""))


def read_baseline(text: str) -> BaselineText:
    """Read a whole file, every section of it.

    Raises:
        BaselineError: for another format, or for what is not a pattern, naming the line.
    """
    try:
        return _read(text)
    except BaselineError as error:
        found = next((line for line in enumerate(text.split("\n"), 1) if _CONFLICT.match(line[1])), None)
        if found is None:
            raise
        said = f"line {found[0]} is of a merge conflict that nobody resolved: {escaped(found[1][:60])!r}"
        raise BaselineError(f"{error}\n{said}", error.line) from None


def _read(text: str) -> BaselineText:
    body = text.rstrip("\n")
    lines = body.split("\n")
    found = _FORMAT_LINE.fullmatch(lines[0])
    if found is None:
        got = repr(escaped(lines[0][:60])) if lines[0].strip() or not body.strip() else "a blank line"
        raise BaselineError(f"line 1: expected '# pytest-mlflow-traces baseline, format {FORMAT}', got {got}", 1)
    if int(found[1]) > FORMAT:
        raise BaselineError(
            f"line 1: format {found[1]}, written by a newer pytest-mlflow-traces; this one reads format {FORMAT}", 1
        )
    cuts = _cut(lines)
    sections: dict[str, Section] = {}
    for (above, begin), (end, _) in zip(cuts, [*cuts, (len(lines), 0)][1:], strict=True):
        section = replace(_section(lines[begin:end], begin + 1), intro=tuple(lines[above:begin]))
        if section.name in sections:
            raise BaselineError(f"line {begin + 1}: a second section [{escaped(section.name)}]", begin + 1)
        sections[section.name] = section
    head = lines[: cuts[0][0]] if cuts else lines
    return BaselineText(tuple(head), tuple(sections.values()), text[len(body) :])


def _cut(lines: list[str]) -> list[tuple[int, int]]:
    """Return where each section begins: the comments directly above it, and itself."""
    start = 2 if len(lines) > 1 and lines[1].startswith("#") else 1
    while start < len(lines) and not lines[start].strip():
        start += 1
    begins = [number for number in range(start, len(lines)) if _HEADER.fullmatch(lines[number])]
    unnamed = lines[start : begins[0]] if begins else lines[start:]
    cuts = [(start, start)] if any(line.strip() and not line.startswith("#") for line in unnamed) else []
    for begin in begins:
        above, last = begin, cuts[-1][1] if cuts else 1
        while above > last + 1 and lines[above - 1].startswith("#"):
            above -= 1
        cuts.append((above, begin))
    return cuts


def _section(lines: list[str], first: int) -> Section:
    found = _HEADER.fullmatch(lines[0])
    header = lines[0] if found else ""
    body = lines[bool(header) :]
    begin = first + bool(header)
    last = _holdings_end(body)
    spans = [
        number for number, line in enumerate(body[:last]) if line.strip()[:1] not in ("", "#") and not is_holding(line)
    ]
    if spans:
        line = begin + next(number for number in range(spans[0], last) if is_holding(body[number]))
        raise BaselineError(f"line {line}: lines about keys and calls stand above the first span", line)
    for number, said in enumerate(body[:last], begin):
        _check_holding(said, number)
    section = Section(
        _name_of(found[1], first) if found else "", header, tuple(body[:last]), "\n".join(body[last:]), first
    )
    try:
        _ = section.pattern
    except NotationError as error:
        line = begin + last + error.line - 1
        said = re.sub(r"\Aline [0-9]+", "", str(error))
        raise BaselineError(f"line {line}{said}" if said != str(error) else f"line {line}: {said}", line) from None
    return section


def _holdings_end(body: list[str]) -> int:
    """Return where the lines about keys and calls end: the last line without an indent is the root, if it may be."""
    root = max((number for number, line in enumerate(body) if line.strip() and line[0] not in " \t#"), default=-1)
    found = [
        number for number, line in enumerate(body) if is_surely_holding(line) or (number != root and is_holding(line))
    ]
    return max(found, default=-1) + 1


def _check_holding(said: str, line: int) -> None:
    try:
        _ = read_holding(said) if is_holding(said) else None
    except ReadingError as error:
        place = f"line {line}, column {error.at + 1}"
        raise BaselineError(f"{place}: expected {error.expected}{error.hint}", line) from None


def _name_of(said: str, line: int) -> str:
    if not said.startswith('"'):
        return said
    try:
        name, end = read_string(said, 0)
    except ReadingError as error:
        raise BaselineError(f"line {line}, column {error.at + 2}: expected {error.expected}", line) from None
    if end < len(said):
        raise BaselineError(f"line {line}, column {end + 2}: expected `]`", line)
    return name
