"""Everything Genie's API can answer, through the real SDK."""

import contextlib
import logging
import os

import pytest
import requests
import responses
from databricks.sdk.errors import NotFound

from reference_agent import stub_orchestrator
from reference_agent.genie import connect
from reference_agent.genie_errors import GenieError, GenieTimeoutError, GenieUnavailableError, as_genie_error
from reference_agent.stubs import Fault, GenieReply, StubGenie
from reference_agent.stubs.genie import HOST, KINDS, _Conversation
from reference_agent.stubs.http import json_reply
from tests.reference_agent.reading import events, span, spans, status, tags

QUESTION = "Why did costs spike?"


def ask(genie, **settings):
    return stub_orchestrator(genie=genie, **settings).invoke(QUESTION, user_id="ada", session_id="s1")


@pytest.mark.parametrize(
    ("fault", "error_type", "message"),
    [
        ("FAILED", "GenieFailedError", "SQL_EXECUTION_EXCEPTION: the table could not be found"),
        ("CANCELLED", "GenieCancelledError", "ended as CANCELLED"),
        ("QUERY_RESULT_EXPIRED", "GenieResultExpiredError", "ended as QUERY_RESULT_EXPIRED"),
        ("400", "GenieRejectedError", "scripted 400"),
        ("401", "GeniePermissionError", "scripted 401"),
        ("403", "GeniePermissionError", "scripted 403"),
        ("404", "GenieSpaceNotFoundError", "scripted 404"),
        ("429", "GenieRateLimitedError", "scripted 429"),
        ("500", "GenieServerError", "scripted 500"),
        ("503", "GenieUnavailableError", "scripted 503"),
        ("html", "GenieBadResponseError", "not what the API promises"),
        ("empty", "GenieBadResponseError", "not what the API promises"),
        ("list", "GenieBadResponseError", "not what the API promises"),
        ("no_answer", "GenieBadResponseError", "completed without an answer"),
        ("hang", "AgentTimeoutError", "cost_agent did not answer within 30 s"),
    ],
)
def test_every_fault_is_a_typed_error_on_the_span_and_in_the_tags(captured, fault, error_type, message):
    with pytest.raises(Exception, match=message):
        ask(StubGenie(faults={"cost": fault}))

    trace = captured.one()
    assert trace.info.state == "ERROR"
    assert tags(trace)["error_type"] == error_type
    assert message in tags(trace)["error_message"]
    assert span(trace, "cost_agent").attributes["error_type"] == error_type
    last_attempt = spans(trace, "genie_attempt")[-1]
    assert status(last_attempt) == "ERROR"
    assert last_attempt.attributes["error_type"] == ("GenieTimeoutError" if fault == "hang" else error_type)


def test_every_fault_is_tested():
    parameters = test_every_fault_is_a_typed_error_on_the_span_and_in_the_tags.pytestmark[0].args[1]
    assert sorted([*(parameter[0] for parameter in parameters), "throttled"]) == sorted(KINDS)


def test_success_reads_the_words_and_the_rows(captured):
    ask(StubGenie())

    trace = captured.one()
    attempt = span(trace, "genie_attempt")
    assert attempt.outputs["row_count"] == 2
    assert attempt.attributes["conversation_id"] == "cost-conversation-1"
    assert attempt.attributes["status"] == "COMPLETED"
    assert "system.billing.usage" in span(trace, "genie_query").outputs["sql_query"]


def test_answer_in_words_alone_needs_no_query(captured):
    genie = StubGenie(answers={"cost": GenieReply("Nothing unusual.", sql=None)})
    answer = ask(genie)

    query = span(captured.one(), "genie_query")
    assert answer["content"].endswith("cost: Nothing unusual.")
    assert answer["sources"] == ["Cost Intelligence: Genie"]
    assert query.outputs == {"response": "Nothing unusual.", "sources": [], "sql_query": None}
    assert query.attributes["source_count"] == 0


