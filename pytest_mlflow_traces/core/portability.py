"""Tags that do not survive the way to a server: what each backend would change, cut, drop or refuse, silently.

The limits are MLflow's: `mlflow.tracing.constant` (a client cuts metadata at 250 characters, tag names at 250, tag
values at 4096) and `mlflow.utils.validation` (the names that `set_trace_tag` refuses). What each backend does with a
value that is no string was seen on MLflow 3.17, on SQLite and over REST.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.convert import SESSION, TRACE_NAME, USER, is_system
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.spans import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mlflow_traces.core.tree import Trace

MAX_TAG_NAME = 250
MAX_TAG_VALUE = 4096
MAX_METADATA_VALUE = 250
_NAME = re.compile(r"[/\w.\- :]*")  # what mlflow.utils.validation lets through, off Windows
# MLflow's own tags, each with what its value looks like when MLflow set it (mlflow.tracing.constant.TraceTagKey).
_OWN_TAGS = {
    "mlflow.trace.spansLocation": re.compile("TRACKING_STORE|ARTIFACT_REPO|ARCHIVE_REPO"),
    "mlflow.artifactLocation": re.compile(r".*/traces/.*|.*/artifacts.*"),
    "mlflow.linkedPrompts": re.compile(r"\[.*\]", re.DOTALL),
    "mlflow.eval.requestId": re.compile(".*"),
    "mlflow.trace.sourceScorer": re.compile(".*"),
}
_OWN_PREFIXES = ("mlflow.test.", "mlflow.databricks.", "mlflow.trace.dependencies")
_SECRETS = {
    "a token": re.compile(r"\b(gh[pousr]_\w{20,}|xox[abprs]-[\w-]{10,}|dapi[0-9a-f]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.)"),
    "a key": re.compile(r"\b(sk-[\w-]{16,}|AKIA[0-9A-Z]{12,}|AIza[\w-]{20,})|-----BEGIN [A-Z ]*PRIVATE KEY"),
    "credentials": re.compile(r"\b(bearer|basic)\s+[\w.~+/-]{12,}|://[^/\s:@]+:[^/\s@]+@", re.IGNORECASE),
    "an e-mail address": re.compile(r"\b[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE),
}
_SECRET_NAME = re.compile(r"(.*[_.-])?(password|passwd|secret|api_?key|access_?token|auth_?token|token)", re.IGNORECASE)


class SecretTagWarning(UserWarning):
    """Warn of a tag that looks like a secret: tags are shown, searched and exported by everyone who sees the trace."""


def portability(trace: Trace) -> list[Finding]:
    """Return a finding for each tag and each piece of metadata that a backend would not keep as it was set."""
    found = [finding for key, value in trace.tags.items() if (finding := _tag(key, value)) is not None]
    found += [finding for key, value in trace.system_tags.items() if (finding := _reserved(trace, key, value))]
    found += [finding for key, value in trace.metadata.items() if (finding := _metadata(key, value)) is not None]
    return found


def warn_of_secrets(trace: Trace) -> None:
    """Warn of tags that look like secrets, with the values masked."""
    for key, value in trace.tags.items():
        kind = secret_kind(key, value)
        if kind is not None:
            text = f"trace {visible(trace.name)!r}: tag {key!r} looks like {kind}: {masked(value)}"
            warnings.warn(SecretTagWarning(text), stacklevel=2)


def secret_kind(key: object, value: object) -> str | None:
    """Return what kind of secret a tag looks like, or `None`."""
    if not isinstance(value, str) or not value:
        return None
    for kind, looks in _SECRETS.items():
        if looks.search(value):
            return kind
    return "a secret, by its name" if isinstance(key, str) and _SECRET_NAME.fullmatch(key) else None


def masked(value: object) -> str:
    """Return a value with all but its first characters hidden."""
    text = str(value)
    return f"{text[: min(3, len(text) // 4)]!r}... ({len(text)} characters)"


def tag_where(key: object) -> str:
    """Return how findings name a tag."""
    return f"tag {key!r}" if isinstance(key, str) and len(key) <= 80 else f"tag {key!r:.60}..."


def _tag(key: Any, value: Any) -> Finding | None:
    where = tag_where(key)
    if not isinstance(key, str):
        hint = "SQLite stores it as text; a REST server loses the trace's tags"
        return Finding("tags.name", where, "a name that is a string", f"{key!r}", hint)
    if len(key) > MAX_TAG_NAME:
        return Finding(
            "tags.name", where, f"a name of at most {MAX_TAG_NAME} characters", f"{len(key)}", "a server cuts it"
        )
    refused = _refused(key)
    if refused is not None:
        return Finding(
            "tags.name", where, "a name that set_trace_tag takes", refused, "letters, digits and _ - . / : space"
        )
    return _value(where, value)


def _value(where: str, value: Any) -> Finding | None:
    if isinstance(value, list | tuple | dict | set):
        hint = (
            "SQLite drops all tags and metadata of the trace; a REST server stores its repr: join it, or use json.dumps"
        )
        return Finding("tags.type", where, "a string", f"{value!r:.80}", hint)
    if not isinstance(value, str):
        return Finding("tags.type", where, "a string", f"{value!r:.80}", _stored_as(value))
    if len(value) > MAX_TAG_VALUE:
        expected, actual = f"at most {MAX_TAG_VALUE} characters", f"{len(value)}"
        return Finding("tags.length", where, expected, actual, f"a server cuts it to {MAX_TAG_VALUE}")
    return None


def _stored_as(value: object) -> str:
    if isinstance(value, bool):
        return f"SQLite stores '{int(value)}', a REST server '{value}': write {str(value).lower()!r}"
    if value is None:
        return "SQLite stores a null, a REST server 'None': leave the tag out, or write ''"
    return f"each backend turns it into text its own way: write {str(value)!r}"


def _refused(name: str) -> str | None:
    if not name:
        return "the empty name"
    if not _NAME.fullmatch(name):
        odd = sorted({char for char in name if not _NAME.fullmatch(char)})
        return f"a name with {', '.join(map(repr, odd[:5]))}"
    normal = posixpath.normpath(name)  # names are files in MLflow's file store
    if normal != name or normal == "." or normal.startswith(("..", "/")):
        return f"a name that as a path is {normal!r}"
    return None


def _reserved(trace: Trace, key: str, value: Any) -> Finding | None:
    if key == TRACE_NAME:
        root = trace.root
        if root is None or len(trace.forest.roots()) > 1 or value == root.name:
            return None
        expected, actual = f"MLflow's own value {root.name!r}", f"{value!r:.80}"
        return Finding("tags.reserved", tag_where(key), expected, actual, "MLflow's own tag was overwritten")
    own = _OWN_TAGS.get(key)
    if (own is not None and own.fullmatch(str(value))) or key.startswith(_OWN_PREFIXES):
        return None
    hint = "names that begin with mlflow. are MLflow's: the tag may be ignored, or change how the trace is read"
    return Finding("tags.reserved", tag_where(key), "a name of your own", f"{value!r:.80}", hint)


def _metadata(key: Any, value: Any) -> Finding | None:
    if is_system(key) and key not in (SESSION, USER):
        return None
    where = f"metadata {key!r:.80}"
    if not isinstance(value, str):
        return Finding("tags.type", where, "a string", f"{value!r:.80}", _stored_as(value))
    if len(value) > MAX_METADATA_VALUE:
        hint = f"a server cuts it to {MAX_METADATA_VALUE}"
        return Finding("tags.length", where, f"at most {MAX_METADATA_VALUE} characters", f"{len(value)}", hint)
    return None


def untagged(trace: Trace, flagged: Mapping[str, Finding]) -> dict[str, Any]:
    """Return the tags without those that have a finding already."""
    return {key: value for key, value in trace.tags.items() if tag_where(key) not in flagged}
