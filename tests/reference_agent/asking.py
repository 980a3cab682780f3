"""Requests to the agent, drawn by Hypothesis with everything that can go wrong, and the one trace that each makes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.core.text.redaction import secret_kind
from reference_agent import stub_orchestrator
from reference_agent.intent import DOMAINS
from reference_agent.stubs import StubChat, StubGenie, StubSearch
from reference_agent.stubs.chat import FAULTS, KEYWORDS, STAGES
from reference_agent.stubs.genie import KINDS
from reference_agent.utilities import TRIGGERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mlflow_traces import Trace
    from reference_agent.clocks import Clock
    from reference_agent.memory import Memory

MODES = ("invoke", "ainvoke", "stream", "abort")


@dataclass(frozen=True)
class Request:
    """One question, how it is asked, and what goes wrong meanwhile."""

    query: str = "Why did costs spike?"
    user: str = "ada"
    session: str | None = None
    mode: str = "invoke"
    genie: Mapping[str, Any] = field(default_factory=dict)
    chat: Mapping[str, str] = field(default_factory=dict)
    search_down: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a request."""

    trace: Trace
    content: str | None
    error: Exception | None


_words = st.sampled_from(
    [word for words in (*KEYWORDS.values(), *TRIGGERS.values(), ["health overview", "hello"]) for word in words]
)
queries = st.lists(_words | _words | st.text(max_size=8), max_size=4).map(" ".join)
# of text that every backend stores: the agent keeps what it is told
_names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
users = (st.sampled_from(["ada", "eve"]) | _names).filter(lambda user: secret_kind("user_id", user) is None)
sessions = st.none() | users
_scripts = st.sampled_from(KINDS) | st.lists(st.none() | st.sampled_from(KINDS), min_size=1, max_size=3)
faults = (
    st.just({})
    | st.dictionaries(st.sampled_from(DOMAINS), _scripts, max_size=3)
    | _scripts.map(lambda script: dict.fromkeys(DOMAINS, script))
)
requests = st.builds(
    Request,
    query=queries,
    user=users,
    session=sessions,
    mode=st.sampled_from(MODES),
    genie=faults,
    chat=st.dictionaries(st.sampled_from(STAGES), st.sampled_from(FAULTS), max_size=1),
    search_down=st.booleans(),
)


def asked(request: Request, *, memory: Memory | None = None, clock: Clock | None = None) -> Outcome:
    """Ask, and return what came of it."""
    orchestrator = stub_orchestrator(
        chat=StubChat(faults=request.chat),
        genie=StubGenie(faults=request.genie),
        search=StubSearch(down=request.search_down),
        memory=memory,
        clock=clock,
    )
    arguments = (request.query, request.user, request.session)
    content, error = None, None
    with capture_traces() as traces:
        try:
            if request.mode == "invoke":
                content = orchestrator.invoke(*arguments)["content"]
            elif request.mode == "ainvoke":
                content = asyncio.run(orchestrator.ainvoke(*arguments))["content"]
            else:
                content = _read(orchestrator.stream(*arguments), whole=request.mode == "stream")
        except Exception as failure:
            error = failure
        return Outcome(traces.one(), content, error)


def _read(chunks: Any, *, whole: bool) -> str:
    read = []
    for chunk in chunks:
        read.append(chunk)
        if not whole:
            chunks.close()
            break
    return "".join(read)