def test_query_without_its_result_is_a_bad_response(captured, monkeypatch):
    genie = StubGenie()
    monkeypatch.setattr(genie, "_result", lambda *_: json_reply({}))
    with pytest.raises(GenieError, match="a query without its result"):
        ask(genie)

    assert tags(captured.one())["error_type"] == "GenieBadResponseError"


def test_message_without_an_id_is_a_bad_response(captured, monkeypatch):
    genie = StubGenie()
    monkeypatch.setattr(genie, "_look", lambda *_: json_reply({}))
    with pytest.raises(GenieError, match="answered without a message"):
        ask(genie)

    assert tags(captured.one())["error_type"] == "GenieBadResponseError"


def test_status_nobody_knows_yet_means_not_ready(captured, monkeypatch):
    genie = StubGenie()
    answers = iter(["PONDERING", "COMPLETED"])
    message = genie._message
    monkeypatch.setattr(genie, "_message", lambda *known: {**message(*known), "status": next(answers)})
    monkeypatch.setattr(genie, "_start", start_without_message)
    genie._conversations["c1"] = _Conversation("cost", 1, "why?", 0, None)
    ask(genie)

    attempt = span(captured.one(), "genie_attempt")
    assert [event.attributes["status"] for event in attempt.events] == ["UNKNOWN", "COMPLETED"]


def start_without_message(*_):
    return json_reply({"conversation_id": "c1", "message_id": "m1"})


def test_space_that_is_not_there(captured):
    workspace = StubGenie().workspace(stub_orchestrator().clock)
    with pytest.raises(NotFound, match="no Genie space other"):
        workspace.genie.start_conversation("other", "why?")


def test_answer_in_rows_alone_is_put_into_words(captured):
    genie = StubGenie(answers={"cost": GenieReply("", columns=("day", "dbus"), rows=(("Mon", "7"), ("Tue", "9")))})
    answer = ask(genie)

    assert answer["content"].endswith("cost: day Mon, dbus 7; day Tue, dbus 9")


def test_slow_answer_shows_the_statuses_it_went_through(captured):
    ask(StubGenie(latencies={"cost": 3}))

    attempt = span(captured.one(), "genie_attempt")
    assert [event.attributes["status"] for event in attempt.events] == ["EXECUTING_QUERY", "COMPLETED"]


def test_rate_limit_is_waited_out(captured):
    faults = [Fault("429", retry_after=2), Fault("429", retry_after=4), None]
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"cost": faults}))
    before = orchestrator.clock.time()
    orchestrator.invoke(QUESTION, user_id="ada")

    trace = captured.one()
    attempts, query = spans(trace, "genie_attempt"), span(trace, "genie_query")
    assert [attempt.inputs["attempt"] for attempt in attempts] == [1, 2, 3]
    assert [status(attempt) for attempt in attempts] == ["ERROR", "ERROR", "OK"]
    assert [event.attributes["after_seconds"] for event in query.events] == [2.0, 4.0]
    assert query.attributes["retry_count"] == 2
    assert status(query) == "OK"
    assert trace.info.state == "OK"
    assert orchestrator.clock.time() - before == pytest.approx(2 + 4 + 0.5)


def test_rate_limit_is_given_up_on_after_the_last_retry(captured):
    with pytest.raises(Exception, match="scripted 429"):
        ask(StubGenie(faults={"cost": "429"}), max_retries=2)

    trace = captured.one()
    assert len(spans(trace, "genie_attempt")) == 3
    assert span(trace, "genie_query").attributes["retry_count"] == 2


def test_look_that_is_throttled_is_repeated_without_asking_again(captured):
    genie = StubGenie(faults={"cost": "throttled"})
    orchestrator = stub_orchestrator(genie=genie)
    before = orchestrator.clock.time()
    orchestrator.invoke(QUESTION, user_id="ada")

    attempt = span(captured.one(), "genie_attempt")
    assert events(attempt) == ["throttled", "status"]
    assert len(genie.questions) == 1
    assert orchestrator.clock.time() - before == pytest.approx(0.5 + 2 + 0.5)


