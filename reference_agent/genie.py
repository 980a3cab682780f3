"""Asking Genie, the only way to the data: one question, as many attempts as the rate limit takes, one deadline."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow.entities import SpanType

from reference_agent.genie_errors import (
    GenieBadResponseError,
    GenieCancelledError,
    GenieError,
    GenieFailedError,
    GenieResultExpiredError,
    GenieTimeoutError,
    as_genie_error,
)
from reference_agent.spans import note, traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.dashboards import GenieMessage
    from mlflow.entities import LiveSpan

    from reference_agent.concurrency import Runtime


@dataclass(frozen=True, slots=True)
class GenieAnswer:
    """What a Genie space said: in words, and in rows if it ran a query."""

    text: str
    sql: str | None = None
    description: str | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class GenieClient:
    """A workspace's Genie spaces, polled on the agent's clock.

    The SDK's own waiter would poll a cancelled message for 20 minutes, and its retries hide from the trace what the
    question really cost; `connect` turns those off.
    """

    workspace: WorkspaceClient
    poll_seconds: float = 0.5
    timeout_seconds: float = 45.0
    max_retries: int = 3

    async def ask(
        self, space_id: str, question: str, runtime: Runtime, *, until: float, query: str = ""
    ) -> GenieAnswer:
        """Ask a space, within Genie's own time limit and before `until`, a time on the agent's clock."""
        until = min(until, runtime.clock.time() + self.timeout_seconds)
        inputs = {"space_id": space_id, "query": query or question, "enhanced_query": question}
        with traced("genie_query", SpanType.TOOL, inputs) as span:
            answer = await self._retry(_Question(self.workspace, space_id, question, until), runtime, span)
            sources = [answer.description] if answer.description is not None else []
            span.set_attribute("source_count", len(sources))
            span.set_outputs({"response": answer.text, "sources": sources, "sql_query": answer.sql})
            return answer

    async def _retry(self, question: _Question, runtime: Runtime, span: LiveSpan) -> GenieAnswer:
        attempt = 0
        while True:
            attempt += 1
            span.set_attribute("retry_count", attempt - 1)
            try:
                return await self._attempt(question, attempt, runtime)
            except GenieError as error:
                if error.retry_after_seconds is None or attempt > self.max_retries:
                    raise
                if runtime.clock.time() + error.retry_after_seconds >= question.until:
                    note(span, "gave_up", reason="the next attempt would come too late")
                    raise
                note(span, "retry", attempt=attempt, after_seconds=error.retry_after_seconds)
                await runtime.sleep(error.retry_after_seconds)

    async def _attempt(self, question: _Question, attempt: int, runtime: Runtime) -> GenieAnswer:
        inputs = {"space_id": question.space_id, "attempt": attempt}
        with traced("genie_attempt", SpanType.TOOL, inputs) as span:
            conversation_id, message_id = await runtime.call(question.start)
            span.set_attributes({"conversation_id": conversation_id, "message_id": message_id})
            message = await self._poll(question, conversation_id, message_id, runtime, span)
            answer = await runtime.call(question.read_answer, message)
            span.set_outputs({"response": answer.text, "row_count": len(answer.rows)})
            return answer

    async def _poll(
        self, question: _Question, conversation_id: str, message_id: str, runtime: Runtime, span: LiveSpan
    ) -> GenieMessage:
        seen = None
        while True:
            # No answer is ever there at once, so the first look waits as well: it saves a call of a scarce allowance.
            await runtime.sleep(min(self.poll_seconds, max(0.0, question.until - runtime.clock.time())))
            message = await self._look(question, conversation_id, message_id, runtime, span)
            if message is None:
                continue
            status = message.status.value if message.status is not None else "UNKNOWN"
            if status != seen:
                note(span, "status", status=status)
                span.set_attribute("status", status)
                seen = status
            if status == "COMPLETED":
                return message
            if status in _FINAL_STATUSES:
                raise _FINAL_STATUSES[status](f"space {question.space_id}: {_reason(message, status)}")
            if runtime.clock.time() >= question.until:
                raise GenieTimeoutError(f"space {question.space_id} was still {status} when the time was up")

    async def _look(
        self, question: _Question, conversation_id: str, message_id: str, runtime: Runtime, span: LiveSpan
    ) -> GenieMessage | None:
        """Look for the answer; None means later. Asking again instead would cost another question."""
        try:
            return await runtime.call(question.look, conversation_id, message_id)
        except GenieError as error:
            wait_seconds = error.retry_after_seconds
            if wait_seconds is None or runtime.clock.time() + wait_seconds >= question.until:
                raise
            note(span, "throttled", after_seconds=wait_seconds)
            await runtime.sleep(wait_seconds)
            return None


_FINAL_STATUSES = {
    "FAILED": GenieFailedError,
    "CANCELLED": GenieCancelledError,
    "QUERY_RESULT_EXPIRED": GenieResultExpiredError,
}


def _reason(message: GenieMessage, status: str) -> str:
    error = message.error
    if error is None:
        return f"the message ended as {status}"
    kind = f"{error.type.value}: " if error.type is not None else ""
    return f"{kind}{error.error or status}"


@dataclass(frozen=True, slots=True)
class _Question:
    """One question to one space, as blocking calls that raise a `GenieError` or nothing."""

    workspace: WorkspaceClient
    space_id: str
    text: str
    until: float

    def start(self) -> tuple[str, str]:
        started = self._call(lambda: self.workspace.genie.start_conversation(self.space_id, self.text).bind())
        return started["conversation_id"], started["message_id"]

    def look(self, conversation_id: str, message_id: str) -> GenieMessage:
        message: GenieMessage = self._call(
            lambda: self.workspace.genie.get_message(self.space_id, conversation_id, message_id)
        )
        if message.message_id is None:
            raise GenieBadResponseError(f"space {self.space_id} answered without a message")
        return message

    def read_answer(self, message: GenieMessage) -> GenieAnswer:
        # message.content is the question; what Genie has to say is in the attachments.
        attachments = message.attachments or []
        text = next((a.text.content for a in attachments if a.text is not None and a.text.content), None)
        query = next((a for a in attachments if a.query is not None), None)
        if query is None or query.query is None:
            if text is None:
                raise GenieBadResponseError(f"space {self.space_id} completed without an answer")
            return GenieAnswer(text)
        columns, rows = self._read_rows(message, query.attachment_id or "")
        described = text or query.query.description or _as_words(columns, rows)
        return GenieAnswer(described, query.query.query, query.query.title or query.query.description, columns, rows)

    def _read_rows(
        self, message: GenieMessage, attachment_id: str
    ) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
        read = self.workspace.genie.get_message_attachment_query_result
        response = self._call(
            lambda: read(self.space_id, message.conversation_id, message.message_id, attachment_id)
        ).statement_response
        if response is None or response.manifest is None or response.result is None:
            raise GenieBadResponseError(f"space {self.space_id} returned a query without its result")
        columns = tuple(column.name or "" for column in response.manifest.schema.columns or ())
        return columns, tuple(tuple(row) for row in response.result.data_array or ())

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            raise as_genie_error(error, self.space_id) from error


def _as_words(columns: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> str:
    return "; ".join(
        ", ".join(f"{column} {value}" for column, value in zip(columns, row, strict=False)) for row in rows
    )


def connect(**settings: Any) -> WorkspaceClient:
    """Open a workspace, from `settings` or the environment, whose calls are tried once and for 20 s at most.

    `settings` are those of `databricks.sdk.core.Config`.
    """
    # 0.8 s of CPU: paid where an application starts, not in its first span.
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    return WorkspaceClient(config=Config(**{"http_timeout_seconds": 20, "clock": one_try_clock(), **settings}))


def one_try_clock() -> Any:
    """Return a clock for the SDK on which the wait before a retry uses up all of the time for retries."""
    from databricks.sdk.clock import Clock

    @dataclass(frozen=True, slots=True)
    class OneTryClock(Clock):
        now: threading.local = field(default_factory=threading.local)

        def time(self) -> float:
            return float(getattr(self.now, "seconds", 0.0))

        def sleep(self, seconds: float) -> None:  # noqa: ARG002  (however long the SDK wants to wait)
            # Per thread, or one call's retry would end another call before it began.
            self.now.seconds = self.time() + 1e6

    return OneTryClock()
