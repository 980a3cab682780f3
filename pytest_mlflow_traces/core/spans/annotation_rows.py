"""What tables beside those of spans say of a trace: its tags and its metadata, of which the latest counts.

Rows of `_otel_annotations` say it in columns; those of `_otel_logs`, where older tables have it, in the body of an
event or in its attributes. Both are added to and never changed, so what was deleted has a later row that says so.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.text.suggestions import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KINDS = {"TAG": "tags", "METADATA": "trace_metadata"}  # of annotations
EVENTS = {"genai.trace.tag": "tags", "genai.trace.metadata": "trace_metadata"}  # of logs
COLUMNS = ("target_id", "trace_id", "annotation_type", "name", "value", "updated_at", "deleted_at",
           "event_name", "time_unix_nano", "body", "attributes")  # fmt: skip
_LOGS, _ANNOTATIONS = ("trace_id", "event_name", "time_unix_nano"), ("annotation_type", "name", "value", "updated_at")
_HEX = re.compile(r"(?:^|[-/])([0-9a-fA-F]{32})$")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def is_annotation(names: Iterable[str]) -> bool:
    """Return whether a row, or a table, with these columns is about traces whose spans are elsewhere."""
    return not {"annotation_type", "event_name"}.isdisjoint(names)


def refuse_lacking(names: Sequence[str]) -> None:
    """Raise a ValueError that says what a table of annotations, or of events, lacks to tell which is the latest."""
    needed, what = (_LOGS, "_otel_logs") if "event_name" in names else (_ANNOTATIONS, "_otel_annotations")
    lacking = [name for name in needed if name not in names]
    if what == "_otel_logs" and {"body", "attributes"}.isdisjoint(names):
        lacking.append("body")
    if what == "_otel_annotations" and {"target_id", "trace_id"}.isdisjoint(names):
        lacking.append("target_id")
    if lacking:
        raise ValueError(f"not a table of annotations: for `{what}` it lacks {listed(lacking)}")


def id_of(row: Mapping[str, Any]) -> str:
    """Return the key of the trace that a row is about."""
    return key_of(row.get("target_id") or row.get("trace_id") or "")


def key_of(trace_id: str) -> str:
    """Return what the ids of a trace have in common, be they `tr-...`, `trace:/.../...` or hexadecimal alone."""
    found = _HEX.search(trace_id)
    return trace_id if found is None else found[1].lower()


def said_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the tags and the metadata that some rows give to one trace.

    Raises:
        ValueError: for what is no JSON where there is to be some.
    """
    latest: dict[tuple[str, str], tuple[tuple[int, bool], Any]] = {}
    for row in rows:
        told = _of_event(row) if row.get("event_name") is not None else _of_annotation(row)
        if told is None:
            continue
        kind, name, value, at = told
        # of two at one time, that it is gone counts: so it is the same in every run
        if (kind, name) not in latest or at >= latest[kind, name][0]:
            latest[kind, name] = at, value
    kept = {key: value for key, ((_, is_gone), value) in latest.items() if not is_gone and value is not None}
    return {
        "tags": {name: value for (kind, name), value in kept.items() if kind == "tags"},
        "trace_metadata": _object(kept.get(("trace_metadata", ""))),
    }


_Told = tuple[str, str, Any, tuple[int, bool]]


def _of_event(row: Mapping[str, Any]) -> _Told | None:
    kind = EVENTS.get(row["event_name"])
    if kind is None:
        return None
    said = {**_object(row.get("attributes")), **_object(row.get("body"))}
    at = _time(row.get("time_unix_nano")), str(said.get("deleted")).lower() == "true"
    if kind == "tags":
        return kind, str(said.get("key")), said.get("value"), at
    return kind, "", said.get("trace_metadata"), at


def _of_annotation(row: Mapping[str, Any]) -> _Told | None:
    kind = KINDS.get(str(row.get("annotation_type")).upper())
    if kind is None:
        return None
    at = _time(row.get("updated_at")), bool(row.get("deleted_at"))
    value = row.get("value")
    if kind == "tags":
        return kind, str(row.get("name")), _plain(value), at
    return kind, "", _object(value).get("trace_metadata"), at


def _plain(value: Any) -> Any:
    """Return a value of JSON that is a text; where the table was saved as text, it may be plain."""
    if isinstance(value, str) and value.startswith('"'):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _object(value: Any) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(f"an annotation that is no JSON: {value:.60}") from None
    if isinstance(value, list):  # as Arrow has a map
        value = dict(value)
    if not isinstance(value, dict):
        raise ValueError(f"an annotation that is no object: {value!r:.60}")
    return value


def _time(value: Any) -> int:
    """Return a time as a number that grows; of one table all are written in one way."""
    if isinstance(value, str) and not value.isdecimal():
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise ValueError(f"an annotation whose time is none: {value!r:.60}") from None
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=timezone.utc)) - _EPOCH
        return since // timedelta(microseconds=1) * 1_000
    if value is None:
        raise ValueError("an annotation without its time: which is the latest, nobody knows")
    return int(value)
