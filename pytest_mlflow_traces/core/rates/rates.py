"""Whether a contract holds at a rate: it does, it does not, or there are not enough runs to say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pytest_mlflow_traces.core.contracts import Contract, absence, error_of, traces_of, unused
from pytest_mlflow_traces.core.expectation import checked_expectation
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.judgements import Judge, Judgement
from pytest_mlflow_traces.core.rates.binomial import check_confidence, lower_bound, upper_tail
from pytest_mlflow_traces.core.rates.frequencies import Frequencies
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.percentages import percentage
from pytest_mlflow_traces.core.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.expectation import Expectation
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here

HOLDS, FAILS, NOT_ENOUGH = "holds", "fails", "not enough runs"
_MOST = 10_000_000  # runs that anybody is told to make


@dataclass(frozen=True)
class Rate:
    """How many of some runs held, and what that says of the rate behind them.

    A run that is not judged may have held or not. So it counts as one that did not where the question is whether the
    rate is high enough, and as one that did where it is whether the rate is too low.
    """

    held: int
    failed: int
    not_judged: int
    at_least: float
    confidence: float

    @property
    def runs(self) -> int:
        """The runs that it is about."""
        return self.held + self.failed + self.not_judged

    @cached_property
    def lowest(self) -> float:
        """What the rate is at least, with the confidence."""
        return lower_bound(self.held, self.runs, self.confidence)

    @cached_property
    def highest(self) -> float:
        """What the rate is at most, with the confidence."""
        return 1 - lower_bound(self.failed, self.runs, self.confidence)

    @property
    def verdict(self) -> Literal["holds", "fails", "not enough runs"]:
        """What the runs come to."""
        if self.runs and self.lowest >= self.at_least:
            return "holds"
        return "fails" if self.highest < self.at_least else "not enough runs"

    @property
    def needed(self) -> int | None:
        """How many runs would tell, if they held as often as these; `None` where more than anybody makes would not."""
        few, many = 0, 1
        while not self._is_told_by(many):
            few, many = many, many * 2
            if few > _MOST:
                return None
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if self._is_told_by(middle) else (middle, many)
        return many

    def _is_told_by(self, runs: int) -> bool:
        judged = self.held + self.failed
        held = runs * self.held // judged if judged else runs
        unlikely = 1 - self.confidence
        return (
            upper_tail(held, runs, self.at_least) <= unlikely
            or upper_tail(runs - held, runs, 1 - self.at_least) <= unlikely
        )

    def __str__(self) -> str:
        """Say what it comes to, in a line for the verdict and one for the bounds."""
        seen = f" ({percentage(self.held / self.runs)})" if self.runs else ""
        of = f"{self.held:,} of {counted(self.runs, 'run')}{seen}"
        wanted, sure = percentage(self.at_least), percentage(self.confidence)
        unknown = f", {self.not_judged:,} of them not judged" if self.not_judged else ""
        lines = {
            HOLDS: [f"holds in {of}{unknown}: at least {wanted}"],
            FAILS: [f"holds in {of}{unknown}: expected at least {wanted}"],
            NOT_ENOUGH: [f"holds in {of}{unknown}: not enough runs to say whether that is at least {wanted}"],
        }[self.verdict]
        if self.runs:
            bounds = [f"at least {percentage(self.lowest)}"] if self.verdict != FAILS else []
            bounds += [f"at most {percentage(self.highest, up=True)}"] if self.verdict != HOLDS else []
            lines.append(f"  with {sure} confidence{' each' if len(bounds) == 2 else ''}, {' and '.join(bounds)}")
        if self.verdict == NOT_ENOUGH:
            lines.append(f"  {self._cure}")
        return "\n".join(lines)

    @property
    def _cure(self) -> str:
        needed = self.needed
        if needed is None:
            return f"at this rate {_MOST:,} runs would not tell either"
        rate = "at this rate would tell" if self.failed else "that all hold would show it"
        return f"{counted(needed, 'run')} {rate}"


class RateOf:
    """The rate at which an expectation holds, from one judgement after the other."""

    def __init__(self, subject: str, at_least: float, confidence: float) -> None:
        check_rate(at_least)
        check_confidence(confidence)
        self._subject = subject
        self._at_least, self._confidence = at_least, confidence
        self._counts = dict.fromkeys(("holds", "fails", "not judged", "not applicable"), 0)
        self.found = Frequencies()
        self._example: str | None = None
        self._reasons: dict[str, int] = {}

    def add(self, judgement: Judgement) -> None:
        """Take in what one run came to; one that the expectation does not apply to is not a run of it."""
        self._counts[judgement.verdict] += 1
        if judgement.verdict == "fails":
            self.found.add(judgement.findings)
            self._example = self._example or judgement.text
        elif judgement.verdict == "not judged":
            reason = judgement.text.partition(": ")[2]
            self._reasons[reason] = self._reasons.get(reason, 0) + 1

    @property
    def rate(self) -> Rate:
        """What the runs so far come to."""
        counts = self._counts
        return Rate(counts["holds"], counts["fails"], counts["not judged"], self._at_least, self._confidence)

    @property
    def finding(self) -> Finding:
        """The finding that the rate is, where it does not hold."""
        rule = "rate.low" if self.rate.verdict == FAILS else "rate.not_enough_runs"
        seen = f"{self.rate.held:,} of {self.rate.runs:,}"
        return Finding(rule, self._subject, f"at least {percentage(self._at_least)} of runs", seen)

    def text(self, *, with_example: bool = True) -> str:
        """Say what the rate comes to, what was found how often, and all about the first run that did not hold."""
        lines = [f"{self._subject} {self.rate}"]
        if self.found.runs:
            do = "do" if self.rate.failed > 1 else "does"
            lines += [f"  in the {counted(self.rate.failed, 'run')} that {do} not hold:"]
            lines += [f"    {line}" for line in self.found.lines()]
        lines += [f"  not judged, {count:,}x: {reason}" for reason, count in self._reasons.items()]
        if with_example and self._example is not None:
            lines += ["", "the first of them:", self._example]
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        """Return the same as plain data."""
        rate = self.rate
        counts = {word.replace(" ", "_"): count for word, count in self._counts.items()}
        bounds = {
            "at_least": rate.at_least,
            "confidence": rate.confidence,
            "lowest": rate.lowest,
            "highest": rate.highest,
        }
        found = [{"rule": rule, "where": where, "runs": runs} for (rule, where), runs in self.found.runs.items()]
        return {
            "verdict": rate.verdict,
            "runs": rate.runs,
            **counts,
            **bounds,
            "needed": rate.needed,
            "findings": found,
        }


def check_rate(at_least: float) -> None:
    """Raise a ValueError for what is not a rate that runs can show."""
    if type(at_least) not in (int, float) or not 0 < at_least <= 1:
        raise ValueError(f"at_least is a rate above 0 and below 1, such as 0.95; got {at_least!r:.80}")
    if at_least == 1:
        cure = "say what is enough, such as 0.99, or ask it of each by assert_trace"
        raise ValueError(f"at_least=1: no number of runs shows that all there will be hold: {cure}")


def judgements(judge: Judge, traces: Sequence[Trace]) -> Iterator[Judgement]:
    """Yield what each run comes to: a trace, or a session, where the expectation has rules over sessions."""
    sessions: dict[str, list[Trace]] = {}
    for trace in traces:
        if judge.together is None or trace.session_id is None:
            yield judge.judge(trace)
        else:
            sessions.setdefault(str(trace.session_id), []).append(trace)
    for each in sessions.values():
        yield judge.judge_session(each)


def assert_rate(
    traces: Any, expectation: Pattern | Expectation | type, *, at_least: float = 0.95, confidence: float = 0.95
) -> None:
    """Assert that an expectation holds of at least so many runs of an agent, of which these traces are a sample.

    A run is a trace; where a contract has rules over sessions, it is all traces of a session. It passes where the exact
    one-sided bound of Clopper and Pearson (1934) shows the rate with the confidence; seeing it in the sample is not
    enough. What it does not apply to is not a run. What cannot be judged counts as not holding, and is no proof that
    the rate is too low either. The runs are to be independent of each other, and as many as was decided beforehand:
    twenty runs of one test say nothing about other tests, and a test that stops when it looks good is no sample.

    >>> import mlflow
    >>> from pytest_mlflow_traces import assert_rate, capture_traces, span
    >>> with capture_traces() as traces:
    ...     for _ in range(60):
    ...         with mlflow.start_span("agent"):
    ...             pass
    >>> assert_rate(traces, span("agent"), at_least=0.95)
    >>> assert_rate(traces, span("agent"), at_least=0.99)
    Traceback (most recent call last):
    pytest_mlflow_traces.TraceAssertionError: span('agent') holds in 60 of 60 runs (100 %): not enough runs ...

    Args:
        traces: As for `assert_trace`.
        expectation: A contract, pattern, budget, schema, rule of order, or one of your own.
        at_least: The rate, above 0 and below 1.
        confidence: How sure to be: the share of such assertions that an agent just below `at_least` does not pass.

    Raises:
        TraceAssertionError: where the rate is lower (the finding `rate.low`), or where there are not enough runs to say
            (`rate.not_enough_runs`): the text says how many would be.
        TypeError: for what is no expectation.
        ValueError: for an `at_least` or `confidence` that no number of runs can show.
    """
    judge = Judge(checked_expectation(expectation))
    said = RateOf(judge.subject, at_least, confidence)
    given = [*traces_of(traces), *getattr(traces, "in_progress", ())]
    if not given:
        raise error_of([absence(traces)])
    for judgement in judgements(judge, given):
        said.add(judgement)
    if not said.rate.runs and isinstance(expectation, Contract):
        raise error_of([unused(expectation, given)])
    if said.rate.verdict != HOLDS:
        raise error_of([Verdict((said.finding, *said.found.findings), said.text())])
