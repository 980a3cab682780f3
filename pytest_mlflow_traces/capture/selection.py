"""Some traces of a capture: which of them a criterion holds of, and what one may ask of those."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, overload

from pytest_mlflow_traces.core.compared import FoundSpans
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.patterns.operands import UNSAID, answers_by_itself, refuse_what_equals_nothing
from pytest_mlflow_traces.core.questions import note, one_question
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.suggestions import closest, listed, nearest, unknown_keywords
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_mlflow_traces.core.trace import Span

__tracebackhide__ = True  # a failure points at the test, not in here

_STATES = ("OK", "ERROR", "IN_PROGRESS")
_CRITERIA = ("name", "session_id", "user_id", "status", "tags")


class SelectedTraces(tuple[Trace, ...]):  # noqa: SLOT001  # what is of no fixed size can have no slots
    """Some traces of a capture; a pattern is looked for in them as in the capture, anywhere in each.

    Of a plain tuple Python would ask `trace == pattern`, which looks at the roots alone, so that `not in` would pass
    for whatever is below them.
    """

    _asked: str
    _in_progress: Sequence[Trace]  # others of which the same holds
    _nothing: tuple[str, str]  # the rule and the reason, where it is empty

    @classmethod
    def of(
        cls,
        traces: Iterable[Trace],
        asked: str,
        nothing: Callable[[], tuple[str, str]],
        in_progress: Sequence[Trace] = (),
    ) -> SelectedTraces:
        """Make one of `traces`, which were `asked` for so; `nothing` says why there is none of them."""
        made = cls(traces)
        made._asked, made._in_progress = asked, in_progress
        made._nothing = ("", "") if made else nothing()
        return made

    @property
    def in_progress(self) -> tuple[Trace, ...]:
        """The traces of the capture that were asked for likewise, and of which spans have not ended."""
        return tuple(self._in_progress)

    def fail_empty(self, what: str) -> NoReturn:
        """Raise the error that says why there is no trace here."""
        rule, reason = self._nothing
        raise empty(rule, f"{what} in {self._asked}", reason)

    def __contains__(self, pattern: object) -> bool:
        return is_in(pattern, self, self.in_progress, self.fail_empty)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> SelectedTraces: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Trace | SelectedTraces:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        return self._with(super().__getitem__(index), f"{self._asked}{slice_text(index)}")

    def __add__(self, other: tuple[Any, ...]) -> SelectedTraces:
        asked = other._asked if isinstance(other, SelectedTraces) else "others"
        return self._with((*self, *other), f"{self._asked} + {asked}")

    def _with(self, traces: Iterable[Trace], asked: str) -> SelectedTraces:
        size = counted(len(self), "trace")
        return self.of(
            traces, asked, lambda: ("capture.missing", f"that is none of its {size}") if self else self._nothing
        )

    def __eq__(self, other: object) -> bool:
        refuse_pattern(other, "traces.where(...)")
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        refuse_pattern(other, "traces.where(...)")
        return super().__ne__(other)

    __hash__ = tuple.__hash__

    def find(self, pattern: Pattern) -> tuple[Span, ...]:
        """Return the spans of all these traces that match."""
        return found_in(pattern, "find()", self, self.in_progress, self.fail_empty)

    def count(self, pattern: object) -> int:
        """Return how many spans of all these traces match; of a trace, how often it is there."""
        if isinstance(pattern, Trace):
            return super().count(pattern)
        return len(found_in(pattern, "count()", self, self.in_progress, self.fail_empty))


def is_in(
    pattern: object, traces: Iterable[Trace], in_progress: Iterable[Trace], fail_empty: Callable[[str], NoReturn]
) -> bool:
    """Return whether any span of any trace matches; of no trace that is an error, else `not in` passes falsely."""
    finished = [*traces]
    if isinstance(pattern, Trace):
        return any(trace is pattern for trace in finished)
    checked = checked_one_span(pattern, "`in`")
    everywhere = [*finished, *in_progress]
    with one_question():
        answer = any(checked in trace for trace in everywhere)
    note("in", checked, everywhere, answer)
    if not answer and not finished:
        fail_empty(f"looked for {checked!r}")
    return answer


def found_in(
    pattern: object,
    what: str,
    finished: Sequence[Trace],
    in_progress: Sequence[Trace],
    fail_empty: Callable[[str], NoReturn],
) -> FoundSpans:
    """Return the spans that match, trace by trace, those that have not ended last; of no trace that is an error."""
    checked = checked_one_span(pattern, what)
    found = FoundSpans(span for trace in (*finished, *in_progress) for span in trace.find(checked))
    if not found and not len(finished):
        fail_empty(f"looked for {checked!r}")
    return found


def refuse_pattern(other: object, traces: str) -> None:
    """Raise a TypeError where several traces are compared with what is expected: never equal, they are always `!=`."""
    if isinstance(other, Pattern):
        raise TypeError(f"compare one trace: mlflow_traces.one() == pattern; or ask pattern in {traces}")
    if isinstance(other, list) and any(isinstance(each, Pattern) for each in other):
        raise TypeError(f"compare a list with a list of patterns: list({traces}) == [...]")
    if callable(getattr(other, "check", None)):
        raise TypeError(f"an expectation is checked, not compared: write assert_trace({traces}, {other!r:.200})")


def empty(rule: str, what: str, reason: str) -> TraceAssertionError:
    """Build the error that says what was wanted of no trace, and why there is none."""
    return TraceAssertionError(f"{what}, but {reason}", [Finding(rule, "this capture", expected=what, actual=reason)])


def slice_text(index: slice) -> str:
    """Return a slice as it is written."""
    start, stop, step = ("" if each is None else repr(each) for each in (index.start, index.stop, index.step))
    return f"[{start}:{stop}{f':{step}' if step else ''}]"


def checked_criteria(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `where()` was given, without what was not said.

    Raises:
        TypeError: for an unknown keyword, for none at all, and for a value that no trace can have.
        ValueError: for a status that does not exist, or for no tags.
    """
    said = {key: value for key, value in given.items() if value is not UNSAID}
    unknown = {key: value for key, value in said.items() if key not in _CRITERIA}
    if unknown:
        raise unknown_keywords("where()", unknown, _CRITERIA)
    if not said:
        raise TypeError(f"where() takes at least one of {listed(_CRITERIA)}; for all traces, iterate")
    for key, value in said.items():
        if key == "tags":
            if not isinstance(value, Mapping) or not value:
                raise ValueError(f"where(): tags maps names to values, got {value!r}")
            for tag, wanted in value.items():
                refuse_what_equals_nothing(wanted, f"where(): tag {tag!r}: ")
        elif isinstance(value, re.Pattern):
            continue
        elif key == "status":
            _check_status(value)
        elif key == "name":
            if not isinstance(value, str) and not answers_by_itself(value):
                raise TypeError(f"where(): name is a string or a compiled regex, got {value!r:.80}")
        else:
            refuse_what_equals_nothing(value, f"where(): {key}: ")
    return said


