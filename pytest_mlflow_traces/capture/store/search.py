"""Search captured traces as MLflow's own stores do.

The language is MLflow's own (`mlflow.utils.search_utils.SearchTraceUtils`). `span.*`, `feedback.*`, `expectation.*` and
`trace.text` filters raise there, since they need a database. What it leaves to the database is done here: traces linked
to runs or prompts, and the order by tags or by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlflow.exceptions import MlflowException
from mlflow.store.tracking import SEARCH_MAX_RESULTS_THRESHOLD
from mlflow.utils.search_utils import SearchTraceUtils

from pytest_mlflow_traces.capture.mlflow_internals import TraceMetadataKey, TraceTagKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet


def found(infos: Sequence[Any], filter_string: str | None, linked: Mapping[str, AbstractSet[str]]) -> list[Any]:
    """Return the infos for which the filter holds; `linked` has the traces of each run they were linked to."""
    if not filter_string:
        return list(infos)
    clauses = SearchTraceUtils.parse_search_filter_for_search_traces(filter_string)
    return [info for info in infos if all(_holds(info, clause, linked) for clause in clauses)]


def _holds(info: Any, clause: dict[str, Any], linked: Mapping[str, AbstractSet[str]]) -> bool:
    key, value, comparator = clause["key"], clause.get("value"), clause["comparator"].upper()
    if clause["type"] == SearchTraceUtils._REQUEST_METADATA_IDENTIFIER and key == TraceMetadataKey.SOURCE_RUN:
        if comparator == "=" and info.trace_id in linked.get(str(value), ()):
            return True
    elif clause["type"] == SearchTraceUtils._TAG_IDENTIFIER and key == TraceTagKey.LINKED_PROMPTS:
        return _is_linked_to_prompt(info, comparator, str(value))
    return bool(SearchTraceUtils._does_trace_match_clause(info, clause))


def _is_linked_to_prompt(info: Any, comparator: str, value: str) -> bool:
    if comparator != "=" or value.count("/") != 1:
        raise MlflowException.invalid_parameter_value(
            f"Invalid prompts filter: {comparator} '{value}'. Only '=' is supported with format:"
            ' prompt = "name/version"'
        )
    prompts = json.loads(info.tags.get(TraceTagKey.LINKED_PROMPTS) or "[]")
    return any(f"{prompt.get('name')}/{prompt.get('version')}" == value for prompt in prompts)


def ordered(infos: Sequence[Any], order_by: Sequence[str] | None) -> list[Any]:
    """Sort infos that come in start order: by what is asked, then the newest first, and what has no value last.

    MLflow breaks ties by the trace's random id; here the order of their start breaks them, so that a search has one
    answer however fast the traces were made.
    """
    clauses = [SearchTraceUtils.parse_order_by_for_search_traces(each) for each in order_by or ()]
    asked = [(kind, key) for kind, key, _ in clauses]
    if len(set(asked)) < len(asked):
        raise MlflowException(f"`order_by` contains duplicate fields: {list(order_by or ())}")
    by_time = ("attribute", "timestamp_ms")
    if by_time not in asked:
        clauses.append((*by_time, False))
    is_oldest_first = next(ascending for kind, key, ascending in clauses if (kind, key) == by_time)
    sorted_infos = list(infos) if is_oldest_first else list(reversed(infos))
    for kind, key, ascending in reversed(clauses):
        value = _value_of(kind, key)
        valued = [info for info in sorted_infos if value(info) is not None]
        valued.sort(key=value, reverse=not ascending)
        sorted_infos = valued + [info for info in sorted_infos if value(info) is None]
    return sorted_infos


def _value_of(kind: str, key: str) -> Callable[[Any], Any]:
    if kind == SearchTraceUtils._TAG_IDENTIFIER:
        return lambda info: info.tags.get(key)
    if kind == SearchTraceUtils._REQUEST_METADATA_IDENTIFIER:
        return lambda info: info.trace_metadata.get(key)
    return lambda info: getattr(info, key)


def page(infos: Sequence[Any], max_results: int, page_token: str | None) -> tuple[list[Any], str | None]:
    """Return one page, and the token of the next one."""
    if not 1 <= max_results <= SEARCH_MAX_RESULTS_THRESHOLD:
        raise MlflowException.invalid_parameter_value(
            f"Invalid value {max_results} for parameter 'max_results' supplied. It must be "
            + ("a positive integer" if max_results < 1 else f"at most {SEARCH_MAX_RESULTS_THRESHOLD}")
        )
    found_page, token = SearchTraceUtils.paginate(list(infos), page_token, max_results)
    return list(found_page), token
