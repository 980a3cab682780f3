"""The Health Monitor: a small multi-agent program that is traced the way a production agent is.

It is the program the toolkit's own examples and tests are about. It never imports the toolkit; what it does is
visible in MLflow alone.

    >>> from reference_agent import stub_orchestrator
    >>> stub_orchestrator().invoke("Why did costs spike?", user_id="ada")["domains"]
    ['cost']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_agent.orchestrator import TracedOrchestrator
    from reference_agent.stubs import stub_orchestrator

__all__ = ["TracedOrchestrator", "stub_orchestrator"]


def __getattr__(name: str) -> Any:
    # MLflow, LangChain and the Databricks SDK cost seconds to import; who reads only the tag schema needs none of them.
    if name == "TracedOrchestrator":
        from reference_agent.orchestrator import TracedOrchestrator

        return TracedOrchestrator
    if name == "stub_orchestrator":
        from reference_agent.stubs import stub_orchestrator

        return stub_orchestrator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
