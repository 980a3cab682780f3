"""One answer out of many."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from mlflow.entities import SpanType

from reference_agent.spans import traced

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

    from reference_agent.concurrency import Runtime
    from reference_agent.memory import Context

_PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            (
                "You are the Health Monitor of a data platform. Answer from the findings below and from nothing else;"
                " say which domain each fact comes from. The reader is {reader}."
            ),
        ),
        MessagesPlaceholder("history"),
        ("human", "{query}\n\nFindings:\n{findings}"),
    ]
)


class Synthesizer:
    """Writes the answer, at once or piece by piece."""

    def __init__(self, chat: BaseChatModel) -> None:
        self._chain: Runnable[Any, str] = _PROMPT | chat | StrOutputParser()
        # No parser here: behind one the model goes on to its last token though the reader of the stream is gone.
        self._streaming_chain = _PROMPT | chat

    async def write(self, query: str, findings: Sequence[str], context: Context, runtime: Runtime) -> str:
        """Return the whole answer."""
        with traced("synthesize", SpanType.LLM, {"query": query, "finding_count": len(findings)}) as span:
            content = await runtime.run_chain(self._chain, _prompt_values(query, findings, context))
            span.set_outputs({"content_length": len(content)})
            return content

    def stream(self, query: str, findings: Sequence[str], context: Context) -> Generator[str, None, None]:
        """Yield the answer as it is written."""
        with traced("synthesize", SpanType.LLM, {"query": query, "finding_count": len(findings)}) as span:
            length = 0
            chunks = self._streaming_chain.stream(_prompt_values(query, findings, context))
            # Closed here and now, or its spans end whenever the garbage collector comes by.
            with closing(chunks):  # type: ignore[type-var]  # it is a generator, which LangChain does not promise
                for chunk in chunks:
                    text = str(chunk.text)
                    length += len(text)
                    if text:
                        yield text
            span.set_outputs({"content_length": length})


def _prompt_values(query: str, findings: Sequence[str], context: Context) -> dict[str, Any]:
    return {
        "query": query,
        "findings": "\n".join(f"- {finding}" for finding in findings),
        "history": list(context.messages),
        "reader": _reader(context),
    }


def _reader(context: Context) -> str:
    preferences = ", ".join(f"{name}: {value}" for name, value in sorted(context.preferences.items()))
    role = context.role or "an engineer"
    return f"{role} ({preferences})" if preferences else role
