"""The fixture `trace_baseline`: what `trace == trace_baseline` asks, says and writes."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_mlflow_traces.core.baselines.file_format import (
    BaselineError,
    BaselineText,
    Section,
    new_baseline,
    new_section,
)
from pytest_mlflow_traces.core.explanations import FailedComparison, mismatch_of
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.recorded import volatile
from pytest_mlflow_traces.core.questions import note, one_question
from pytest_mlflow_traces.core.runs.records import BaselineChange
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import capped
from pytest_mlflow_traces.core.text.suggestions import unknown_keywords
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files import baselines
from pytest_mlflow_traces.plugin.baselines.options import KEYWORDS, Options, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__tracebackhide__ = True  # a failure points at the test, not in here

UPDATE = "--mlflow-traces-update"
LOOSEN = "loosen"  # as the option says it
_ROOM = 22  # lines of a tree, so that all of a message is under 25
_WOULD_BE = 18
_TAKING_TURNS = 8
_NOTHING = "there is nothing to record: the trace has no spans, or see_through leaves none"


class BaselineFile:
    """The baselines of one test: read when first asked, written when the test has passed."""

    __test__ = False

    def __init__(
        self,
        path: Path,
        shown_path: str,
        test: str,
        command: str,
        *,
        update: str | None,
        former: Callable[[BaselineText], str | None] = lambda _: None,
    ) -> None:
        self.path, self.shown_path, self.command, self.update = path, shown_path, command, update
        self._test = test
        self._former = former  # the file of a test that is gone, where that holds the same
        self._updated: BaselineText | None = None
        self._compared: dict[str, list[tuple[Trace, Options]]] = {}
        self._held: dict[str, list[tuple[Trace, Options]]] = {}  # of these, what was as in the file
        self._refused: list[str] = []
        self._given_up: list[str] = []

    @property
    def used(self) -> list[str]:
        """The names of the sections that something was compared with."""
        return list(self._compared)

    @property
    def unused(self) -> list[str]:
        """The names of the others."""
        text = self._updated or self._file
        return [] if text is None else [each.name for each in text.sections if each.name not in self._compared]

    def held(self) -> Iterator[tuple[Section, list[Trace]]]:
        """Yield each section that held of what it was compared with, and what it saw of that."""
        for name, compared in self._held.items():
            section = self._section(name)
            if section is not None:
                yield section, [asked.shown(trace) for trace, asked in compared]

    @cached_property
    def _file(self) -> BaselineText | None:
        try:
            return baselines.load(self.path)
        except BaselineError as error:
            finding = Finding("baseline.unreadable", self.shown_path, "a baseline", str(error))
            cure = "the file was left alone; fix it, or remove it and record it anew"
            raise TraceAssertionError(f"{self.shown_path}: {error}\n{cure}", [finding]) from None

    def _section(self, name: str) -> Section | None:
        """Return what is held under this name, as an update left it."""
        text = self._updated or self._file
        return None if text is None else text.section(name)

    def compare(self, trace: Trace, name: str, options: Options) -> bool:
        """Return whether a trace is what is held, after an update that it called for, where there is to be one."""
        with one_question():
            answer = self._compare(trace, name, options)
        note("calls", lambda again: self._is_held(again, name, options), [trace], answer)
        return answer

    def _is_held(self, trace: Trace, name: str, options: Options) -> bool:
        section = self._section(name)
        return section is not None and options.is_held(section, trace)

    def _compare(self, trace: Trace, name: str, options: Options) -> bool:
        section = self._section(name)
        self._compared.setdefault(name, []).append((trace, options))
        is_held = section is not None and options.is_held(section, trace)
        # of what holds, an order that this run kept by chance may have to be given up all the same
        if is_held and not (self.update == LOOSEN and _why_not_whole(trace) is None):
            self._held.setdefault(name, []).append((trace, options))
            return True
        if self.update is not None:
            self._rewrite(section, trace, name, options)
            return True
        if section is None:
            raise self._missing(trace, name, options)
        return False

    def _rewrite(self, section: Section | None, trace: Trace, name: str, options: Options) -> None:
        wrong = _why_not_whole(trace)
        if wrong is not None:
            self._refuse(f"the trace '{visible(trace.name)}' is not whole: {wrong}")
        if not len(options.shown(trace).table):
            self._refuse(_NOTHING)
        old = section or new_section(name)
        try:
            if self.update == LOOSEN:
                section, given_up = options.loosened(old, trace)
                self._given_up += given_up
            else:
                section = options.rewritten(old, trace)
        except BaselineError as error:
            self._refuse(str(error))
        if section == old:
            return
        if not all(asked.is_held(section, other) for other, asked in self._compared[name]):
            several = "this test compares traces of different structure with one baseline"
            self._refuse(f'{several}; give each its own: trace_baseline("a name")')
        self._updated = (self._updated or self._file or new_baseline(self._test)).with_section(section)

    def _refuse(self, why: str) -> NoReturn:
        self._refused.append(why)
        finding = Finding("baseline.refused", self.shown_path, actual=why)
        raise TraceAssertionError(f"{self.shown_path} was not updated: {why}", [finding])

    def _missing(self, trace: Trace, name: str, options: Options) -> TraceAssertionError:
        what = f"{self.shown_path} {'has no section ' + repr(name) if self._file else 'does not exist'}"
        finding = Finding("baseline.missing", self.shown_path, "a baseline", "none", self.command)
        lines = [f"no baseline for this trace: {what}"]
        if not len(options.shown(trace).table):
            return TraceAssertionError("\n".join([*lines, _NOTHING]), [finding])
        section = options.rewritten(new_section(name), trace)
        whole = new_baseline(self._test).with_section(section)
        former = None if self._file else self._former(whole)
        if former is not None:
            move = shlex.join(["git", "mv", former, self.shown_path])
            lines += [f"the unused {former} is the same: was the test renamed?", f"    {move}", ""]
        text = str(whole).rstrip("\n").split("\n")
        would_be = [f"    {line}".rstrip() for line in (section.lines if self._file else text)]
        lines += ["it would be:", "", *capped(would_be, _WOULD_BE, "    ... {} more lines"), ""]
        return TraceAssertionError("\n".join([*lines, f"to accept it: {self.command}"]), [finding])

    def explained(self, trace: Trace, name: str, options: Options, *, verbose: bool) -> FailedComparison:
        """Say why a trace is not what is held, where that is, and what to do."""
        section = self._section(name)
        if section is None:
            raise AssertionError("unreachable: a comparison without a baseline raises")
        where = f"{self.shown_path}:{section.first}"
        beside = section.findings(trace, options.kinds)
        shown, pattern = options.shown(trace), section.pattern
        mismatch = None if shown == pattern else mismatch_of(shown, pattern)
        if mismatch is not None:
            lines = mismatch.lines(verbose, max(8, _ROOM - len(beside)))
        elif beside:
            lines = [f"trace '{visible(trace.name)}' is not what the baseline holds:"]
        else:  # pytest asks about what holds too: under `not`, and beside what failed in an `and`
            return FailedComparison([f"trace '{visible(trace.name)}' is what the baseline holds: {where}"])
        lines += capped(list(map(str, beside)), len(beside) if verbose else _ROOM - 2, "... {} more, -vv shows all")
        findings = (*(() if mismatch is None else mismatch.findings), *beside)
        table = shown.table
        if table.turns and any(finding.rule in ("shape.order", "shape.moved") for finding in findings):
            names = [visible(table.names[i]) for i in range(len(table)) if table.records[i].span_id in table.turns]
            ran = ", ".join(capped(names, _TAKING_TURNS, "..."))
            lines += ["", f"the order is not fixed of what ran in tasks or threads of its own: {ran}"]
        lines += ["", f"baseline: {where}", f"to accept it: {self.command}"]
        marks = () if mismatch is None or mismatch.marks is None else (mismatch.marks,)
        return FailedComparison(lines, findings, marks, where, self.command, f"{self.path}:{section.first}")

    def write(self, *, passed: bool) -> list[BaselineChange]:
        """Write what changed; return what was done, and what was not."""
        changes = [BaselineChange(self.shown_path, "refused", (why,)) for why in self._refused]
        if self._updated is None:
            return changes
        if not passed:
            return changes or [BaselineChange(self.shown_path, "refused", ("the test failed",))]
        baselines.store(self.path, self._updated)
        if self._file is None:
            return [*changes, BaselineChange(self.shown_path, "written", tuple(self._volatile()))]
        if self.update == LOOSEN:
            return [*changes, BaselineChange(self.shown_path, "loosened", tuple(dict.fromkeys(self._given_up)))]
        old = str(self._file).split("\n")
        compared = difflib.ndiff(old, str(self._updated).split("\n")) if len(old) < 500 else []
        lines = tuple(line[0] + line[2:] for line in compared if line[:2] in ("- ", "+ "))
        return [*changes, BaselineChange(self.shown_path, "updated", lines)]

    def _volatile(self) -> Iterator[str]:
        tables = [trace.table for compared in self._compared.values() for trace, _ in compared]
        told = {table.names[i]: volatile(table, i) for table in tables for i in range(len(table))}
        for name, regex in sorted(told.items()):
            if regex is not None:
                yield f"{visible(name)!r} is recorded as /{regex.pattern}/: the rest is another in each run"


class TraceBaseline:
    """The trace that was accepted before: `assert trace == trace_baseline`.

    Called, it is another baseline of the same test, or one that is recorded otherwise.

    >>> from pytest_mlflow_traces import span
    >>> def test_two_turns(mlflow_traces, trace_baseline):
    ...     answer("Why did costs spike?")
    ...     answer("And the day before?")
    ...
    ...     first, second = mlflow_traces
    ...     assert first == trace_baseline("first turn", tags=True)
    ...     assert second == trace_baseline("second turn", see_through=span("RunnableSequence"))
    """

    def __init__(self, file: BaselineFile, name: str = "", options: Options | None = None) -> None:
        self._file = file
        self._name = name
        self._options = options or Options()

    def __call__(self, name: str | None = None, **options: Any) -> TraceBaseline:
        """Return the baseline of another name, or one that is recorded otherwise.

        Args:
            name: What the section of the file is called.
            **options: `see_through`, patterns of spans that are left out, their children in their place (wrappers of a
                framework); `unordered`, patterns of spans whose children are recorded in any order, or `True` for all;
                `tags`, `attributes` and `calls`, `True` to hold which tags and attributes there are, and how often
                each tool is called.

        Raises:
            TypeError: for an unknown option, or one of the wrong type.
            ValueError: for a name that is empty.
        """
        unknown = options.keys() - set(KEYWORDS)
        if unknown:
            raise unknown_keywords("trace_baseline()", dict.fromkeys(sorted(unknown)), KEYWORDS)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"trace_baseline(): name is a string, got {name!r:.80}")
        if name is not None and (not name.strip() or not name.isprintable()):
            raise ValueError(f"trace_baseline(): the name {name!r} cannot stand in a file")
        return TraceBaseline(
            self._file, self._name if name is None else name, replace(self._options, **checked(options))
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Trace):
            return self._file.compare(other, self._name, self._options)
        if other is self:
            return True
        raise TypeError(
            f"a baseline is compared with one trace, got {_shown(other)}: write `mlflow_traces.one() == trace_baseline`"
            ' or, for each of several, `trace == trace_baseline("a name")`'
        )

    def __ne__(self, other: object) -> bool:
        raise TypeError("a baseline is what a trace is to be: write `trace == trace_baseline`")

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("a baseline has no truth value; write `assert trace == trace_baseline`")

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name else ""
        return f"<trace baseline{name} in {self._file.shown_path}>"

    def explained(self, trace: Trace, *, verbose: bool) -> FailedComparison:
        """Say why a trace is not this one."""
        return self._file.explained(trace, self._name, self._options, verbose=verbose)


def _why_not_whole(trace: Trace) -> str | None:
    return next(iter(trace.problems), None) or (None if trace.status != "IN_PROGRESS" else "it is in progress")


def _shown(other: object) -> str:
    return type(other).__name__ if not isinstance(other, str | int | None) else repr(other)[:40]


def update_command(test: str) -> str:
    """Return what to type to accept what one test traced."""
    return f"pytest {UPDATE} {shlex.quote(test)}"