def test_look_that_is_throttled_for_too_long_is_given_up_on(captured):
    with pytest.raises(GenieError, match="one look too many"):
        ask(StubGenie(faults={"cost": "throttled"}), agent_timeout_seconds=1)

    assert span(captured.one(), "cost_agent").attributes["error_type"] == "GenieRateLimitedError"


def test_retry_that_would_come_too_late_is_not_waited_for(captured):
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"cost": Fault("429", retry_after=31)}))
    before = orchestrator.clock.time()
    with pytest.raises(Exception, match="scripted 429"):
        orchestrator.invoke(QUESTION, user_id="ada")

    query = span(captured.one(), "genie_query")
    assert events(query) == ["gave_up", "exception"]
    assert orchestrator.clock.time() == before


def test_genie_has_a_time_limit_of_its_own(captured):
    with pytest.raises(GenieTimeoutError, match="still EXECUTING_QUERY"):
        ask(StubGenie(faults={"cost": "hang"}), agent_timeout_seconds=60, genie_timeout_seconds=5)

    assert span(captured.one(), "cost_agent").attributes["error_type"] == "GenieTimeoutError"


def test_refusal_does_not_tell_the_configuration(captured):
    with pytest.raises(GenieError) as raised:
        ask(StubGenie(faults={"cost": "403"}))

    assert str(raised.value) == "space cost-space: scripted 403 for cost-space"


def test_fault_hits_only_its_attempt(captured):
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"cost": [None, "500"]}))
    orchestrator.invoke(QUESTION, user_id="ada")
    with pytest.raises(Exception, match="scripted 500"):
        orchestrator.invoke(QUESTION, user_id="ada")
    orchestrator.invoke(QUESTION, user_id="ada")

    assert [trace.info.state.value for trace in captured] == ["OK", "ERROR", "OK"]


def test_questions_are_on_record():
    genie = StubGenie()
    stub_orchestrator(genie=genie).invoke("cost and access", user_id="ada")

    assert [domain for domain, _ in genie.questions] == ["cost", "security"]
    assert genie.questions[1][1] == "cost and access (over the last 24 hours unless another period is named)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faults": {"cots": "403"}}, "unknown domain 'cots' (did you mean 'cost'?)"),
        ({"faults": {"cost": "HANG"}}, "unknown fault 'HANG'"),
        ({"faults": {"cost": [None, "4o3"]}}, "unknown fault '4o3' (did you mean '403'?)"),
        ({"latencies": {"coast": 1}}, "unknown domain 'coast' (did you mean 'cost'?)"),
        ({"answers": {"": GenieReply("x")}}, "unknown domain ''"),
    ],
)
def test_misspelt_script_is_refused(arguments, message):
    with pytest.raises(ValueError, match="unknown") as raised:
        StubGenie(**arguments)

    assert message in str(raised.value)


def test_environment_is_not_read(captured, monkeypatch):
    class WatchedEnvironment(dict):
        def __getitem__(self, name):
            asked_for.add(name)
            return super().__getitem__(name)

        def get(self, name, default=None):
            asked_for.add(name)
            return super().get(name, default)

    asked_for = set()
    settings = {"DATABRICKS_HOST": "https://prod.test", "DATABRICKS_TOKEN": "secret", "ARM_CLIENT_ID": "client"}
    with monkeypatch.context() as patch:  # undone before the capture closes
        patch.setattr("os.environ", WatchedEnvironment({**os.environ, **settings}))
        for fault in (None, "403", "500"):
            with contextlib.suppress(GenieError):
                ask(StubGenie(faults={"cost": fault} if fault is not None else None))

    about_the_agent = {"DATABRICKS_RUNTIME_VERSION", "DATABRICKS_SDK_UPSTREAM", "DATABRICKS_SDK_UPSTREAM_VERSION"}
    assert {name for name in asked_for if name.startswith(("DATABRICKS_", "ARM_"))} <= about_the_agent
    assert len(captured) == 3


