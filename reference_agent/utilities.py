"""Tools beside Genie: the web for outages, dashboards to look at, runbooks to follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import SpanType

from reference_agent.runbooks import RUNBOOKS
from reference_agent.spans import errors_marked, note, traced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import requests

    from reference_agent.concurrency import Runtime

TRIGGERS: Mapping[str, Sequence[str]] = {
    "web_search": ("outage", "status", "news", "latest", "documentation"),
    "dashboard_linker": ("dashboard", "chart", "show me"),
    "runbook_rag": ("runbook", "how do i", "how to", "fix", "remediate", "steps"),
}

DASHBOARDS: Mapping[str, Sequence[str]] = {
    "Spend by Team": ("cost",),
    "Budget Burn-down": ("cost",),
    "Audit Trail": ("security",),
    "Slow Queries": ("performance",),
    "Warehouse Utilization": ("performance", "cost"),
    "Failed Jobs": ("reliability",),
    "SLA Compliance": ("reliability", "performance"),
    "Table Freshness": ("quality",),
    "Platform Overview": ("cost", "security", "performance", "reliability", "quality"),
}

RUNBOOK_RESULTS = 5


class WebSearchUnavailableError(Exception):
    """The search service did not answer with results."""


@dataclass(frozen=True, slots=True)
class UtilityResult:
    """What one tool contributed to the answer."""

    tool: str
    finding: str
    sources: tuple[str, ...]


def needed_tools(query: str) -> list[str]:
    """Choose tools by the words of a question.

    >>> needed_tools("Is there an outage, and how do I fix it?")
    ['web_search', 'runbook_rag']
    """
    asked = query.lower()
    return [tool for tool, words in TRIGGERS.items() if any(re.search(rf"\b{word}\b", asked) for word in words)]


class Utilities:
    """The tools, with the search service they need."""

    def __init__(
        self, search_url: str, session: requests.Session | None = None, *, timeout_seconds: float = 10
    ) -> None:
        import requests

        self._search_url = search_url
        self._session = session if session is not None else requests.Session()
        self._timeout_seconds = timeout_seconds

    async def run(self, query: str, domains: Sequence[str], runtime: Runtime) -> list[UtilityResult]:
        """Run the tools a question needs, if any."""
        tools = needed_tools(query)
        if not tools:
            return []
        with traced("utility_tools", SpanType.TOOL, {"query": query, "tools": tools}) as span:
            results = []
            fallback_for = None
            if "web_search" in tools:
                try:
                    results.append(_from_web(await runtime.call(self.web_search, query)))
                except WebSearchUnavailableError as error:
                    fallback_for = "web_search"
                    note(span, "tool_failed", tool="web_search", fallback="runbook_rag", reason=str(error))
            if "dashboard_linker" in tools:
                results.append(_from_dashboards(await runtime.call(self.dashboard_linker, list(domains))))
            if "runbook_rag" in tools or fallback_for is not None:
                results.append(_from_runbooks(await runtime.call(self.runbook_rag, query, list(domains), fallback_for)))
            span.set_outputs({"tools_used": [result.tool for result in results]})
            return results

    @mlflow.trace(name="web_search", span_type=SpanType.TOOL)
    @errors_marked
    def web_search(self, query: str) -> list[dict[str, str]]:
        """Search status pages and documentation."""
        import requests

        try:
            response = self._session.post(self._search_url, json={"query": query}, timeout=self._timeout_seconds)
            response.raise_for_status()
            return [{"title": str(hit["title"]), "url": str(hit["url"])} for hit in response.json()["results"]]
        except (requests.RequestException, KeyError, TypeError) as error:
            raise WebSearchUnavailableError(f"{type(error).__name__}: {error}") from error

    @mlflow.trace(name="dashboard_linker", span_type=SpanType.TOOL)
    @errors_marked
    def dashboard_linker(self, domains: list[str]) -> list[dict[str, str]]:
        """Find the dashboards that cover the most of the domains, and the least beside."""
        covered = {name: len(set(covers) & set(domains)) for name, covers in DASHBOARDS.items()}
        best = max(covered.values())
        fitting = [name for name in DASHBOARDS if best > 0 and covered[name] == best]
        fitting.sort(key=lambda name: len(DASHBOARDS[name]))
        return [{"name": name, "url": f"/dashboards/{name.lower().replace(' ', '-')}"} for name in fitting[:3]]

    @mlflow.trace(name="runbook_rag", span_type=SpanType.RETRIEVER)
    @errors_marked
    def runbook_rag(self, query: str, domains: list[str], fallback_for: str | None = None) -> list[dict[str, Any]]:
        """Find runbooks that share the most words with a question; those of the domains count for more."""
        span = mlflow.get_current_active_span()
        if span is not None and fallback_for is not None:
            span.set_attribute("fallback_for", fallback_for)
        words = _words(query)
        scored = [
            (len(words & _words(f"{book.title} {book.text}")) + 2 * (book.domain in domains), book) for book in RUNBOOKS
        ]
        scored.sort(key=lambda pair: -pair[0])
        return [
            {"page_content": book.text, "metadata": {"title": book.title, "domain": book.domain, "score": score}}
            for score, book in scored[:RUNBOOK_RESULTS]
            if score > 0
        ]


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3}


def _from_web(hits: list[dict[str, str]]) -> UtilityResult:
    titles = "; ".join(hit["title"] for hit in hits) or "nothing found"
    return UtilityResult("web_search", f"web: {titles}", tuple(hit["url"] for hit in hits))


def _from_dashboards(dashboards: list[dict[str, str]]) -> UtilityResult:
    names = "; ".join(dashboard["name"] for dashboard in dashboards) or "none fits"
    return UtilityResult("dashboard_linker", f"dashboards: {names}", tuple(d["url"] for d in dashboards))


def _from_runbooks(documents: list[dict[str, Any]]) -> UtilityResult:
    texts = "; ".join(document["page_content"] for document in documents) or "nothing found"
    return UtilityResult("runbook_rag", f"runbook: {texts}", tuple(d["metadata"]["title"] for d in documents))
