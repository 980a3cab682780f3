"""What it costs to make a trace of nine spans and to read it: in a capture, with MLflow's bare spans, on SQLite.

Both sides alternate, so that a machine that is slow for a while is slow for both; medians are compared, with the
garbage collector paused while the clock runs. The floor is MLflow with an exporter that throws traces away; CPU time is
compared there, wall-clock time elsewhere, since MLflow's defaults wait for a thread. The first trace of a process is
measured in processes of its own, after `import mlflow`.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLOOR_BAR, SYNCHRONOUS_BAR, DEFAULTS_BAR, WARM_BAR, COLD_BAR = 1.2, 25, 300, 100, 10


def answer() -> str:
    """Make a trace of nine spans, as a small agent does; return its id."""
    import mlflow

    with mlflow.start_span("agent", span_type="AGENT") as root:
        root.set_inputs({"question": "Why did costs spike?"})
        with mlflow.start_span("load_context", span_type="MEMORY"):
            for name in ("retrieve_short_term", "retrieve_long_term"):
                with mlflow.start_span(name, span_type="RETRIEVER") as span:
                    span.set_outputs(["something"])
        with mlflow.start_span("classify_intent", span_type="CLASSIFIER") as span:
            span.set_outputs({"domains": ["cost"], "confidence": 0.9})
        with (
            mlflow.start_span("query_agents", span_type="AGENT"),
            mlflow.start_span("cost_agent", span_type="AGENT"),
            mlflow.start_span("genie_query", span_type="TOOL") as span,
        ):
            span.set_attribute("space", "cost")
        with mlflow.start_span("save_context", span_type="MEMORY"):
            mlflow.update_current_trace(tags={"domains": "cost"})
        root.set_outputs({"content": "A cluster ran all night."})
    return str(root.trace_id)


def captured() -> None:
    """Open a capture, make a trace, read it, close the capture."""
    from pytest_mlflow_traces import capture_traces

    with capture_traces() as traces:
        answer()
        _expect(len(traces.one().spans))


def stored() -> None:
    """Make a trace and search for it, in whatever store MLflow has."""
    import mlflow

    made = answer()
    mlflow.flush_trace_async_logging()
    (found,) = mlflow.search_traces(return_type="list", max_results=1)
    _expect(len(found.data.spans) if found.info.trace_id == made else 0)


def _expect(spans: int) -> None:
    if spans != 9:
        raise RuntimeError(f"the trace that was read has {spans} spans of 9")


def timed(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the milliseconds that one call takes, with the garbage collector paused."""
    gc.collect()
    gc.disable()
    try:
        started = clock()
        call()
        return (clock() - started) * 1e3
    finally:
        gc.enable()


@contextlib.contextmanager
def sqlite(path: str, *, asynchronous: bool) -> Iterator[None]:
    """Have MLflow keep traces in a SQLite database, by its defaults or synchronously."""
    import mlflow

    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "true" if asynchronous else "false"
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    mlflow.tracing.reset()
    yield
    mlflow.flush_trace_async_logging(terminate=True)
    mlflow.tracing.reset()


@contextlib.contextmanager
def floor() -> Iterator[None]:
    """Have MLflow throw each trace away when its root ends."""
    from mlflow.tracing import provider
    from mlflow.tracing.processor.mlflow_v3 import MlflowV3SpanProcessor
    from mlflow.tracing.trace_manager import InMemoryTraceManager
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            for span in spans:
                if span.parent is None:
                    InMemoryTraceManager.get_instance().pop_trace(span.context.trace_id)
            return SpanExportResult.SUCCESS

    chosen = provider._get_span_processors
    processor = MlflowV3SpanProcessor(span_exporter=Nowhere(), export_metrics=False)
    provider._get_span_processors = lambda disabled=False: [] if disabled else [processor]
    provider.reset()
    yield
    provider._get_span_processors = chosen
    provider.reset()


def spans_ms(rounds: int) -> tuple[float, float]:
    """Return the CPU milliseconds of one trace with the floor, and in an open capture."""
    from pytest_mlflow_traces import capture_traces

    bare, inside = [], []
    for _ in range(rounds):
        with floor():
            answer()
            bare += [timed(answer, time.process_time) for _ in range(5)]
        with capture_traces():
            answer()
            inside += [timed(answer, time.process_time) for _ in range(5)]
    return statistics.median(bare), statistics.median(inside)


