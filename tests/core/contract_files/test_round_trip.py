"""A contract that data can say is the same after it was written and read, for random contracts.

`python -m tests.core.contract_files.test_round_trip --cases 10000 --seed 1` runs more than the suite does.
"""

from __future__ import annotations

import argparse
import sys
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from pydantic import Field

from pytest_mlflow_traces import (
    BoolTag,
    Budget,
    Contract,
    FloatTag,
    IntTag,
    ListTag,
    Metadata,
    TagSchema,
    each,
    if_present,
    never,
    one_of,
)
from pytest_mlflow_traces.core.contract_files.places import Places, decoded
from pytest_mlflow_traces.core.contract_files.reading import read_model
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern
from pytest_mlflow_traces.core.references import Reference
from tests.support.generating import HOSTILE, patterns, spans

plain = st.sampled_from([each for each in HOSTILE if each.strip() and each.isprintable()]) | st.sampled_from("abc")
texts = plain | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)
durations = st.sampled_from(["0ms", "5ns", "800ms", "2s", "90m", "1.5s"])
counts = st.integers(0, 5) | st.sampled_from([10**30])
paths = st.sampled_from(["inputs.order", "outputs", "attributes[a.b]", "inputs.items.0", 'attributes["x y"]'])


@st.composite
def lines(draw: st.DrawFn) -> Any:
    """Draw a pattern of one span that does not say that it has no children."""
    drawn = draw(st.lists(spans(0) | spans(0) | spans(1), min_size=1, max_size=2))
    said = [each for each in drawn if each.children != ()]
    return one_of(*said) if len(said) > 1 else said[0] if said else SpanPattern("a")


@st.composite
def rules(draw: st.DrawFn) -> Any:
    begin = draw(st.sampled_from([each, never]))
    rule = begin(draw(lines()), per=draw(st.sampled_from(["trace", "trace", "session"])))
    relation = draw(st.sampled_from(["after", "before", "inside", *([None] if begin is never else [])]))
    if relation is None:
        return rule
    between = {"after": "since", "before": "until"}.get(relation)
    said = {
        "same": draw(
            st.none() | paths | st.lists(paths, min_size=1, unique=True) | st.dictionaries(paths, paths, min_size=1)
        )
    }
    said |= {between: draw(lines())} if between is not None and draw(st.booleans()) else {}
    rule = getattr(rule, relation)(draw(lines()), **said)
    return if_present(rule) if begin is each and draw(st.booleans()) else rule


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | values.map(if_present)


budgets = st.builds(
    Budget,
    **{
        word: st.none() | values
        for word, values in {
            "latency": durations,
            **{
                word: st.dictionaries(lines(), maybe(durations), min_size=1, max_size=2)
                for word in ("latency_of", "self_time_of", "p95_of")
            },
            "cost_usd": st.floats(0, 1e9) | st.integers(0, 3),
            "calls": st.dictionaries(
                lines(), maybe(counts | st.tuples(counts, counts).map(sorted).map(tuple)), min_size=1, max_size=2
            ),
        }.items()
    },
    tokens=counts,
)

wholes = st.integers(-3, 3)


def limits(sizes: st.SearchStrategy[Any], multiple: float) -> st.SearchStrategy[dict[str, Any]]:
    words = dict.fromkeys(("ge", "gt", "le", "lt"), sizes)
    return st.fixed_dictionaries({}, optional={**words, "multiple_of": st.sampled_from([1, multiple])})


lengths = st.fixed_dictionaries({}, optional={"min_length": st.integers(0, 2), "max_length": st.integers(2, 4)})
words = st.lists(texts, min_size=1, max_size=3, unique=True)
items = st.lists(st.sampled_from(["cost", "security", "é", "a b"]), min_size=1, max_size=3, unique=True)


def limited(kind: Any, said: dict[str, Any]) -> Any:
    return Annotated[kind, Field(**said)] if said else kind


