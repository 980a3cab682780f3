"""The tag table, whatever it is filled with."""

import mlflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_agent.tags import STANDARD_TAGS, flag, tag_trace
from tests.reference_agent.reading import tags

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
intents = st.fixed_dictionaries(
    {"domains": st.lists(st.sampled_from(["cost", "COST", "security"]), unique=True), "confidence": st.floats(0, 1)}
)
responses = st.fixed_dictionaries({"content": texts, "sources": st.lists(texts)})
errors = st.none() | st.builds(ValueError, texts) | st.just(KeyboardInterrupt())


def tagged(monkeypatch, *arguments, **keywords):
    """What `tag_trace` gives to MLflow, without a trace."""
    given_to_mlflow = {}
    monkeypatch.setattr(mlflow, "update_current_trace", lambda **update: given_to_mlflow.update(update))
    tag_trace(*arguments, **keywords)
    return given_to_mlflow["tags"], given_to_mlflow["metadata"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(session_id=st.none() | texts, intent=intents, response=responses, error=errors)
def test_table_is_complete_whatever_happened(monkeypatch, session_id, intent, response, error):
    found, metadata = tagged(monkeypatch, "ada", session_id, intent, response, error)

    optional = {"error_type", "error_message"}
    assert set(found) - optional == set(STANDARD_TAGS) - optional
    assert (optional <= set(found)) is (error is not None)
    assert all(type(value) is str for value in found.values())
    assert found["has_error"] == flag(error is not None)
    assert found["is_multi_domain"] == flag(len(intent["domains"]) > 1)
    assert found["domains"] == found["domains"].lower()
    assert int(found["domain_count"]) == len(intent["domains"])
    assert float(found["confidence"]) == intent["confidence"]
    assert int(found["response_length"]) == len(response["content"])
    assert int(found["source_count"]) == len(response["sources"])
    assert ("mlflow.trace.session" in metadata) is (session_id is not None)


def test_request_that_got_nowhere_has_the_table_too(monkeypatch):
    found, metadata = tagged(monkeypatch, "ada", None, {}, {}, RuntimeError("no model"))

    assert found == {
        "user_id": "ada",
        "session_id": "none",
        "environment": "dev",
        "domains": "",
        "domain_count": "0",
        "confidence": "0.0",
        "is_multi_domain": "false",
        "utility_tools_used": "",
        "source_count": "0",
        "response_length": "0",
        "has_error": "true",
        "error_type": "RuntimeError",
        "error_message": "no model",
    }
    assert metadata == {"mlflow.trace.user": "ada"}


def test_error_message_is_cut(monkeypatch):
    found, _ = tagged(monkeypatch, "ada", None, {}, {}, RuntimeError("x" * 5000))

    assert found["error_message"] == "x" * 200


def test_error_without_a_message_gives_its_name(monkeypatch):
    found, _ = tagged(monkeypatch, "ada", None, {}, {}, KeyboardInterrupt())

    assert found["error_message"] == "KeyboardInterrupt"


def test_what_else_happened_is_tagged_only_then(monkeypatch):
    found, _ = tagged(
        monkeypatch, "ada", "s1", {}, {}, utility_tools=["web_search"], failed_domains=["cost"], stream_aborted=True
    )

    assert found["utility_tools_used"] == "web_search"
    assert found["failed_domains"] == "cost"
    assert found["stream_aborted"] == "true"


def test_tags_arrive_on_the_trace_as_they_were_set(captured):
    with mlflow.start_span("request"):
        tag_trace("ada", "s1", {"domains": ["COST", "SECURITY"], "confidence": 1}, {"content": "yes", "sources": ["a"]})

    trace = captured.one()
    assert tags(trace)["domains"] == "cost,security"
    assert tags(trace)["confidence"] == "1.0"
    assert trace.info.trace_metadata["mlflow.trace.session"] == "s1"


@pytest.mark.parametrize(("value", "spelled"), [(True, "true"), (False, "false")])
def test_flags_are_lower_case(value, spelled):
    assert flag(value) == spelled
