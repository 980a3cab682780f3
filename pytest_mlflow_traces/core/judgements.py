"""The four verdicts: what an expectation comes to on a trace, or on all traces of a session.

It holds, it fails, it does not apply, or it is not judged: where spans are missing, absence proves nothing. None of the
last two counts as "holds".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_mlflow_traces.core.contracts import Contract, split_by_scope, verdicts_where_it_applies
from pytest_mlflow_traces.core.findings import NO_TRACE, Finding
from pytest_mlflow_traces.core.settled import applies_by_structure, left_of
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.verdicts import Verdict, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.trace import Trace

YOUNG = "it is younger than the watermark"
_OF_A_SESSION = "it is one trace of a session, of which the contract wants all"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an expectation comes to: one of four verdicts, the findings, and the text for a person."""

    verdict: Literal["holds", "fails", "not applicable", "not judged"]
    text: str
    findings: tuple[Finding, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of the findings, each once."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings))


class Judge:
    """One expectation, ready to be put to many traces.

    What looks at all traces of a session is asked of them together, and of a trace that has no session by itself.
    """

    def __init__(self, expectation: Any, watermark_ns: int | None = None) -> None:
        """Take an expectation apart, or `None` for nothing; raise a ValueError where code it names cannot be imported.

        Traces that began at `watermark_ns` or later, in nanoseconds since the epoch, are not judged: spans of theirs
        may be on the way.
        """
        self.expectation = expectation
        self._watermark_ns = watermark_ns
        self.alone, self.together = split_by_scope(expectation)
        named = isinstance(expectation, Contract)
        self._is_alike = named and applies_by_structure(expectation)  # to traces of one structure, or to none
        self._subject = f"contract {expectation.name!r}" if named else f"{expectation!r:.80}"

    def applies(self, trace: Trace) -> bool:
        """Return whether the expectation has a say about a trace."""
        if self.expectation is None:
            return False
        if not isinstance(self.expectation, Contract):
            return True
        answers, key = trace.table.answers, ("applies", id(self.expectation))
        if self._is_alike and answers is not None:
            if key not in answers:
                trace.table.keep(key, self.expectation, self.expectation.applies(trace))
            return bool(answers[key][1])
        return self.expectation.applies(trace)

    def verdicts(self, trace: Trace) -> list[Verdict]:
        """Return what does not hold of a trace that it applies to, sessions left for later."""
        said = _verdicts(left_of(self.alone, trace), [trace])
        if self.together is not None and trace.session_id is None:
            said += _verdicts(self.together, [trace])
        return said

    def verdicts_together(self, traces: Sequence[Trace]) -> list[Verdict]:
        """Return what of its rules over sessions does not hold of all traces of one."""
        return _verdicts(self.together, [trace for trace in traces if self.applies(trace)])

    def judge(self, trace: Trace) -> Judgement:
        """Return what it comes to on one trace, of a session or not."""
        reason = self.unjudged(trace)
        if reason is None and not self.applies(trace):
            return self._not_applicable()
        is_deferred = self.together is not None and trace.session_id is not None
        if reason is None and is_deferred and self.alone is None:
            reason = _OF_A_SESSION
        if reason is not None:
            said = not_judged(trace, reason)
            return Judgement("not judged", said.text, said.findings)
        later = ", but for its rules over the whole session" if is_deferred else ""
        return self._judgement(self.verdicts(trace), later)

    def judge_session(self, traces: Sequence[Trace]) -> Judgement:
        """Return what it comes to on all traces of a session, its rules for each of them included."""
        if not traces:
            return Judgement("not judged", "not judged: the session has no traces", (NO_TRACE,))
        lost = self._lost(traces)
        if lost is not None:
            return lost
        applicable = [trace for trace in traces if self.applies(trace)]
        if not applicable:
            return self._not_applicable()
        return self._judgement(_verdicts(self.expectation, applicable))

    def judge_each(self, traces: Sequence[Trace]) -> list[Judgement]:
        """Return what it comes to on each trace of a session.

        What does not hold of all of them together is said of the first that it applies to.
        """
        said = [self._judge_alone(trace) for trace in traces]
        first = next((k for k, each in enumerate(said) if each.verdict in ("holds", "fails")), None)
        if first is None or self.together is None:
            return said
        lost = self._lost(traces)
        together = lost or self._judgement(self.verdicts_together(traces))
        if said[first].verdict == "holds":
            said[first] = together
        elif together.verdict == "fails":
            text = f"{said[first].text}\n\n{together.text}"
            said[first] = Judgement("fails", text, said[first].findings + together.findings)
        return said

    def _judge_alone(self, trace: Trace) -> Judgement:
        reason = self.unjudged(trace)
        if reason is not None:
            said = not_judged(trace, reason)
            return Judgement("not judged", said.text, said.findings)
        return self._judgement(_verdicts(self.alone, [trace])) if self.applies(trace) else self._not_applicable()

    def _lost(self, traces: Sequence[Trace]) -> Judgement | None:
        """Return that a session is not judged, where a trace of it is not: a rule may look for what that has lost."""
        for trace in traces:
            reason = self.unjudged(trace)
            if reason is not None:
                text = f"not judged: trace {visible(trace.name)!r}: {reason}"
                return Judgement("not judged", text, not_judged(trace, reason).findings)
        return None

    def unjudged(self, trace: Trace) -> str | None:
        """Return why a trace cannot be judged, `None` where it can."""
        if self._watermark_ns is not None:
            began = began_ns(trace)
            if began is None or began >= self._watermark_ns:
                return YOUNG
        return unjudged(trace)

    def _judgement(self, said: list[Verdict], later: str = "") -> Judgement:
        if not said:
            return Judgement("holds", f"{self._subject} holds{later}")
        findings = tuple(finding for each in said for finding in each.findings)
        return Judgement("fails", "\n\n".join(each.text for each in said), findings)

    def _not_applicable(self) -> Judgement:
        if self.expectation is None:
            return Judgement("not applicable", "it says nothing of a trace by itself")
        asked = getattr(self.expectation, "applies_to", None)
        why = "no span matches " + (repr(asked) if asked is not None else "what the contracts in it are about")
        return Judgement("not applicable", f"{self._subject} does not apply: {why}")


def began_ns(trace: Trace) -> int | None:
    """Return when a trace began, in nanoseconds since the epoch: its request, or else its first span."""
    asked = trace._facts.start_ns
    return trace.start_ns if asked is None else asked


def unjudged(trace: Trace) -> str | None:
    """Return why a trace cannot be judged, `None` where it can."""
    # of what lost its root, MLflow says that it is in progress
    is_open = trace.status == "IN_PROGRESS" and not trace.table.structural_problems
    return "it is in progress" if is_open else trace.table.missing()


def not_judged(trace: Trace, reason: str) -> Verdict:
    """Return what is said of a trace that cannot be judged."""
    return Verdict((Finding("trace.not_judged", visible(trace.name), actual=reason),), f"not judged: {reason}")


def unseen(where: str, reason: str) -> Judgement:
    """Return what is said of a trace that nobody has seen: it cannot be read, or it is known by its id alone."""
    finding = Finding("trace.not_judged", visible(where), actual=reason)
    return Judgement("not judged", f"not judged: {reason}", (finding,))


def _verdicts(expectation: Any, traces: list[Trace]) -> list[Verdict]:
    if expectation is None:
        return []
    if isinstance(expectation, Contract):
        return verdicts_where_it_applies(expectation, traces)
    return verdicts(traces, expectation)
