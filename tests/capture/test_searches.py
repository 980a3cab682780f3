"""Searches that only a database answers go to MLflow's own SQL store, in memory, filled with what was captured."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.capture.store import database as sql
from pytest_mlflow_traces.clock import virtual_time
from tests.capture.programs import answer, needs_full_mlflow, since, traced

TOOL = "span.type = 'TOOL'"


def found(query=None, **asked):
    traces = mlflow.search_traces(filter_string=query, return_type="list", include_spans=False, **asked)
    return [trace.info.trace_id for trace in traces]


@needs_full_mlflow
@pytest.mark.parametrize(
    "query",
    ["span.name = 'agent'", TOOL, "trace.text LIKE '%why?%'", "feedback.good = 'true'", "expectation.facts LIKE '%a%'",
     "tags.team RLIKE '^[ab]$'", "name ILIKE 'AGENT'", "name LIKE 'a%' AND span.type = 'TOOL'"],
)  # fmt: skip
def test_a_search_that_needs_a_database_finds_what_it_should(traces, query):
    trace_id = answer()
    traced("other")
    mlflow.set_trace_tag(trace_id, "team", "a")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    mlflow.log_expectation(trace_id=trace_id, name="facts", value="a")

    assert found(query) == [trace_id]
    assert found(query, max_results=1) == [trace_id]
    assert [trace.info.trace_id for trace in mlflow.MlflowClient().search_traces(["0"], query)] == [trace_id]


@needs_full_mlflow
def test_it_gives_a_data_frame_too_with_tags_as_the_capture_has_them(traces):
    pandas = pytest.importorskip("pandas")
    trace_id = answer()

    frame = mlflow.search_traces(filter_string=TOOL)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["trace_id"]) == [trace_id]
    assert frame["tags"][0] == mlflow.get_trace(trace_id).info.tags


@needs_full_mlflow
def test_it_sees_each_change(traces):
    first = answer()
    assert found(TOOL) == [first]
    second = answer()
    assert found(TOOL) == [second, first]
    mlflow.set_trace_tag(first, "team", "a")
    assert found(f"{TOOL} AND tags.team = 'a'") == [first]
    mlflow.delete_trace_tag(first, "team")
    assert found(f"{TOOL} AND tags.team = 'a'") == []
    feedback = mlflow.log_feedback(trace_id=second, name="good", value=True)
    assert found("feedback.good = 'true'") == [second]
    mlflow.delete_assessment(second, feedback.assessment_id)
    assert found("feedback.good = 'true'") == []
    mlflow.MlflowClient().delete_traces("0", trace_ids=[second])
    assert found(TOOL) == [first]
    traces.clear()
    assert found(TOOL) == []


@needs_full_mlflow
def test_captures_do_not_see_each_other_s_traces():
    with capture_traces():
        outer = answer()
        assert found(TOOL) == [outer]
        with capture_traces():
            assert found(TOOL) == []
            inner = answer()
            assert found(TOOL) == [inner]
        assert found(TOOL) == [outer]


@needs_full_mlflow
def test_traces_of_the_same_moment_come_newest_first_here_as_well(traces):
    for number in range(20):
        mlflow.start_span_no_context(f"{number:02}", start_time_ns=1_700_000_000_000_000_000).end()
    by_start = [trace.id for trace in traces]

    assert found("name LIKE '%'") == by_start[::-1]
    assert found("name LIKE '%'", order_by=["timestamp ASC"]) == by_start
    assert found(order_by=["status", "timestamp_ms DESC"]) == by_start[::-1]
    assert found("name LIKE '%'", order_by=["request_id"]) == sorted(by_start)


@needs_full_mlflow
@pytest.mark.parametrize(
    ("query", "order", "message"),
    [
        ("status > 'OK'", None, "Invalid comparator '>' not one of"),
        ("tags.team > 'a'", None, "Invalid comparator '>' not one of"),
        ("span.nonsense = 'x'", None, "Invalid span attribute 'nonsense'"),
        ("tags.team = 'a' AND nonsense = 'x'", None, "Invalid attribute key 'nonsense'"),
        (None, ["span.name"], "Invalid identifier type 'span'"),
        (None, ["name", "name DESC"], r"`order_by` contains duplicate fields: \['name', 'name DESC'\]"),
    ],
)
def test_a_wrong_search_raises_though_nothing_was_captured(traces, query, order, message):
    with pytest.raises(MlflowException, match=message):
        found(query, order_by=order)


@needs_full_mlflow
def test_a_search_in_no_place_finds_nothing(traces):
    answer()
    store = mlflow.MlflowClient()._tracing_client.store

    assert store.search_traces(locations=[]) == ([], None)
    with pytest.raises(MlflowException, match="invalid literal for int"):
        store.search_traces(locations=["abc"])


@needs_full_mlflow
def test_a_trace_that_is_in_no_experiment_is_found_in_each(traces):
    mlflow.set_tracking_uri("databricks")
    trace_id = answer()

    assert found(TOOL, locations=["1"]) == [trace_id]


@needs_full_mlflow
@pytest.mark.filterwarnings("ignore:Searching traces without a time range")
def test_tables_of_unity_catalog_hold_every_trace(traces):
    trace_id = answer()

    assert found(TOOL, locations=["main.agents"]) == [trace_id]


@needs_full_mlflow
def test_what_the_sql_store_refuses_of_one_trace_hides_no_other(traces):
    """In production MLflow's exporter logs the error, and goes on."""
    broken, whole = traced("broken", tags={"team": "\ud83d"}), traced("whole")

    assert found("name LIKE '%'") == [whole]
    assert found("span.name LIKE '%'") == [whole, broken]


