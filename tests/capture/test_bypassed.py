"""Where spans do not reach the capture, `one()` says why; sampling does not keep them from it."""

from __future__ import annotations

import mlflow
import pytest
from mlflow.entities.trace_location import MlflowExperimentLocation
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, TraceIdRatioBased

from pytest_mlflow_traces import TraceAssertionError, capture_traces
from tests.capture.programs import names, since, traced


def why_empty(traces):
    with pytest.raises(TraceAssertionError) as error:
        traces.one()
    assert [finding.rule for finding in error.value.findings] == ["capture.bypassed"]
    return str(error.value)


def test_tracing_disabled_inside_is_named(traces):
    mlflow.tracing.disable()
    traced("answer")

    assert why_empty(traces) == (
        "expected one trace, but tracing is disabled: the code under test called mlflow.tracing.disable()"
    )


def test_tracing_disabled_inside_is_named_after_the_capture_too():
    with capture_traces() as traces:
        mlflow.tracing.disable()
    traces_before = len(traces)

    assert "tracing is disabled" in why_empty(traces)
    assert traces_before == 0


def test_tracing_disabled_inside_is_enabled_again_afterwards():
    with capture_traces():
        mlflow.tracing.disable()
    with capture_traces() as traces:
        traced("answer")

    assert names(traces) == ["answer"]


def test_tracing_disabled_and_enabled_inside_is_captured(traces):
    traced("before")
    mlflow.tracing.disable()
    traced("disabled")
    mlflow.tracing.enable()
    traced("after")

    assert names(traces) == ["before", "after"]


def test_tracing_disabled_before_is_enabled_inside_and_disabled_again_afterwards():
    with capture_traces():
        mlflow.tracing.disable()
        with capture_traces() as inner:
            traced("inner")
        assert not mlflow.tracing.provider.is_tracing_enabled()
        traced("outer")

    assert names(inner) == ["inner"]


def test_a_function_that_mlflow_runs_without_tracing_leaves_it_enabled(traces):
    mlflow.tracing.provider.trace_disabled(lambda: traced("inside"))()
    traced("after")

    assert names(traces) == ["after"]


def test_an_enabled_capture_inside_a_function_run_without_tracing_leaves_it_so():
    """MLflow hides its provider behind one that does nothing, and puts it back."""
    seen = []

    def program():
        with capture_traces() as inner:
            traced("inner")
        seen.extend(names(inner))
        traced("outer")

    with capture_traces() as outer:
        mlflow.tracing.provider.trace_disabled(program)()
        traced("after")

    assert (seen, names(outer)) == (["inner"], ["after"])


@since("3.12", "mlflow.tracing.context")
def test_tracing_disabled_in_a_block_is_named(traces):
    with mlflow.tracing.context(enabled=False):
        traced_nothing()

        assert why_empty(traces) == (
            "expected one trace, but tracing is disabled here: this is inside of mlflow.tracing.context(enabled=False)"
        )


def traced_nothing():
    with mlflow.start_span("answer"):
        pass


