"""Many traces, from many threads, in many captures: none lost, none in the wrong one, nothing kept."""

from __future__ import annotations

import contextvars
import gc
import threading
import weakref
from pathlib import Path

import mlflow
from mlflow.tracing import provider as tracing_provider
from mlflow.tracing.trace_manager import InMemoryTraceManager

from pytest_mlflow_traces import capture_traces, repeat, span
from pytest_mlflow_traces.capture import install
from tests.capture.programs import names, traced


def test_1600_traces_of_64_threads_are_all_there_and_whole(traces):
    started = threading.Barrier(64)

    def program(number):
        started.wait(timeout=60)
        for count in range(25):
            with mlflow.start_span(f"{number}-{count}"):
                with mlflow.start_span("child"):
                    pass

    _run(program, range(64))

    assert len(traces) == 1600
    assert {trace.name for trace in traces} == {f"{number}-{count}" for number in range(64) for count in range(25)}
    assert all([span.name for span in trace.spans] == [trace.name, "child"] for trace in traces)
    assert traces.unfinished == ()
    for number in (0, 63):
        assert [name for name in names(traces) if name.startswith(f"{number}-")] == [
            f"{number}-{count}" for count in range(25)
        ]


def test_1600_traces_of_64_threads_in_8_captures_are_each_in_their_own():
    opened = threading.Barrier(8)
    captures = {}

    def program(name):
        with capture_traces() as captures[name]:
            opened.wait(timeout=60)
            contexts = {number: contextvars.copy_context() for number in range(8)}

            def worker(number):
                for count in range(25):
                    contexts[number].run(traced, f"{name}-{number}-{count}")

            _run(worker, range(8))

    _run(program, "abcdefgh")

    for name, captured in captures.items():
        assert {trace.name for trace in captured} == {
            f"{name}-{number}-{count}" for number in range(8) for count in range(25)
        }
        assert len(captured) == 200


def test_captures_that_open_and_close_beside_others_disturb_none():
    opened, done = threading.Barrier(4), threading.Event()
    captures = []

    def steady():
        with capture_traces() as captured:
            opened.wait(timeout=60)
            for count in range(200):
                traced(str(count))
        captures.append(captured)

    def restless():
        opened.wait(timeout=60)
        while not done.is_set():
            with capture_traces() as captured:
                traced("answer")
            assert names(captured) == ["answer"]

    threads = [threading.Thread(target=target) for target in (steady, steady, steady, restless)]
    for thread in threads:
        thread.start()
    for thread in threads[:3]:
        thread.join()
    done.set()
    threads[3].join()

    assert [names(captured) for captured in captures] == [[str(count) for count in range(200)]] * 3


def _run(program, arguments):
    failures = []

    def guarded(argument):
        try:
            program(argument)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=[argument]) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_10_000_traces_are_kept_and_mlflow_keeps_none_of_them(traces):
    for number in range(10_000):
        mlflow.start_span_no_context(str(number)).end()

    manager = InMemoryTraceManager.get_instance()
    assert len(traces) == 10_000
    assert (len(manager._traces), len(manager._otel_id_to_mlflow_trace_id)) == (0, 0)
    assert traces[9_999].name == "9999"
    assert len(mlflow.search_traces(max_results=50, return_type="list")) == 50


def test_open_traces_are_let_go_of_when_the_capture_closes():
    with capture_traces() as traces:
        for number in range(100):
            mlflow.start_span_no_context(str(number))
        assert len(traces.unfinished) == 100

    manager = InMemoryTraceManager.get_instance()
    assert (len(manager._traces), len(manager._otel_id_to_mlflow_trace_id)) == (0, 0)
    assert len(traces.unfinished) == 100


def test_a_capture_nobody_refers_to_is_let_go_of():
    with capture_traces() as traces:
        traced("answer")
        trace = weakref.ref(traces.one().raw.data)
        captured = weakref.ref(traces)
    del traces
    gc.collect()

    assert (trace(), captured()) == (None, None)


def test_a_trace_of_100_000_spans_is_whole(traces):
    root = mlflow.start_span_no_context("root")
    for _ in range(1_000):
        group = mlflow.start_span_no_context("group", parent_span=root)
        for _ in range(99):
            mlflow.start_span_no_context("leaf", parent_span=group).end()
        group.end()
    root.end()

    trace = traces.one()
    assert len(trace.spans) == 100_001
    assert (trace.count(span("group")), trace.count(span("leaf"))) == (1_000, 99_000)
    assert trace == span("root")[repeat(span("group")[repeat(span("leaf"), min=99, max=99)])]


def test_1_000_captures_leave_nothing_behind():
    with capture_traces():
        traced("warm")
    gc.collect()
    before = _held()
    for number in range(1_000):
        with capture_traces() as captured:
            traced(str(number))
        assert names(captured) == [str(number)]
    gc.collect()

    assert _held() == before


def _held():
    """What a process has only so many of: threads, files, providers, and what was put in place of MLflow's parts."""
    descriptors = Path("/proc/self/fd")
    return (
        threading.active_count(),
        len(list(descriptors.iterdir())) if descriptors.exists() else 0,
        _providers(),
        [str(part) for part in install._replacements._standing],
        [id(vars(tracing_provider).get(name)) for name in ("_get_span_processors", "get_current_context")],
    )


def _providers():
    from opentelemetry.sdk.trace import TracerProvider

    return sum(type(each) is TracerProvider for each in gc.get_objects())
