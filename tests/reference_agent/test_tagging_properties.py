"""For all questions, users, sessions, domains and faults: the tags are what the schema says, and what the tree says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from pytest_mlflow_traces import TraceAssertionError, assert_trace, span
from reference_agent import tags as agent_tags
from reference_agent.clocks import VirtualClock
from reference_agent.contract import CONTRACT, FAILURE_CONTRACT
from reference_agent.memory import SHORT_TERM_MESSAGES, SHORT_TERM_SECONDS, Memory
from tests.reference_agent.asking import Outcome, Request, asked, faults, queries, requests

if TYPE_CHECKING:
    from pytest_mlflow_traces import Span, Trace

EXAMPLES = 50
CHECKS = list(HealthCheck)


def assert_tagged(request: Request, outcome: Outcome) -> None:
    """Assert that tags keep their schema, and agree with the tree and with what the caller saw."""
    trace = outcome.trace
    contract = CONTRACT if outcome.error is None else FAILURE_CONTRACT
    assert contract.applies(trace)
    assert_trace(trace, contract)
    tags, workers = trace.tags, _workers(trace)
    assert sorted(_items(tags["domains"])) == sorted(_domain(worker) for worker in workers)
    assert sorted(_items(tags.get("failed_domains", ""))) == sorted(
        _domain(worker) for worker in workers if worker.status == "ERROR"
    )
    assert int(tags["source_count"]) == len(_sources(trace))
    assert _items(tags["utility_tools_used"]) == [tool.name for tool in _tools(trace) if tool.status == "OK"]
    assert tags["has_error"] == ("true" if trace.status == "ERROR" else "false")
    assert tags.get("error_type") == (None if outcome.error is None else type(outcome.error).__name__)
    assert int(tags["response_length"]) == len(outcome.content or "")
    assert float(tags["confidence"]) == _confidence(trace)
    assert (trace.user_id, trace.session_id) == (request.user, request.session)
    assert ("stream_aborted" in tags) == (request.mode == "abort" and bool(outcome.content))


def _items(text: str) -> list[str]:
    return text.split(",") if text else []


def _domain(worker: Span) -> str:
    return worker.name.removesuffix("_agent")


def _workers(trace: Trace) -> tuple[Span, ...]:
    found = trace.find(span("query_agents"))
    return found[0].children if found else ()


def _tools(trace: Trace) -> tuple[Span, ...]:
    found = trace.find(span("utility_tools"))
    return found[0].children if found else ()


def _sources(trace: Trace) -> set[str]:
    """Return what the spans found: the answering agents, which pass on what those they consulted did, and the tools."""
    found = {source for worker in _workers(trace) if worker.outputs for source in worker.outputs["sources"]}
    for tool in _tools(trace):
        for document in tool.outputs or ():
            found.add(document["url"] if "url" in document else document["metadata"]["title"])
    return found


def _confidence(trace: Trace) -> float:
    outputs = trace.find_one(span("classify_intent")).outputs
    return float(outputs["confidence"]) if outputs else 0.0


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=CHECKS)
@given(requests)
def test_tags_agree_with_the_tree(request):
    assert_tagged(request, asked(request))


def test_the_requests_go_every_way():
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=CHECKS, derandomize=True, database=None,
              phases=[Phase.generate])  # fmt: skip
    @given(requests)
    def look(request):
        trace = asked(request).trace
        seen.update([f"{tag}={trace.tags[tag]}" for tag in ("has_error", "is_multi_domain")])
        seen.update(tag for tag in ("failed_domains", "stream_aborted") if tag in trace.tags)
        seen.update(["session"] if trace.session_id else ["no session"])
        seen.update(["tools"] if trace.tags["utility_tools_used"] else [])

    look()

    ways = [f"{flag}={value}" for flag in ("has_error", "is_multi_domain") for value in ("true", "false")]
    ways += ["failed_domains", "stream_aborted", "session", "no session", "tools"]
    assert [way for way in ways if not seen[way]] == []


class Sessions(RuleBasedStateMachine):
    """Several users talk to the agent over days, with faults; the model is what each session must remember."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(start=1_700_000_000.0)
        self.memory = Memory(clock=self.clock)
        self.is_down = False
        self.turns: dict[tuple[str, str], list[float]] = {}

    @rule(
        query=queries,
        user=st.sampled_from(["ada", "eve"]),
        session=st.sampled_from(["s1", "s2", None]),
        mode=st.sampled_from(["invoke", "stream", "abort"]),
        genie=faults,
        chat=st.sampled_from([{}, {}, {"classify": "error"}, {"synthesize": "error"}, {"classify": "malformed"}]),
    )
    def ask(self, query: str, user: str, session: str | None, mode: str, genie: Any, chat: Any) -> None:
        request = Request(query, user, session, mode, genie, chat)
        began = self.clock.time()
        outcome = asked(request, memory=self.memory, clock=self.clock)

        assert_tagged(request, outcome)
        context = outcome.trace.find_one(span("load_context")).outputs
        known = self.turns.setdefault((user, session), []) if session is not None else []
        recent = [turn for turn in known if turn >= began - SHORT_TERM_SECONDS]
        expected = 0 if self.is_down else min(SHORT_TERM_MESSAGES, 2 * len(recent))
        assert context["message_count"] == expected
        assert bool(context["missing"]) == self.is_down
        if not self.is_down:
            known.append(self.clock.time())

    @rule(hours=st.sampled_from([1, 23, 25]))
    def let_time_pass(self, hours: int) -> None:
        self.clock.sleep(hours * 3600)

    @precondition(lambda self: not self.is_down)
    @rule()
    def lose_the_memory(self) -> None:
        self.memory.close()
        self.is_down = True

    def teardown(self) -> None:
        self.memory.close()