def test_a_disabled_opentelemetry_is_named(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with capture_traces() as traces:
        traced_nothing()

    assert why_empty(traces) == (
        "expected one trace, but OTEL_SDK_DISABLED is set: OpenTelemetry makes no spans at all; unset it for this test"
    )


def test_a_disabled_opentelemetry_is_enabled_for_the_next_capture(monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_SDK_DISABLED", "true")
        with capture_traces():
            traced_nothing()
    with capture_traces() as traces:
        traced("answer")

    assert names(traces) == ["answer"]


def test_a_span_that_mlflow_cannot_start_is_named(traces, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACE_TIMEOUT_SECONDS", "soon")
    traced_nothing()

    assert why_empty(traces).startswith("expected one trace, but MLflow could not start the span 'answer': ValueError")


def test_a_span_that_mlflow_could_not_start_does_not_stand_in_the_way_of_the_next(traces):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACE_TIMEOUT_SECONDS", "soon")
        traced_nothing()
    traced("next")

    assert names(traces) == ["next"]
    assert traces.unfinished == ()


def test_a_trace_that_mlflow_forgets_is_named(traces, monkeypatch):
    """Its buffer holds so many open traces and no more."""
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    with mlflow.start_span("agent"):
        InMemoryTraceManager.get_instance()._traces.clear()

    assert why_empty(traces) == (
        "expected one trace, but MLflow had forgotten the trace of 'agent' before its last span ended"
    )


def dropped(hint, less=1):
    return f"capture.dropped at this capture: expected all that was traced, got {less} less ({hint})"


HOLDS = "; it holds MLFLOW_TRACE_BUFFER_MAX_SIZE open traces, and each for MLFLOW_TRACE_BUFFER_TTL_SECONDS"


def test_traces_that_mlflow_forgets_are_told_though_others_arrived(traces):
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    opened = [mlflow.start_span_no_context(f"t{number}") for number in range(8)]
    InMemoryTraceManager.get_instance()._traces.clear()
    first = list(map(str, traces.lost))
    for span in opened:
        span.end()
    traced("answer")

    names = "; ".join(
        f"MLflow had forgotten the trace of 't{number}' before its last span ended" for number in range(5)
    )
    assert first == [dropped(f"{names}; 3 more{HOLDS}", less=8)]
    assert (list(map(str, traces.lost)), [trace.name for trace in traces]) == (first, ["answer"])


def test_an_open_trace_that_mlflow_forgot_is_told_after_the_capture_too():
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    with capture_traces() as traces:
        span = mlflow.start_span_no_context("agent")
        InMemoryTraceManager.get_instance()._traces.clear()
        traced("answer")
    span.end()

    forgotten = f"MLflow had forgotten the trace of 'agent' before its last span ended{HOLDS}"
    assert list(map(str, traces.lost)) == [dropped(forgotten)]


def test_spans_that_mlflow_cannot_start_are_told_though_others_arrived(traces):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACE_TIMEOUT_SECONDS", "soon")
        traced_nothing()
    traced("next")

    (lost,) = traces.lost
    assert (lost.rule, lost.actual) == ("capture.dropped", "1 less")
    assert lost.hint.startswith("MLflow could not start the span 'answer': ValueError: ")


def test_nothing_is_lost_of_what_is_still_open(traces):
    with mlflow.start_span("agent"), mlflow.start_span("tool"):
        assert traces.lost == ()
    assert traces.lost == ()


def test_a_warning_that_is_an_error_while_the_first_span_starts_loses_no_trace(traces):
    """MLflow imports its pyfunc module then, which warns; here warnings are errors."""
    traced("answer")

    assert names(traces) == ["answer"]


# -- sampling


@pytest.mark.parametrize("ratio", ["0", "0.0001"])
def test_a_sampling_ratio_in_the_environment_loses_no_trace(ratio, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", ratio)
    with capture_traces() as traces:
        for number in range(5):
            traced(str(number))

    assert len(traces) == 5


def test_a_sampling_ratio_set_inside_loses_no_trace(traces, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", "0")
    mlflow.tracing.reset()
    traced("answer")

    assert names(traces) == ["answer"]


@since("3.11", "sampling_ratio_override")
def test_a_sampling_ratio_of_a_function_loses_no_trace(traces):
    @mlflow.trace(sampling_ratio_override=0)
    def function():
        traced("child")

    @mlflow.trace(sampling_ratio_override=0.0)
    def stream():
        yield 1

    function()
    list(stream())

    assert names(traces) == ["function", "stream"]


@pytest.mark.parametrize("mode", ["true", "false"])
@pytest.mark.parametrize("sampler", ["always_off", "parentbased_always_off", "traceidratio"])
def test_a_sampler_of_opentelemetry_in_the_environment_loses_no_trace(sampler, mode, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", mode)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", None)
    with capture_traces() as traces:
        traced("answer")

    assert names(traces) == ["answer"]


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0)])
def test_a_sampler_of_the_application_s_provider_is_named(sampler, monkeypatch):
    """In unified mode it decides, as in production."""
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", "false")
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", TracerProvider(sampler=sampler))
    with capture_traces() as traces:
        traced_nothing()

        assert why_empty(traces) == (
            "expected one trace, but the sampler of the application's OpenTelemetry provider drops traces:"
            f" {sampler.get_description()}"
        )


def test_a_seed_set_again_loses_no_trace(traces):
    """OpenTelemetry makes ids from Python's random: both traces would have the same."""
    import random

    ids = []
    for _ in range(3):
        random.seed(1)
        ids.append(traced("answer"))

    assert [trace.id for trace in traces] == ids
    assert len(set(ids)) == 3


def test_tracing_draws_no_random_number_of_the_code_under_test(traces):
    import random

    random.seed(1)
    expected = [random.random() for _ in range(3)]
    random.seed(1)
    drawn = []
    for _ in range(3):
        with mlflow.start_span("answer"):
            drawn.append(random.random())

    assert drawn == expected


def test_a_trace_with_the_id_of_another_is_refused_by_name(traces, monkeypatch):
    monkeypatch.setattr("opentelemetry.sdk.trace.id_generator.RandomIdGenerator.generate_trace_id", lambda _: 7)
    traced("first")
    with mlflow.start_span("second"):
        pass
    traces.clear()

    assert "MLflow could not start the span 'second', since another trace has the same id" in why_empty(traces)


def test_reset_and_set_destination_inside_lose_no_trace(traces):
    traced("first")
    mlflow.tracing.reset()
    traced("second")
    mlflow.tracing.set_destination(MlflowExperimentLocation("7"))
    traced("third")
    mlflow.tracing.enable()
    traced("fourth")

    assert names(traces) == ["first", "second", "third", "fourth"]


def test_a_reset_of_mlflow_s_traces_between_captures_loses_none():
    """Suites do it, after the example of MLflow's own."""
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    with capture_traces() as first:
        traced("first")
    InMemoryTraceManager.reset()
    with capture_traces() as second:
        traced("second")
        mlflow.tracing.reset()
        InMemoryTraceManager.reset()
        mlflow.tracing.reset()
        traced("third")

    assert (names(first), names(second)) == (["first"], ["second", "third"])


# -- tracing that is off for a part


def test_tracing_that_was_off_for_a_part_is_told_with_what_ran_meanwhile(mode):
    with capture_traces() as traces:
        traced("before")
        mlflow.tracing.disable()
        for name in ("delete_table", "delete_table", "drop"):
            traced_as(name)
        mlflow.tracing.enable()
        traced("after")

    assert names(traces) == ["before", "after"]
    (lost,) = traces.lost
    assert str(lost) == (
        "capture.untraced at this capture: expected tracing on all the time, got 'delete_table' x2, 'drop', run while"
        " it was off: the code under test called mlflow.tracing.disable()"
    )


def traced_as(name):
    with mlflow.start_span(name):
        pass


def test_tracing_that_was_off_while_nothing_was_seen_is_told_too(traces):
    mlflow.tracing.disable()
    mlflow.tracing.enable()
    traced("answer")

    (lost,) = traces.lost
    assert lost.actual.startswith("nothing that was seen, run while it was off")


def test_where_all_ran_while_tracing_was_off_that_is_why_there_is_nothing(traces):
    mlflow.tracing.disable()
    traced_as("answer")
    mlflow.tracing.enable()

    assert why_empty(traces) == (
        "expected one trace, but tracing was disabled when 'answer' ran: the code under test called"
        " mlflow.tracing.disable()"
    )


def test_what_mlflow_itself_runs_without_tracing_is_not_told(traces):
    mlflow.tracing.provider.trace_disabled(lambda: traced_as("inside"))()
    mlflow.tracing.reset()
    traced("after")

    assert traces.lost == ()


def test_a_sampler_is_not_blamed_for_what_it_did_not_drop(mode, monkeypatch):
    provider = TracerProvider(sampler=TraceIdRatioBased(1.0), shutdown_on_exit=False)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", provider)
    with capture_traces() as traces:
        root = mlflow.start_span_no_context("agent")
        with pytest.raises(TraceAssertionError) as error:
            traces.one()
        root.end()

    assert str(error.value) == "expected one trace, but these spans never ended:\n  agent"


def test_what_a_sampler_drops_is_told_though_others_arrived(monkeypatch):
    class Deciding(Sampler):
        def should_sample(self, parent_context, trace_id, name, *args, **kwargs):
            return (ALWAYS_OFF if name == "dropped" else ALWAYS_ON).should_sample(parent_context, trace_id, name)

        def get_description(self):
            return "Deciding{name}"

    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", "false")
    provider = TracerProvider(sampler=Deciding(), shutdown_on_exit=False)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", provider)
    with capture_traces() as traces:
        traced("answer")
        traced_as("dropped")

    assert names(traces) == ["answer"]
    (lost,) = traces.lost
    assert str(lost) == (
        "capture.untraced at this capture: expected every trace, got 'dropped', dropped by the sampler of the"
        " application's OpenTelemetry provider: Deciding{name}"
    )
