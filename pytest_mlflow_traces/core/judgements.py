"""The four verdicts: what an expectation comes to on a trace, or on all traces of a session.

It holds, it fails, it does not apply, or it is not judged: where spans are missing, absence proves nothing. None of the
last two counts as "holds".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_mlflow_traces.core.contracts import Contract, split_by_scope, verdicts_where_it_applies
from pytest_mlflow_traces.core.findings import NO_TRACE, Finding
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.verdicts import Verdict, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.trace import Trace

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

    def __init__(self, expectation: Any) -> None:
        """Take an expectation apart; raise a ValueError where code that it names cannot be imported."""
        self.expectation = expectation
        self.alone, self.together = split_by_scope(expectation)
        named = isinstance(expectation, Contract)
        self.subject = f"contract {expectation.name!r}" if named else f"{expectation!r:.80}"

    def applies(self, trace: Trace) -> bool:
        """Return whether the expectation has a say about a trace."""
        return not isinstance(self.expectation, Contract) or self.expectation.applies(trace)

    def verdicts(self, trace: Trace) -> list[Verdict]:
        """Return what does not hold of a trace that it applies to, sessions left for later."""
        said = _verdicts(self.alone, [trace])
        return said + _verdicts(self.together, [trace]) if trace.session_id is None else said

    def verdicts_together(self, traces: Sequence[Trace]) -> list[Verdict]:
        """Return what of its rules over sessions does not hold of all traces of one."""
        return _verdicts(self.together, [trace for trace in traces if self.applies(trace)])

    def judge(self, trace: Trace) -> Judgement:
        """Return what it comes to on one trace, of a session or not."""
        reason = unjudged(trace)
        if reason is None and not self.applies(trace):
            return self._not_applicable()
        is_deferred = self.together is not None and trace.session_id is not None
        if reason is None and is_deferred and self.alone is None:
            reason = _OF_A_SESSION
        if reason is not None:
            said = not_judged(trace, reason)
            return Judgement("not judged", said.text, said.findings)
        later = ", but for its rules over the whole session" if is_deferred else ""
        return self.judgement(self.verdicts(trace), later)

    def judge_session(self, traces: Sequence[Trace]) -> Judgement:
        """Return what it comes to on all traces of a session, its rules for each of them included."""
        if not traces:
            return Judgement("not judged", "not judged: the session has no traces", (NO_TRACE,))
        for trace in traces:
            reason = unjudged(trace)
            if reason is not None:  # a rule over the session may look for what this trace has lost
                text = f"not judged: trace {visible(trace.name)!r}: {reason}"
                return Judgement("not judged", text, not_judged(trace, reason).findings)
        applicable = [trace for trace in traces if self.applies(trace)]
        if not applicable:
            return self._not_applicable()
        return self.judgement(_verdicts(self.expectation, applicable))

    def judgement(self, said: list[Verdict], later: str = "") -> Judgement:
        """Return what comes to what the expectation has to say of what it applies to."""
        if not said:
            return Judgement("holds", f"{self.subject} holds{later}")
        findings = tuple(finding for each in said for finding in each.findings)
        return Judgement("fails", "\n\n".join(each.text for each in said), findings)

    def _not_applicable(self) -> Judgement:
        asked = getattr(self.expectation, "applies_to", None)
        why = "no span matches " + (repr(asked) if asked is not None else "what the contracts in it are about")
        return Judgement("not applicable", f"{self.subject} does not apply: {why}")


def unjudged(trace: Trace) -> str | None:
    """Return why a trace cannot be judged, `None` where it can."""
    # of what lost its root, MLflow says that it is in progress
    is_open = trace.status == "IN_PROGRESS" and not trace.table.structural_problems
    return "it is in progress" if is_open else trace.table.missing()


def not_judged(trace: Trace, reason: str) -> Verdict:
    """Return what is said of a trace that cannot be judged."""
    return Verdict((Finding("trace.not_judged", visible(trace.name), actual=reason),), f"not judged: {reason}")


def _verdicts(expectation: Any, traces: list[Trace]) -> list[Verdict]:
    if expectation is None:
        return []
    if isinstance(expectation, Contract):
        return verdicts_where_it_applies(expectation, traces)
    return verdicts(traces, expectation)
