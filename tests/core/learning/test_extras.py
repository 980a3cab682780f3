"""Tags and spending that traces have in common."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import Budget
from pytest_mlflow_traces.core.contract_files.writing import said_by
from pytest_mlflow_traces.core.learning.extras import spending_of, tags_of
from pytest_mlflow_traces.core.spans.convert import TraceFacts
from pytest_mlflow_traces.core.trace import Trace
from tests.support.building import node, tree

USAGE = {"mlflow.chat.tokenUsage": {"input_tokens": 600, "output_tokens": 17}}


def tagged(**tags):
    return Trace(tree("agent").table, TraceFacts(tags=tags))


def suite_of(*traces):
    return {f"test_{number}": [trace] for number, trace in enumerate(traces)}


def test_tags_have_a_vocabulary_or_a_type():
    schema = tags_of(
        suite_of(
            tagged(env="dev", count="1", share="0.5", cached="true", user="ada", case="a"),
            tagged(env="dev", count="2", share="1.0", cached="false", user="bob", case="b", more="x"),
            tagged(env="dev", count="12", share="2.0", cached="true", user="cyd", case="c"),
        ),
        apart="case",
    )

    assert said_by(schema)["tags"] == {
        "cached": "bool",
        "count": "int",
        "env": ["dev"],
        "more": {"type": "str", "optional": True},
        "share": "float",
        "user": "str",
        "*": "str",
    }


def test_a_word_that_few_tests_know_is_not_learnt_by_heart():
    known = [tagged(env="dev")] * 3
    several = {"test": [tagged(env="prod")] * 5}

    assert said_by(tags_of(suite_of(*known)))["tags"]["env"] == ["dev"]
    assert said_by(tags_of(suite_of(*known) | several))["tags"]["env"] == "str"


def test_words_that_look_secret_are_not_kept():
    assert said_by(tags_of(suite_of(*[tagged(who="ada@example.com")] * 3)))["tags"]["who"] == "str"


def test_without_tags_there_is_no_schema():
    assert tags_of(suite_of(tagged())) is None
    assert tags_of({}) is None


def test_spending_is_twice_the_most_that_was_spent():
    assert spending_of(suite_of(tree("agent @0-600"), tree("agent @0-617"))) == Budget(latency="1300ms")
    assert spending_of(suite_of(tree("agent @0-600"), tree("agent @0-0"))) is None
    assert spending_of({}) is None


@pytest.mark.parametrize(("others", "tokens"), [([node("llm LLM", attributes=USAGE)], 1300), (["llm LLM"], None)])
def test_tokens_are_limited_where_all_recorded_them(others, tokens):
    traces = suite_of(tree("agent @0-5", [node("llm LLM", attributes=USAGE)]), tree("agent @0-5", others))

    said = {"latency": "10ms"} | ({"tokens": tokens} if tokens else {})
    assert spending_of(traces) == Budget(**said)
