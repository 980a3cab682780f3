"""A contract as a scorer of MLflow: `mlflow.genai.evaluate` and a tracking server put it to the traces they have.

MLflow stores the body of a scorer's function, and nothing else of it. So the function is written here, as source that
imports what it needs and holds the contract as text, and it is the same function that runs where it was never stored.
"""

from __future__ import annotations

import hashlib
import linecache
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.expectation import is_contract_file
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files.expectations import given_contract

if TYPE_CHECKING:
    import os

    from mlflow.entities import Feedback
    from mlflow.genai.scorers import Scorer

__all__ = ["as_scorer", "feedback_of"]

_FUNCTION = "contract_holds"
_SOURCE = """\
def {function}({given}):
    from pytest_mlflow_traces.scorers import feedback_of

    return feedback_of({given}, {contract})
"""
_NO_METRIC = re.compile(r"[^\w./ -]")  # what MLflow lets no name of a metric have, on some system
_VALUES = {"holds": "yes", "fails": "no"}
_REMEMBERED = 64  # contracts that are not read again for each trace


def as_scorer(contract: str | os.PathLike[str] | Contract, *, session: bool = False, name: str | None = None) -> Scorer:
    """Return a contract as a scorer of MLflow, which can be stored by `register()`.

    It gives the feedback "yes" where the contract holds and "no" where it fails, with the text of the failure as
    rationale. Where the contract does not apply, or the trace cannot be judged, there is no value. `verdict` in the
    metadata says which of the four it is, `rules` what was broken.

    >>> import mlflow
    >>> from pytest_mlflow_traces import Contract, capture_traces, never, span
    >>> scorer = as_scorer(Contract("careful", never(span("delete_table"))))
    >>> with capture_traces() as traces, mlflow.start_span("agent"), mlflow.start_span("delete_table"):
    ...     pass
    >>> feedback = scorer(trace=traces.one().raw)
    >>> feedback.value, feedback.metadata["rules"]
    ('no', 'order.never')

    Args:
        contract: The path of a contract file, its text, a contract that data can say, or `module:NAME` of a package
            that is installed wherever the scorer is to run.
        session: Whether all traces of a session are judged together, its rules `per="session"` and all others.
        name: What MLflow calls the scorer and its feedback; by default the name of the contract.

    Raises:
        ValueError: for what is not a contract, and for one that cannot be stored.
        ImportError: where only `mlflow-tracing` is installed, which has no scorers.
    """
    said = _stored(contract)
    judge = _judge_of(said)
    try:
        from mlflow.genai import scorer
    except ImportError:
        raise ImportError("as_scorer() needs the scorers of the full MLflow: `pip install mlflow`") from None
    made: Scorer = scorer(
        _function(said, "session" if session else "trace"),
        name=_NO_METRIC.sub("_", _title(judge, said)) if name is None else name,
        description=judge.expectation.about if isinstance(judge.expectation, Contract) else None,
    )
    return made


def feedback_of(traces: Any, contract: str) -> Feedback | None:
    r"""Return MLflow's feedback on a trace, or on a list of the traces of a session.

    This is what a stored scorer calls: its name and its arguments stay.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces
    >>> text = 'format = 1\nname = "careful"\nnever = ["delete_table"]'
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> feedback = feedback_of(traces.one().raw, text)
    >>> feedback.value, feedback.rationale
    ('yes', "contract 'careful' holds")

    Before 3.12, MLflow has no feedback without a value: a contract that does not apply gives `None` there, and a trace
    that is not judged an error.

    Args:
        traces: MLflow's own trace, or a list of them.
        contract: The text of a contract file, or `module:NAME`.

    Raises:
        ValueError: for what is not a contract.
    """
    from mlflow.entities import AssessmentError, AssessmentSource, Feedback
    from mlflow.exceptions import MlflowException

    judge = _judge_of(contract)
    if isinstance(traces, list):
        judgement = judge.judge_session([Trace.from_mlflow(each) for each in traces])
    else:
        judgement = judge.judge(Trace.from_mlflow(traces))
    said: dict[str, Any] = {
        "source": AssessmentSource("CODE", _title(judge, contract)),
        "rationale": judgement.text,
        "metadata": {
            "verdict": judgement.verdict,
            **({"rules": ", ".join(judgement.rules)} if judgement.rules else {}),
        },
    }
    value = _VALUES.get(judgement.verdict)
    try:
        return Feedback(value=value, **said)
    except MlflowException:
        if value is not None:
            raise
        if judgement.verdict == "not applicable":
            return None
        return Feedback(error=AssessmentError("NOT_JUDGED", judgement.text), **said)


def _stored(contract: object) -> str:
    """Return what a scorer keeps of a contract: its text, or its `module:NAME`."""
    if isinstance(contract, Contract):
        try:
            return contract.to_toml()
        except ValueError as error:
            cure = "give as_scorer() the module:NAME of the contract, in a package that is installed where it runs"
            raise ValueError(f"as_scorer(): MLflow stores a scorer as text: {error}, or {cure}") from None
    expectation = given_contract(contract, "as_scorer")
    if isinstance(contract, str) and "\n" in contract:
        return contract
    if is_contract_file(contract):
        return str(expectation.to_toml())
    if str(contract).startswith("__main__:"):
        raise ValueError(
            f"as_scorer({contract!r}): no other process has this __main__: name the module that defines it"
        )
    return str(contract)


def _title(judge: Judge, contract: str) -> str:
    return judge.expectation.name if isinstance(judge.expectation, Contract) else contract


@lru_cache(_REMEMBERED)
def _judge_of(contract: str) -> Judge:
    return Judge(given_contract(contract, "feedback_of"))


def _function(contract: str, given: str) -> Any:
    """Return the function of a scorer, whose source `inspect` finds, as MLflow asks for it."""
    # a line of the contract is a line of the source, and a literal: MLflow indents what it stores
    lines = [f"        {line!r}" for line in contract.splitlines(keepends=True)]
    literal = "\n".join(["(", *lines, "    )"]) if len(lines) > 1 else repr(contract)
    source = _SOURCE.format(function=_FUNCTION, given=given, contract=literal)
    file = f"<scorer {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, file, "exec"), namespace)  # noqa: S102  # what is written above, and literals
    return namespace[_FUNCTION]
