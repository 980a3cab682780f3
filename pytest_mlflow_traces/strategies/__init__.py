"""The door to Hypothesis: strategies for tags, span trees, traces and patterns.

    from hypothesis import given
    from pytest_mlflow_traces import capture_traces
    from pytest_mlflow_traces import strategies

    @given(strategies.tags(HealthMonitorTags))
    def test_dashboard_reads_every_valid_set_of_tags(tags): ...

In a test under `@given`, open a capture for each example by `capture_traces()`; the fixture is one for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import hypothesis  # noqa: F401
except ImportError as missing:
    raise ImportError(
        "pytest_mlflow_traces.strategies needs Hypothesis: pip install 'pytest-mlflow-traces[hypothesis]'"
    ) from missing

from pytest_mlflow_traces.core.tags.schema import TagSchema
from pytest_mlflow_traces.core.trace import Span, Trace
from pytest_mlflow_traces.strategies.drawn_patterns import any_patterns, matching_patterns
from pytest_mlflow_traces.strategies.drawn_traces import drawn_traces
from pytest_mlflow_traces.strategies.tag_sets import InvalidTags, TagSets, UnsatisfiableSchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

    from pytest_mlflow_traces.core.patterns.nodes import Pattern

__tracebackhide__ = True  # a failure points at the test, not in here
__all__ = ["InvalidTags", "UnsatisfiableSchemaError", "invalid_tags", "patterns", "span_trees", "tags", "traces"]


def tags(
    schema: type[TagSchema], /, **overrides: str | SearchStrategy[str] | SearchStrategy[str | None]
) -> SearchStrategy[dict[str, str]]:
    """Return a strategy of valid sets of tags: every literal and every optional tag comes up, and every rule is kept.

    Rules that span several tags are satisfied by a search around the tags that were drawn. Fields that are metadata are
    left out: tags alone are drawn, and rules that look at metadata are not decided.

    >>> from hypothesis import given
    >>> from pytest_mlflow_traces import BoolTag, TagSchema
    >>> from pytest_mlflow_traces import strategies
    >>> class Tags(TagSchema):
    ...     has_error: BoolTag
    >>> @given(strategies.tags(Tags))
    ... def test(tags):
    ...     assert Tags.check_tags(tags) == []
    >>> test()

    Args:
        schema: What the tags must be.
        overrides: For tags by name, a text, or a strategy of texts (`None` for no such tag).

    Raises:
        TypeError: for no schema, a tag that the schema does not name, or a type of which Hypothesis knows no values.
        UnsatisfiableSchemaError: in the test, where no tags are found that keep all rules.
    """
    return TagSets(_checked(schema, "tags"), overrides, f"tags({schema.__name__})").strategy(TagSets.valid)


def invalid_tags(
    schema: type[TagSchema], /, **overrides: str | SearchStrategy[str] | SearchStrategy[str | None]
) -> SearchStrategy[InvalidTags]:
    """Return a strategy of sets in which exactly one thing is wrong, saying what: see `InvalidTags`.

    A tag is missing, unknown, too long or no string, a value is not what its type says, or a rule over several tags is
    broken.

    >>> from hypothesis import given
    >>> from pytest_mlflow_traces import BoolTag, TagSchema
    >>> from pytest_mlflow_traces import strategies
    >>> class Tags(TagSchema):
    ...     has_error: BoolTag
    >>> @given(strategies.invalid_tags(Tags))
    ... def test(invalid):
    ...     (finding,) = Tags.check_tags(invalid.tags)
    ...     assert (finding.rule, finding.where) == (invalid.rule, invalid.where)
    >>> test()

    Raises:
        TypeError: as `tags` does.
        UnsatisfiableSchemaError: in the test, where no tags are found that keep all rules, or none that break one.
    """
    sets = TagSets(_checked(schema, "invalid_tags"), overrides, f"invalid_tags({schema.__name__})")
    return sets.strategy(TagSets.invalid)


def _checked(schema: Any, call: str) -> type[TagSchema]:
    if not isinstance(schema, type) or not issubclass(schema, TagSchema) or schema is TagSchema:
        raise TypeError(f"{call}() takes a subclass of TagSchema, got {schema!r:.80}")
    return schema


def traces(
    *,
    names: SearchStrategy[str] | None = None,
    types: SearchStrategy[str] | None = None,
    tags: SearchStrategy[Mapping[str, Any]] | None = None,
    max_spans: int = 12,
    malformed: bool = False,
) -> SearchStrategy[Trace]:
    """Return a strategy of traces: one root, children inside their parents, siblings that may overlap.

    `raw` of such a trace has the public attributes of `mlflow.entities.Trace`, without MLflow.

    >>> from hypothesis import given
    >>> from pytest_mlflow_traces import strategies
    >>> @given(strategies.traces())
    ... def test(trace):
    ...     assert trace == trace.to_pattern()
    >>> test()

    Args:
        names: Names of spans; by default such as agents have.
        types: Types of spans.
        tags: The user's tags, such as `strategies.tags(Schema)`.
        max_spans: The most spans, some more where a trace is malformed.
        malformed: Whether something is wrong with each: orphans, cycles, duplicate ids, unfinished or early spans.

    Raises:
        ValueError: for less than one span.
    """
    if max_spans < 1:
        raise ValueError(f"traces(): max_spans={max_spans}: a trace has at least one span")
    return drawn_traces(names, types, tags, max_spans, malformed)


def span_trees(
    *, names: SearchStrategy[str] | None = None, types: SearchStrategy[str] | None = None, max_spans: int = 12
) -> SearchStrategy[Span]:
    """Return a strategy of spans with all that is below them: the roots of `traces()`.

    >>> from hypothesis import given
    >>> from pytest_mlflow_traces import strategies
    >>> @given(strategies.span_trees())
    ... def test(root):
    ...     assert all(child.parent is root for child in root.children)
    >>> test()
    """
    return traces(names=names, types=types, max_spans=max_spans).map(lambda trace: trace.roots[0])


def patterns(*, matching: Trace | Span | None = None) -> SearchStrategy[Pattern]:
    """Return a strategy of patterns; with `matching`, of patterns that this trace, or this span, surely equals.

    Those are loosened from the strict pattern: fields are dropped, names become regular expressions, children become
    gaps, repetitions, alternatives and groups in any order.

    >>> from hypothesis import given, strategies as st
    >>> from pytest_mlflow_traces import strategies
    >>> @given(st.data(), strategies.traces())
    ... def test(data, trace):
    ...     assert trace == data.draw(strategies.patterns(matching=trace))
    >>> test()

    Raises:
        TypeError: for what is neither a trace nor a span.
        ValueError: for a trace without spans, which equals no pattern.
    """
    if matching is None:
        return any_patterns()
    if not isinstance(matching, Trace | Span):
        raise TypeError(f"patterns(): matching is a trace or a span, got {matching!r:.80}")
    if isinstance(matching, Trace) and not matching.roots:
        raise ValueError(f"patterns(): trace {matching.id!r} has no spans: it equals no pattern")
    return matching_patterns(matching)