@needs_full_mlflow
def test_threads_may_search_at_once(traces):
    trace_id = answer()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: found(TOOL), range(8))) == [[trace_id]] * 8


@needs_full_mlflow
def test_a_search_works_in_virtual_time(traces):
    with virtual_time():
        trace_id = answer()

        assert found(TOOL) == [trace_id]


@since("3.17", "tags that MLflow's store makes of the resource")
@needs_full_mlflow
def test_tags_that_the_store_makes_of_the_resource_are_found(monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment=blue")
    with capture_traces():
        trace_id = traced("answer")

        assert found("tags.deployment = 'blue'") == [trace_id]


def test_without_the_full_mlflow_the_error_names_what_is_missing(traces, monkeypatch):
    sql._database.cache_clear()
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    trace_id = traced("answer", tags={"team": "a"})

    assert found("tags.team = 'a' AND status = 'OK' AND timestamp > 0", order_by=["timestamp"]) == [trace_id]
    with pytest.raises(MlflowException) as raised:
        found("span.name = 'answer'")
    assert raised.value.message == (
        "This search needs the full `mlflow` package: with `mlflow-tracing` alone a capture answers filters that"
        " compare tags, metadata, ids and status by `=` or `!=`, and numbers with timestamp and execution_time,"
        " in the order of timestamp (import of sqlalchemy halted; None in sys.modules)"
    )


def test_plain_searches_load_no_database():
    """Neither do captures; what is plain is common, and SQLAlchemy takes a second."""
    program = """
        import sys
        import mlflow
        from pytest_mlflow_traces import capture_traces

        with capture_traces():
            with mlflow.start_span("answer") as span:
                mlflow.update_current_trace(tags={"team": "a"}, metadata={"mlflow.trace.session": "s"})
            for query in (
                None, "tags.team = 'a'", "tags.team != 'b'", "name = 'answer'", "status = 'OK'", "timestamp > 1000",
                f"request_id = '{span.trace_id}'", "metadata.`mlflow.trace.session` = 's' AND execution_time < 100000",
            ):
                for order in (None, ["timestamp"], ["timestamp_ms DESC"]):
                    (found,) = mlflow.search_traces(filter_string=query, order_by=order, return_type="list")
                    assert found.info.trace_id == span.trace_id, query
            assert mlflow.search_traces(filter_string="run_id = 'x'", return_type="list") == []
        assert "mlflow.store.tracking.sqlalchemy_store" not in sys.modules
    """
    run = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)]
    subprocess.run(run, check=True)  # in a directory that must stay empty
