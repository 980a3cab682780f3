"""The agent with a stub at each end of the network, and everything between them real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_agent.clocks import VirtualClock
from reference_agent.genie import GenieClient
from reference_agent.memory import Memory
from reference_agent.orchestrator import TracedOrchestrator
from reference_agent.stubs.chat import StubChat
from reference_agent.stubs.genie import SPACES, StubGenie
from reference_agent.stubs.search import SEARCH_URL, StubSearch
from reference_agent.utilities import Utilities
from reference_agent.workers import Workers

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from reference_agent.clocks import Clock


def stub_orchestrator(
    *,
    chat: BaseChatModel | None = None,
    genie: StubGenie | None = None,
    search: StubSearch | None = None,
    memory: Memory | None = None,
    clock: Clock | None = None,
    agent_timeout_seconds: float = 30.0,
    genie_timeout_seconds: float = 45.0,
    max_retries: int = 3,
) -> TracedOrchestrator:
    """Return an orchestrator that needs no network and never waits.

    Time is a `VirtualClock` unless a clock is given: latencies, polls, retries and time-outs pass on it, and none of
    them costs a real second. `reference_agent.clocks.Clock` tells how to make span times follow.
    """
    clock = clock if clock is not None else VirtualClock()
    workspace = (genie if genie is not None else StubGenie()).workspace(clock)
    client = GenieClient(workspace, timeout_seconds=genie_timeout_seconds, max_retries=max_retries)
    return TracedOrchestrator(
        chat if chat is not None else StubChat(),
        Workers(client, SPACES, timeout_seconds=agent_timeout_seconds),
        Utilities(SEARCH_URL, (search if search is not None else StubSearch()).session()),
        memory=memory if memory is not None else Memory(clock=clock),
        clock=clock,
    )
