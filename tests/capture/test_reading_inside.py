"""What the code under test reads and changes through MLflow is the capture, and the capture shows the changes."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import MLFLOW, answer, names, needs_full_mlflow, since, traced


def test_get_trace_gives_the_spans_and_the_info_of_a_trace(traces):
    trace = mlflow.get_trace(answer())

    assert [span.name for span in trace.data.spans] == [span.name for span in traces.one().spans]
    assert trace.info.request_preview == '{"question": "why?"}'
    assert trace.data.spans[0].inputs == {"question": "why?"}


def test_get_trace_of_an_unknown_id_is_none(traces):
    assert mlflow.get_trace("tr-unknown") is None


@since("3.11", "flush")
def test_a_search_that_flushes_first_finds_what_is_there(traces):
    trace_id = traced("answer")

    assert mlflow.get_trace(trace_id, flush=True).info.trace_id == trace_id
    assert len(mlflow.search_traces(return_type="list", flush=True)) == 1


def test_flushing_asynchronous_logging_returns(traces):
    traced("answer")
    mlflow.flush_trace_async_logging()

    assert traces.one().name == "answer"


def test_a_search_gives_a_data_frame_where_pandas_is_there(traces):
    pandas = pytest.importorskip("pandas")
    first, second = traced("first", tags={"team": "a"}), traced("second")

    frame = mlflow.search_traces()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["trace_id"]) == [second, first]
    assert frame["tags"][1]["team"] == "a"
    assert len(mlflow.search_traces(filter_string="tags.team = 'a'")) == 1
    assert len(mlflow.search_traces(max_results=1)) == 1


def test_a_search_without_spans_gives_infos_only(traces):
    trace_id = answer()

    (found,) = mlflow.search_traces(return_type="list", include_spans=False)
    assert (found.info.trace_id, found.data.spans) == (trace_id, [])


def test_traces_made_in_the_same_moment_are_found_newest_first(traces):
    """MLflow breaks the tie by a random id; a test needs one answer."""
    for number in range(20):
        mlflow.start_span_no_context(f"{number:02}", start_time_ns=1_700_000_000_000_000_000).end()

    newest_first = [trace.info.tags["mlflow.traceName"] for trace in mlflow.search_traces(return_type="list")]
    oldest_first = mlflow.search_traces(return_type="list", order_by=["timestamp ASC"])
    assert newest_first == sorted(newest_first, reverse=True)
    assert [trace.info.tags["mlflow.traceName"] for trace in oldest_first] == sorted(newest_first)


def test_a_search_for_sessions_finds_them(traces):
    traced("first", metadata={"mlflow.trace.session": "s1"})
    traced("second", metadata={"mlflow.trace.session": "s2"})
    traced("third", metadata={"mlflow.trace.session": "s1"})

    sessions = {session.id: [trace.info.tags["mlflow.traceName"] for trace in session] for session in _sessions()}
    assert sessions == {"s1": ["first", "third"], "s2": ["second"]}


def _sessions():
    return mlflow.search_sessions(locations=["0"])


def test_experiment_ids_as_before_locations_works(traces):
    trace_id = traced("answer")

    with pytest.warns(FutureWarning):
        found = mlflow.search_traces(experiment_ids=["0"], return_type="list")
    assert [trace.info.trace_id for trace in found] == [trace_id]


def test_a_tag_set_after_the_end_is_in_the_captured_trace(traces):
    trace_id = traced("answer", tags={"team": "a"})
    before = traces.one()
    mlflow.set_trace_tag(trace_id, "after", "2")
    mlflow.delete_trace_tag(trace_id, "team")

    assert traces.one().tags == {"after": "2"}
    assert before.tags == {"team": "a"}, "a trace that was read stays what it was"
    assert traces.one() is traces.one()


def test_a_tag_set_while_the_span_is_open_is_in_the_captured_trace(traces):
    with mlflow.start_span("answer") as span:
        mlflow.set_trace_tag(span.trace_id, "inside", "1")

    assert traces.one().tags == {"inside": "1"}


def test_feedback_is_in_the_raw_trace(traces):
    trace_id = traced("answer")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    mlflow.log_expectation(trace_id=trace_id, name="facts", value=["a"])

    assert [each.name for each in traces.one().raw.info.assessments] == ["good", "facts"]
    assert [each.value for each in mlflow.get_trace(trace_id).info.assessments] == [True, ["a"]]


def test_what_the_store_serves_is_a_copy(traces):
    trace_id = traced("answer", tags={"team": "a"})
    feedback = mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    served = mlflow.get_trace(trace_id)
    served.info.tags["team"] = "changed"
    served.info.assessments[0].name = "changed"
    feedback.name = "changed"

    assert traces.one().tags == {"team": "a"}
    assert [each.name for each in mlflow.get_trace(trace_id).info.assessments] == ["good"]


def test_get_trace_sees_only_its_own_capture():
    with capture_traces():
        outer = traced("outer")
        with capture_traces():
            inner = traced("inner")
            assert mlflow.get_trace(outer, silent=True) is None
            assert mlflow.get_trace(inner) is not None
        assert mlflow.get_trace(inner, silent=True) is None
        assert mlflow.get_trace(outer) is not None


def test_clear_empties_the_searches_too(traces):
    trace_id = traced("first")
    traces.clear()
    traced("second")

    assert names(traces) == ["second"]
    assert mlflow.get_trace(trace_id, silent=True) is None
    assert len(mlflow.search_traces(return_type="list")) == 1


@needs_full_mlflow
def test_deleted_traces_are_gone_from_the_capture_too(traces):
    first, second = traced("first"), traced("second")

    assert mlflow.MlflowClient().delete_traces("0", trace_ids=[first]) == 1
    assert [trace.id for trace in traces] == [second]


@needs_full_mlflow
def test_a_trace_made_by_the_client_is_captured(traces):
    client = mlflow.MlflowClient()
    root = client.start_trace("agent", inputs={"q": 1}, tags={"team": "a"})
    child = client.start_span("tool", root.trace_id, root.span_id)
    client.end_span(root.trace_id, child.span_id)
    client.end_trace(root.trace_id, outputs=2)

    trace = traces.one()
    assert [span.path for span in trace.spans] == ["agent", "agent > tool"]
    assert (trace.request, trace.response, trace.tags) == ({"q": 1}, 2, {"team": "a"})


def test_a_trace_merged_into_another_is_part_of_it(traces):
    other = mlflow.get_trace(answer())
    with mlflow.start_span("caller"):
        mlflow.add_trace(other)

    assert names(traces) == ["agent", "caller"]
    assert [span.name for span in traces[1].root.children] == ["agent"]
    assert len(traces[1].spans) == 10


@pytest.mark.filterwarnings("ignore:.*log_trace.*:FutureWarning")
@pytest.mark.skipif(MLFLOW.release >= (4,), reason="MLflow announced that log_trace goes")
def test_a_logged_trace_is_captured(traces):
    mlflow.log_trace(name="task", request="q", response="a", start_time_ms=1_700_000_000_000, execution_time_ms=5)

    trace = traces.one()
    assert (trace.name, trace.request, trace.response, trace.duration_ms) == ("task", "q", "a", 5)


@pytest.mark.parametrize("thread_local", [False, True])
def test_no_trace_was_active_last_in_a_new_capture(mode, thread_local):
    with capture_traces():
        traced("first")
    with capture_traces():
        assert mlflow.get_last_active_trace_id(thread_local=thread_local) is None
        trace_id = traced("second")
        with capture_traces():
            assert mlflow.get_last_active_trace_id(thread_local=thread_local) is None
            traced("inner")
        assert mlflow.get_last_active_trace_id(thread_local=thread_local) == trace_id