def _check_status(status: object) -> None:
    if isinstance(status, str):
        if status not in _STATES:
            raise ValueError(f"where(): unknown status {status!r} (legal: {listed(_STATES)}){nearest(status, _STATES)}")
    elif not answers_by_itself(status):
        raise ValueError(f"where(): status is one of {listed(_STATES)}, got {status!r:.80}; for several, ask for each")


def holds(trace: Trace, said: Mapping[str, Any]) -> bool:
    """Return whether all the criteria hold of one trace."""
    for key, expected in said.items():
        if key == "tags":
            if not all(name in trace.tags and _is(trace.tags[name], value) for name, value in expected.items()):
                return False
        elif not _is(getattr(trace, key), expected):
            return False
    return True


def meant(traces: Sequence[Trace], said: Mapping[str, Any]) -> str:
    """Return a line with the nearest spelling of what no trace has; ids are copied, not spelt, so they get none."""
    asked: list[tuple[str, object, list[object]]] = [("name=", said.get("name"), [trace.name for trace in traces])]
    for tag, value in said.get("tags", {}).items():
        asked.append(("tag ", tag, [each for trace in traces for each in trace.tags]))
        asked.append((f"tag {tag!r}=", value, [trace.tags.get(tag) for trace in traces]))
    near = [
        f"{what}{word!r}"
        for what, wanted, there in asked
        if isinstance(wanted, str) and wanted not in there and (word := closest(wanted, there))
    ]
    return f"\ndid you mean {', '.join(near)}?" if near else ""


def _is(actual: object, expected: object) -> bool:
    if isinstance(expected, re.Pattern):
        return isinstance(actual, str) and expected.fullmatch(actual) is not None
    return bool(actual == expected)
