"""Which mutants of the traces of a test its questions notice: an answer that is another one is a notice.

The question alone is known, not what the test made of the answer. An answer that changes fails an assertion on it, or
sends the test another way.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.adequacy.asking import answer
from pytest_mlflow_traces.core.adequacy.mutant import WHOLE
from pytest_mlflow_traces.core.adequacy.mutants import mutants
from pytest_mlflow_traces.core.adequacy.places import places
from pytest_mlflow_traces.core.judgements import unjudged
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.patterns.shape import shape_of, subtree_shapes
from pytest_mlflow_traces.core.questions import one_question

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.adequacy.mutant import Key, Mutant
    from pytest_mlflow_traces.core.questions import Question
    from pytest_mlflow_traces.core.trace import Trace

MOST = 1_000  # spans of a trace that is edited: there are seven edits of a span, and each copies the trace

_TRIES = 3  # traces of one shape of which one expectation is asked for the same edit


@dataclass(slots=True)
class _Shape:
    """What is known of the mutants of the traces of one shape."""

    known: set[Key] = field(default_factory=set)
    noticed: set[Key] = field(default_factory=set)
    tries: Counter[tuple[Key, object]] = field(default_factory=Counter)


class MutantJudge:
    """The mutants of some classes, put to the questions of one test after the other.

    What one test notices is noticed: of traces of one shape, no other test is asked for it.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._shapes: dict[str, _Shape] = {}
        self._kept: dict[int, Any] = {}

    def judge(self, questions: Sequence[Question], traces: Iterable[Trace]) -> dict[str, Any]:
        """Edit each trace, and each that was asked about; return what is new, as plain data for `Survivors.add`."""
        with one_question(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mutant may well be odd
            asked, unstable = _asked_by_trace(questions)
            whole = {id(trace): trace for trace in traces}
            whole.update((id(trace), trace) for trace, _ in asked.values())
            shapes: dict[str, dict[str, Any]] = {}
            unwhole = large = 0
            for place, trace in whole.items():
                if unjudged(trace) is not None:
                    unwhole += 1
                elif len(trace.table) > MOST:
                    large += 1
                else:
                    self._judge(trace, asked.get(place, (trace, []))[1], shapes)
        for said in shapes.values():
            said["traces"] = len(said["traces"])
        return {"shapes": shapes, "unstable": unstable, "unwhole": unwhole, "large": large}

    def _judge(self, trace: Trace, questions: list[tuple[Question, int]], shapes: dict[str, dict[str, Any]]) -> None:
        subtrees = subtree_shapes(trace.table)
        shape, place = shape_of(trace.table, subtrees), places(trace.table, subtrees)
        known = self._shapes.get(shape)
        said = shapes.setdefault(shape, {"traces": set(), "known": [], "noticed": []})
        said["traces"].add(trace.id)
        if known is None:
            known = self._shapes[shape] = _Shape()
            at = dict(zip(place, map(str, trace.table.names), strict=True))
            said["name"], said["names"] = trace.name, [at[k] for k in range(len(at))]
        for mutant in mutants(trace, self._classes):
            edit, position, detail = mutant.key
            key = edit, position if position == WHOLE else place[position], detail
            if key not in known.known:
                known.known.add(key)
                said["known"].append(key)
            if key not in known.noticed and self._is_noticed(mutant, questions, known.tries, key):
                known.noticed.add(key)
                said["noticed"].append(key)

    def _is_noticed(
        self, mutant: Mutant, questions: list[tuple[Question, int]], tries: Counter[tuple[Key, object]], key: Key
    ) -> bool:
        trace = None
        for k, (question, number) in enumerate(questions):
            if len(question.traces) == 1:
                asked = key, self._known_by(question.expected)
                if tries[asked] == _TRIES:
                    continue
                tries[asked] += 1
            trace = mutant.make() if trace is None else trace
            if _answer(question, number, trace) is not question.answer:
                questions.insert(0, questions.pop(k))  # what noticed this may well notice the next
                return True
        return False

    def _known_by(self, expected: Any) -> object:
        """Return what an expectation is known by: a pattern by what it says, all else by itself, kept alive."""
        return expected if isinstance(expected, Pattern) else id(self._kept.setdefault(id(expected), expected))


def _asked_by_trace(questions: Sequence[Question]) -> tuple[dict[int, tuple[Trace, list[tuple[Question, int]]]], int]:
    """Return, by the id of each trace, it and the questions about it; and how many answer otherwise by now."""
    found: dict[int, tuple[Trace, list[tuple[Question, int]]]] = {}
    unstable = 0
    for question in questions:
        wholes = [trace.whole for trace in question.traces]
        if _answer(question, 0, wholes[0]) is not question.answer:
            unstable += 1  # it hangs on more than the trace, so it tells nothing of a mutant
            continue
        for number, whole in enumerate(wholes):
            found.setdefault(id(whole), (whole, []))[1].append((question, number))
    return found, unstable


def _answer(question: Question, number: int, trace: Trace) -> bool | None:
    try:
        return answer(question, number, trace)
    except Exception:  # the code of users is asked, too
        return None
