"""The domain agents: each knows one subject and one Genie space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow.entities import SpanType

from reference_agent.genie_errors import GenieError, GenieTimeoutError
from reference_agent.spans import note, traced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow.entities import LiveSpan

    from reference_agent.concurrency import Runtime
    from reference_agent.genie import GenieClient


@dataclass(frozen=True, slots=True)
class Specialty:
    """What makes one domain agent different from the next."""

    title: str
    focus: str
    confidence: float
    consults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Other domains this one asks, and the words in a question that make it do so."""


SPECIALTIES: Mapping[str, Specialty] = {
    "cost": Specialty("Cost Intelligence", "over the last 7 days unless another period is named", 0.90),
    "security": Specialty("Security Auditor", "over the last 24 hours unless another period is named", 0.92),
    "performance": Specialty("Performance Analyzer", "where a query over 30 seconds counts as slow", 0.88),
    "reliability": Specialty(
        "Job Health Monitor",
        "including retries and missed SLAs",
        0.91,
        consults={"cost": ("cost", "spend", "expensive", "waste")},
    ),
    "quality": Specialty("Data Quality Monitor", "including freshness and null rates", 0.87),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a domain agent found out."""

    domain: str
    response: str
    sources: tuple[str, ...]
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as span outputs."""
        return {"response": self.response, "sources": list(self.sources), "confidence": self.confidence}


class AgentTimeoutError(TimeoutError):
    """A domain agent took longer than it may."""


class AllAgentsFailedError(Exception):
    """Not one of the domain agents could answer."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The team. An agent that fails raises: its span shows it, and the rest of the team answers."""

    genie: GenieClient
    spaces: Mapping[str, str]
    timeout_seconds: float = 30.0

    async def query_all(
        self, domains: Sequence[str], query: str, runtime: Runtime, *, failures: dict[str, Exception]
    ) -> list[Reply]:
        """Ask several agents side by side; return their replies, and enter into `failures` why others have none."""
        with traced("query_agents", SpanType.AGENT, {"domains": list(domains), "query": query}) as span:
            jobs = [lambda domain=domain: self.query(domain, query, runtime) for domain in domains]
            outcomes = await runtime.gather(jobs)
            replies = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
            failures.update(
                {domain: error for domain, error in zip(domains, outcomes, strict=True) if isinstance(error, Exception)}
            )
            for domain, error in failures.items():
                note(span, "domain_failed", domain=domain, error_type=type(error).__name__, error_message=str(error))
            span.set_attribute("failed_domains", list(failures))
            span.set_outputs({"domain_count": len(replies)})
            if not replies:
                raise _combined(failures)
            return replies

    async def query(self, domain: str, query: str, runtime: Runtime, *, until: float | None = None) -> Reply:
        """Ask one agent, which has `timeout_seconds`, or until the agent that consults it has to be done."""
        specialty, space_id = SPECIALTIES[domain], self.spaces[domain]
        until = runtime.clock.time() + self.timeout_seconds if until is None else until
        with traced(f"{domain}_agent", SpanType.AGENT, {"domain": domain, "query": query}) as span:
            span.set_attributes({"genie_space": space_id, "success": False})
            try:
                question = f"{query} ({specialty.focus})"
                answer = await self.genie.ask(space_id, question, runtime, until=until, query=query)
            except GenieTimeoutError as error:
                if runtime.clock.time() < until:
                    raise
                raise AgentTimeoutError(f"{domain}_agent did not answer within {self.timeout_seconds:g} s") from error
            source = f"{specialty.title}: {answer.description or 'Genie'}"
            reply = Reply(domain, answer.text, (source,), specialty.confidence)
            for other in _consulted(specialty, query):
                reply = await self._consult(other, reply, query, runtime, until, span)
            span.set_attribute("success", True)
            span.set_outputs(reply.as_dict())
            return reply

    async def _consult(
        self, other: str, reply: Reply, query: str, runtime: Runtime, until: float, span: LiveSpan
    ) -> Reply:
        """Add what another agent has to say; a reply stands without it."""
        try:
            return _joined(reply, await self.query(other, query, runtime, until=until))
        except (GenieError, AgentTimeoutError) as error:
            note(span, "consultation_failed", domain=other, error_type=type(error).__name__)
            return reply


def _consulted(specialty: Specialty, query: str) -> list[str]:
    asked = query.lower()
    return [domain for domain, words in specialty.consults.items() if any(word in asked for word in words)]


def _joined(reply: Reply, other: Reply) -> Reply:
    text = f"{reply.response} ({other.domain}: {other.response})"
    return Reply(reply.domain, text, (*reply.sources, *other.sources), reply.confidence)


def _combined(failures: Mapping[str, Exception]) -> Exception:
    """Return the error of the one agent that was asked, or one that names all of them."""
    if len(failures) == 1:
        return next(iter(failures.values()))
    reasons = "; ".join(f"{domain}: {type(error).__name__}: {error}" for domain, error in failures.items())
    return AllAgentsFailedError(f"none of {len(failures)} agents answered: {reasons}")
