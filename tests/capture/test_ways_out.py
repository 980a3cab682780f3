"""Nothing leaves the process while a capture is open, whichever way it would go."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_mlflow_traces import capture_traces, span
from tests.capture.programs import names, since, traced

if TYPE_CHECKING:
    from collections.abc import Iterator

otlp = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")


class Server:
    """A server on loopback that notes which paths are asked for; only what it accepts would be exported."""

    def __init__(self) -> None:
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(self.path)
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def connections() -> list[Any]:
    """In place of that which refuses all connections: here the server counts."""
    return []


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    """The application's own provider."""
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setattr(otel_trace._TRACER_PROVIDER_SET_ONCE, "_done", True)
    yield provider
    provider.shutdown()


@pytest.fixture
def forwarding(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`mlflow.otel`, which keeps its processor for the process, with the server as its aim."""
    module = pytest.importorskip("mlflow.otel")
    monkeypatch.setattr(module, "_active_processor", None)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: server.url)
    return module


def plain(name="plain", child="child"):
    tracer = otel_trace.get_tracer("somebody's")
    with tracer.start_as_current_span(name), tracer.start_as_current_span(child):
        pass


@pytest.mark.parametrize("batch", [False, True])
@since("3.14", "mlflow.otel")
def test_what_mlflow_forwards_is_captured_instead(server, provider, forwarding, mode, batch):
    forwarding.setup_otel_processor(batch=batch)
    with capture_traces() as traces:
        plain()
        traced("mlflow's own")
    provider.force_flush()

    assert names(traces) == ["plain", "mlflow's own"]
    assert traces[0] == span("plain")[span("child")]
    assert server.asked == []


@since("3.14", "mlflow.otel")
def test_so_it_is_where_it_is_turned_on_inside(server, provider, forwarding, mode):
    with capture_traces() as traces:
        forwarding.setup_otel_processor(batch=False)
        plain()

    assert names(traces) == ["plain"]
    assert server.asked == []


@pytest.mark.parametrize("make", [SimpleSpanProcessor, BatchSpanProcessor])
def test_an_exporter_that_is_set_by_hand_sends_nothing_meanwhile(server, provider, mode, make):
    memory = InMemorySpanExporter()
    provider.add_span_processor(make(otlp.OTLPSpanExporter(f"{server.url}/v1/traces")))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with capture_traces() as traces:
        plain("inside")
    provider.force_flush()

    assert server.asked == []
    assert [each.name for each in memory.get_finished_spans()] == ["child", "inside"]
    assert names(traces) == (["inside"] if mode == "unified" else [])

    plain("outside")
    provider.force_flush()

    assert set(server.asked) == {"/v1/traces"}