def test_settings_of_a_workspace_in_the_environment_do_not_get_into_the_stub(captured, monkeypatch, tmp_path):
    profile = tmp_path / "databrickscfg"
    profile.write_text("[prod]\nhost = https://prod.test\ntoken = secret\n")
    for name, value in {
        "DATABRICKS_CONFIG_FILE": str(profile),
        "DATABRICKS_CONFIG_PROFILE": "prod",
        "DATABRICKS_HOST": "https://prod.test",
        "DATABRICKS_TOKEN": "secret",
        "DATABRICKS_CLIENT_ID": "client",
        "DATABRICKS_CLIENT_SECRET": "secret",
        "DATABRICKS_WORKSPACE_ID": "77",
        "DATABRICKS_RATE_LIMIT": "not a number",
        "ARM_CLIENT_ID": "client",
        "ARM_TENANT_ID": "tenant",
    }.items():
        monkeypatch.setenv(name, value)
    seen = []
    genie = StubGenie()
    monkeypatch.setattr(genie, "_start", lambda space, request, clock: seen.append(request) or (500, {}, "{}"))
    with pytest.raises(GenieError):
        ask(genie)

    (request,) = seen
    assert request.url.startswith(f"{HOST}/api/2.0/genie/spaces/cost-space/")
    assert request.headers["Authorization"] == "Bearer stub"
    assert "X-Databricks-Workspace-Id" not in request.headers


def test_well_known_url_is_answered():
    workspace = StubGenie().workspace(stub_orchestrator().clock)
    found = workspace.api_client.do("GET", "/.well-known/databricks-config")

    assert found["workspace_id"] == "1"


def test_unknown_route_is_refused_at_once():
    workspace = StubGenie().workspace(stub_orchestrator().clock)
    with pytest.raises(Exception, match="no such route: GET"):
        workspace.clusters.get("c1")


def test_other_http_of_the_process_is_left_alone(captured):
    with responses.RequestsMock() as tracking_server:
        tracking_server.get("https://tracking.test/health", body="OK")
        ask(StubGenie())
        assert requests.get("https://tracking.test/health", timeout=5).text == "OK"

    assert captured.one().info.state == "OK"


def test_stub_is_not_shadowed_by_a_mock_of_the_test(captured):
    with responses.RequestsMock():
        ask(StubGenie())

    assert captured.one().info.state == "OK"


def test_answered_calls_are_not_kept(captured):
    orchestrator = stub_orchestrator()
    orchestrator.invoke(QUESTION, user_id="ada")

    adapter = orchestrator.workers.genie.workspace.api_client._api_client._session.get_adapter(HOST)
    assert len(adapter._mock.calls) == 0
    assert [len(answered.calls) for answered in adapter._mock.registered()] == [0] * 5


def test_connection_that_breaks_is_an_error_of_ours():
    error = as_genie_error(requests.ConnectionError("connection reset"), "cost-space")

    assert isinstance(error, GenieUnavailableError)
    assert error.retry_after_seconds is None
    assert str(error) == "space cost-space: connection reset"


def test_error_nobody_foresaw_keeps_its_name():
    assert str(as_genie_error(MemoryError("none left"), "cost-space")) == "space cost-space: none left (MemoryError)"


def test_production_client_asks_once(monkeypatch, caplog):
    """Settings come from the environment, and no call is repeated by the SDK itself."""
    monkeypatch.setenv("DATABRICKS_HOST", "https://workspace.test")
    monkeypatch.setenv("DATABRICKS_TOKEN", "secret")
    with responses.RequestsMock() as network, caplog.at_level(logging.ERROR):
        network.get("https://workspace.test/.well-known/databricks-config", json={"workspace_id": "1"})
        network.post("https://workspace.test/api/2.0/genie/spaces/s/start-conversation", status=429, json={})
        workspace = connect(auth_type="pat")
        with pytest.raises(TimeoutError) as raised:
            workspace.genie.start_conversation("s", "why?")
        assert len(network.calls) == 2

    error = as_genie_error(raised.value, "s")
    assert type(error).__name__ == "GenieRateLimitedError"
    assert error.retry_after_seconds == 1.0
