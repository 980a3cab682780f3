"""What the agent remembers: the conversation for a day, the user for a year."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import SpanType

from reference_agent.clocks import SystemClock
from reference_agent.spans import errors_marked, note, traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_agent.clocks import Clock
    from reference_agent.concurrency import Runtime

SHORT_TERM_SECONDS = 24 * 3600
SHORT_TERM_MESSAGES = 10
LONG_TERM_SECONDS = 365 * 24 * 3600
FREQUENT_QUERIES = 20

Document = dict[str, Any]

_SCHEMA = """
create table if not exists messages (
    user_id text, session_id text, role text, content text, domains text, at real
);
create index if not exists messages_by_user on messages (user_id, session_id, at);
create table if not exists profiles (user_id text primary key, role text, preferences text);
"""


class MemoryUnavailableError(Exception):
    """The database that holds the memory cannot be used."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the other phases get to know of the past."""

    messages: tuple[tuple[str, str], ...] = ()
    role: str | None = None
    preferences: dict[str, str] = field(default_factory=dict)
    frequent_queries: tuple[str, ...] = ()


class Memory:
    """Conversations and user profiles in SQLite, in the process by default.

    A session belongs to the user who opened it: nobody sees another user's messages by naming their session.

        >>> memory = Memory()
        >>> memory.save_turn("ada", "s1", "Why did costs spike?", "Spot prices rose.", ["cost"])
        >>> [document["page_content"] for document in memory.retrieve_short_term("ada", "s1")]
        ['Why did costs spike?', 'Spot prices rose.']
    """

    def __init__(self, path: str = ":memory:", *, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        # Under asyncio every call comes from another thread; a process of this size can share one connection.
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._lock = threading.Lock()
        # From Python 3.13 on, a connection that is merely dropped is reported as a leak.
        weakref.finalize(self, self._connection.close)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database; everything after this finds the memory unavailable."""
        self._connection.close()

    def remember_user(self, user_id: str, *, role: str | None = None, **preferences: str) -> None:
        """Set a user's role and preferences."""
        statement = "insert or replace into profiles values (?, ?, ?)"
        self._execute(statement, (user_id, role, json.dumps(preferences)))

    @mlflow.trace(name="retrieve_short_term", span_type=SpanType.RETRIEVER)
    @errors_marked
    def retrieve_short_term(self, user_id: str, session_id: str | None) -> list[Document]:
        """Return the last messages of the session, oldest first."""
        if session_id is None:
            return []
        rows = self._execute(
            "select role, content, domains, at from messages where user_id = ? and session_id = ? and at >= ?"
            " order by rowid desc limit ?",
            (user_id, session_id, self._clock.time() - SHORT_TERM_SECONDS, SHORT_TERM_MESSAGES),
        )
        return [
            {"page_content": content, "metadata": {"role": role, "domains": domains, "at": at}}
            for role, content, domains, at in reversed(rows)
        ]

    @mlflow.trace(name="retrieve_long_term", span_type=SpanType.RETRIEVER)
    @errors_marked
    def retrieve_long_term(self, user_id: str) -> list[Document]:
        """Return the user's profile, if there is one, and what they ask most often."""
        documents: list[Document] = []
        for role, preferences in self._execute("select role, preferences from profiles where user_id = ?", (user_id,)):
            metadata = {"kind": "profile", "role": role, "preferences": json.loads(preferences)}
            documents.append({"page_content": role or "", "metadata": metadata})
        frequent = self._execute(
            "select content, count(*) from messages where user_id = ? and role = 'user' and at >= ?"
            " group by content order by count(*) desc, max(rowid) desc limit ?",
            (user_id, self._clock.time() - LONG_TERM_SECONDS, FREQUENT_QUERIES),
        )
        for content, times in frequent:
            documents.append({"page_content": content, "metadata": {"kind": "frequent_query", "times": times}})
        return documents

    def save_turn(
        self, user_id: str, session_id: str | None, query: str, response: str, domains: Sequence[str]
    ) -> None:
        """Remember a question and its answer."""
        now, joined = self._clock.time(), ",".join(domains)
        said = (("user", query), ("assistant", response))
        rows = [value for role, content in said for value in (user_id, session_id, role, content, joined, now)]
        self._execute("insert into messages values (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)", rows)

    def _execute(self, statement: str, values: Sequence[Any]) -> list[Any]:
        try:
            with self._lock, self._connection:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise MemoryUnavailableError(str(error)) from error


async def load_context(memory: Memory, user_id: str, session_id: str | None, runtime: Runtime) -> Context:
    """Collect what is known; an agent without memory is worth more than none, so failures only leave a gap."""
    with traced("load_context", SpanType.MEMORY, {"user_id": user_id, "session_id": session_id}) as span:
        missing = []
        short_term: list[Document] = []
        long_term: list[Document] = []
        try:
            short_term = await runtime.call(memory.retrieve_short_term, user_id, session_id)
        except MemoryUnavailableError as error:
            missing.append("short_term")
            note(span, "memory_unavailable", part="short_term", reason=str(error))
        try:
            long_term = await runtime.call(memory.retrieve_long_term, user_id)
        except MemoryUnavailableError as error:
            missing.append("long_term")
            note(span, "memory_unavailable", part="long_term", reason=str(error))

        context = _as_context(short_term, long_term)
        span.set_attributes(
            {
                "user_role": context.role,
                "preference_count": len(context.preferences),
                "frequent_query_count": len(context.frequent_queries),
                "degraded": bool(missing),
            }
        )
        span.set_outputs(
            {"message_count": len(context.messages), "has_preferences": bool(context.preferences), "missing": missing}
        )
        return context


async def save_context(
    memory: Memory,
    user_id: str,
    session_id: str | None,
    turn: tuple[str, str, Sequence[str]],
    runtime: Runtime,
    *,
    failed: bool = False,
) -> None:
    """Remember the turn. That it could not be remembered shows on the span; the answer stands regardless."""
    query, response, domains = turn
    inputs = {"user_id": user_id, "session_id": session_id, "query": query, "domains": list(domains)}
    try:
        with traced("save_context", SpanType.MEMORY, inputs) as span:
            span.set_attributes({"saved": False, "saved_on_failure": failed})
            await runtime.call(memory.save_turn, user_id, session_id, query, response, domains)
            span.set_attribute("saved", True)
    except MemoryUnavailableError:
        pass


def _as_context(short_term: list[Document], long_term: list[Document]) -> Context:
    profile: dict[str, Any] = next((d["metadata"] for d in long_term if d["metadata"]["kind"] == "profile"), {})
    return Context(
        messages=tuple((document["metadata"]["role"], document["page_content"]) for document in short_term),
        role=profile.get("role"),
        preferences=profile.get("preferences", {}),
        frequent_queries=tuple(
            document["page_content"] for document in long_term if document["metadata"]["kind"] == "frequent_query"
        ),
    )
