"""A list is set as a tag: an SQL store then drops every tag of the trace, with a line in a log that nobody reads."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import ListTag, TagSchema, TraceAssertionError, assert_trace


class Tags(TagSchema):
    domains: ListTag[str]


def agent(domains):
    with mlflow.start_span("agent"):
        mlflow.update_current_trace(tags={"domains": domains})


def test_it_is_caught(traces):
    agent(["cost", "security"])

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, Tags)

    [finding] = caught.value.findings
    assert (finding.rule, finding.where, finding.actual) == ("tags.type", "tag 'domains'", "['cost', 'security']")
    assert finding.hint is not None
    assert "SQLite drops all tags and metadata of the trace" in finding.hint


def test_its_mended_twin_passes(traces):
    agent("cost,security")

    assert_trace(traces, Tags)
