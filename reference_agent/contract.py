"""What every trace of the Health Monitor keeps: its tags, its shape, its limits.

The only part of the agent that knows the toolkit. A suite holds all its traces to it by

    [pytest]
    mlflow_traces_contract =
        reference_agent.contract:CONTRACT
        reference_agent.contract:FAILURE_CONTRACT

The same stands as data in `contracts/*.toml`, which a suite names by their paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal
from unittest.mock import ANY

from pydantic import Field, model_validator

from pytest_mlflow_traces import (
    BoolTag,
    Budget,
    Contract,
    Finding,
    FloatTag,
    IntTag,
    ListTag,
    Metadata,
    TagSchema,
    each,
    if_present,
    never,
    one_of,
    optional,
    repeat,
    span,
)
from reference_agent.sessions import NO_SESSION

if TYPE_CHECKING:
    from pytest_mlflow_traces import Trace

Domain = Literal["cost", "security", "performance", "reliability", "quality"]
Tool = Literal["web_search", "dashboard_linker", "runbook_rag"]
Count = Annotated[IntTag, Field(ge=0)]


class HealthMonitorTags(TagSchema):
    """The tags of every request, however it ended, and the user and session by which MLflow groups."""

    user_id: str
    session_id: str
    environment: Literal["dev", "staging", "prod"]
    domains: ListTag[Domain]
    domain_count: Count
    confidence: Annotated[FloatTag, Field(ge=0, le=1)]
    is_multi_domain: BoolTag
    utility_tools_used: ListTag[Tool]
    source_count: Count
    response_length: Count
    has_error: BoolTag
    error_type: Annotated[str, Field(min_length=1)] | None = None
    error_message: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    failed_domains: Annotated[ListTag[Domain], Field(min_length=1)] | None = None
    stream_aborted: Literal["true"] | None = None
    user: Annotated[str, Metadata("mlflow.trace.user")]
    session: Annotated[str | None, Metadata("mlflow.trace.session")] = None

    @model_validator(mode="after")
    def domains_are_counted(self) -> HealthMonitorTags:
        """Count each domain once."""
        if len(set(self.domains)) != len(self.domains):
            raise ValueError("a domain is named twice")
        if self.domain_count != len(self.domains):
            raise ValueError("domain_count is not the number of domains")
        return self

    @model_validator(mode="after")
    def several_domains_are_flagged(self) -> HealthMonitorTags:
        """Flag a request that concerns more than one domain."""
        if self.is_multi_domain != (len(self.domains) > 1):
            raise ValueError("is_multi_domain says whether there are several domains")
        return self

    @model_validator(mode="after")
    def errors_are_described(self) -> HealthMonitorTags:
        """Say what went wrong exactly where something did."""
        if not self.has_error == (self.error_type is not None) == (self.error_message is not None):
            raise ValueError("error_type and error_message are there exactly when has_error is true")
        return self

    @model_validator(mode="after")
    def failed_domains_were_asked(self) -> HealthMonitorTags:
        """Name among the failed domains only such as were asked, and leave one that answered."""
        failed = set(self.failed_domains or ())
        if not failed <= set(self.domains):
            raise ValueError("failed_domains are some of the domains")
        if not self.has_error and failed == set(self.domains):
            raise ValueError("a request that succeeds has a domain that answered")
        return self

    @model_validator(mode="after")
    def aborted_streams_are_no_errors(self) -> HealthMonitorTags:
        """Tell a reader who had read enough from a failure."""
        if self.stream_aborted is not None and self.has_error:
            raise ValueError("a stream that its reader closed is not an error")
        return self

    @model_validator(mode="after")
    def metadata_says_the_same(self) -> HealthMonitorTags:
        """Group by the user and the session that the tags name."""
        if self.user != self.user_id:
            raise ValueError("user_id is not the user of the trace")
        if self.session_id != (NO_SESSION if self.session is None else self.session):
            raise ValueError("session_id is not the session of the trace")
        return self


class SuccessTags(HealthMonitorTags):
    """Those of a request that succeeded."""

    @model_validator(mode="after")
    def succeeded(self) -> SuccessTags:
        """Flag no error where there was none."""
        if self.has_error:
            raise ValueError("has_error is true though the request succeeded")
        return self


class FailureTags(HealthMonitorTags):
    """Those of a request that failed."""

    @model_validator(mode="after")
    def failed(self) -> FailureTags:
        """Flag the error."""
        if not self.has_error:
            raise ValueError("has_error is false though the request failed")
        return self


ERROR = {"error_type": ANY, "error_message": ANY}

LOAD_CONTEXT = span("load_context", type="MEMORY", status="OK")[
    span("retrieve_short_term", type="RETRIEVER"), span("retrieve_long_term", type="RETRIEVER")
]
# a span of the model is an ERROR where the reader of a stream has closed it
MODEL_CALL = span("RunnableSequence", type="CHAIN")[..., span(type="CHAT_MODEL"), ...]
CLASSIFY = span("classify_intent", type="CLASSIFIER", status="OK")[MODEL_CALL]
SYNTHESIZE = span("synthesize", type="LLM", status="OK")[MODEL_CALL]
# an ERROR where the memory is down, which costs nobody the answer
SAVE_CONTEXT = span("save_context", type="MEMORY")[()]

FAILED_ATTEMPT = span("genie_attempt", type="TOOL", status="ERROR", error=True, attributes=ERROR)
GENIE_ANSWERS = span("genie_query", type="TOOL", status="OK")[
    repeat(FAILED_ATTEMPT, max=3), span("genie_attempt", type="TOOL", status="OK", error=False)
]
GENIE_FAILS = span("genie_query", type="TOOL", status="ERROR", error=True, attributes=ERROR)[
    repeat(FAILED_ATTEMPT, min=1, max=4)
]

AGENT = re.compile("(cost|security|performance|reliability|quality)_agent")
# one that another agent consults; its failure costs only its part
CONSULTED = span(AGENT, type="AGENT")[one_of(GENIE_ANSWERS, GENIE_FAILS)]
ANSWERING = span(AGENT, type="AGENT", status="OK", attributes={"success": True})[GENIE_ANSWERS, optional(CONSULTED)]
FAILING = span(AGENT, type="AGENT", status="ERROR", attributes={"success": False, **ERROR})[GENIE_FAILS]
QUERY_AGENTS = span("query_agents", type="AGENT", status="OK", has=ANSWERING)[
    repeat(one_of(ANSWERING, FAILING), min=1, max=5)
]
UTILITY_TOOLS = span("utility_tools", type="TOOL", status="OK")[
    optional(span("web_search", type="TOOL")),
    optional(span("dashboard_linker", type="TOOL", status="OK")),
    optional(span("runbook_rag", type="RETRIEVER", status="OK")),
]

SHAPE = span("orchestrator_invoke", type="AGENT", status="OK", error=False)[
    LOAD_CONTEXT, CLASSIFY, QUERY_AGENTS, optional(UTILITY_TOOLS), SYNTHESIZE, SAVE_CONTEXT
]

_FAILED = span("orchestrator_invoke", type="AGENT", status="ERROR", error=True, attributes=ERROR)
FAILURE_SHAPE = one_of(
    _FAILED[
        LOAD_CONTEXT,
        span("classify_intent", type="CLASSIFIER", status="ERROR", attributes=ERROR)[MODEL_CALL],
        SAVE_CONTEXT,
    ],
    _FAILED[
        LOAD_CONTEXT,
        CLASSIFY,
        span("query_agents", type="AGENT", status="ERROR", attributes=ERROR)[repeat(FAILING, min=1, max=5)],
        SAVE_CONTEXT,
    ],
    _FAILED[
        LOAD_CONTEXT,
        CLASSIFY,
        QUERY_AGENTS,
        optional(UTILITY_TOOLS),
        span("synthesize", type="LLM", status="ERROR", attributes=ERROR)[MODEL_CALL],
        SAVE_CONTEXT,
    ],
)

OWN = span(AGENT) | span(
    re.compile("orchestrator_invoke|classify_intent|query_agents|genie_query|genie_attempt|synthesize")
)


class DescribedErrors:
    """The expectation that a span of the agent's own that failed says what went wrong: the files of contracts name it.

    `attributes=ERROR` says so in the shapes, which data cannot: that there is an attribute, whatever its value.
    """

    def check(self, trace: Trace) -> list[Finding]:
        """Return the spans that do not say it; an agent that another one consults need not."""
        failed = [each for each in trace.find(OWN) if each.status == "ERROR"]
        asked = [each for each in failed if not (each == span(AGENT) and each.parent == span(AGENT))]
        silent = [each.path for each in asked if not ERROR.keys() <= each.attributes.keys()]
        return [Finding("agent.error", path, " and ".join(ERROR), "an error without them") for path in silent]


ERRORS_ARE_DESCRIBED = DescribedErrors()

ORDER = Contract(
    "order",
    each(span("classify_intent")).after(span("load_context")),
    never(span(AGENT, type="AGENT")).after(span("synthesize")),
    if_present(each(span("genie_attempt")).inside(span("genie_query"))),
)
"""What holds of the spans wherever they stand, and would hold if the shape were another one."""

SESSION = Contract(
    "session", never(span("load_context"), per="session").after(span("load_context"), since=span("save_context"))
)
"""Every session whose user waits for the answer: a turn begins when the one before is remembered."""

CONTRACT = Contract(
    "health monitor",
    SHAPE,
    ORDER,
    SuccessTags,
    Budget(
        latency="60s",
        latency_of={span(AGENT): "31s", "genie_query": "45s"},
        tokens=10_000,
        calls={span(type="CHAT_MODEL"): (2, 2)},
    ),
    applies_to=span("orchestrator_invoke", status="OK"),
)
"""Every request that succeeds, also one whose stream was closed, or some of whose domains did not answer."""

FAILURE_CONTRACT = Contract(
    "health monitor, failing",
    FAILURE_SHAPE,
    ORDER,
    FailureTags,
    Budget(latency="60s", calls={span(type="CHAT_MODEL"): (1, 2)}),
    applies_to=span("orchestrator_invoke", status="ERROR"),
)
"""Every request that fails: in one phase, with the error on each span that it passed, and remembered all the same."""
