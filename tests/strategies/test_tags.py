"""What `strategies.tags` and `invalid_tags` draw, for schemas with every type of tag and with rules of every kind.

`TAG_EXAMPLES=10000 pytest tests/strategies/test_tags.py -n 2` runs the size that is promised.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from random import Random
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, ValidationError, model_validator

from pytest_mlflow_traces import BoolTag, IntTag, ListTag, Metadata, TagSchema, strategies
from pytest_mlflow_traces.core.tags.validate import problems
from pytest_mlflow_traces.strategies import InvalidTags, UnsatisfiableSchemaError, invalid_tags, tags
from reference_agent.contract import HealthMonitorTags
from tests.support.messages import exactly
from tests.support.schemas import Counted, EveryType, random_schema

EXAMPLES = int(os.environ.get("TAG_EXAMPLES", "25"))
QUICK = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
SCHEMAS: dict[str, type[TagSchema]] = {
    "reference": HealthMonitorTags,
    "every type": EveryType,
    **{f"random {seed}": random_schema(Random(seed)) for seed in range(10)},
}


class Tags(Counted):
    environment: Literal["dev", "prod"]

    @model_validator(mode="after")
    def typed(self) -> Tags:
        if self.has_error != (self.error_type is not None):
            raise ValueError("error_type goes with has_error")
        return self


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_set_of_tags_is_invalid(name):
    schema = SCHEMAS[name]

    @QUICK
    @given(tags(schema))
    def check(drawn):
        assert schema.check_tags(drawn) == []
        assert all(isinstance(value, str) for value in drawn.values())

    check()


@pytest.mark.parametrize("name", SCHEMAS)
def test_in_no_invalid_set_are_fewer_or_more_things_wrong_than_one(name):
    schema = SCHEMAS[name]

    @QUICK
    @given(invalid_tags(schema))
    def check(drawn):
        assert [(each.rule, each.where) for each in schema.check_tags(drawn.tags)] == [(drawn.rule, drawn.where)]

    check()


@st.composite
def mutated(draw, schema):
    """Draw valid tags of which some are then changed, dropped or added."""
    made = dict(draw(tags(schema)))
    names = st.sampled_from([*made, "extra"])
    values = st.sampled_from(["", "true", "True", "1", "-1", "0.5", "cost", "a,b", " a", "none"]) | st.sampled_from(
        list(made.values())
    )
    for _ in range(draw(st.integers(0, 3))):
        name = draw(names)
        if draw(st.booleans()):
            made[name] = draw(values)
        else:
            made.pop(name, None)
    return made


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name.startswith("random")])
def test_findings_are_there_exactly_where_pydantic_refuses(name):
    schema = SCHEMAS[name]

    @QUICK
    @given(mutated(schema))
    def check(drawn):
        try:
            schema.model_validate(drawn)
        except ValidationError:
            refused = True
        else:
            refused = False

        assert bool(schema.check_tags(drawn)) == bool(problems(schema, drawn)) == refused

    check()


def seen(strategy, key, examples=150):
    """What `key` makes of the examples of a strategy, counted."""
    found: Counter[Any] = Counter()

    @settings(max_examples=examples, deadline=None, database=None, derandomize=False, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def look(drawn):
        found.update(key(drawn))

    look()
    return found


def seen_in_the_end(strategy, key, wanted):
    """What `key` makes of the examples of a strategy, until all of `wanted` came up or that seems unlikely."""
    found: Counter[Any] = Counter()
    for _ in range(60):
        found += seen(strategy, key)
        if wanted <= set(found):
            break
    return set(found)


def test_every_literal_and_every_optional_tag_comes_up():
    wanted = {("environment", "dev"), ("environment", "prod"), ("domains", ""), ("domains", "cost")}
    wanted |= {("domain_count", "2"), ("has_error", "true"), ("has_error", "false")}
    assert wanted <= seen_in_the_end(tags(Tags), lambda drawn: drawn.items(), wanted)

    optional = {"optional", "optional_list", "a b/c"}
    present = seen_in_the_end(tags(EveryType), list, optional)
    assert optional <= present
    assert "session" not in present  # which is metadata
    assert present - {info.alias or name for name, info in EveryType.model_fields.items()}


class Regional(TagSchema):
    environment: Literal["dev", "prod"]
    region: str

    @model_validator(mode="after")
    def placed(self) -> Regional:
        if self.environment == "prod" and self.region not in {"eu-west-1", "us-east-1"}:
            raise ValueError("prod is in two regions")
        return self


def test_what_only_a_constant_of_a_rule_allows_comes_up():
    wanted = {("prod", "eu-west-1"), ("prod", "us-east-1")}

    assert wanted <= seen_in_the_end(tags(Regional), lambda drawn: [(drawn["environment"], drawn["region"])], wanted)


def test_every_kind_of_fault_comes_up():
    required = [tag for tag in Tags.model_fields if tag != "error_type"]
    wanted = {
        ("tags.unknown", "tag"),
        ("tags.rule", "rule 'counted'"),
        ("tags.rule", "rule 'typed'"),
        ("tags.length", "tag 'error_type'"),
        *(("tags.type", f"tag {tag!r}") for tag in Tags.model_fields),
        *(("tags.missing", f"tag {tag!r}") for tag in required),
        *(("tags.value", f"tag {tag!r}") for tag in required),
    }

    def kind(drawn):
        return [(drawn.rule, "tag" if drawn.rule == "tags.unknown" else drawn.where)]

    assert seen_in_the_end(invalid_tags(Tags), kind, wanted) == wanted


@pytest.mark.parametrize(
    ("annotation", "wrong"),
    [
        (BoolTag, "True"),
        (IntTag, "1.0"),
        (Annotated[IntTag, Field(ge=-2)] | Literal["none"], "-3"),
        (Annotated[str, Field(max_length=4)], "xxxxx"),
        (ListTag[Literal["a", "b"]], "a, b"),
    ],
)
def test_wrong_values_are_near_right_ones(annotation, wrong):
    schema = TagSchema.from_mapping({"tag": annotation})

    assert wrong in seen_in_the_end(invalid_tags(schema), lambda drawn: [str(drawn.tags.get("tag"))], {wrong})


def test_they_shrink_to_what_matters():
    quick = settings(database=None, max_examples=2000, suppress_health_check=list(HealthCheck))
    found = find(tags(Tags), lambda drawn: drawn["has_error"] == "true", settings=quick)

    assert found == {
        "environment": "dev", "domains": "", "domain_count": "0", "has_error": "true", "error_type": ""
    }  # fmt: skip


def test_a_tag_may_be_given_or_drawn_from_a_strategy():
    @QUICK
    @given(tags(Tags, environment="prod", error_type=st.sampled_from(["A", "B"]), domain_count="2"))
    def check(drawn):
        assert Tags.check_tags(drawn) == []
        assert drawn["environment"] == "prod"
        assert drawn["error_type"] in {"A", "B"}
        assert drawn["has_error"] == "true"
        assert drawn["domains"].count(",") == 1

    check()


def test_a_strategy_of_none_leaves_the_tag_out():
    @QUICK
    @given(tags(Tags, error_type=st.none()))
    def check(drawn):
        assert "error_type" not in drawn
        assert drawn["has_error"] == "false"

    check()


class Impossible(TagSchema):
    size: IntTag

    @model_validator(mode="after")
    def never(self) -> Impossible:
        if hash(("salt", self.size)) is not None:
            raise ValueError("it is never right")
        return self


@pytest.mark.parametrize("strategy", [tags, invalid_tags])
def test_rules_that_nothing_keeps_are_told_with_what_to_do(strategy):
    @QUICK
    @given(strategy(Impossible))
    def check(drawn):
        raise AssertionError("unreachable: no such tags")

    with pytest.raises(UnsatisfiableSchemaError) as caught:
        check()

    first, finding, cure = str(caught.value).splitlines()
    call = f"{strategy.__name__}(Impossible)"
    assert first == f"{call}: found no tags that keep all rules of the schema; the nearest break"
    assert finding.startswith("  tags.rule at rule 'never': expected the rule to hold, got size='")
    assert cure == (
        f"Pass strategies or values for the tags that the rules look at: {strategy.__name__}(Impossible, size=...)"
    )


class Unheard:
    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls)


class Odd(TagSchema):
    thing: Unheard


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tags(dict), TypeError, "tags() takes a subclass of TagSchema, got <class 'dict'>"),
        (lambda: tags(TagSchema), TypeError, f"tags() takes a subclass of TagSchema, got {TagSchema!r}"),
        (lambda: invalid_tags(None), TypeError, "invalid_tags() takes a subclass of TagSchema, got None"),
        (
            lambda: tags(Tags, domain="1"),
            TypeError,
            "tags(Tags): the schema names no tag 'domain'; did you mean 'domains'?",
        ),
        (
            lambda: tags(Tags, domain_count=1),
            TypeError,
            "tags(Tags): domain_count is a text or a strategy of texts, got 1",
        ),
        (
            lambda: tags(EveryType, session="s"),
            TypeError,
            "tags(EveryType): 'session' is metadata, and only tags are drawn",
        ),
        (
            lambda: tags(Odd),
            TypeError,
            "no texts are known that Unheard reads: pass some, or a strategy of some, tags(Odd, thing=...)",
        ),
    ],
)  # fmt: skip
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=exactly(text)):
        call()


class Around(Tags):
    @model_validator(mode="wrap")
    @classmethod
    def not_empty(cls, given: Any, handler: Any) -> Any:
        made = handler(given)
        if not made.domains:
            raise ValueError("no domains")
        return made


def test_rules_of_every_mode_are_kept_and_broken():
    wanted = {"rule 'counted'", "rule 'typed'", "schema 'Around'"}

    assert wanted <= seen_in_the_end(invalid_tags(Around), lambda drawn: [drawn.where], wanted)
    assert "" not in seen(tags(Around), lambda drawn: [drawn["domains"]])


class AnyTags(TagSchema):
    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def always(self) -> AnyTags:
        return self


class MetadataAlone(TagSchema):
    model_config = ConfigDict(extra="allow")
    session: Annotated[str, Metadata("mlflow.trace.session")]


@pytest.mark.parametrize("schema", [AnyTags, MetadataAlone])
def test_a_schema_that_no_tags_break_has_no_invalid_ones(schema):
    @QUICK
    @given(invalid_tags(schema))
    def check(drawn):
        raise AssertionError("unreachable: nothing is invalid")

    with pytest.raises(UnsatisfiableSchemaError) as caught:
        check()

    assert str(caught.value) == f"invalid_tags({schema.__name__}): found nothing that the schema refuses by itself"


def test_texts_that_nobody_knows_may_be_given():
    @QUICK
    @given(tags(Odd, thing=st.sampled_from(["a", "b"])))
    def check(drawn):
        assert Odd.check_tags(drawn) == []

    check()


def test_invalid_tags_are_a_value():
    one = InvalidTags({"a": "b"}, "tags.value", "tag 'a'")

    assert one == InvalidTags({"a": "b"}, "tags.value", "tag 'a'")
    with pytest.raises(AttributeError):
        one.rule = "other"  # type: ignore[misc]


def test_the_door_names_the_extra_where_hypothesis_is_missing():
    code = """
        import sys
        sys.modules["hypothesis"] = None
        import pytest_mlflow_traces
        try:
            from pytest_mlflow_traces import strategies
        except ImportError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)

    text = "pytest_mlflow_traces.strategies needs Hypothesis: pip install 'pytest-mlflow-traces[hypothesis]'\n"
    assert done.stdout == text


def test_every_public_name_is_told():
    assert {name for name in strategies.__all__ if not hasattr(strategies, name)} == set()
