"""Answer the plain searches, of which it is known without a database what MLflow's own store gives."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from mlflow.store.tracking import SEARCH_MAX_RESULTS_THRESHOLD
from mlflow.utils.search_utils import SearchTraceUtils

from pytest_mlflow_traces.capture.mlflow_internals import TraceMetadataKey, TraceTagKey
from pytest_mlflow_traces.capture.store.database import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "request_id": lambda info: info.trace_id,
    "client_request_id": lambda info: info.client_request_id,
    "status": lambda info: info.state.value,
    "timestamp_ms": lambda info: info.request_time,
    "execution_time_ms": lambda info: info.execution_duration,
}
# what MLflow's store finds in the attributes of spans where a trace's metadata do not have it
_FROM_SPANS = {
    TraceMetadataKey.TRACE_SESSION: ("session.id", "gen_ai.conversation.id"),
    TraceMetadataKey.TRACE_USER: ("user.id",),
}


def plain_page(
    raws: Sequence[Any],
    linked: Mapping[str, AbstractSet[str]],
    *,
    filter_string: str | None,
    order_by: list[str] | None,
    max_results: Any,
    page_token: str | None,
) -> tuple[list[Any], str | None] | None:
    """Return one page of the traces, which come by start, and the token of the next; `None` if this is no plain search.

    `linked` has the traces of each run they were linked to.

    Of traces that started in the same millisecond, MLflow gives the one with the smaller random id first; here the
    order of their start decides, so that a search has one answer however fast the traces were made.
    """
    try:
        orders = [SearchTraceUtils.parse_order_by_for_search_traces(each) for each in order_by or ()]
        clauses = SearchTraceUtils.parse_search_filter_for_search_traces(filter_string) if filter_string else []
        offset = SearchTraceUtils.parse_start_offset_from_page_token(page_token)
    except Exception:  # what is wrong, MLflow's own store says
        return None
    is_oldest_first = orders == [("attribute", "timestamp_ms", True)]
    if not (is_oldest_first or orders in ([], [("attribute", "timestamp_ms", False)])) or offset < 0:
        return None
    if type(max_results) is not int or not 1 <= max_results <= SEARCH_MAX_RESULTS_THRESHOLD:
        return None
    if not all(_is_plain(clause, raws) for clause in clauses) or sum(map(_is_of_run, clauses)) > 1:
        return None
    found = [raw for raw in raws if all(_holds(raw.info, clause, linked) for clause in clauses)]
    found.sort(key=lambda raw: raw.info.request_time)
    page = found[:: 1 if is_oldest_first else -1][offset : offset + max_results]
    # as in MLflow, a full page has a next one, though that may be empty
    return page, SearchTraceUtils.create_page_token(offset + max_results) if len(page) == max_results else None


def _is_plain(clause: dict[str, Any], raws: Sequence[Any]) -> bool:
    kind, key, value, comparator = (clause[part] for part in ("type", "key", "value", "comparator"))
    if _is_of_run(clause):
        return comparator == "=" and value not in ("", None)
    if kind == "attribute" and key in SearchTraceUtils.NUMERIC_ATTRIBUTES:
        return key in _ATTRIBUTES and type(value) is int and abs(value) < 2**63 and comparator in _COMPARISONS
    if kind == "attribute" and key not in _ATTRIBUTES:
        return False
    if kind not in ("attribute", "tag", "request_metadata") or (kind != "attribute" and _is_of_store(key, raws)):
        return False
    return isinstance(value, str) and comparator in ("=", "!=")


def _is_of_run(clause: dict[str, Any]) -> bool:
    return (clause["type"], clause["key"]) == ("request_metadata", TraceMetadataKey.SOURCE_RUN)


def _is_of_store(key: str, raws: Sequence[Any]) -> bool:
    """Return whether MLflow's store gives a value to this tag or metadata of a trace that has none."""
    if key in _FROM_SPANS:
        spans = (span for raw in raws if key not in raw.info.trace_metadata for span in raw.data.spans)
        return any(name in (span._span.attributes or ()) for span in spans for name in _FROM_SPANS[key])
    if key.startswith("mlflow."):
        return key != TraceTagKey.TRACE_NAME
    return any(key in span._span.resource.attributes for raw in raws for span in raw.data.spans[:1])


def _holds(info: Any, clause: dict[str, Any], linked: Mapping[str, AbstractSet[str]]) -> bool:
    if _is_of_run(clause) and info.trace_id in linked.get(clause["value"], ()):
        return True
    kind, key = clause["type"], clause["key"]
    if kind == "attribute":
        value = _ATTRIBUTES[key](info)
    else:
        tags = info.tags if kind == "tag" else info.trace_metadata
        value = str(tags[key]) if key in tags else as_text(tags).get(key)
    return value is not None and _COMPARISONS[clause["comparator"]](value, clause["value"])
