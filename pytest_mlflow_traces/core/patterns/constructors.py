"""The pattern language: the functions that say what a trace must look like, and refuse what cannot be meant.

They return the nodes of `nodes`; `core.matching` decides whether a trace matches, `core.explaining` says where not.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.patterns.nodes import (
    AnyOrder,
    OneOf,
    Pattern,
    Repeat,
    SpanPattern,
    alternatives_of,
    no_item,
    short,
)
from pytest_mlflow_traces.core.patterns.operands import UNSAID, Operand, Unsaid, whole_number
from pytest_mlflow_traces.core.text.durations import parse_duration
from pytest_mlflow_traces.core.text.suggestions import listed, nearest, unknown_keywords

if TYPE_CHECKING:
    import builtins
    from datetime import timedelta

    from pytest_mlflow_traces.core.patterns.nodes import Item, Text

__tracebackhide__ = True  # a failure points at the test, not in here

STATUSES = ("OK", "ERROR", "UNSET")
_SPAN_KEYWORDS = ("name", "type", "status", "inputs", "outputs", "attributes", "error", "within", "has", "lacks")


def span(
    name: Text | None = None,
    *,
    type: Text | None = None,  # noqa: A002  # the field's own word for it
    status: str | None = None,
    inputs: object = UNSAID,
    outputs: object = UNSAID,
    attributes: Mapping[str, object] | None = None,
    error: builtins.type[BaseException] | str | bool | None = None,
    within: str | timedelta | None = None,
    has: Pattern | Iterable[Pattern] | None = None,
    lacks: Pattern | Iterable[Pattern] | None = None,
    **unknown: Any,
) -> SpanPattern:
    """Stand for one span. What is not said is not checked; values compare with `==`, so matcher objects work.

    >>> span("genie_query", type="TOOL", status="OK", within="2s")
    span('genie_query', type='TOOL', status='OK', within='2s')

    Args:
        name: The span's name, or a compiled regex that matches all of it.
        type: The span's type, likewise. Any type is legal, since MLflow stores free-form types.
        status: "OK", "ERROR" or "UNSET".
        inputs: What the inputs equal; `None` is a value to compare with.
        outputs: What the outputs equal, likewise.
        attributes: What each named attribute equals; an absent attribute is not `None`.
        error: An exception class or its name, `True` for any error, `False` for none.
        within: The longest duration, as "800ms", "2s" or a `timedelta`; an unfinished span is never within it.
        has: One-span patterns that some descendant matches, each.
        lacks: One-span patterns that no descendant matches.

    Raises:
        TypeError: for an unknown keyword, or an argument of the wrong type.
        ValueError: for a value that cannot be, or contradicts another.
    """
    if unknown:
        raise unknown_keywords("span()", unknown, _SPAN_KEYWORDS)
    pattern = SpanPattern(
        name=_checked_text(name, "name"),
        type=_checked_text(type, "type"),
        status=_checked_status(status),
        inputs=inputs if isinstance(inputs, Unsaid) else Operand(inputs),
        outputs=outputs if isinstance(outputs, Unsaid) else Operand(outputs),
        attributes=_checked_attributes(attributes),
        error=_checked_error(error),
        within_ns=None if within is None else parse_duration(within, "within"),
        has=checked_one_spans(has, "has", "span()"),
        lacks=checked_one_spans(lacks, "lacks", "span()"),
    )
    if pattern.status == "ERROR" and pattern.error is False:
        raise ValueError("span(): status='ERROR' contradicts error=False: an ERROR span always has an error")
    both = set(pattern.has) & set(pattern.lacks)
    if both:
        raise ValueError(f"span(): {both.pop()!r} stands in has and in lacks: no span matches that")
    return pattern


def optional(pattern: Pattern) -> Repeat:
    """Stand for `pattern` or nothing.

    >>> span("agent")[span("plan"), optional(span("retry"))]
    span('agent')[span('plan'), optional(span('retry'))]
    """
    return Repeat(_checked_pattern(pattern, "optional()"), 0, 1)


def repeat(pattern: Pattern, min: int = 0, max: int | None = None) -> Repeat:  # noqa: A002  # the words of the language
    """Stand for a run of consecutive matches of `pattern`: at least `min`, at most `max` (`None`: no limit).

    >>> repeat(span("genie_attempt"), min=1, max=3)
    repeat(span('genie_attempt'), min=1, max=3)

    Raises:
        TypeError: for a limit that is not a whole number.
        ValueError: for a negative limit, or `min` above `max`.
    """
    at_least = _checked_limit(min, "min")
    at_most = None if max is None else _checked_limit(max, "max")
    if at_most is not None and at_least > at_most:
        low, high = whole_number(at_least), whole_number(at_most)
        raise ValueError(f"repeat(): min={low} is above max={high}: nothing matches that")
    return Repeat(_checked_pattern(pattern, "repeat()"), at_least, at_most)


def one_of(*patterns: Pattern) -> OneOf:
    """Stand for whichever of `patterns` matches; `p | q` is the same.

    >>> one_of(span("cache_hit"), span("search", type="TOOL"))
    one_of(span('cache_hit'), span('search', type='TOOL'))

    Raises:
        ValueError: for no alternatives.
    """
    if not patterns:
        raise ValueError("one_of() needs at least one pattern: with none, nothing matches")
    flat: list[Pattern] = []
    for pattern in patterns:
        flat.extend(alternatives_of(_checked_pattern(pattern, "one_of()")))
    return OneOf(tuple(flat))


def any_order(*items: Item) -> AnyOrder:
    """Stand for all of `items` in any order, each span used once; `...` allows other spans between them.

    >>> any_order(span("cost_agent"), optional(span("security_agent")))
    any_order(span('cost_agent'), optional(span('security_agent')))

    Raises:
        ValueError: for no patterns.
    """
    return AnyOrder(*_checked_group(items, "any_order()"), overlapping=False)


def parallel(*items: Item) -> AnyOrder:
    """Stand for `any_order(*items)` whose spans also overlap in time, each with each.

    Spans that only touch do not overlap; an unfinished span is open-ended.

    >>> parallel(span("cost_agent"), span("security_agent"))
    parallel(span('cost_agent'), span('security_agent'))

    Raises:
        ValueError: for no patterns.
    """
    return AnyOrder(*_checked_group(items, "parallel()"), overlapping=True)


def is_one_span(pattern: object) -> bool:
    """Return whether `pattern` stands for exactly one span: `span(...)`, or `one_of` of such."""
    if isinstance(pattern, OneOf):  # flat by construction
        return all(isinstance(alternative, SpanPattern) for alternative in pattern.alternatives)
    return isinstance(pattern, SpanPattern)


def checked_one_span(pattern: object, what: str) -> Pattern:
    """Return `pattern` where it stands for exactly one span; raise a TypeError that names `what` otherwise."""
    if isinstance(pattern, Pattern) and is_one_span(pattern):
        return pattern
    if isinstance(pattern, Pattern):
        raise TypeError(f"{what} takes a pattern of one span: span(...) or one_of of spans, got {short(pattern)}")
    raise _no_pattern(pattern, what)


def checked_one_spans(given: object, what: str, call: str) -> tuple[Pattern, ...]:
    """Return what the argument `what` of a call was given, one pattern of one span or several; none for `None`."""
    if given is None:
        return ()
    if isinstance(given, Pattern | str) or not isinstance(given, Iterable):
        return (checked_one_span(given, what),)  # or raises, with the cure
    patterns = tuple(checked_one_span(pattern, what) for pattern in given)
    if not patterns:
        raise ValueError(f"{call}: {what}={given!r:.80} checks nothing; name a span, or leave it out")
    return patterns


def _no_pattern(given: object, what: str) -> TypeError:
    if isinstance(given, str):
        return TypeError(f"{what} takes a pattern, not a string: write span({given!r})")
    if callable(getattr(given, "check", None)):
        return TypeError(f"{what} takes a pattern, not an expectation: write assert_trace(trace, {given!r:.200})")
    return TypeError(f"{what} takes a pattern such as span('name'), got {given!r}")


def _checked_pattern(pattern: object, what: str) -> Pattern:
    if isinstance(pattern, Pattern):
        return pattern
    if isinstance(pattern, EllipsisType):
        raise TypeError(f"{what}: `...` stands only in a list of children, or directly in any_order or parallel")
    raise _no_pattern(pattern, what)


def _checked_limit(limit: object, word: str) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise TypeError(f"repeat(): {word} is a whole number, got {limit!r}")
    if limit < 0:
        raise ValueError(f"repeat(): {word} cannot be negative, got {whole_number(limit)}")
    return operator.index(limit)  # of an IntEnum member, the number


def _checked_group(items: tuple[Item, ...], what: str) -> tuple[tuple[Pattern, ...], bool]:
    """Return the patterns of a group and whether it has a gap; shuffling is associative, so bare groups merge."""
    patterns: list[Pattern] = []
    gap = False
    for item in items:
        if isinstance(item, EllipsisType):
            gap = True
        elif not isinstance(item, Pattern):
            raise no_item(item, f"what stands in {what}")
        elif isinstance(item, AnyOrder) and not item.overlapping and what == "any_order()":
            patterns.extend(item.items)
            gap = gap or item.gap
        else:
            patterns.append(item)
    if not patterns:
        raise ValueError(f"{what} needs at least one pattern: with none, there is nothing to check")
    return tuple(patterns), gap


def _checked_text(text: object, what: str) -> Text | None:
    if text is None:
        return None
    if isinstance(text, str):
        return _plain(text)
    if isinstance(text, re.Pattern) and isinstance(text.pattern, str):
        return text
    cure = f"; write {text.value!r}, its value" if isinstance(text, Enum) and isinstance(text.value, str) else ""
    raise TypeError(f"span(): {what} is a string or a compiled regex, got {text!r}{cure}")


def _checked_status(status: object) -> str | None:
    if status is None:
        return None
    if not isinstance(status, str):
        raise TypeError(f"span(): status is one of {listed(STATUSES)}, got {status!r}")
    status = _plain(status)
    if status not in STATUSES:
        raise ValueError(f"span(): unknown status {status!r} (legal: {listed(STATUSES)}){nearest(status, STATUSES)}")
    return status


def _checked_attributes(attributes: object) -> tuple[tuple[str, Operand], ...] | None:
    if attributes is None:
        return None
    if not isinstance(attributes, Mapping):
        raise TypeError(f"span(): attributes is a mapping from attribute names to values, got {attributes!r}")
    if not attributes:
        raise ValueError("span(): attributes={} checks nothing; name an attribute, or leave it out")
    for key in attributes:
        if not isinstance(key, str):
            raise TypeError(f"span(): the name of an attribute is a string, got {key!r}")
    return tuple((_plain(key), Operand(value)) for key, value in attributes.items())


def _checked_error(error: object) -> str | bool | None:
    if error is None or isinstance(error, bool):
        return error
    if isinstance(error, str):
        return _plain(error)
    if isinstance(error, type) and issubclass(error, BaseException):
        # MLflow and OpenTelemetry record an exception by name, so the name is all that there is to compare
        return error.__name__
    raise TypeError(f"span(): error is an exception class, its name, True or False, got {error!r}")


def _plain(text: str) -> str:
    """Return the string that a member of a `str` enum (or of another subclass) is; it may hash and print otherwise."""
    return str.__str__(text)
