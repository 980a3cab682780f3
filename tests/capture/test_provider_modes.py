"""Both of MLflow's provider modes, alone and with an OpenTelemetry provider of the application."""

from __future__ import annotations

import mlflow
import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import answer, names, since, traced


class Recording(SpanProcessor):
    """What an application's own exporter would see."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def on_end(self, span):
        self.ended.append(span.name)


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """An application that has its own OpenTelemetry provider."""
    recording = Recording()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(recording)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", provider)
    return recording


@pytest.fixture
def no_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(otel_trace._TRACER_PROVIDER_SET_ONCE, "_done", False)


def test_a_capture_works_without_a_provider_of_the_application(mode, no_application):
    for _ in range(2):
        with capture_traces() as traces:
            answer()

        assert len(traces.one().spans) == 9
        assert otel_trace._TRACER_PROVIDER is None


def test_a_capture_works_with_a_provider_of_the_application(mode, application):
    provider = otel_trace.get_tracer_provider()
    for _ in range(2):
        with capture_traces() as traces:
            answer()

        assert len(traces.one().spans) == 9
        assert otel_trace.get_tracer_provider() is provider
        assert provider._active_span_processor._span_processors == (application,)


def test_the_application_s_processors_see_mlflow_s_spans_only_in_unified_mode(mode, application):
    with capture_traces():
        traced("answer")

    assert application.ended == (["answer"] if mode == "unified" else [])


def test_mlflow_s_own_processors_of_before_see_nothing(mode, application):
    """Those that would export: in unified mode MLflow has added one to the application's provider."""
    from mlflow.tracing.processor.mlflow_v3 import MlflowV3SpanProcessor

    class Production(MlflowV3SpanProcessor):
        def on_start(self, span, parent_context=None):
            raise AssertionError("a span of a test reached production")

    provider = otel_trace.get_tracer_provider()
    before = Production(span_exporter=None, export_metrics=False)
    provider.add_span_processor(before)
    with capture_traces() as traces:
        traced("answer")
        otel_trace.get_tracer("application").start_span("plain").end()

    assert names(traces)[:1] == ["answer"]
    assert provider._active_span_processor._span_processors == (application, before)


def test_plain_spans_of_the_application_are_mlflow_s_in_unified_mode_only(mode, application):
    with capture_traces() as traces:
        with otel_trace.get_tracer("application").start_as_current_span("request"):
            with mlflow.start_span("agent"):
                with otel_trace.get_tracer("application").start_as_current_span("query"):
                    pass

    paths = [span.path for trace in traces for span in trace.spans]
    if mode == "unified":
        assert paths == ["request", "request > agent", "request > agent > query"]
    else:
        assert paths == ["agent"]


def test_a_span_of_the_application_around_the_capture_does_not_adopt_its_traces(mode, application):
    """As pytest-opentelemetry has one around each test; MLflow would lose every trace, without a word."""
    tracer = otel_trace.get_tracer("application")
    with tracer.start_as_current_span("around"):
        with capture_traces() as traces:
            with tracer.start_as_current_span("call"):
                answer()
                assert mlflow.get_current_active_span() is None
            traced("second")

    assert [len(trace.spans) for trace in traces] == [9, 1]
    assert [trace.root.parent for trace in traces] == [None, None]


def test_an_unsampled_span_around_the_capture_does_not_adopt_its_traces(mode, no_application):
    context = otel_trace.SpanContext(1, 2, is_remote=False, trace_flags=otel_trace.TraceFlags(0))
    with otel_trace.use_span(otel_trace.NonRecordingSpan(context)):
        with capture_traces() as traces:
            traced("answer")

    assert names(traces) == ["answer"]


def test_the_mode_may_change_inside(application, monkeypatch):
    with capture_traces() as traces:
        for mode in ("false", "true", "false"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", mode)
                traced(f"default {mode}")

    assert names(traces) == ["default false", "default true", "default false"]
    assert otel_trace.get_tracer_provider()._active_span_processor._span_processors == (application,)


def test_a_provider_that_the_application_sets_inside_is_gone_afterwards(mode, no_application):
    recording = Recording()
    with capture_traces() as traces:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(recording)
        otel_trace.set_tracer_provider(provider)
        traced("answer")

    assert names(traces) == ["answer"]
    assert recording.ended == (["answer"] if mode == "unified" else [])
    assert otel_trace._TRACER_PROVIDER is None


def test_a_capture_inside_another_does_not_make_a_new_provider(mode, no_application):
    with capture_traces():
        traced("outer")
        provider = mlflow.tracing.provider.provider.get()
        with capture_traces() as inner:
            traced("inner")
            assert mlflow.tracing.provider.provider.get() is provider

    assert names(inner) == ["inner"]


def test_the_next_capture_uses_the_provider_of_the_last():
    """OpenTelemetry never lets go of a provider."""
    seen = []
    for _ in range(3):
        with capture_traces():
            traced("answer")
            seen.append(mlflow.tracing.provider.provider.get())

    assert len(set(map(id, seen))) == 1


def test_a_provider_that_code_under_test_added_to_is_not_used_again(mode, no_application):
    recording = Recording()
    with capture_traces():
        traced("answer")
        mlflow.tracing.provider.provider.get().add_span_processor(recording)
    with capture_traces() as traces:
        traced("next")

    assert names(traces) == ["next"]
    assert recording.ended == []


def test_a_provider_is_made_anew_where_its_environment_is_another(mode, no_application, monkeypatch):
    with capture_traces() as first:
        traced("answer")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "agent")
    with capture_traces() as second:
        traced("answer")
        resource = mlflow.tracing.provider.provider.get().resource.attributes

    assert (names(first), names(second)) == (["answer"], ["answer"])
    assert resource["service.name"] == "agent"


@since("3.15", "propagation into OpenTelemetry's context")
def test_spans_propagated_into_opentelemetry_s_context_are_seen_there(no_application, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT", "true")
    with capture_traces() as traces:
        with mlflow.start_span("agent") as span:
            current = otel_trace.get_current_span().get_span_context().span_id
            assert format(current, "016x") == span.span_id

    assert names(traces) == ["agent"]
