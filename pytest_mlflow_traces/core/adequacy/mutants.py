"""All mutants of a trace: it, edited once, in every way of some classes of edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.adequacy import field_edits, shape_edits
from pytest_mlflow_traces.core.adequacy.mutant import remembering
from pytest_mlflow_traces.core.text.suggestions import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_mlflow_traces.core.adequacy.mutant import Mutant
    from pytest_mlflow_traces.core.trace import Trace

_SCORER = "mlflow.trace.sourceScorer"  # TraceTagKey.SOURCE_SCORER_NAME


@dataclass(frozen=True, slots=True)
class EditClass:
    """A class of edits: what makes them, and what each is called where nothing notices it."""

    edits: Callable[[Trace], Iterator[Mutant]]
    phrases: dict[str, str]


CLASSES = {
    "shape": EditClass(
        shape_edits.shape_edits,
        {
            "gone": "is gone",
            "lifted": "is gone from around its children",
            "twice": "is there twice",
            "swapped": "comes after `{}`",
            "raised": "is beside its parent",
            "lowered": "is inside `{}`",
            "renamed": "has another name",
            "retyped": "has another type",
        },
    ),
    "status": EditClass(field_edits.status_edits, {"failed": "ends in an error", "recovered": "ends without an error"}),
    "values": EditClass(field_edits.value_edits, {"value": "has another `{}`"}),
    "tags": EditClass(field_edits.tag_edits, {"tag dropped": "is gone", "tag changed": "is another"}),
    "attributes": EditClass(
        field_edits.attribute_edits,
        {"attribute dropped": "has no attribute `{}`", "attribute changed": "has another attribute `{}`"},
    ),
    "time": EditClass(field_edits.time_edits, {"slow": "takes ten times as long"}),
    "cost": EditClass(field_edits.cost_edits, {"dear": "takes ten times the tokens"}),
}
DEFAULT = ("shape", "status")
PHRASES = {edit: phrase for each in CLASSES.values() for edit, phrase in each.phrases.items()}


def checked_classes(text: str) -> tuple[str, ...]:
    """Return the classes of edits that a text names, with commas between.

    Raises:
        ValueError: for one that does not exist, or for none.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in CLASSES:
            raise ValueError(f"unknown class of edits {name!r} (legal: {listed(CLASSES)}){nearest(name, CLASSES)}")
    return tuple(name for name in CLASSES if name in names)


def mutants(trace: Trace, classes: Sequence[str] = DEFAULT) -> Iterator[Mutant]:
    """Yield each edit of a trace in some classes, none of which makes an equal trace; what a scorer traced has none."""
    if _SCORER in trace.system_tags or _SCORER in trace.metadata:
        return
    edited = remembering(trace)
    for name in classes:
        yield from CLASSES[name].edits(edited)
