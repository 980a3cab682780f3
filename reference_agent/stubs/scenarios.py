"""Ways for a request to go wrong, by name, for the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_agent.orchestrator import TracedOrchestrator


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, and which part of the network is told to make it happen."""

    summary: str
    genie: str | None = None
    retries: int = 0
    """How many attempts fail; 0 stands for all of them."""
    security_only: bool = False
    chat: Mapping[str, str] | None = None
    search_down: bool = False
    memory_down: bool = False


SCENARIOS: Mapping[str, Scenario] = {
    "genie-failed": Scenario("Genie cannot answer the question", genie="FAILED"),
    "genie-cancelled": Scenario("somebody cancels the message", genie="CANCELLED"),
    "genie-expired": Scenario("the query's result is gone when it is read", genie="QUERY_RESULT_EXPIRED"),
    "genie-429": Scenario("the rate limit is hit twice, then Genie answers", genie="429", retries=2),
    "genie-403": Scenario("no access to the Genie space", genie="403"),
    "genie-404": Scenario("the Genie space does not exist", genie="404"),
    "genie-500": Scenario("Genie breaks", genie="500"),
    "genie-html": Scenario("a proxy answers with a web page", genie="html"),
    "genie-empty": Scenario("the response is an empty object", genie="empty"),
    "genie-hang": Scenario("Genie never finishes; the agent's time-out ends it", genie="hang"),
    "security-403": Scenario(
        "no access to the security space only; ask about costs and access", genie="403", security_only=True
    ),
    "intent-malformed": Scenario("the classifier does not reply in JSON", chat={"classify": "malformed"}),
    "model-down": Scenario("the chat model is down when the answer is to be written", chat={"synthesize": "error"}),
    "search-down": Scenario("web search is down; ask about an outage", search_down=True),
    "memory-down": Scenario("the memory's database is closed", memory_down=True),
}


def orchestrator_for(scenario: Scenario | None) -> TracedOrchestrator:
    """Return the agent to which this is going to happen."""
    from reference_agent.intent import DOMAINS
    from reference_agent.stubs import StubChat, StubGenie, StubSearch, stub_orchestrator

    if scenario is None:
        return stub_orchestrator()
    domains = ("security",) if scenario.security_only else DOMAINS
    script = [scenario.genie] * scenario.retries if scenario.retries > 0 else scenario.genie
    orchestrator = stub_orchestrator(
        chat=StubChat(faults=scenario.chat or {}),
        genie=StubGenie(faults=dict.fromkeys(domains, script) if script is not None else None),
        search=StubSearch(down=scenario.search_down),
    )
    if scenario.memory_down:
        orchestrator.memory.close()
    return orchestrator
