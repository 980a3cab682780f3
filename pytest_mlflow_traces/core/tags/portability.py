"""Tags that do not survive the way to a server: what each backend would change, cut, drop or refuse, silently.

The limits are MLflow's: `mlflow.tracing.constant` (a client cuts metadata at 250 characters, tag names at 250, tag
values at 4096) and `mlflow.utils.validation` (the names that `set_trace_tag` refuses). What each backend does with a
value that is not a string was seen on MLflow 3.17, on SQLite and over REST.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.spans.convert import SESSION, TRACE_NAME, USER, is_system
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.redaction import masked, secret_kind, shown
from pytest_mlflow_traces.core.text.suggestions import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_mlflow_traces.core.trace import Trace

MAX_TAG_NAME = 250
MAX_TAG_VALUE = 4096
MAX_METADATA_VALUE = 250
_NAME = re.compile(r"[/\w.\- :]*")  # what mlflow.utils.validation lets through, off Windows, apart from a line end
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of characters
# MLflow's own tags, each with what its value looks like when MLflow set it (mlflow.tracing.constant.TraceTagKey).
_OWN_TAGS = {
    "mlflow.trace.spansLocation": re.compile("TRACKING_STORE|ARTIFACT_REPO|ARCHIVE_REPO"),
    "mlflow.artifactLocation": re.compile(r".*/traces/.*|.*/artifacts.*"),
    "mlflow.linkedPrompts": re.compile(r"\[.*\]", re.DOTALL),
}
# Families of names that one version or another of MLflow, or Databricks, has put on traces.
_OWN_PREFIXES = (
    *("mlflow.trace.", "mlflow.trace_schema.", "mlflow.eval.", "mlflow.genai", "mlflow.assessment", "mlflow.test."),
    *("mlflow.databricks.", "mlflow.source.", "mlflow.sourceRun", "mlflow.modelId", "mlflow.prompt"),
    *("mlflow.simulation.", "mlflow.gateway.", "mlflow.issueDetection."),
)
# What servers add to the metadata, each with the type that they write: inference tables of Databricks do.
_OF_SERVERS = {("is_truncated", bool)}
# The retrievers of a served model; the only name that MLflow takes out of the user's space.
_RETRIEVERS = re.compile(r'\[\{.*"primary_key".*\}\]', re.DOTALL)


class SecretTagWarning(UserWarning):
    """A tag looks like a secret: tags are shown, searched and exported by everyone who sees the trace.

    >>> import mlflow, pytest
    >>> from pytest_mlflow_traces import SecretTagWarning, TagSchema, assert_trace, capture_traces
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     mlflow.update_current_trace(tags={"user": "ada@example.com"})
    >>> with pytest.warns(SecretTagWarning, match="looks like an e-mail address"):
    ...     assert_trace(traces, TagSchema.from_mapping({"user": str}))
    """


def portability(trace: Trace) -> list[Finding]:
    """Return a finding for each tag and each piece of metadata that a backend would not keep as it was set."""
    return [*tag_findings(trace).values(), *metadata_findings(trace.metadata).values()]


def tag_findings(trace: Trace) -> dict[Any, Finding]:
    """Return the findings on the tags of a trace, each by the name of its tag."""
    found = {key: each for key, value in trace.tags.items() if (each := tag_finding(key, value)) is not None}
    for key, value in trace.system_tags.items():
        finding = _renamed(trace, value) if key == TRACE_NAME else tag_finding(key, value)
        if finding is not None:
            found[key] = finding
    return found


def metadata_findings(metadata: Mapping[Any, Any]) -> dict[Any, Finding]:
    """Return the findings on trace metadata, each by its key."""
    return {key: each for key, value in metadata.items() if (each := _metadata(key, value)) is not None}


def tag_finding(key: Any, value: Any) -> Finding | None:
    """Return the finding on one tag, `None` where every backend keeps it as it is."""
    where = tag_where(key)
    if not isinstance(key, str):
        hint = f"SQLite stores it as text, a REST server loses tags and metadata of the trace: write {str(key)!r}"
        return Finding("tags.name", where, "a name that is a string", repr(key), hint)
    if is_system(key):
        return _reserved(key, value)
    if len(key) > MAX_TAG_NAME:
        return _too_long(where, "a name of at most", MAX_TAG_NAME, key, "tags.name")
    problem = name_problem(key)
    if problem is not None:
        hint = "MLflow's set_trace_tag and its searches take letters, digits, spaces and _ - . / :"
        return Finding("tags.name", where, "a name that MLflow takes everywhere", problem, hint)
    return _value(where, key, value, MAX_TAG_VALUE)


def _too_long(where: str, what: str, most: int, text: str, rule: str = "tags.length") -> Finding:
    return Finding(rule, where, f"{what} {most} characters", f"{len(text)}", f"a server cuts it to {most}")


def _value(where: str, key: str, value: Any, most: int) -> Finding | None:
    if not isinstance(value, str):
        return Finding("tags.type", where, "a string", shown(key, value), _stored_as(value))
    if len(value) > most:
        return _too_long(where, "at most", most, value)
    odd = _UNSTORABLE.search(value)
    if odd is None:
        return None
    why = "PostgreSQL refuses it" if odd[0] == "\0" else "it cannot be encoded, and MLflow loses tags and metadata"
    return Finding("tags.text", where, f"text without {odd[0]!r}", shown(key, value), why)


def _stored_as(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset | dict):
        hint = "SQLite drops all tags and metadata of the trace, a REST server stores the repr"
        if isinstance(value, dict) or not all(isinstance(item, str) for item in value):
            return f"{hint}: write json.dumps(...)"
        return f"{hint}: write ','.join(...)"
    if isinstance(value, bool):
        return f"SQLite stores '{int(value)}', a REST server '{value}': write {str(value).lower()!r}"
    if value is None:
        return "SQLite stores a null, a REST server 'None': leave the tag out, or write ''"
    if isinstance(value, int | float):
        return f"MLflow takes strings: write {str(value)!r}"
    return "each backend makes text of it in its own way: write str(...)"


def name_problem(name: str) -> str | None:
    """Return what is wrong with the name of a tag, as `a name with ';'`; `None` for a good one."""
    if not name:
        return "the empty name"
    if not _NAME.fullmatch(name):
        odd = sorted({char for char in name if not _NAME.fullmatch(char)})
        return f"a name with {listed(odd[:5])}"
    normal = posixpath.normpath(name)  # names are files in MLflow's file store
    if normal != name or normal == "." or normal.startswith(("..", "/")):
        return f"a name that as a path is {normal!r}"
    return None


def is_own(key: str, value: object) -> bool:
    """Return whether MLflow set this tag itself."""
    if key == "retrievers":
        return isinstance(value, str) and _RETRIEVERS.fullmatch(value) is not None
    if key in _OWN_TAGS:
        return _OWN_TAGS[key].fullmatch(str(value)) is not None
    return key == TRACE_NAME or key.startswith(_OWN_PREFIXES)


def _reserved(key: str, value: Any) -> Finding | None:
    if key in (SESSION, USER):
        hint = f"MLflow groups by metadata: mlflow.update_current_trace(metadata={{{key!r}: ...}})"
        return Finding("tags.reserved", tag_where(key), "metadata of this name", shown(key, value), hint)
    if is_own(key, value):
        return None
    if key in _OWN_TAGS:
        hint = "MLflow's own tag was overwritten: it tells where the trace is stored"
        return Finding("tags.reserved", tag_where(key), "what MLflow set", shown(key, value), hint)
    hint = "names that begin with mlflow. are MLflow's: the tag may be ignored, or change how the trace is read"
    return Finding("tags.reserved", tag_where(key), "a name of your own", shown(key, value), hint)


def _renamed(trace: Trace, value: Any) -> Finding | None:
    root = trace.root
    if root is None or len(trace.table.roots()) > 1 or value == root.name:
        return None
    hint = "MLflow's own tag was overwritten: it is the name by which the trace is listed and searched"
    return Finding("tags.reserved", tag_where(TRACE_NAME), repr(root.name), shown(TRACE_NAME, value), hint)


def _metadata(key: Any, value: Any) -> Finding | None:
    where = metadata_where(key)
    if not isinstance(key, str):
        return Finding("tags.name", where, "a key that is a string", repr(key), f"write {str(key)!r}")
    if (is_system(key) and key not in (SESSION, USER)) or (key, type(value)) in _OF_SERVERS:
        return None
    if isinstance(value, str) and len(key) > MAX_METADATA_VALUE:
        return _too_long(where, "a key of at most", MAX_METADATA_VALUE, key)
    return _value(where, key, value, MAX_METADATA_VALUE)


def tag_where(key: object) -> str:
    """Return how findings name a tag."""
    return f"tag {_named(key)}"


def metadata_where(key: object) -> str:
    """Return how findings name a piece of metadata."""
    return f"metadata {_named(key)}"


def _named(key: object) -> str:
    text = repr(key)
    return text if len(text) <= 80 else f"{text[:60]}..."


def warn_of_secrets(trace: Trace) -> None:
    """Warn of tags that look like secrets, with the values masked."""
    for text in secret_texts(trace):
        warnings.warn(SecretTagWarning(text), stacklevel=2)


def secret_texts(trace: Trace) -> Iterator[str]:
    """Yield what to say of each tag that looks like a secret, with the value masked."""
    for key, value in trace.tags.items():
        kind = secret_kind(key, value)
        if kind is not None:
            yield f"trace {visible(trace.name)!r}: {tag_where(key)} looks like {kind}: {masked(value)}"