def test_sessions_of_many_turns_are_tagged_turn_by_turn():
    run_state_machine_as_test(
        Sessions,
        settings=settings(max_examples=15, stateful_step_count=8, deadline=None, suppress_health_check=CHECKS),
    )


def _as_python_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_tags, "flag", str)


def _changing(change: Any) -> Any:
    """Plant a bug between the agent and MLflow."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        update = mlflow.update_current_trace

        def changed(**said: Any) -> None:
            change(said["tags"], said["metadata"])
            update(**said)

        monkeypatch.setattr(mlflow, "update_current_trace", changed)

    return plant


def _forget_failures(tags: Any, _: Any) -> None:
    if tags["has_error"] == "true":
        for tag in ("domains", "user_id", "domain_count"):
            tags.pop(tag)


BUGS = {
    "booleans as Python prints them": _as_python_prints_it,
    "a tag that is a list": _changing(lambda tags, _: tags.update(domains=tags["domains"].split(","))),
    "domains in upper case": _changing(lambda tags, _: tags.update(domains=tags["domains"].upper())),
    "numbers that are not strings": _changing(lambda tags, _: tags.update(source_count=int(tags["source_count"]))),
    "the literal none as a session": _changing(lambda _, metadata: metadata.setdefault("mlflow.trace.session", "none")),
    "no user in the metadata": _changing(lambda _, metadata: metadata.pop("mlflow.trace.user")),
    "tags of successes only": _changing(_forget_failures),
    "errors that are not flagged": _changing(lambda tags, _: tags.update(has_error="false")),
    "domains that failed left out": _changing(lambda tags, _: tags.pop("failed_domains", None)),
    "a count that is off by one": _changing(lambda tags, _: tags.update(response_length=f"1{tags['response_length']}")),
    "a tag of another version": _changing(lambda tags, _: tags.update(version="2")),
}  # fmt: skip


GALLERY = {"booleans as Python prints them", "a tag that is a list"}


def test_the_tagging_bugs_of_the_gallery_are_among_them():
    modules = Path(__file__).parents[1].joinpath("bugs").glob("test_*.py")
    names = {path.stem for path in modules if "TagSchema" in path.read_text(encoding="utf-8")}

    assert names == {f"test_{bug.lower().removeprefix('a ').replace(' ', '_')}" for bug in GALLERY}
    assert set(BUGS) >= GALLERY


@pytest.mark.parametrize("bug", sorted(GALLERY))
def test_sessions_of_many_turns_find_them_too(monkeypatch, bug):
    BUGS[bug](monkeypatch)
    found_by = {"deadline": None, "suppress_health_check": CHECKS, "database": None, "phases": [Phase.generate]}
    bounded = settings(max_examples=5, stateful_step_count=4, derandomize=True, **found_by)

    with pytest.raises(TraceAssertionError):
        run_state_machine_as_test(Sessions, settings=bounded)


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_of_tagging_is_found(monkeypatch, bug):
    BUGS[bug](monkeypatch)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=CHECKS, database=None, derandomize=True,
              phases=[Phase.generate])  # fmt: skip
    @given(requests)
    def tagged(request):
        assert_tagged(request, asked(request))

    with pytest.raises((AssertionError, TraceAssertionError)):
        tagged()
