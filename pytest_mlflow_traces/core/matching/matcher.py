"""Does a trace match a pattern? Validation of a tree against a regular tree grammar with interleave.

The problem is that of RELAX NG (James Clark, "An algorithm for RELAX NG validation", 2002), and so is the shape of the
answer: a pattern matches a span where its fields do (`predicates`), `has` and `lacks` hold below it, and the list of
its children is a word of its content model (`content_model`, run by `automaton`).

*Optimistic rounds.* The content model of a span runs with every question about a child that is still open answered
"yes", and the open questions are noted. Every form of the language is monotone in those answers, so a "no" is final
with nothing below looked at; after a "yes" the open questions are resolved and the model runs again, until it asks
nothing new. What is still to resolve is a stack of numbers: neither the depth of the trace nor that of the pattern is
anywhere on Python's stack. Only the next few levels are: a question about them is answered where it is asked, so that
in a trace of common depth every model runs once.

*Relations.* `has`, `lacks` and `find` are answered for the whole trace at once: the positions that match, and the spans
above them, marked by one walk up that stops at the first span marked already.

Each pair of a span pattern and a span is resolved once. Time and space are O(spans x pattern) for models without
`any_order`, with a factor of the siblings for counted loops of groups; for `any_order` see the modules
`any_order` and `interleave`, and `PatternTooComplexError` for where it ends.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from pytest_mlflow_traces.core.matching.automaton import Automaton, content_of
from pytest_mlflow_traces.core.matching.predicates import Predicates
from pytest_mlflow_traces.core.matching.siblings import PatternTooComplexError, Siblings
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, alternatives_of, asks_structure_alone, short
from pytest_mlflow_traces.core.spans.overlaps import overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.matching.predicates import Check
    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable

__all__ = ["Matcher", "PatternTooComplexError", "find", "matches", "overlap"]


class _Unasked(Enum):
    UNASKED = 0


_UNASKED = _Unasked.UNASKED
_NEAR = 8  # levels that are looked into at once, on Python's stack
_FEW = 32  # candidates; up to so many are looked into one by one


def matches(table: SpanTable, pattern: Pattern, spans: Sequence[int]) -> bool:
    """Return whether the list of siblings at `spans` is what `pattern` says.

    Raises:
        PatternTooComplexError: where groups inside groups make the question too hard.
    """
    key = ("matches", id(pattern), *spans)
    if table.answers is not None and key in table.answers:
        return bool(table.answers[key][1])
    answer = Matcher(table).accepts((pattern,), spans)
    if table.answers is not None and asks_structure_alone(pattern):
        table.keep(key, pattern, answer)
    return answer


def find(table: SpanTable, pattern: Pattern) -> list[int]:
    """Return the positions of the spans that a one-span pattern matches, in pre-order.

    Raises:
        PatternTooComplexError: where groups inside groups make the question too hard.
    """
    key = "find", id(pattern)
    if table.answers is not None and key in table.answers:
        return list(table.answers[key][1])
    if isinstance(pattern, SpanPattern) and pattern.children is None and not pattern.has and not pattern.lacks:
        found = list(Predicates(table).narrowed(pattern))  # nothing to look at but the spans by themselves
    else:
        found = Matcher(table).find(pattern)
    if table.answers is not None and asks_structure_alone(pattern):
        table.keep(key, pattern, tuple(found))
    return found


class _Known:
    """What a matcher knows of one span pattern."""

    __slots__ = ("base", "candidates", "checks", "everywhere", "found", "pattern")

    def __init__(self, pattern: SpanPattern, checks: Sequence[tuple[str, Check]], number: int, size: int) -> None:
        self.pattern = pattern  # kept alive: it is known by its id
        self.checks = checks
        self.base = number * size  # the question about the span at i is base + i
        self.everywhere = -1 - number  # the question about all spans
        self.candidates: list[int] | None = None
        self.found: list[int] | None = None


class Matcher:
    """The spans of one table that match some patterns, each question answered once.

    Patterns are known by their identity, since two matcher objects inside may differ and yet look alike.
    """

    def __init__(self, table: SpanTable) -> None:
        self._table = table
        self._size = len(table)
        self._predicates = Predicates(table)
        self._patterns: list[_Known] = []
        self._by_id: dict[int, _Known] = {}
        self._answers: dict[int, bool | None] = {}  # None: the fields match, the rest is open
        self._marks: dict[int, bytearray] = {}  # by the id of a pattern in `has` or `lacks`
        self._open: dict[int, None] = {}  # the open questions that this round met
        self._depth = 0  # how many levels are being looked into at once
        self._far: set[int] = set()  # questions that hang on more levels than that

    def accepts(self, items: Sequence[Item], spans: Sequence[int]) -> bool:
        """Return whether the list of siblings at `spans` is what `items` say, as a list of children."""
        if len(items) == 1 and isinstance(items[0], SpanPattern):
            return len(spans) == 1 and self.matches(items[0], spans[0])
        content, siblings = Automaton(items), Siblings(self._table, spans, self._ask)
        while (answer := self._round(content.accepts, siblings)) is None:
            self._settle(list(self._open))
        return answer

    def matches(self, pattern: Pattern, i: int) -> bool:
        """Return whether the one-span `pattern` matches the span at `i`, its subtree included."""
        alternatives = _alternatives(pattern)
        while (answer := self._round(self._ask_any, alternatives, i)) is None:
            self._settle(list(self._open))
        return answer

    def find(self, pattern: Pattern) -> list[int]:
        """Return the positions of the spans that the one-span `pattern` matches, in pre-order."""
        found = [self._found(each) for each in _alternatives(pattern)]
        return list(found[0]) if len(found) == 1 else sorted(set().union(*found))

    def local_failures(self, pattern: SpanPattern, i: int) -> list[str]:
        """Return the fields of `pattern` that the span at `i` fails, its children apart: `name`, `inputs`, `has`."""
        failed = [field for field, check in self._know(pattern).checks if not check(i)]
        for field, patterns, wanted in (("has", pattern.has, True), ("lacks", pattern.lacks, False)):
            if any(self._is_above(each, i) is not wanted for each in patterns):
                failed.append(field)
        return failed

    def _is_above(self, pattern: Pattern, i: int) -> bool:
        """Return whether `pattern` matches some span below `i`."""
        self._settle([self._know(each).everywhere for each in _alternatives(pattern)])
        marks = self._above(pattern)
        return marks is not None and bool(marks[i])

    def _found(self, pattern: SpanPattern) -> list[int]:
        known = self._know(pattern)
        self._settle([known.everywhere])
        return known.found or []

    def _ask_any(self, patterns: tuple[SpanPattern, ...], i: int) -> bool:
        return True in [self._ask(each, i) for each in patterns]

    def _know(self, pattern: SpanPattern) -> _Known:
        known = self._by_id.get(id(pattern))
        if known is None:
            said = self._predicates.checks(pattern)
            known = self._by_id[id(pattern)] = _Known(pattern, said, len(self._patterns), self._size)
            self._patterns.append(known)
        return known

    def _ask(self, pattern: SpanPattern, i: int) -> bool:
        """Return whether `pattern` matches the span at `i`; where that is open, note the question and hope for it."""
        known = self._by_id.get(id(pattern)) or self._know(pattern)
        question = known.base + i
        answer = self._answers.get(question, _UNASKED)
        if answer is _UNASKED:
            if known.found is not None:
                at = bisect_left(known.found, i)
                return known.found[at : at + 1] == [i]
            for _, check in known.checks:
                if not check(i):
                    answer = False
                    break
            else:
                answer = self._at_once(known, i)
            self._answers[question] = answer
        if answer is None:
            answer = self._look_near(known, i, question)
            if answer is None:
                self._open[question] = None
                return True
        return answer

    def _look_near(self, known: _Known, i: int, question: int) -> bool | None:
        """Answer an open question by looking a few levels down, `None` where that does not do."""
        if self._depth == _NEAR or known.pattern.has or known.pattern.lacks or question in self._far:
            return None
        outer, self._open = self._open, {}
        self._depth += 1
        try:
            answer = self._round(self._look_below, known, i)
        except PatternTooComplexError:
            answer = None  # it may be that nobody needs to know
        finally:
            self._depth -= 1
            self._open = outer
        if answer is None:
            self._far.add(question)
        else:
            self._answers[question] = answer
        return answer

    def _at_once(self, known: _Known, i: int) -> bool | None:
        """Return what can be said at once of a span whose fields match, `None` where there is more to look at."""
        pattern, children = known.pattern, known.pattern.children
        if pattern.has or pattern.lacks:
            return None
        if children is None:
            return True
        if self._table.stops[i] > i + 1:
            return None if children else False
        if any(isinstance(child, SpanPattern) for child in children):
            return False
        return not children or not content_of(pattern).shortest

    def _round(self, question: Callable[..., bool], *about: Any) -> bool | None:
        """Return the answer to `question`, `None` where it hangs on other questions, which are then in `_open`."""
        self._open.clear()
        try:
            answer = question(*about)
        except PatternTooComplexError:
            if not self._open:
                raise
            return None  # true answers leave less to try than hopes
        if self._open and answer:
            return None
        self._open.clear()
        return answer

    def _settle(self, goals: list[int]) -> None:
        """Answer the questions in `goals`, before each those it hangs on."""
        while goals:
            goal = goals[-1]
            known = self._patterns[-1 - goal if goal < 0 else goal // self._size]
            if (known.found if goal < 0 else self._answers[goal]) is not None:
                goals.pop()
                continue
            if goal < 0:
                self._round(self._look_everywhere, known)
            else:
                self._answers[goal] = self._round(self._look_below, known, goal % self._size)
            goals.extend(self._open)

    def _look_below(self, known: _Known, i: int) -> bool:
        """Return whether what the pattern says of the spans below `i` holds."""
        pattern, children = known.pattern, known.pattern.children
        for patterns, wanted in ((pattern.has, True), (pattern.lacks, False)):
            for marks in map(self._above, patterns):
                if marks is not None and bool(marks[i]) is not wanted:
                    return False
        if self._open or children is None:
            return True
        spans = self._table.children(i)
        if all(isinstance(child, SpanPattern) for child in children):
            singles = cast("tuple[SpanPattern, ...]", children)
            return len(spans) == len(singles) and all(map(self._ask, singles, spans))
        return content_of(pattern).accepts(Siblings(self._table, spans, self._ask))

    def _look_everywhere(self, known: _Known) -> bool:
        """Find all spans that the pattern matches, or note what that hangs on."""
        pattern = known.pattern
        if known.candidates is None:
            known.candidates = self._predicates.narrowed(pattern)
        found = known.candidates
        for patterns, wanted in ((pattern.has, True), (pattern.lacks, False)):
            for each in patterns if found else ():
                marks = self._above(each)
                if marks is not None:
                    found = [i for i in found if bool(marks[i]) is wanted]
        if pattern.children is not None and not self._open:
            found = self._with_children(known, found)
        if not self._open:
            known.found, known.candidates = found, None
        return True

    def _with_children(self, known: _Known, candidates: list[int]) -> list[int]:
        """Return the candidates whose children are as the pattern says, as far as that can be said."""
        if not known.pattern.children:
            stops = self._table.stops
            return [i for i in candidates if stops[i] == i + 1]
        if len(candidates) <= _FEW:
            return [i for i in candidates if self._ask_below(known, i)]
        # many: the patterns of the children are looked for everywhere too, so that each answer is a look into a list
        content = content_of(known.pattern)
        parts = [self._know(pattern) for pattern in content.patterns]
        self._open.update((part.everywhere, None) for part in parts if part.found is None)
        return [] if self._open else self._with_words(content, parts, candidates)

    def _with_words(self, content: Automaton, parts: list[_Known], candidates: list[int]) -> list[int]:
        """Return the candidates whose children `content` accepts, all its patterns being known everywhere.

        Most of the lists of children look alike, if all that is seen of a child is which patterns match it.
        """
        table, stops = self._table, self._table.stops
        for units in content.required:
            its = [self._know(pattern).found or () for pattern in units.patterns]
            if sum(map(len, its)) < len(candidates):
                above = {table.parents[k] for found in its for k in found}
                candidates = [i for i in candidates if i in above]
        letters = [0] * self._size
        for number, part in enumerate(parts):
            for i in part.found or ():
                letters[i] |= 1 << number
        answers: dict[tuple[int, ...], bool] = {}
        accepted = []
        for i in candidates:
            word, k = [i] if content.timed else [], i + 1
            while k < stops[i]:
                word.append(letters[k])
                k = stops[k]
            key = tuple(word)
            if key not in answers:
                answers[key] = content.accepts(Siblings(table, table.children(i), self._ask))
            if answers[key]:
                accepted.append(i)
        return accepted

    def _ask_below(self, known: _Known, i: int) -> bool:
        """Ask about a span whose fields match."""
        question = known.base + i
        if question not in self._answers:
            self._answers[question] = self._at_once(known, i)
        return self._ask(known.pattern, i)

    def _above(self, pattern: Pattern) -> bytearray | None:
        """Mark the spans above those that `pattern` matches; `None`, and noted, where these are not known yet."""
        marks = self._marks.get(id(pattern))
        if marks is not None:
            return marks
        alternatives = [self._know(each) for each in _alternatives(pattern)]
        self._open.update((known.everywhere, None) for known in alternatives if known.found is None)
        if any(known.found is None for known in alternatives):
            return None
        marks = self._marks[id(pattern)] = bytearray(self._size)
        parents = self._table.parents
        for known in alternatives:
            for i in known.found or ():
                above = parents[i]
                while above >= 0 and not marks[above]:
                    marks[above] = 1
                    above = parents[above]
        return marks


def _alternatives(pattern: Pattern) -> tuple[SpanPattern, ...]:
    """Return the patterns of one span, one of which `pattern` stands for."""
    found = alternatives_of(pattern)
    if not all(isinstance(each, SpanPattern) for each in found):
        raise TypeError(f"a pattern of one span: span(...) or one_of of spans, not {short(pattern)}")
    return cast("tuple[SpanPattern, ...]", found)
