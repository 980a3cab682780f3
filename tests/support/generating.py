"""Hypothesis strategies for what patterns are made of: hostile texts, literal values, patterns of every node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern, SpanPattern

# Each looks like notation, like code, like a line end, or like nothing at all.
HOSTILE = [
    *["", " ", "  a ", "a b", "a  b", "\t", "a\nb", "\n", "\r", "a\r", "\x00", "\x1b[31m", "\x85", "\xa0", "\u2028"],
    *["\u202e", "\ufeff", "\ud800", "\udfff\ud800", "\ud83d\ude00", "\U0001f600", "e\u0301", "é", "n" * 300],
    *[
        "'",
        '"',
        "\\",
        "\\n",
        "\\u0041",
        "\\/",
        "//",
        "/a/",
        "/a/i",
        're"a"',
        "#",
        "# a",
        "(depth 30) a",
        "-",
        "x:",
        "x:y",
    ],
    *[
        "any order",
        "any",
        "one of",
        "one",
        "any_order",
        "oneof",
        "parallel",
        "Parallel",
        "paralel",
        "has:",
        "has",
        "lacks",
    ],
    *[
        "...",
        "a...",
        "?",
        "*",
        "+",
        "{1,2}",
        "{",
        "}",
        "[",
        "a[0]",
        "<lambda>",
        "f(x)",
        "OK",
        "error",
        "UNSET",
        "inputs=1",
    ],
    *["a=b", "None", "True", "null", "nan", "set()", "RunnableParallel<cost,security>", "langchain.chat_models.openai"],
    *["POST", "/api/2.0", "CHAT_MODEL"],
]
REGEXES = [
    *[
        "",
        "a",
        "a.*",
        r"\d+",
        "a/b",
        r"a\/b",
        r"\\/",
        "(?i)a",
        "a b",
        " a ",
        "a\nb",
        "\u2028",
        "é",
        '"',
        "'",
        "[/]",
        "#",
    ],
    *["\\\\", "(?P<x>a)|b", "\t", "^a$", "x" * 300],
]
FLAGS = [0, re.IGNORECASE, re.VERBOSE, re.IGNORECASE | re.DOTALL | re.MULTILINE, re.ASCII]

texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from("abc")
regexes = st.builds(re.compile, st.sampled_from(REGEXES), st.sampled_from(FLAGS))
names = texts | regexes

_atoms: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    texts,
    st.just(-0.0),
    st.just(10**30),
)
literals: st.SearchStrategy[Any] = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(),
        st.tuples(inner),
        st.tuples(inner, inner),
        st.dictionaries(texts, inner, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def spans(draw: st.DrawFn, depth: int = 2) -> SpanPattern:
    """Draw `span(...)`, with or without children."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "name": names,
        "type": names,
        "status": st.sampled_from(["OK", "ERROR", "UNSET"]),
        "inputs": literals,
        "outputs": literals,
        "attributes": st.dictionaries(texts, literals, min_size=1, max_size=2),
        "error": st.sampled_from([True, False, ValueError, "a.b.Wrong", "", "True", "none", "not a name", "é", "a\nb"]),
        "within": st.sampled_from(["0ms", "5ns", "800ms", "2s", "90m", "1h", "1.5s"]),
    }
    if depth:
        fields["has"] = fields["lacks"] = st.lists(one_spans(depth - 1), min_size=1, max_size=2)
    said = {key: draw(fields[key]) for key in draw(st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True))}
    if said.get("status") == "ERROR" and said.get("error") is False:
        del said["error"]
    if set(said.get("has", ())) & set(said.get("lacks", ())):
        del said["lacks"]
    made = span(**said)
    if draw(st.booleans()):
        return made
    children = tuple(draw(st.lists(items(depth - 1), max_size=3))) if depth else ()
    return made[children] if children or not made.has else made


@st.composite
def one_spans(draw: st.DrawFn, depth: int = 1) -> Pattern:
    """Draw a pattern of exactly one span."""
    alternatives = draw(st.lists(spans(depth), min_size=1, max_size=2))
    return alternatives[0] if len(alternatives) == 1 and draw(st.booleans()) else one_of(*alternatives)


def items(depth: int = 2) -> st.SearchStrategy[Item]:
    """Draw what may stand in a list of children."""
    return patterns(depth) | st.just(...)


@st.composite
def patterns(draw: st.DrawFn, depth: int = 2) -> Pattern:
    """Draw a pattern of any node."""
    kind = draw(st.sampled_from(["span", "span", "optional", "repeat", "one_of", "any_order", "parallel"]))
    if kind == "span" or depth == 0:
        return draw(spans(depth))
    if kind == "optional":
        return optional(draw(patterns(depth - 1)))
    if kind == "repeat":
        least = draw(st.sampled_from([0, 1, 2, 10**9, 10**5000]))
        most = draw(st.sampled_from([None, 0, 1, 3]))
        return repeat(draw(patterns(depth - 1)), least, None if most is None else least + most)
    parts = draw(st.lists(patterns(depth - 1), min_size=1, max_size=3))
    if kind == "one_of":
        return one_of(*parts)
    gap = [...] if draw(st.booleans()) else []
    return any_order(*parts, *gap) if kind == "any_order" else parallel(*parts, *gap)
