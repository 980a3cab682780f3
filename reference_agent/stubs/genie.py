"""Genie's REST API with scripted answers, faults and latencies, behind the real SDK."""

from __future__ import annotations

import difflib
import json
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.credentials_provider import CredentialsStrategy

from reference_agent.genie import one_try_clock
from reference_agent.intent import DOMAINS
from reference_agent.stubs.answers import ANSWERS, GenieReply
from reference_agent.stubs.http import Reply, json_reply, stub_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import requests

    from reference_agent.clocks import Clock

HOST = "https://genie.test"
SPACES: Mapping[str, str] = {domain: f"{domain}-space" for domain in DOMAINS}
DEFAULT_LATENCY_SECONDS = 0.3

_HTTP_ERRORS = {
    "400": "INVALID_PARAMETER_VALUE",
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "RESOURCE_DOES_NOT_EXIST",
    "429": "REQUEST_LIMIT_EXCEEDED",
    "500": "INTERNAL_ERROR",
    "503": "TEMPORARILY_UNAVAILABLE",
}
_BODIES = {"html": "<html><body>Sign in</body></html>", "empty": "{}", "list": "[]"}
_STATUSES = ("FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED")
KINDS = (*_HTTP_ERRORS, *_BODIES, *_STATUSES, "hang", "throttled", "no_answer")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with one question: an HTTP status, a strange body, a message status, and more.

    `hang` never ends, `throttled` refuses the first look for the answer with 429, `no_answer` completes without one.

    >>> Fault("429", retry_after=7)
    Fault(kind='429', retry_after=7, message='')
    """

    kind: str
    retry_after: int | None = None
    message: str = ""

    def __post_init__(self) -> None:
        _require_known("fault", self.kind, KINDS)


@dataclass(frozen=True, slots=True)
class _Conversation:
    domain: str
    number: int
    question: str
    started_at: float
    fault: Fault | None


class StubGenie:
    """A workspace with one Genie space per domain.

    `faults` says per domain what goes wrong, as a list with one entry per question to that space (`None` for an
    answer; after the last entry all is well) or as a single entry for all of them. `latencies` are seconds on the
    agent's clock. Nothing is read from the environment.

        >>> genie = StubGenie(faults={"cost": [Fault("429", retry_after=2), None], "security": "403"})
    """

    def __init__(
        self,
        *,
        faults: Mapping[str, str | Fault | Sequence[str | Fault | None]] | None = None,
        latencies: Mapping[str, float] | None = None,
        answers: Mapping[str, GenieReply] | None = None,
    ) -> None:
        for scripted in (faults, latencies, answers):
            for domain in scripted or ():
                _require_known("domain", domain, DOMAINS)
        self._faults = {domain: _script(script) for domain, script in (faults or {}).items()}
        self._latencies = dict(latencies or {})
        self._answers = {**ANSWERS, **(answers or {})}
        self._conversations: dict[str, _Conversation] = {}
        self._asked: dict[str, int] = dict.fromkeys(DOMAINS, 0)
        self._looked_for: set[str] = set()
        self._lock = threading.Lock()

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Every question that was asked, with its domain, in order."""
        return [(conversation.domain, conversation.question) for conversation in self._conversations.values()]

    def workspace(self, clock: Clock) -> WorkspaceClient:
        """Return the SDK's client of this workspace."""
        workspace = WorkspaceClient(config=_hermetic_config())
        # The SDK has no door for a transport of one's own; patching all of `requests` is the alternative.
        session = workspace.api_client._api_client._session
        stub_session(session, lambda request: self._answer(request, clock))
        return workspace

    def _answer(self, request: requests.PreparedRequest, clock: Clock) -> Reply:
        url = (request.url or "").split("?")[0]
        for pattern, answer in (
            (r"/spaces/([^/]+)/start-conversation$", self._start),
            (r"/conversations/([^/]+)/messages/[^/]+$", self._look),
            (r"/conversations/([^/]+)/messages/[^/]+/attachments/[^/]+/query-result$", self._result),
        ):
            found = re.search(pattern, url)
            if found is not None:
                return answer(found[1], request, clock)
        if url == f"{HOST}/.well-known/databricks-config":
            return json_reply({"oidc_endpoint": f"{HOST}/oidc", "workspace_id": "1"})
        return _http_error("404", f"no such route: {request.method} {url}")

    def _start(self, space_id: str, request: requests.PreparedRequest, clock: Clock) -> Reply:
        domain = next((domain for domain, known in SPACES.items() if known == space_id), None)
        if domain is None:
            return _http_error("404", f"no Genie space {space_id}")
        question = _question(request)
        with self._lock:
            self._asked[domain] += 1
            number = self._asked[domain]
            fault = self._fault(domain, number)
            conversation_id = f"{domain}-conversation-{number}"
            conversation = _Conversation(domain, number, question, clock.time(), fault)
            self._conversations[conversation_id] = conversation
        if fault is not None and fault.kind in _HTTP_ERRORS:
            headers = {} if fault.retry_after is None else {"Retry_After": str(fault.retry_after)}
            return _http_error(fault.kind, fault.message or f"scripted {fault.kind} for {space_id}", **headers)
        if fault is not None and fault.kind in _BODIES:
            return (
                200,
                {"Content-Type": "text/html" if fault.kind == "html" else "application/json"},
                _BODIES[fault.kind],
            )
        message = self._message(conversation_id, conversation, "SUBMITTED")
        return json_reply({"conversation_id": conversation_id, "message_id": message["message_id"], "message": message})

    def _look(self, conversation_id: str, _: requests.PreparedRequest, clock: Clock) -> Reply:
        conversation = self._conversations[conversation_id]
        latency = self._latencies.get(conversation.domain, DEFAULT_LATENCY_SECONDS)
        kind = None if conversation.fault is None else conversation.fault.kind
        if kind == "throttled" and conversation_id not in self._looked_for:
            self._looked_for.add(conversation_id)
            return _http_error("429", "one look too many", Retry_After="2")
        if kind == "hang" or clock.time() < conversation.started_at + latency:
            return json_reply(self._message(conversation_id, conversation, "EXECUTING_QUERY"))
        status = kind if kind in _STATUSES else "COMPLETED"
        return json_reply(self._message(conversation_id, conversation, status or "COMPLETED"))

    def _result(self, conversation_id: str, *_: object) -> Reply:
        answer = self._answers[self._conversations[conversation_id].domain]
        columns = [{"name": name, "position": i, "type_text": "STRING"} for i, name in enumerate(answer.columns)]
        return json_reply(
            {
                "statement_response": {
                    "statement_id": f"{conversation_id}-statement",
                    "status": {"state": "SUCCEEDED"},
                    "manifest": {"schema": {"column_count": len(columns), "columns": columns}},
                    "result": {"row_count": len(answer.rows), "data_array": [list(row) for row in answer.rows]},
                }
            }
        )

    def _message(self, conversation_id: str, conversation: _Conversation, status: str) -> dict[str, Any]:
        fault, answer = conversation.fault, self._answers[conversation.domain]
        message: dict[str, Any] = {
            "space_id": SPACES[conversation.domain],
            "conversation_id": conversation_id,
            "message_id": f"{conversation.domain}-message-{conversation.number}",
            "content": conversation.question,
            "status": status,
        }
        if status == "FAILED":
            reason = (fault.message if fault is not None else "") or "the table could not be found"
            message["error"] = {"type": "SQL_EXECUTION_EXCEPTION", "error": reason}
        if status == "COMPLETED" and (fault is None or fault.kind != "no_answer"):
            message["attachments"] = _attachments(answer)
        return message

    def _fault(self, domain: str, number: int) -> Fault | None:
        script = self._faults.get(domain)
        if script is None or isinstance(script, Fault):
            return script
        return script[number - 1] if number <= len(script) else None


