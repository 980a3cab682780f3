"""`str(True)` is "True": a dashboard that filters on 'true' goes blind, and nothing fails."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import BoolTag, IntTag, TagSchema, TraceAssertionError, assert_trace


class Tags(TagSchema):
    domain_count: IntTag
    is_multi_domain: BoolTag


def agent(domains, spelt):
    with mlflow.start_span("agent"):
        count = len(domains)
        mlflow.update_current_trace(tags={"domain_count": str(count), "is_multi_domain": spelt(count > 1)})


def with_the_bug():
    agent(["cost", "security"], str)


def mended():
    agent(["cost", "security"], lambda value: "true" if value else "false")


def test_it_is_caught(traces):
    with_the_bug()

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, Tags)

    [finding] = caught.value.findings
    assert finding.where == "tag 'is_multi_domain'"
    assert finding.hint == "write 'true': str(True) is 'True'"


def test_its_mended_twin_passes(traces):
    mended()

    assert_trace(traces, Tags)
