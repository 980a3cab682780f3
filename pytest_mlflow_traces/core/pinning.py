"""What a stored trace becomes as a test: its pattern, the inputs of its root, the form of its tags, and the skeleton.

Nothing in it holds what looks personal or secret: what stands for it is agreed on for the whole trace, before any part
of that is used (`core.text.placeholders`).
"""

from __future__ import annotations

import copy
import json
import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.baselines.file_format import new_section
from pytest_mlflow_traces.core.spans.convert import TraceFacts
from pytest_mlflow_traces.core.spans.records import UNNAMED, visible
from pytest_mlflow_traces.core.text.placeholders import PLACEHOLDER, Placeholders, Replaced
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.baselines.file_format import Section
    from pytest_mlflow_traces.core.spans.table import SpanTable

IMPORTS = {
    "json": "import json",
    "Path": "from pathlib import Path",
    "pytest": "import pytest",
    **{
        name: f"from pytest_mlflow_traces import {name}"
        for name in ("BoolTag", "FloatTag", "IntTag", "TagSchema", "assert_trace")
    },
}
_FUNCTION = "mlflow.spanFunctionName"
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_SKELETON = """\
@pytest.mark.filterwarnings("error::pytest_mlflow_traces.MlflowTracesWarning")
def {test}(mlflow_traces, trace_baseline):
    # pinned from trace {id}
    {folder}
    {inputs}

    pytest.fail(
{cure}
    )

    trace = mlflow_traces.one()
{tags}    assert trace == trace_baseline
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """A trace as it may stand in a repository."""

    id: str
    name: str
    function: str | None  # the one that was traced, where MLflow noted it
    inputs: Any
    tags: tuple[tuple[str, str], ...]  # each with the type that its text has the form of
    section: Section
    replaced: tuple[Replaced, ...]

    @property
    def test(self) -> str:
        """The name of the test, as long as nothing else has it."""
        slug = re.sub(r"[^a-z0-9]+", "_", PLACEHOLDER.sub("", self.name).lower()).strip("_")[:60]
        return f"test_{slug or 'agent'}"

    @property
    def call(self) -> str:
        """The call of the agent as it probably is."""
        named = [each for each in (self.function, self.name) if each and each.isidentifier()]
        function = next((each for each in named if not keyword.iskeyword(each)), "agent")
        if self.inputs is None:
            return f"{function}()"
        is_keywords = isinstance(self.inputs, dict) and all(map(str.isidentifier, self.inputs))
        return f"{function}({'**' if is_keywords else ''}inputs)"

    def skeleton(self, test: str, inputs_file: str) -> tuple[str, list[str]]:
        """Return the code of the test, and the names of `IMPORTS` that it uses."""
        forms = {kind for _, kind in self.tags} - {"str"}
        used = ["json", "Path", "pytest", *([*forms, "TagSchema", "assert_trace"] if self.tags else [])]
        schema = ", ".join(f"{json.dumps(name)}: {kind}" for name, kind in self.tags)
        check = '    assert_trace(trace, TagSchema.from_mapping(schema, extra="allow"))'
        tags = f"    schema = {{{schema}}}\n{check}\n" if self.tags else ""
        folder, _, file = inputs_file.rpartition("/")
        place = f"folder = Path(__file__).parent / {json.dumps(folder)}"
        read = f'inputs = json.loads((folder / {json.dumps(file)}).read_text(encoding="utf-8"))'
        of = "`inputs`" if self.inputs is not None else "no inputs, for none were recorded"
        cures = [f"fill in the call of {visible(self.name)!r} with {of}, in place of this line: {self.call}"]
        if PLACEHOLDER.search(json.dumps(self.inputs, default=str)):
            cures.append(f"\nand put values for the test in place of the placeholders in {inputs_file}")
        cure = "\n".join(f"        {json.dumps(each)}" for each in cures)
        code = _SKELETON.format(test=test, id=visible(self.id), folder=place, inputs=read, cure=cure, tags=tags)
        return code, used


def unfit(trace: Trace) -> str | None:
    """Return why nothing can be held against a trace: it is not whole, or has no spans; `None` where it can."""
    wrong = next(iter(trace.problems), None) or (None if trace.status != "IN_PROGRESS" else "it is in progress")
    if wrong is not None:
        return f"the trace '{visible(trace.name)}' is not whole: {wrong}"
    return None if len(trace.table) else f"the trace '{visible(trace.name)}' has no spans"


def pinned(trace: Trace) -> Pin:
    """Return what becomes of a trace that is whole."""
    placeholders = Placeholders()
    placeholders.learn([dict(trace.tags), dict(trace.metadata), dict(trace.system_tags), trace.name])
    for span in trace.spans:
        placeholders.learn([span.name, span.type, span.inputs, span.outputs, dict(span.attributes)])
        placeholders.learn([dict(event.attributes) for event in span.events])
    shown = Trace(_with_placeholders(trace.table, placeholders), TraceFacts())
    section = new_section("").rewritten(shown, shown, (), ())
    name = placeholders.replaced(trace.name, "the name of the trace")
    inputs = placeholders.replaced(trace.spans[0].inputs, "inputs")
    function = trace.spans[0].attributes.get(_FUNCTION)
    names = [(tag, placeholders.replaced(tag, "the name of a tag")) for tag in trace.tags]
    tags = tuple((tag, _form(trace.tags[tag])) for tag, shown in names if tag == shown)
    called = function if isinstance(function, str) else None
    return Pin(trace.id, name, called, inputs, tags, section, placeholders.all)


def _with_placeholders(table: SpanTable, placeholders: Placeholders) -> SpanTable:
    shown = copy.copy(table)
    shown.names = [
        name if name is UNNAMED else placeholders.replaced(name, f"the name of span {i + 1}")
        for i, name in enumerate(table.names)
    ]
    shown.types = [placeholders.replaced(type_, f"the type of span {i + 1}") for i, type_ in enumerate(table.types)]
    return shown


def _form(value: object) -> str:
    """Return the type, as `TagSchema` has it, that a tag's text has the form of."""
    text = str(value)
    if text in ("true", "false"):
        return "BoolTag"
    return "IntTag" if _WHOLE.fullmatch(text) else "FloatTag" if _DECIMAL.fullmatch(text) else "str"
