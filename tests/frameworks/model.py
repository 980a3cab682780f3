"""A model on loopback: one small server that says what its script says, in the protocol in which it is asked."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.frameworks.protocols import PROTOCOLS, Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENTS = {"order": 7}
TEXT = "Order 7 is refunded."
_MOST = 100  # requests of one test: an agent that goes round for ever gets an error


class Model:
    """The script of a model: which tool it calls in each of its turns, before it answers with a text.

    A turn is the name of a tool, or a tuple of those that are called together. After the last answer it begins anew.
    """

    def __init__(self) -> None:
        self.script: tuple[str | tuple[str, ...], ...] = ()
        self.url = ""
        self._lock = threading.Lock()
        self.follow()

    def follow(self, *turns: str | tuple[str, ...], answers: int = 1, failures: int = 0) -> None:
        """Begin a script: `failures` answers that there are too many requests, the turns, and `answers` texts."""
        with self._lock:
            self.script, self.asked, self._next, self._failures = turns, 0, 0, failures
            self._length = len(turns) + answers

    def answer(self, request: dict[str, Any]) -> Answer | None:
        """Return the next answer; None is a failure."""
        with self._lock:
            self.asked += 1
            if self._failures or self.asked > _MOST:
                self._failures -= 1
                return None
            number, self._next = self._next, (self._next + 1) % self._length
        turn = self.script[number] if number < len(self.script) else ()
        calls = (turn,) if isinstance(turn, str) else turn
        name = request.get("model", "gemini")
        offered = [tool.get("function", {}).get("name") for tool in request.get("tools", ()) if isinstance(tool, dict)]
        if not calls and "final_answer" in offered:  # how smolagents wants it
            return Answer(number, ("final_answer",), {"answer": TEXT}, "", name)
        if "[[ ## " in json.dumps(request):  # how DSPy wants it: fields in a text
            return Answer(number, (), {}, _fields(calls, json.dumps(request)), name)
        return Answer(number, calls, ARGUMENTS, TEXT, name)


def _fields(calls: tuple[str, ...], request: str) -> str:
    if "next_tool_name" in request.rpartition("Respond with the corresponding output fields")[2]:
        tool = calls[0] if calls else "finish"
        said = {
            "next_thought": "go on",
            "next_tool_name": tool,
            "next_tool_args": json.dumps(ARGUMENTS if calls else {}),
        }
    else:
        said = {"reasoning": "it was", "answer": TEXT}
    return "".join(f"[[ ## {key} ## ]]\n{value}\n\n" for key, value in said.items()) + "[[ ## completed ## ]]"


class _Handler(BaseHTTPRequestHandler):
    """Each request has a connection of its own: one of an event loop that has ended would be asked twice."""

    timeout = 30
    model: Model

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        at_once, in_events = next((both for end, both in PROTOCOLS.items() if path.endswith(end)), (None, None))
        if at_once is None or in_events is None:
            return self._send(404, "application/json", json.dumps({"error": {"message": f"no such path: {path}"}}))
        answer = self.model.answer(request)
        if answer is None:
            return self._send(429, "application/json", json.dumps({"error": {"message": "too many requests"}}))
        if not (request.get("stream") or ":stream" in path):
            return self._send(200, "application/json", json.dumps(at_once(answer)))
        lines = [f"event: {name}\n" * bool(name) + f"data: {json.dumps(said)}\n\n" for name, said in in_events(answer)]
        if at_once is PROTOCOLS["/chat/completions"][0]:
            lines.append("data: [DONE]\n\n")
        return self._send(200, "text/event-stream", "".join(lines))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Model]:
    """Serve a model until the end of the block, or of the process."""
    model = Model()
    handler = type("Handler", (_Handler,), {"model": model})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        model.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield model
        server.shutdown()
