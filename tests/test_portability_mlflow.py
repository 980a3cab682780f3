"""The limits and the names that `portability` knows are those of the MLflow that is installed."""

from __future__ import annotations

import mlflow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.tracing import constant
from mlflow.utils import validation
from pydantic import ConfigDict

from pytest_mlflow_traces import TagSchema
from pytest_mlflow_traces.core.tags import portability
from pytest_mlflow_traces.core.tags.portability import is_own, name_problem

NAMES = st.text(st.sampled_from("ab./:- _;`é\t"), max_size=8) | st.text(max_size=5)


@given(NAMES.filter(lambda name: "\n" not in name))  # which MLflow takes, by an accident of `$`
@settings(max_examples=300, deadline=None)
def test_names_are_refused_as_mlflow_refuses_them(name):
    try:
        validation._validate_tag_name(name)
    except Exception:
        assert name_problem(name) is not None
    else:
        assert (name_problem(name) is None) == (name != "")


def test_the_limits_are_mlflows():
    assert portability.MAX_TAG_NAME == constant.MAX_CHARS_IN_TRACE_INFO_TAGS_KEY
    assert portability.MAX_TAG_VALUE == constant.MAX_CHARS_IN_TRACE_INFO_TAGS_VALUE
    assert portability.MAX_METADATA_VALUE == constant.MAX_CHARS_IN_TRACE_INFO_METADATA


@pytest.mark.parametrize("word", [word for word in vars(constant.TraceTagKey) if word.isupper()])
def test_each_tag_that_mlflow_knows_is_its_own(word):
    values = {"SPANS_LOCATION": "TRACKING_STORE", "LINKED_PROMPTS": "[]"}

    assert is_own(getattr(constant.TraceTagKey, word), values.get(word, "x"))


class AnyTags(TagSchema):
    model_config = ConfigDict(extra="allow")
    team: str


@pytest.mark.filterwarnings("ignore")  # of MLflow, of the names it does not like
@pytest.mark.parametrize(
    ("tags", "metadata", "rule"),
    [
        ({"k" * 251: "x"}, {}, "tags.name"),
        ({"n": "v" * 4097}, {}, "tags.length"),
        ({}, {"note": "v" * 251}, "tags.length"),
        *[({"n": value}, {}, "tags.type") for value in (True, False, 1, 0.5, None, ["a"], {"a": 1})],
        *[({"team": value}, {}, "tags.type") for value in (True, 1, None, ["a"])],  # of a tag that the schema names
        ({5: "x"}, {}, "tags.name"),
        *[({name: "x"}, {}, "tags.name") for name in ("a;b", "\n", "", "../x", "a`b")],
        *[
            ({f"mlflow.{name}": "x"}, {}, "tags.reserved")
            for name in ("user", "traceName", "trace.spansLocation", "artifactLocation", "anything", "trace.session")
        ],
        ({"n": "\ud800"}, {}, "tags.text"),
    ],
)
def test_what_a_backend_changes_is_one_finding_on_a_captured_trace(mlflow_traces, tags, metadata, rule):
    with mlflow.start_span("agent"):
        mlflow.update_current_trace(tags={"team": "red", **tags}, metadata=metadata)

    (finding,) = AnyTags.check(mlflow_traces.one())

    assert finding.rule == rule
    assert [finding] == portability.portability(mlflow_traces.one())


def assert_no_tag_of_the_user(traces):
    assert len(traces) > 0
    for trace in traces:
        assert portability.portability(trace) == []
        assert trace.tags == {}


def test_a_trace_that_loads_a_prompt_has_no_tag_of_the_user(mlflow_traces):
    genai = pytest.importorskip("mlflow.genai")
    genai.register_prompt(name="greeting", template="hello {{name}}")

    @mlflow.trace
    def greet(name):
        return genai.load_prompt("prompts:/greeting/1").format(name=name)

    greet("ada")

    assert mlflow_traces.one().system_tags["mlflow.linkedPrompts"]
    assert_no_tag_of_the_user(mlflow_traces)


def test_a_trace_of_an_autologged_chain_has_no_tag_of_the_user(mlflow_traces):
    pytest.importorskip("langchain_core")
    from langchain_core.runnables import RunnableLambda

    from reference_agent.spans import trace_langchain

    trace_langchain()
    (RunnableLambda(len) | RunnableLambda(str)).invoke("abc")

    assert_no_tag_of_the_user(mlflow_traces)


@pytest.mark.filterwarnings("ignore")  # of MLflow's harness and pandas
def test_a_trace_of_an_evaluation_has_no_tag_of_the_user(mlflow_traces):
    genai = pytest.importorskip("mlflow.genai")

    @genai.scorer
    def is_short(outputs) -> bool:
        return len(outputs) < 10

    genai.evaluate(data=[{"inputs": {"name": "ada"}}], predict_fn=mlflow.trace(lambda name: name), scorers=[is_short])

    assert "mlflow.eval.requestId" in mlflow_traces.one().system_tags
    assert_no_tag_of_the_user(mlflow_traces)
