"""The Health Monitor: five phases from a question to an answer, all of them in one trace."""

from __future__ import annotations

import contextvars
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from mlflow.entities import LiveSpan, SpanType

from reference_agent.clocks import SystemClock
from reference_agent.concurrency import Tasks, Threads, run_blocking
from reference_agent.intent import Intent, IntentClassifier
from reference_agent.memory import Context, Memory, load_context, save_context
from reference_agent.spans import trace_langchain, traced
from reference_agent.synthesis import Synthesizer
from reference_agent.tags import tag_trace

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from langchain_core.language_models import BaseChatModel

    from reference_agent.clocks import Clock
    from reference_agent.concurrency import Runtime
    from reference_agent.utilities import Utilities, UtilityResult
    from reference_agent.workers import Reply, Workers


class Answer(TypedDict):
    """What `invoke` returns."""

    content: str
    sources: list[str]
    domains: list[str]
    confidence: float
    failed_domains: list[str]
    utility_tools: list[str]


@dataclass(slots=True)
class _Request:
    """One question on its way through the phases; whatever is known when it ends goes into the tags."""

    query: str
    user_id: str
    session_id: str | None
    context: Context = field(default_factory=Context)
    intent: Intent = field(default_factory=lambda: Intent(domains=[], confidence=0.0))
    replies: list[Reply] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)
    utilities: list[UtilityResult] = field(default_factory=list)
    content: str = ""
    error: BaseException | None = None
    aborted: bool = False

    @property
    def findings(self) -> list[str]:
        return [f"{reply.domain}: {reply.response}" for reply in self.replies] + [u.finding for u in self.utilities]

    def answer(self) -> Answer:
        sources = [source for reply in self.replies for source in reply.sources]
        sources += [source for utility in self.utilities for source in utility.sources]
        return {
            "content": self.content,
            "sources": list(dict.fromkeys(sources)),
            "domains": self.intent["domains"],
            "confidence": self.intent["confidence"],
            "failed_domains": list(self.failures),
            "utility_tools": [utility.tool for utility in self.utilities],
        }


class TracedOrchestrator:
    """Answers questions about a data platform with a team of domain agents.

    `invoke` blocks and runs the agents in threads, `ainvoke` runs them as asyncio tasks, `stream` yields the answer as
    it is written. Each makes one trace, complete and tagged however the request ends, and raises what went wrong;
    an agent that fails costs only its part of the answer as long as another one has something to say.

        >>> from reference_agent import stub_orchestrator
        >>> answer = stub_orchestrator().invoke("Why did costs spike?", user_id="ada", session_id="s1")
        >>> answer["domains"], answer["failed_domains"]
        (['cost'], [])
    """

    def __init__(
        self,
        chat: BaseChatModel,
        workers: Workers,
        utilities: Utilities,
        *,
        memory: Memory | None = None,
        clock: Clock | None = None,
    ) -> None:
        trace_langchain()
        self.clock = clock if clock is not None else SystemClock()
        self.memory = memory if memory is not None else Memory(clock=self.clock)
        self.workers = workers
        self.utilities = utilities
        self._classifier = IntentClassifier(chat)
        self._synthesizer = Synthesizer(chat)

    def invoke(self, query: str, user_id: str, session_id: str | None = None) -> Answer:
        """Answer a question; a session's questions know of each other."""
        return run_blocking(self._answer(_Request(query, user_id, session_id), Threads(self.clock)))

    async def ainvoke(self, query: str, user_id: str, session_id: str | None = None) -> Answer:
        """Answer a question without blocking the event loop."""
        return await self._answer(_Request(query, user_id, session_id), Tasks(self.clock))

    def stream(self, query: str, user_id: str, session_id: str | None = None) -> Generator[str, None, None]:
        """Yield the answer in pieces; closing the generator early ends the trace with the tag `stream_aborted`."""
        # A span that is current inside a generator is current for its consumer as well, whose own spans would become
        # its children. In a context of its own the generator keeps its spans to itself.
        context = contextvars.copy_context()
        chunks = self._stream(_Request(query, user_id, session_id), Threads(self.clock))
        try:
            while True:
                try:
                    chunk = context.run(next, chunks)
                except StopIteration:
                    return
                yield chunk
        finally:
            context.run(chunks.close)

    async def _answer(self, request: _Request, runtime: Runtime) -> Answer:
        with _request_span(request) as span:
            try:
                await self._find_out(request, runtime)
                request.content = await self._synthesizer.write(
                    request.query, request.findings, request.context, runtime
                )
            except Exception as error:
                await self._save(request, runtime, error)
                raise
            await self._save(request, runtime)
            span.set_outputs(request.answer())
        return request.answer()

    def _stream(self, request: _Request, runtime: Threads) -> Generator[str, None, None]:
        with _request_span(request) as span:
            try:
                run_blocking(self._find_out(request, runtime))
                pieces = self._synthesizer.stream(request.query, request.findings, request.context)
                with closing(pieces):
                    for piece in pieces:
                        request.content += piece
                        yield piece
            except GeneratorExit:
                request.aborted = True
                run_blocking(self._save(request, runtime))
                raise
            except Exception as error:
                run_blocking(self._save(request, runtime, error))
                raise
            run_blocking(self._save(request, runtime))
            span.set_outputs(request.answer())

    async def _find_out(self, request: _Request, runtime: Runtime) -> None:
        """Go through the phases that come before writing."""
        request.context = await load_context(self.memory, request.user_id, request.session_id, runtime)
        request.intent = await self._classifier.classify(request.query, request.context, runtime)
        domains = request.intent["domains"]
        request.replies = await self.workers.query_all(domains, request.query, runtime, failures=request.failures)
        request.utilities = await self.utilities.run(request.query, domains, runtime)

    async def _save(self, request: _Request, runtime: Runtime, error: Exception | None = None) -> None:
        response = request.content if error is None else f"(no answer: {type(error).__name__})"
        turn = (request.query, response, request.intent["domains"])
        await save_context(self.memory, request.user_id, request.session_id, turn, runtime, failed=error is not None)


@contextmanager
def _request_span(request: _Request) -> Iterator[LiveSpan]:
    """Open the root span, and tag the trace before it ends."""
    inputs = {"query": request.query, "user_id": request.user_id, "session_id": request.session_id}
    with traced("orchestrator_invoke", SpanType.AGENT, inputs) as span:
        try:
            yield span
        except GeneratorExit:
            span.set_outputs(request.answer())
            raise
        except BaseException as error:
            request.error = error
            raise
        finally:
            tag_trace(
                request.user_id,
                request.session_id,
                request.intent,
                request.answer(),
                request.error,
                utility_tools=[utility.tool for utility in request.utilities],
                failed_domains=list(request.failures),
                stream_aborted=request.aborted,
            )
