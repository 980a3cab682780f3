"""The contract of the agent holds, whatever goes wrong; and it would not if the agent were any different."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import reference_agent
from pytest_mlflow_traces import Contract, Trace, TraceAssertionError, assert_trace, capture_traces
from pytest_mlflow_traces.core.contracts import check
from reference_agent import stub_orchestrator
from reference_agent.contract import CONTRACT, FAILURE_CONTRACT, ORDER, SESSION, Domain, HealthMonitorTags, Tool
from reference_agent.intent import DOMAINS
from reference_agent.memory import Memory
from reference_agent.stubs.chat import FAULTS, STAGES
from reference_agent.stubs.genie import KINDS
from reference_agent.tags import STANDARD_TAGS
from reference_agent.utilities import TRIGGERS
from tests.reference_agent.asking import MODES, Outcome, Request, asked
from tests.support.building import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = {
    "user_id": "ada",
    "session_id": "s1",
    "environment": "dev",
    "domains": "cost,security",
    "domain_count": "2",
    "confidence": "0.85",
    "is_multi_domain": "true",
    "utility_tools_used": "",
    "source_count": "2",
    "response_length": "96",
    "has_error": "false",
}
METADATA = {"mlflow.trace.user": "ada", "mlflow.trace.session": "s1"}


FILES = Path(reference_agent.__file__).parent / "contracts"
# each contract with the file that says the same
BOTH = [
    (contract, Contract.read(FILES / f"{name}.toml"))
    for contract, name in (
        (CONTRACT, "health_monitor"),
        (FAILURE_CONTRACT, "health_monitor_failing"),
        (SESSION, "session"),
    )
]


def applying(outcome: Outcome) -> list[Contract]:
    return [contract for contract in (CONTRACT, FAILURE_CONTRACT) if contract.applies(outcome.trace)]


def assert_kept(outcome: Outcome) -> None:
    assert applying(outcome) == [CONTRACT if outcome.error is None else FAILURE_CONTRACT]
    assert_trace(outcome.trace, *applying(outcome))
    for contract, in_file in BOTH:
        assert in_file.applies(outcome.trace) == contract.applies(outcome.trace)
        assert in_file.check(outcome.trace) == []


def broken(trace: Trace, contract: Contract) -> set[str]:
    """Return what breaks a contract: the kinds of findings, and the rules of tags."""
    return {f"{each.rule} {each.where if each.rule == 'tags.rule' else ''}" for each in contract.check(trace)}


def edited(trace: Trace) -> Iterator[Trace]:
    """Yield a trace with one thing about it changed, in turn."""
    for place in range(len(trace.spans)):
        yield Trace(trace.table.without([place]), trace._facts)
    said = json.loads(trace.raw.to_json())
    spans = said["data"]["spans"]
    for span in spans:
        for key, value in (("name", "other"), ("status", {"code": "STATUS_CODE_ERROR", "message": ""})):
            kept, span[key] = span[key], value
            yield Trace.from_json(json.dumps(said))
            span[key] = kept
    for tag in said["info"]["tags"]:
        tags = {key: value for key, value in said["info"]["tags"].items() if key != tag}
        yield Trace.from_json(json.dumps({**said, "info": {**said["info"], "tags": tags}}))


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request("What do failed jobs cost?"),
        Request(genie={"cost": "500"}),
        Request(chat={"synthesize": "error"}),
    ],
)
def test_its_files_break_where_it_does(request_):
    breaks = 0
    for trace in edited(asked(request_).trace):
        for contract, in_file in BOTH:
            assert in_file.applies(trace) == contract.applies(trace)
            assert bool(broken(trace, in_file)) == bool(broken(trace, contract)), trace.tree()
            breaks += bool(broken(trace, contract))

    assert breaks > 20


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "query",
    [
        "Why did costs spike?",
        "Give me a health overview",
        "What do failed jobs cost?",
        "Is there an outage? Show me a dashboard, and how to fix it.",
        "",
    ],
)
def test_it_holds_for_every_way_to_ask(query, mode):
    assert_kept(asked(Request(query, session="s1", mode=mode)))


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("faults", ["one of two", "both", "once", "consulted"])
def test_it_holds_for_every_fault_of_genie(kind, mode, faults):
    query = "What do failed jobs cost?" if faults == "consulted" else "Are costs and access under control?"
    genie: dict[str, Any] = {
        "one of two": {"security": kind},
        "both": {"cost": kind, "security": kind},
        "once": {"cost": [kind], "security": [kind, kind]},
        "consulted": {"cost": [None, kind]},
    }[faults]

    outcome = asked(Request(query, mode=mode, genie=genie))

    assert_kept(outcome)
    if faults != "once" and kind != "throttled":  # which the agent waits out
        assert (outcome.error is not None) == (faults == "both")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", STAGES)
def test_it_holds_for_every_fault_of_the_model(stage, fault, mode):
    outcome = asked(Request(mode=mode, chat={stage: fault}))

    assert_kept(outcome)
    assert (outcome.error is not None) == (fault == "error")


@pytest.mark.parametrize("mode", MODES)
def test_it_holds_without_search_and_without_memory(mode):
    memory = Memory()
    memory.close()

    assert_kept(asked(Request("Is there an outage?", mode=mode, search_down=True)))
    assert_kept(asked(Request(mode=mode, session="s1"), memory=memory))


def test_the_schema_has_every_standard_tag():
    required = {tag for tag, field in HealthMonitorTags.model_fields.items() if field.is_required()}

    assert required == set(STANDARD_TAGS) - {"error_type"} | {"user"}
    assert set(get_args(Domain)) == set(DOMAINS)
    assert set(get_args(Tool)) == set(TRIGGERS)
    assert HealthMonitorTags.check_tags(GOOD, METADATA) == []


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"environment": "production"}, "tag 'environment'", "expected 'dev', 'staging' or 'prod', got 'production'"),
        ({"domains": "COST,SECURITY"}, "tag 'domains'", "did you mean 'cost'?"),
        ({"domains": "cost,cost"}, "rule 'domains_are_counted'", "a domain is named twice"),
        ({"domain_count": "3"}, "rule 'domains_are_counted'", "domain_count is not the number of domains"),
        ({"domain_count": "-1"}, "tag 'domain_count'", "expected a whole number of at least 0"),
        ({"confidence": "1.5"}, "tag 'confidence'", "expected a number from 0 to 1"),
        ({"is_multi_domain": "True"}, "tag 'is_multi_domain'", "write 'true': str(True) is 'True'"),
        ({"is_multi_domain": "false"}, "rule 'several_domains_are_flagged'", "is_multi_domain says whether"),
        ({"utility_tools_used": None}, "tag 'utility_tools_used'", "expected comma-separated items, each 'web_search'"),
        ({"has_error": "true"}, "rule 'errors_are_described'", "there exactly when has_error is true"),
        ({"error_type": "X"}, "rule 'errors_are_described'", "there exactly when has_error is true"),
        ({"error_message": ""}, "tag 'error_message'", "expected a string of 1 to 200 characters"),
        ({"failed_domains": "quality"}, "rule 'failed_domains_were_asked'", "failed_domains are some of the domains"),
        ({"failed_domains": "cost,security"}, "rule 'failed_domains_were_asked'", "has a domain that answered"),
        ({"failed_domains": ""}, "tag 'failed_domains'", "at least 1 comma-separated item"),
        ({"stream_aborted": "false"}, "tag 'stream_aborted'", "expected 'true'"),
        (
            {"stream_aborted": "true", "has_error": "true", "error_type": "X", "error_message": "x"},
            "rule 'aborted_streams_are_no_errors'",
            "not an error",
        ),
        ({"user_id": "eve"}, "rule 'metadata_says_the_same'", "user_id is not the user of the trace"),
        ({"session_id": "none"}, "rule 'metadata_says_the_same'", "session_id is not the session of the trace"),
        ({"version": "1"}, "tag 'version'", "add it to the schema"),
    ],
)
def test_the_schema_tells_every_inconsistency_of_its_design(changes, where, says):
    tags = {tag: value for tag, value in {**GOOD, **changes}.items() if value is not None}

    (finding,) = HealthMonitorTags.check_tags(tags, METADATA)

    assert finding.where == where
    assert says in str(finding)


def test_a_success_that_is_tagged_as_an_error_is_told():
    outcome = asked(Request())
    wrong = {"has_error": "true", "error_type": "X", "error_message": "x"}
    outcome.trace.raw.info.tags.update(wrong)

    (finding,) = check(type(outcome.trace).from_mlflow(outcome.trace.raw), CONTRACT)

    assert finding.where == "rule 'succeeded'"


def test_a_failure_that_is_tagged_as_a_success_is_told():
    outcome = asked(Request(genie={"cost": "500"}))
    tags = outcome.trace.raw.info.tags
    tags["has_error"] = "false"
    del tags["error_type"], tags["error_message"], tags["failed_domains"]

    (finding,) = check(type(outcome.trace).from_mlflow(outcome.trace.raw), FAILURE_CONTRACT)

    assert finding.where == "rule 'failed'"


def test_a_request_without_a_phase_breaks_it(monkeypatch):
    from reference_agent import orchestrator

    async def forget(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(orchestrator, "save_context", forget)

    with pytest.raises(TraceAssertionError, match="contract 'health monitor': trace 'orchestrator_invoke' does not"):
        assert_trace(asked(Request()).trace, CONTRACT)


@pytest.mark.parametrize(
    ("spans", "broken"),
    [
        (["load_context", "classify_intent"], []),
        (["classify_intent", "load_context"], ["order.after"]),
        (["load_context @0-5", "classify_intent @3-8"], ["order.after"]),
        (["load_context", "classify_intent", "cost_agent AGENT", "synthesize"], []),
        (["load_context", "classify_intent", "synthesize", "cost_agent AGENT"], ["order.never"]),
        (["load_context", "classify_intent", "genie_query", ["genie_attempt", "genie_attempt"]], []),
        (["load_context", "classify_intent", "genie_query", "genie_attempt"], ["order.inside"]),
        (["classify_intent"], ["order.after"]),
    ],
    ids=repr,
)
def test_the_order_of_the_phases_holds_in_any_shape(spans, broken):
    trace = tree("orchestrator_invoke", spans)
    (in_file,) = (each for each in BOTH[0][1].expectations if isinstance(each, Contract))

    assert [finding.rule for finding in ORDER.check(trace)] == broken
    assert in_file == Contract("order", *ORDER.expectations, about=in_file.about)


@pytest.mark.parametrize(
    ("seconds", "broken"), [("@20-21", []), ("@4-5", ["order.never"])], ids=["one by one", "at once"]
)
def test_a_second_turn_begins_when_the_first_is_remembered(seconds, broken):
    turns = [
        tree("orchestrator_invoke", [f"load_context {load}", f"save_context {save}"], metadata=METADATA)
        for load, save in (("@1-2", "@10-12"), (seconds, "@30-40"))
    ]

    assert [finding.rule for finding in check(turns, SESSION)] == broken
    assert [finding.rule for finding in check(turns, BOTH[2][1])] == broken


def test_a_real_session_keeps_its_order():
    with capture_traces() as traces:
        orchestrator = stub_orchestrator()
        for query in ("Why did costs spike?", "And the day before?", "Who logged in?"):
            orchestrator.invoke(query, "ada", "s1")

    assert len(traces) == 3
    assert_trace(traces, SESSION, CONTRACT)
