"""The two things that are not real in a test: the chat model, and what the network answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_agent.stubs.answers import GenieReply
    from reference_agent.stubs.chat import StubChat
    from reference_agent.stubs.genie import Fault, StubGenie
    from reference_agent.stubs.search import StubSearch
    from reference_agent.stubs.wiring import stub_orchestrator

__all__ = ["Fault", "GenieReply", "StubChat", "StubGenie", "StubSearch", "stub_orchestrator"]

_HOMES = {
    "Fault": "genie",
    "GenieReply": "answers",
    "StubChat": "chat",
    "StubGenie": "genie",
    "StubSearch": "search",
    "stub_orchestrator": "wiring",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