def stores_ms(directory: str, rounds: int) -> tuple[float, float, float]:
    """Return the milliseconds to make and read a trace: in a capture, on SQLite synchronously, by MLflow's defaults."""
    path = f"{directory}/traces.db"
    memory, synchronous, defaults = [], [], []
    for number in range(rounds + 1):
        with sqlite(path, asynchronous=False):
            stored()
            synchronous.append(timed(stored))
        with sqlite(path, asynchronous=True):
            stored()
            defaults.append(timed(stored))
        captured()
        memory += [timed(captured) for _ in range(5)]
        if number == 0:  # the first round makes the database
            memory.clear(), synchronous.clear(), defaults.clear()
    return statistics.median(memory), statistics.median(synchronous), statistics.median(defaults)


def warm_ms(directory: str, rounds: int) -> tuple[float, float]:
    """Return the milliseconds of the first trace in a warm process: in a capture, in a SQLite database just made."""
    memory, fresh = [], []
    for number in range(rounds):
        memory.append(timed(captured))
        with sqlite(f"{directory}/warm-{number}.db", asynchronous=True):
            fresh.append(timed(stored))
    return statistics.median(memory), statistics.median(fresh)


def cold_ms(directory: str, rounds: int) -> tuple[float, float]:
    """Return the milliseconds of the first trace in a process that has just imported MLflow, likewise."""
    memory, fresh = [], []
    _first_of_a_process("memory", directory)  # writes bytecode, and warms the disk's cache
    for number in range(rounds):
        memory.append(_first_of_a_process("memory", directory))
        fresh.append(_first_of_a_process(f"{directory}/cold-{number}.db", directory))
    return statistics.median(memory), statistics.median(fresh)


def _first_of_a_process(store: str, directory: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode beside it
    run = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-m", "benchmarks.capture", "--first", store],
        cwd=directory,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(run.stdout.splitlines()[-1]))


def first(store: str) -> float:
    """Return the milliseconds of the first trace of this process."""
    import mlflow

    if store == "memory":
        return timed(captured)
    mlflow.set_tracking_uri(f"sqlite:///{store}")
    return timed(stored)


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="rounds of traces (default 30)")
    parser.add_argument("--stores", type=int, default=11, help="rounds of stored traces, databases made (default 11)")
    parser.add_argument("--processes", type=int, default=5, help="processes of each side (default 5)")
    parser.add_argument("--first", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    logging.disable(logging.CRITICAL)
    if options.first is not None:
        print(json.dumps(first(options.first)))
        return True
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)  # SQLite's runs keep artifacts in the working directory
        bare, inside = spans_ms(options.rounds)
        memory, synchronous, defaults = stores_ms(directory, options.stores)
        warm, warm_fresh = warm_ms(directory, max(3, options.stores // 3))
        cold, cold_fresh = cold_ms(directory, options.processes)
        os.chdir(here)
    rows = [
        ("nine spans: MLflow that throws them away", bare, "in a capture", inside, inside / bare, FLOOR_BAR),
        (
            "made and read: SQLite, synchronous",
            synchronous,
            "in a capture",
            memory,
            synchronous / memory,
            SYNCHRONOUS_BAR,
        ),
        ("made and read: SQLite, MLflow's defaults", defaults, "in a capture", memory, defaults / memory, DEFAULTS_BAR),
        (
            "first trace, warm: a fresh SQLite database",
            warm_fresh,
            "a first capture",
            warm,
            warm_fresh / warm,
            WARM_BAR,
        ),
        (
            "first trace, cold: a fresh SQLite database",
            cold_fresh,
            "a first capture",
            cold,
            cold_fresh / cold,
            COLD_BAR,
        ),
    ]
    print("| what | ms | | ms | ratio | bar |")
    print("|---|---|---|---|---|---|")
    for what, theirs, ours, ms, ratio, bar in rows:
        limit = f"<= {bar}x" if bar is FLOOR_BAR else f">= {bar}x"
        print(f"| {what} | {theirs:.2f} | {ours} | {ms:.2f} | {ratio:.3g}x | {limit} |")
    return rows[0][4] <= FLOOR_BAR and all(ratio >= bar for *_, ratio, bar in rows[1:])


if __name__ == "__main__":
    sys.exit(not main())
