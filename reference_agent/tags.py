"""The tags that every trace of the Health Monitor carries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reference_agent.sessions import NO_SESSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reference_agent.contract import HealthMonitorTags as HealthMonitorTags

STANDARD_TAGS: Mapping[str, type[str]] = {
    "user_id": str,
    "session_id": str,  # "none" for a request outside of any session
    "environment": str,  # dev, staging or prod
    "domains": str,  # comma separated, lower case
    "domain_count": str,
    "confidence": str,  # of the intent's classification, 0 to 1
    "is_multi_domain": str,  # "true" or "false"
    "utility_tools_used": str,  # comma separated
    "source_count": str,
    "response_length": str,  # characters
    "has_error": str,  # "true" or "false": whether the request failed
    "error_type": str,  # of a failed request only, with error_message
}
"""Every tag and what MLflow stores it as. All but `error_type` are on every trace.

`error_message` goes with `error_type`; `failed_domains` names the agents that did not answer, and `stream_aborted` is
there when the reader of a stream stopped early. `HealthMonitorTags` is the same as a schema, with types and rules.
"""


def __getattr__(name: str) -> Any:
    # the schema says the same strictly; it stands on the toolkit and on pydantic, which the table above does not need
    if name == "HealthMonitorTags":
        from reference_agent.contract import HealthMonitorTags

        return HealthMonitorTags
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def flag(value: bool) -> str:
    """Spell a boolean tag.

    >>> flag(2 > 1)
    'true'
    """
    return "true" if value else "false"


def tag_trace(
    user_id: str,
    session_id: str | None,
    intent: Mapping[str, Any],
    response: Mapping[str, Any],
    error: BaseException | None = None,
    *,
    utility_tools: Sequence[str] = (),
    failed_domains: Sequence[str] = (),
    stream_aborted: bool = False,
) -> None:
    """Put the whole table on the current trace, however far the request got."""
    import mlflow  # the names above are also read where MLflow is not loaded, and should not load it

    from reference_agent.spans import describe_error

    domains = [str(domain).lower() for domain in intent.get("domains", ())]
    tags = {
        "user_id": user_id,
        "session_id": session_id if session_id is not None else NO_SESSION,
        "environment": os.environ.get("ENVIRONMENT", "dev"),
        "domains": ",".join(domains),
        "domain_count": str(len(domains)),
        "confidence": str(float(intent.get("confidence", 0.0))),
        "is_multi_domain": flag(len(domains) > 1),
        "utility_tools_used": ",".join(utility_tools),
        "source_count": str(len(response.get("sources", ()))),
        "response_length": str(len(response.get("content", ""))),
        "has_error": flag(error is not None),
    }
    if error is not None:
        tags |= describe_error(error)
    if failed_domains:
        tags["failed_domains"] = ",".join(failed_domains)
    if stream_aborted:
        tags["stream_aborted"] = flag(True)
    # MLflow groups by these two. A request outside of any session has none: a literal would make one of all of them.
    metadata = {"mlflow.trace.user": user_id}
    if session_id is not None:
        metadata["mlflow.trace.session"] = session_id
    mlflow.update_current_trace(tags=tags, metadata=metadata)
