"""A stream's trace ends however the stream does."""

import gc

import mlflow
import pytest

from reference_agent import stub_orchestrator
from reference_agent.stubs import StubChat, StubGenie
from tests.reference_agent.reading import children, duration_ms, events, span, spans, status, tags


def models(trace):
    return spans(trace, "StubChat")


def test_consumed_stream_is_the_answer_in_pieces(captured):
    orchestrator = stub_orchestrator()
    pieces = list(orchestrator.stream("Why did costs spike?", user_id="ada", session_id="s1"))

    trace = captured.one()
    assert len(pieces) > 5
    assert "".join(pieces) == stub_orchestrator().invoke("Why did costs spike?", user_id="ada")["content"]
    assert trace.info.state == "OK"
    root = span(trace, "orchestrator_invoke")
    assert children(trace, root) == ["load_context", "classify_intent", "query_agents", "synthesize", "save_context"]
    assert root.outputs["content"] == "".join(pieces)
    assert tags(trace)["response_length"] == str(len("".join(pieces)))
    assert "stream_aborted" not in tags(trace)


def test_streamed_tokens_are_counted_as_in_one_piece(captured):
    list(stub_orchestrator().stream("Why did costs spike?", user_id="ada"))
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada")

    streamed, whole = captured
    assert streamed.info.token_usage == whole.info.token_usage


def test_stream_closed_early_ends_its_trace(captured):
    stream = stub_orchestrator().stream("Why did costs spike?", user_id="ada", session_id="s1")
    first = next(stream)
    stream.close()

    trace = captured.one()
    assert trace.info.state == "OK"
    assert status(span(trace, "orchestrator_invoke")) == "OK"
    assert span(trace, "orchestrator_invoke").outputs["content"] == first
    assert all(each.end_time_ns is not None for each in trace.data.spans)
    assert tags(trace)["stream_aborted"] == "true"
    assert tags(trace)["has_error"] == "false"
    assert tags(trace)["response_length"] == str(len(first))


def test_stream_closed_early_stops_the_model(captured):
    stream = stub_orchestrator().stream("Why did costs spike?", user_id="ada")
    next(stream)
    next(stream)
    stream.close()

    model = models(captured.one())[-1]
    assert events(model).count("new_token") == 2
    assert status(model) == "ERROR"


def test_stream_closed_early_remembers_what_was_read(captured):
    orchestrator = stub_orchestrator()
    stream = orchestrator.stream("Why did costs spike?", user_id="ada", session_id="s1")
    read = next(stream) + next(stream)
    stream.close()
    orchestrator.invoke("And now?", user_id="ada", session_id="s1")

    _, second = captured
    remembered = span(second, "retrieve_short_term").outputs
    assert [document["page_content"] for document in remembered] == ["Why did costs spike?", read]


def test_dropped_stream_ends_its_trace(captured):
    stream = stub_orchestrator().stream("Why did costs spike?", user_id="ada")
    next(stream)
    del stream
    gc.collect()

    assert tags(captured.one())["stream_aborted"] == "true"


def test_stream_left_by_an_exception_of_its_reader_ends_its_trace(captured):
    def read():
        for _ in stub_orchestrator().stream("Why did costs spike?", user_id="ada"):
            raise LookupError("the reader's own")

    with pytest.raises(LookupError):
        read()
    gc.collect()

    assert tags(captured.one())["stream_aborted"] == "true"


def test_stream_that_nobody_reads_makes_no_trace(captured):
    stub_orchestrator().stream("Why did costs spike?", user_id="ada").close()

    assert len(captured) == 0


def test_stream_that_fails_midway_is_an_error(captured):
    class BreakingChat(StubChat):
        def _stream(self, messages, stop=None, run_manager=None, **kwargs):
            yield from list(super()._stream(messages, stop, run_manager))[:2]
            raise ConnectionError("the model hung up")

    stream = stub_orchestrator(chat=BreakingChat()).stream("Why did costs spike?", user_id="ada")
    with pytest.raises(ConnectionError, match="hung up"):
        list(stream)

    trace = captured.one()
    assert trace.info.state == "ERROR"
    for name in ("orchestrator_invoke", "synthesize"):
        assert status(span(trace, name)) == "ERROR"
        assert span(trace, name).attributes["error_type"] == "ConnectionError"
    assert tags(trace)["error_type"] == "ConnectionError"
    assert span(trace, "save_context").attributes["saved_on_failure"] is True


def test_stream_that_fails_before_its_first_piece_is_an_error(captured):
    stream = stub_orchestrator(genie=StubGenie(faults={"cost": "403"})).stream("cost", user_id="ada")
    with pytest.raises(Exception, match="scripted 403"):
        next(stream)

    assert tags(captured.one())["error_type"] == "GeniePermissionError"


def test_spans_of_the_reader_do_not_become_children_of_the_stream(captured):
    stream = stub_orchestrator().stream("Why did costs spike?", user_id="ada")
    next(stream)
    assert mlflow.get_current_active_span() is None
    with mlflow.start_span("reader"):
        list(stream)

    traces = {trace.data.spans[0].name: trace for trace in captured}
    assert set(traces) == {"orchestrator_invoke", "reader"}
    assert len(traces["reader"].data.spans) == 1


def test_stream_inside_a_span_of_the_reader_nests_there(captured):
    with mlflow.start_span("reader"):
        list(stub_orchestrator().stream("Why did costs spike?", user_id="ada"))

    trace = captured.one()
    assert children(trace, span(trace, "reader")) == ["orchestrator_invoke"]
    assert duration_ms(span(trace, "reader")) >= duration_ms(span(trace, "orchestrator_invoke"))


def test_two_streams_at_once_keep_apart(captured):
    orchestrator = stub_orchestrator()
    one = orchestrator.stream("Why did costs spike?", user_id="ada")
    other = orchestrator.stream("Who had access?", user_id="eve")
    for _ in zip(one, other, strict=False):
        pass
    one.close()
    other.close()

    found = {tags(trace)["user_id"]: tags(trace)["domains"] for trace in captured}
    assert found == {"ada": "cost", "eve": "security"}