def _script(script: str | Fault | Sequence[str | Fault | None]) -> Fault | list[Fault | None]:
    if isinstance(script, str | Fault):
        return _as_fault(script)
    return [entry if entry is None else _as_fault(entry) for entry in script]


def _as_fault(entry: str | Fault) -> Fault:
    return entry if isinstance(entry, Fault) else Fault(entry)


def _require_known(what: str, value: str, legal: Sequence[str]) -> None:
    if value not in legal:
        near = difflib.get_close_matches(value, legal, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown {what} {value!r}{hint}; legal are {', '.join(legal)}")


def _attachments(answer: GenieReply) -> list[dict[str, Any]]:
    text = {"attachment_id": "text", "text": {"content": answer.text}}
    if answer.sql is None:
        return [text]
    return [text, {"attachment_id": "query", "query": {"query": answer.sql, "title": answer.title}}]


def _question(request: requests.PreparedRequest) -> str:
    body = request.body if isinstance(request.body, str | bytes) else "{}"
    return str(json.loads(body).get("content", ""))


def _http_error(status: str, message: str, **headers: str) -> Reply:
    return json_reply({"error_code": _HTTP_ERRORS[status], "message": message}, status=int(status), **headers)


class _StubCredentials(CredentialsStrategy):
    def auth_type(self) -> str:
        return "stub"

    def __call__(self, cfg: Config) -> Any:  # noqa: ARG002  (there is nothing to look up)
        return lambda: {"Authorization": "Bearer stub"}


class _StubConfig(Config):
    def wrap_debug_info(self, message: str) -> str:
        # It would look for settings in the environment in order to say where they came from.
        return message


def _hermetic_config() -> Config:
    """Return settings that come from here alone.

    A setting that has a value, be it an empty one, is not looked up in the environment, and a token keeps the SDK from
    reading `~/.databrickscfg`. The host comes last because the constructor would ask it for its metadata.
    """
    blank: dict[str, Any] = {}
    for attribute in Config.attributes():
        if attribute.env is not None:
            transform: Any = attribute.transform
            blank[attribute.name] = transform() if isinstance(transform, type) else ""
    config = _StubConfig(
        credentials_strategy=_StubCredentials(),
        clock=one_try_clock(),
        **{**blank, "auth_type": "stub", "token": "stub"},
    )
    config.host = HOST
    return config
