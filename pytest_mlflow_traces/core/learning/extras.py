"""What traces have in common beside their spans: the words and types of their tags, and what they spend, with slack."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.budgets.spent import tokens_spent
from pytest_mlflow_traces.core.learning.strata import FEWEST
from pytest_mlflow_traces.core.tags.portability import name_problem
from pytest_mlflow_traces.core.tags.schema import BoolTag, FloatTag, IntTag, TagSchema
from pytest_mlflow_traces.core.text.durations import NS_PER_MS, exact_duration
from pytest_mlflow_traces.core.text.redaction import secret_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.trace import Trace

_SLACK = 2  # machines are not equally fast, nor models equally talkative
_MOST_WORDS = 6  # of a vocabulary
_FORMS: Mapping[str, Any] = {
    r"true|false": BoolTag,
    r"-?(?:0|[1-9][0-9]{0,17})": IntTag,
    r"-?(?:0|[1-9][0-9]*)\.[0-9]+": FloatTag,
}


def tags_of(tests: Mapping[str, Sequence[Trace]], apart: str | None = None) -> type[TagSchema] | None:
    """Return the schema of the tags of all traces: vocabularies where they are small, and types.

    A word is known by three tests that use it; with one that only one or two know, the tag has a type alone.

    Args:
        tests: The traces of each test.
        apart: The tag that tells the tests apart, which says nothing of them.
    """
    words: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    everywhere: set[str] | None = None
    for test, traces in tests.items():
        for trace in traces:
            everywhere = {*trace.tags} if everywhere is None else everywhere & {*trace.tags}
            for tag, value in trace.tags.items():
                words[tag][str(value)].add(test)
    table = {tag: _form(tag, said) for tag, said in sorted(words.items()) if tag != apart and name_problem(tag) is None}
    optional = [tag for tag in table if tag not in (everywhere or ())]
    return TagSchema.from_mapping(table, optional=optional, extra="allow") if table else None


def _form(tag: str, words: Mapping[str, set[str]]) -> Any:
    is_secret = any(secret_kind(tag, word) is not None for word in words)
    if len(words) <= _MOST_WORDS and not is_secret and all(len(tests) >= FEWEST for tests in words.values()):
        return Literal[tuple(sorted(words))]
    return next((form for regex, form in _FORMS.items() if all(re.fullmatch(regex, word) for word in words)), str)


def spending_of(tests: Mapping[str, Sequence[Trace]]) -> Budget | None:
    """Return a budget of twice what the traces took at most, of time and of tokens, where all recorded it."""
    traces = [trace for each in tests.values() for trace in each]
    said: dict[str, Any] = {}
    times = [trace.duration_ms for trace in traces]
    if traces and all(times):
        said["latency"] = exact_duration(_rounded(_SLACK * max(map(float, filter(None, times)))) * NS_PER_MS)
    tokens = [tokens_spent(trace, trace.token_usage or {})[0] for trace in traces]
    if traces and all(tokens):
        said["tokens"] = _rounded(_SLACK * max(tokens))
    return Budget(**said) if said else None


def _rounded(number: float) -> int:
    """Return the next whole number above that has two digits and zeros."""
    whole = max(1, math.ceil(number))
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // unit) * unit