scalars = st.one_of(
    st.just(str),
    st.just(BoolTag),
    st.builds(limited, st.just(str), lengths),
    st.sampled_from(["a+", "^x$", r"\d", '"']).map(lambda pattern: limited(str, {"pattern": pattern})),
    st.builds(limited, st.just(IntTag), limits(wholes, 2)),
    st.builds(limited, st.just(FloatTag), limits(wholes | st.floats(-3, 3), 0.5)),
    words.map(lambda each: Literal[tuple(each)]),
)
of_items = st.one_of(
    st.sampled_from([str, BoolTag, IntTag, limited(IntTag, {"ge": 0})]), items.map(lambda each: Literal[tuple(each)])
)
kinds = scalars | st.builds(lambda item, said: limited(ListTag[item], said), of_items, lengths)
keys = st.sampled_from(["user_id", "domain count", "a.b", "schema", "extra", "é", "x-1", "name"])
metadata = st.sampled_from(["mlflow.trace.session", "mlflow.trace.user", "team", "user_id"])


@st.composite
def schemas(draw: st.DrawFn) -> type[TagSchema]:
    tags = draw(st.dictionaries(keys, kinds, max_size=3))
    said = draw(st.dictionaries(metadata, kinds, min_size=0 if tags else 1, max_size=2))
    table = tags | {f"of trace {key}": Annotated[kind, Metadata(key)] for key, kind in said.items()}
    optional = draw(st.lists(st.sampled_from(sorted(table)), unique=True))
    return TagSchema.from_mapping(table, optional=optional, extra=draw(st.sampled_from(["allow", "forbid"])))


@st.composite
def contracts(draw: st.DrawFn, depth: int = 2) -> Contract:
    expectations = [
        *draw(st.lists(patterns(1), max_size=1)),
        *draw(st.lists(st.builds(Has, lines()), max_size=2)),
        *draw(st.lists(rules(), max_size=2)),
        *draw(st.lists(budgets, max_size=1)),
        *draw(st.lists(schemas() | st.just(Reference("tags:Tags", is_schema=True)), max_size=1)),
        *draw(st.lists(st.just(Reference("module.inner:NAME")), max_size=1)),
        *(draw(st.lists(contracts(depth=depth - 1), max_size=2)) if depth else ()),
    ] or [never(draw(lines()))]
    return Contract(
        draw(texts),
        *draw(st.permutations(expectations)),
        applies_to=draw(st.none() | lines()),
        only=draw(st.none() | st.lists(lines(), min_size=1, max_size=2)),
        about=draw(st.none() | texts),
    )


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all that stands in some data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(leaf for key, each in inner for leaf in leaves(each, (*path, key)))]


def assert_same(contract: Contract) -> None:
    text = contract.to_toml()
    again = Contract.from_toml(text)

    assert again == contract
    assert hash(again) == hash(contract)
    assert again.to_toml() == Contract.from_toml(again.to_toml()).to_toml()
    places = read_model(text)[1]
    assert {*leaves(decoded(text))} - {()} == {*places.keys}


@given(contracts())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_what_is_written_reads_the_same(contract):
    assert_same(contract)


toml = st.recursive(
    texts | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(texts, toml), st.booleans())
@settings(deadline=None)
def test_every_key_of_any_toml_has_its_place(data, multiline):
    tomli_w = pytest.importorskip("tomli_w")
    text = tomli_w.dumps(data, multiline_strings=multiline)
    data = decoded(text)

    places = Places(text)

    assert {*leaves(data)} - {()} == {*places.keys}
    for path, at in places.values.items():
        value = data
        for part in path:
            value = value[part]
        if isinstance(value, str) and len(path) and value:
            assert places.error_inside("", path, 0).line >= places.error("", path).line
            assert places.text[at] in "\"'"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    ran = 0

    @seeded(asked.seed)
    @given(contracts(depth=1))
    @settings(
        max_examples=asked.cases,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def check(contract: Contract) -> None:
        nonlocal ran
        ran += 1
        assert_same(contract)

    check()
    sys.stdout.write(f"{ran} contracts read as they were written\n")


if __name__ == "__main__":
    main()
