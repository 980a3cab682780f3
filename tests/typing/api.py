"""The public API as a type checker sees it: mypy and pyright check this file, nothing runs it."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from hypothesis import strategies as st
from pydantic import model_validator

from pytest_mlflow_traces import (
    BoolTag,
    Budget,
    CapturedTraces,
    Contract,
    Finding,
    IntTag,
    ListTag,
    Metadata,
    MlflowTracesWarning,
    SecretTagWarning,
    Span,
    TagSchema,
    Trace,
    TraceAssertionError,
    any_order,
    assert_trace,
    capture_traces,
    each,
    if_present,
    never,
    one_of,
    optional,
    parallel,
    repeat,
    span,
    strategies,
)
from pytest_mlflow_traces.scorers import as_scorer
from pytest_mlflow_traces.spark import findings
from pytest_mlflow_traces.tables import judge

if TYPE_CHECKING:
    import pyarrow as pa
    from mlflow.genai.scorers import Scorer
    from pyspark.sql import DataFrame  # pyright: ignore[reportMissingImports]  # half a gigabyte


class Tags(TagSchema):
    domains: ListTag[Literal["cost", "security"]]
    domain_count: IntTag
    has_error: BoolTag
    error_type: str | None = None
    session: Annotated[str, Metadata("mlflow.trace.session")]

    @model_validator(mode="after")
    def count(self) -> Tags:
        first: str = self.domains[0]
        if self.domain_count != len(self.domains) or self.has_error or not first:
            raise ValueError("domain_count is the number of domains")
        return self


def test_patterns(mlflow_traces: CapturedTraces) -> None:
    trace: Trace = mlflow_traces.one(name="agent", status="OK")
    pattern = span("agent", type=re.compile("A.*"), within=timedelta(seconds=1), error=ValueError)[
        span("plan", inputs=None, outputs={"a": 1}, attributes={"k": 0}),
        ...,
        optional(span("x")),
        repeat(span("y") | span("z"), min=1, max=None),
        any_order(span("a"), ..., optional(span("b"))),
        parallel(span("a", has=span("c")), span("b", lacks=(span("d"), one_of(span("e"))))),
    ]
    assert trace == pattern
    assert pattern in trace
    assert span("leaf")[()] not in mlflow_traces
    found: tuple[Span, ...] = trace.find(span("x"))
    one: Span = trace.find_one(span("x"))
    number: int = trace.count(span("x"))
    smaller: Trace = trace.without(span("RunnableSequence"))
    tools: Trace = trace.only(span(type="TOOL"), span("a") | span("b"))
    text: str = smaller.tree() + tools.tree()
    print(found, one.duration_ms, one.path, number, text, repr(trace.to_pattern()))


def test_expectations() -> None:
    with capture_traces() as traces:
        pass
    contract = Contract(
        "answers", span("agent"), Tags, applies_to=span("agent"), only=[span(type="TOOL")], about="All."
    )
    try:
        assert_trace(traces, contract, Tags, span("agent"))
    except TraceAssertionError as error:
        findings: tuple[Finding, ...] = error.findings
        print(findings[0].rule, findings[0].hint)
    in_file: Contract = Contract.read("refunds.toml")
    again: Contract = Contract.from_toml(in_file.to_toml())
    print(again == contract, again.about, again.only)
    table = TagSchema.from_mapping({"user_id": str}, optional=("user_id",))
    print(table.check_tags({"user_id": "ada"}))


def test_budgets(mlflow_traces: CapturedTraces) -> None:
    by_name = {"genie_query": "800ms"}
    budget = Budget(
        latency=timedelta(seconds=2),
        latency_of=by_name,
        self_time_of={span("a"): "1s", "b": if_present("2s")},
        tokens=4000,
        cost_usd=0.05,
        calls={"a": 3, "b": (1, 2), "c": if_present(2)},
        p95_of={span(type="TOOL"): timedelta(seconds=1)},
    )
    assert_trace(mlflow_traces, budget, Contract("fast", budget))
    trace = mlflow_traces.one()
    findings: list[Finding] = budget.check(trace)
    path: tuple[Span, ...] = trace.critical_path()
    busiest: int = trace.max_concurrency
    print(findings, path, busiest)


def test_order(mlflow_traces: CapturedTraces) -> None:
    pay, auth = span("pay"), span("auth")
    rule = each(pay, per="session").after(auth | span("login"), since=span("logout"), same="inputs.order")
    assert_trace(mlflow_traces, rule, if_present(each(pay).inside(auth)), Contract("paid", never(pay)))
    cancelled = never(pay).before(auth, until=pay, same={"inputs.a": "outputs.b"})
    findings: list[Finding] = cancelled.check(mlflow_traces.one())
    print(findings, rule.check_all(mlflow_traces), each(pay).after(auth, same=("inputs.a", "inputs.b")))


def test_production(batch: pa.RecordBatch, table: DataFrame, contract: Contract) -> None:
    now = datetime.now(timezone.utc)
    verdicts: pa.RecordBatch = judge(batch, "refunds.contract.toml", watermark=now)
    found: DataFrame = findings(table, Path("refunds.contract.toml"), spans=table, annotations=table, since=now)
    scorer: Scorer = as_scorer(contract, session=True, name="refunds")
    print(verdicts, found, scorer, judge(batch, contract), findings(table, "my_agent:CONTRACT", watermark=now))


def test_strategies() -> None:
    valid: st.SearchStrategy[dict[str, str]] = strategies.tags(Tags, domain_count="1", error_type=st.none())
    invalid: st.SearchStrategy[strategies.InvalidTags] = strategies.invalid_tags(Tags, domains=st.just("cost"))
    traces: st.SearchStrategy[Trace] = strategies.traces(names=st.text(), tags=valid, malformed=True)
    trees: st.SearchStrategy[Span] = strategies.span_trees(types=st.just("TOOL"), max_spans=3)
    print(invalid.map(lambda each: (each.rule, each.where, each.tags)), traces, trees)
    print(strategies.patterns().map(repr))


def test_warnings() -> None:
    for category in (MlflowTracesWarning, SecretTagWarning):
        warnings.simplefilter("ignore", category)


def test_matching(trace: Trace) -> None:
    print(strategies.patterns(matching=trace), strategies.patterns(matching=trace.spans[0]))
