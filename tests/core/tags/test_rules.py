"""Rules that span several tags: each is asked by itself, where all that it reads is known."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field, ValidationInfo, model_validator

from pytest_mlflow_traces import IntTag, ListTag, Metadata, TagSchema
from pytest_mlflow_traces.core.tags.rules import takes_info
from tests.support.schemas import Counted


class Tags(Counted):
    @model_validator(mode="after")
    def error_is_typed(self, info: ValidationInfo) -> Tags:
        if (self.error_type is not None) != self.has_error:
            raise ValueError(f"error_type goes with has_error ({info.mode}, {info.context})")
        return self


GOOD = {"domains": "cost", "domain_count": "1", "has_error": "false"}
COUNTED = (
    "tags.rule at rule 'counted': expected the rule to hold, got domain_count='2', domains='cost'"
    " (domain_count is not the number of domains)"
)
TYPED = (
    "tags.rule at rule 'error_is_typed': expected the rule to hold, got no error_type, has_error='true'"
    " (error_type goes with has_error (python, None))"
)


def says(schema: type[TagSchema], tags: dict[str, Any], metadata: dict[str, Any] | None = None) -> list[str]:
    return [str(finding) for finding in schema.check_tags(tags, metadata)]


def rules(schema: type[TagSchema], tags: dict[str, Any], metadata: dict[str, Any] | None = None) -> list[str]:
    return [finding.where for finding in schema.check_tags(tags, metadata)]


def test_good_tags_break_none():
    assert says(Tags, GOOD) == []
    assert says(Tags, {**GOOD, "has_error": "true", "error_type": "X"}) == []


def test_each_broken_rule_is_a_finding_with_the_tags_it_looked_at():
    assert says(Tags, {**GOOD, "domain_count": "2", "has_error": "true"}) == [COUNTED, TYPED]


def test_rules_are_decided_beside_bad_tags():
    assert says(Tags, {**GOOD, "domain_count": "2", "has_error": "True"}) == [
        "tags.value at tag 'has_error': expected 'true' or 'false', got 'True' (write 'true': str(True) is 'True')",
        COUNTED,
    ]


def test_a_rule_that_looks_at_a_bad_tag_is_not_decided():
    for tags in ({**GOOD, "domain_count": "x"}, {**GOOD, "domain_count": 2}, {**GOOD, "error_type": None}):
        assert len(says(Tags, tags)) == 1
    assert rules(Tags, {"domains": "cost", "has_error": "true"}) == ["rule 'error_is_typed'", "tag 'domain_count'"]


def test_a_rule_is_not_decided_by_a_default_in_place_of_a_bad_tag():
    class Sized(TagSchema):
        size: IntTag = 0

        @model_validator(mode="after")
        def positive(self) -> Sized:
            if self.size <= 0:
                raise ValueError("size must be positive")
            return self

    assert rules(Sized, {}) == ["rule 'positive'"]
    assert rules(Sized, {"size": "x"}) == ["tag 'size'"]


def test_a_rule_may_ask_by_way_of_methods_properties_and_constants():
    class Indirect(TagSchema):
        limit: ClassVar[int] = 3
        size: IntTag
        name: str = "x"

        @property
        def double(self) -> int:
            return self.size * 2

        def is_big(self) -> bool:
            return self.double > self.limit

        @model_validator(mode="after")
        def small(self) -> Indirect:
            if self.is_big():
                raise ValueError("too big")
            return self

    assert says(Indirect, {"size": "5"}) == [
        "tags.rule at rule 'small': expected the rule to hold, got size='5' (too big)"
    ]
    assert rules(Indirect, {"size": "x"}) == ["tag 'size'"]


def test_a_rule_may_call_the_one_it_replaces():
    class Stricter(Tags):
        @model_validator(mode="after")
        def counted(self) -> Stricter:
            super().counted()  # type: ignore[operator]
            if self.domain_count > 1:
                raise ValueError("one domain only")
            return self

    assert says(Stricter, {**GOOD, "domain_count": "2"}) == [COUNTED]
    assert rules(Stricter, {**GOOD, "domains": "cost,security", "domain_count": "2"}) == ["rule 'counted'"]


class Dumped(TagSchema):
    team: str
    level: IntTag = 0

    @model_validator(mode="after")
    def no_black(self) -> Dumped:
        if "black" in self.model_dump().values():
            raise ValueError("no black")
        return self


def test_a_rule_that_takes_all_tags_at_once_is_told_with_all_of_them():
    assert says(Dumped, {"team": "black"}) == [
        "tags.rule at rule 'no_black': expected the rule to hold, got team='black', no level (no black)"
    ]
    assert rules(Dumped, {"team": "black", "level": "x"}) == ["tag 'level'"]


class DumpedInPart(TagSchema):
    team: str
    level: IntTag = 0
    session: Annotated[str, Metadata("mlflow.trace.session")] = ""

    @model_validator(mode="after")
    def no_black(self) -> DumpedInPart:
        if "black" in self.model_dump(include={"team"}).values():
            raise ValueError("no black")
        return self

    @model_validator(mode="after")
    def no_red(self) -> DumpedInPart:
        if "red" in self.model_dump_json(exclude={"level": True, "session": ...}):
            raise ValueError("no red")
        return self

    @model_validator(mode="after")
    def no_green(self) -> DumpedInPart:
        if "green" in self.model_dump(exclude={"level"}).values():
            raise ValueError("no green")
        return self


@pytest.mark.parametrize("color", ["black", "red"])
def test_a_rule_that_dumps_some_tags_is_decided_whatever_the_others_are(color):
    # without the metadata nothing is known of the session, which the dump leaves out
    assert says(DumpedInPart, {"team": color}) == [
        f"tags.rule at rule 'no_{color}': expected the rule to hold, got team='{color}' (no {color})"
    ]
    assert rules(DumpedInPart, {"team": color, "level": "x"}) == ["tag 'level'", f"rule 'no_{color}'"]
    assert rules(DumpedInPart, {"team": "blue", "level": "x"}) == ["tag 'level'"]


def test_a_rule_that_dumps_what_is_unknown_is_not_decided():
    assert DumpedInPart.check_tags({"team": "green", "level": "x"}, {}) != []
    assert says(DumpedInPart, {"team": "green"}) == []
    assert [each.where for each in DumpedInPart.check_tags({"team": "green"}, {})] == ["rule 'no_green'"]


def test_an_assertion_refuses_as_well():
    class Asserting(TagSchema):
        size: IntTag

        @model_validator(mode="after")
        def positive(self) -> Asserting:
            assert self.size > 0, "size must be\n  positive"
            return self

        @model_validator(mode="after")
        def plain(self) -> Asserting:
            assert self.size > 0
            return self

        @model_validator(mode="after")
        def silent(self) -> Asserting:
            if self.size == -1:
                raise AssertionError
            return self

    assert says(Asserting, {"size": "-1"}) == [
        "tags.rule at rule 'positive': expected the rule to hold, got size='-1' (size must be positive)",
        "tags.rule at rule 'plain': expected the rule to hold, got size='-1' (assert -1 > 0)",
        "tags.rule at rule 'silent': expected the rule to hold, got size='-1' (it gives no reason)",
    ]


class Odd(TagSchema):
    size: IntTag
    name: str | None = None

    @model_validator(mode="after")
    def broken(self) -> Odd:
        if self.size == 7:
            raise OSError
        return self

    @model_validator(mode="after")
    def named(self) -> Odd:
        if self.size > 5:
            len(self.name)  # type: ignore[arg-type]  # which raises for None
        return self

    @model_validator(mode="after")
    def even(self) -> Odd:
        if self.size % 2:
            raise ValueError("odd")
        return self


def test_a_rule_that_raises_what_it_should_not_is_a_finding_beside_the_others():
    found = Odd.check_tags({"size": "7"})

    assert [finding.where for finding in found] == ["rule 'broken'", "rule 'named'", "rule 'even'"]
    assert str(found[0].hint).startswith("it raised OSError in broken, test_rules.py:")
    assert str(found[1].hint).startswith("it raised TypeError: object of type 'NoneType' has no len() in named, test_")
    assert found[2].hint == "odd"


def test_a_rule_cannot_swallow_that_it_is_undecided():
    class Guarded(TagSchema):
        size: IntTag
        name: str

        @model_validator(mode="after")
        def guarded(self) -> Guarded:
            try:
                big = self.size > 5
            except Exception:
                big = True
            if big:
                raise ValueError("too big")
            return self

    assert rules(Guarded, {"size": "x", "name": "a"}) == ["tag 'size'"]


def test_a_rule_that_forgets_to_return_self_does_not_hide_the_next():
    class Forgetful(TagSchema):
        size: IntTag

        @model_validator(mode="after")
        def first(self):  # type: ignore[no-untyped-def]
            pass

        @model_validator(mode="after")
        def second(self) -> Forgetful:
            if self.size > 5:
                raise ValueError("too big")
            return self

    assert "rule 'second'" in rules(Forgetful, {"size": "6"})
    assert len(rules(Forgetful, {"size": "5"})) == 1  # pydantic hands None to `second`, which raises


class Answering(TagSchema):
    one: str
    two: str
    three: str = ""

    @model_validator(mode="after")
    def same(self) -> bool:  # the mistake: pydantic takes the answer for the model, and says nothing
        return self.one == self.two

    @model_validator(mode="after")
    def remade(self) -> Any:
        return self if isinstance(self, bool) else Answering.model_construct(**self.__dict__)


@pytest.mark.parametrize("two", ["a", "b"])
def test_a_rule_that_answers_instead_of_raising_is_a_finding(two):
    (finding,) = Answering.check_tags({"one": "a", "two": two})

    assert (finding.rule, finding.where) == ("tags.rule", "rule 'same'")
    text = f"it returned {two == 'a'}: return self, and raise a ValueError where it does not hold"
    assert finding.hint == text


def test_so_is_one_around_the_fields():
    class Around(TagSchema):
        one: str

        @model_validator(mode="wrap")
        @classmethod
        def known(cls, tags: Any, handler: Any) -> Any:
            return handler(tags).one == "a"

    (finding,) = Around.check_tags({"one": "b"})

    assert (finding.rule, finding.where) == ("tags.rule", "schema 'Around'")
    text = "it returned False: return what the handler returns, and raise a ValueError where it does not hold"
    assert finding.hint == text


def test_what_one_rule_changes_the_next_one_sees():
    class Changing(TagSchema):
        size: IntTag
        double: IntTag = 0

        @model_validator(mode="after")
        def fill(self) -> Changing:
            return self.model_copy(update={"double": 2 * self.size})

        @model_validator(mode="after")
        def filled(self) -> Changing:
            if self.double != 2 * self.size:
                raise ValueError("not filled")
            return self

        @model_validator(mode="after")
        def small(self) -> Changing:
            if self.size > 5:
                raise ValueError("too big")
            return self

    assert rules(Changing, {"size": "5"}) == []
    assert rules(Changing, {"size": "6"}) == ["rule 'small'"]


class Before(Tags):
    @model_validator(mode="before")
    @classmethod
    def no_security(cls, tags: Any) -> Any:
        if tags.get("domains") == "security":
            raise ValueError("no security, please")
        return tags

    @model_validator(mode="before")
    @classmethod
    def has_count(cls, tags: Any, info: ValidationInfo) -> Any:
        tags["domain_count"]
        return tags


def test_a_rule_before_the_fields_is_told_by_its_name():
    assert says(Before, {**GOOD, "domains": "security"}) == [
        (
            "tags.rule at rule 'no_security': expected the rule to hold,"
            " got domains='security', domain_count='1', has_error='false' (no security, please)"
        )
    ]


def test_one_of_several_before_the_fields_is_told_by_its_name():
    class Several(TagSchema):
        team: str

        @model_validator(mode="before")
        @classmethod
        def fine(cls, tags: Any) -> Any:
            return tags

        @model_validator(mode="before")
        @classmethod
        def needing_another(cls, tags: Any) -> Any:
            return {"team": tags["made"]}

        @model_validator(mode="before")
        @classmethod
        def refusing(cls, tags: Any) -> Any:
            if tags["team"] == "black":
                raise ValueError("black is not a team")
            return {"made": tags["team"]}

    assert rules(Several, {"team": "red"}) == []
    assert rules(Several, {"team": "black"}) == ["rule 'refusing'"]


def test_one_that_only_refuses_what_another_made_is_told_by_the_schema():
    class Chained(TagSchema):
        team: str

        @model_validator(mode="before")
        @classmethod
        def refusing(cls, tags: Any) -> Any:
            if tags["team"].isupper():
                raise ValueError("upper case")
            return tags

        @model_validator(mode="before")
        @classmethod
        def raising(cls, tags: Any) -> Any:
            return {"team": tags["team"].upper()}

    assert rules(Chained, {"team": "red"}) == ["schema 'Chained'"]


def test_tags_with_a_default_that_is_made_are_known():
    class Made(TagSchema):
        domains: ListTag[str] = Field(default_factory=lambda: ["cost"])
        count: IntTag

        @model_validator(mode="after")
        def counted(self) -> Made:
            if self.count != len(self.domains):
                raise ValueError("count is not the number of domains")
            return self

    assert rules(Made, {"count": "1"}) == []
    assert rules(Made, {"count": "2"}) == ["rule 'counted'"]


def test_a_validator_says_whether_it_takes_info():
    assert takes_info(lambda value, info: value)
    assert not takes_info(lambda value, other=1: value)
    assert not takes_info(str)  # a builtin says nothing of its parameters


def test_one_that_raises_for_want_of_a_tag_hides_no_finding():
    assert rules(Before, {"domains": "cost", "has_error": "false"}) == ["tag 'domain_count'"]


def test_a_rule_around_the_fields_is_told_by_the_schema():
    class Around(Tags):
        @model_validator(mode="wrap")
        @classmethod
        def not_empty(cls, tags: Any, handler: Any) -> Any:
            made = handler(tags)
            if not made.domains:
                raise ValueError("no domains")
            return made

    assert rules(Around, GOOD) == []
    assert says(Around, {**GOOD, "domains": "", "domain_count": "0"}) == [
        (
            "tags.rule at schema 'Around': expected the rule to hold,"
            " got domains='', domain_count='0', has_error='false' (no domains)"
        )
    ]
    assert rules(Around, {**GOOD, "domain_count": "2"}) == ["rule 'counted'"]


class Sessions(TagSchema):
    session_id: str
    session: Annotated[str, Metadata("mlflow.trace.session")]

    @model_validator(mode="after")
    def same(self) -> Sessions:
        if self.session_id != self.session:
            raise ValueError("session_id is not the session")
        return self


def test_rules_over_metadata_are_decided_where_it_is_known():
    assert rules(Sessions, {"session_id": "a"}, {"mlflow.trace.session": "a"}) == []
    assert says(Sessions, {"session_id": "a"}, {"mlflow.trace.session": "b"}) == [
        (
            "tags.rule at rule 'same': expected the rule to hold, got session_id='a', session='b'"
            " (session_id is not the session)"
        )
    ]
    assert rules(Sessions, {"session_id": "a"}) == []


def test_what_the_model_does_when_it_is_made_is_left_alone():
    class Made(Tags):
        def model_post_init(self, context: Any, /) -> None:
            assert context is None

    assert rules(Made, {**GOOD, "domain_count": "2"}) == ["rule 'counted'"]


def test_a_long_list_of_tags_is_cut():
    wide = TagSchema.from_mapping({f"a{i}": str for i in range(30)})

    class Wide(wide):  # type: ignore[misc, valid-type]
        @model_validator(mode="after")
        def never(self) -> Wide:
            raise ValueError(str(len(self.model_dump())))

    (finding,) = Wide.check_tags({f"a{i}": "x" * 30 for i in range(30)})

    assert len(str(finding.actual)) == 400
    assert str(finding.actual).endswith("...")


@pytest.mark.parametrize("tags", [{}, {"domains": True}, {5: "x"}, {"domains": "cost"}])
def test_nothing_is_ever_right_by_accident(tags):
    assert says(Tags, tags)
