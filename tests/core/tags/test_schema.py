"""Schemas of tags: what each type of tag takes, and the exact text of each finding."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WrapValidator,
    field_validator,
    model_validator,
)

from pytest_mlflow_traces import BoolTag, IntTag, ListTag, Metadata, TagSchema
from pytest_mlflow_traces.core.tags.portability import SecretTagWarning
from tests.support.building import tree

SESSION, USER = "mlflow.trace.session", "mlflow.trace.user"


def says(schema: type[TagSchema], tags: dict[Any, Any], metadata: dict[Any, Any] | None = None) -> list[str]:
    return [str(finding) for finding in schema.check_tags(tags, metadata)]


class Tags(TagSchema):
    environment: Literal["dev", "prod"]
    user_id: str
    has_error: BoolTag
    error_type: str | None = None


GOOD = {"environment": "dev", "user_id": "ada", "has_error": "false"}


def test_what_is_missing_is_told_with_what_it_must_be():
    assert says(Tags, {}) == [
        "tags.missing at tag 'environment': expected 'dev' or 'prod', got nothing",
        "tags.missing at tag 'user_id': expected a string, got nothing",
        "tags.missing at tag 'has_error': expected 'true' or 'false', got nothing",
    ]


def test_unknown_tags_are_findings():
    assert says(Tags, {**GOOD, "version": "1"}) == [
        (
            "tags.unknown at tag 'version': expected only tags that the schema names, got '1'"
            ' (add it to the schema, or say extra="allow")'
        )
    ]


def test_a_misspelt_tag_is_one_finding():
    tags = {"enviroment" if tag == "environment" else tag: value for tag, value in GOOD.items()}

    assert says(Tags, tags) == [
        (
            "tags.unknown at tag 'enviroment': expected only tags that the schema names, got 'dev'"
            " (did you mean 'environment'?)"
        )
    ]
    assert says(Tags, {**GOOD, "error_typ": "x"}) == [
        (
            "tags.unknown at tag 'error_typ': expected only tags that the schema names, got 'x'"
            " (did you mean 'error_type'?)"
        )
    ]


def test_a_tag_that_is_only_somewhat_alike_hides_no_missing_one():
    tags = {**GOOD, "user_name": "ada"}
    del tags["user_id"]

    assert [finding.rule for finding in Tags.check_tags(tags)] == ["tags.unknown", "tags.missing"]


def test_two_spellings_of_one_tag_are_two_findings():
    tags = {"enviroment": "dev", "environmen": "dev", "user_id": "ada", "has_error": "true"}

    assert [finding.rule for finding in Tags.check_tags(tags)] == ["tags.unknown", "tags.unknown"]


def test_all_violations_are_told_at_once():
    tags = {"environment": "prd", "has_error": "True", "version": "1", "a;b": "x", 5: "x", "done": True}

    assert [(finding.rule, finding.where) for finding in Tags.check_tags(tags)] == [
        ("tags.name", "tag 'a;b'"),
        ("tags.name", "tag 5"),
        ("tags.type", "tag 'done'"),
        ("tags.value", "tag 'environment'"),
        ("tags.value", "tag 'has_error'"),
        ("tags.unknown", "tag 'version'"),
        ("tags.missing", "tag 'user_id'"),
    ]


def test_one_bad_tag_is_one_finding():
    for value in ("x" * 5000, True, None, ["dev"]):
        assert len(Tags.check_tags({**GOOD, "environment": value})) == 1
        assert len(Tags.check_tags({**GOOD, "unknown": value})) == 1


def test_long_names_that_begin_alike_are_told_apart():
    tags = {**GOOD, "k" * 251: "x", "k" * 100: "x"}

    assert [finding.rule for finding in Tags.check_tags(tags)] == ["tags.name", "tags.unknown"]


def test_an_open_schema_takes_any_other_tag_that_backends_keep():
    class Open(Tags):
        model_config = ConfigDict(extra="allow")

    assert says(Open, {**GOOD, "version": "1"}) == []
    assert [finding.rule for finding in Open.check_tags({**GOOD, "version": 1})] == ["tags.type"]


def test_mlflows_own_tags_never_count_as_the_users():
    tags = {
        "mlflow.traceName": "x",
        "mlflow.linkedPrompts": "[]",
        "retrievers": '[{"name": "r", "primary_key": "id", "text_column": "text"}]',
    }

    assert says(Tags, {**GOOD, **tags}) == []
    assert len(says(Tags, {**GOOD, "mlflow.mine": "x", "retrievers": "none"})) == 2


def test_secrets_are_shown_nowhere():
    token = "ghp_0123456789abcdefghijABCDEFGHIJ"

    class Careless(TagSchema):
        note: Annotated[str, AfterValidator(lambda text: _refuse(f"no {text} here"))] = ""
        items: ListTag[Literal["a"]] = Field(default=[])
        day: date | None = None
        kind: Literal["a"] | None = None
        team: str = ""

        @model_validator(mode="after")
        def quoting(self):
            raise ValueError(f"never {self.team}")

    tags = dict.fromkeys(("note", "items", "day", "kind", "team", "other", "mlflow.x"), token)
    found = [
        *says(Careless, tags),
        *says(Careless, {"items": f"a, {token}", "note": f"x {token}"}),
        *says(Careless, {"team": token}),
    ]

    assert len(found) > 8
    assert not [text for text in found if token in text]
    assert says(Careless, {"note": token})[0] == (
        "tags.value at tag 'note': expected a value that its validator takes, got 'ghp'... (34 characters)"
        " (no 'ghp'... (34 characters) here)"
    )


def _look_up(text):
    return {}[text]


def _never(value):
    return False


def _always(value):
    return True


def _wrapped_never(value, inner):
    inner(value)
    return False


def _refuse(text):
    raise ValueError(text)


class TestMetadata:
    class Sessions(TagSchema):
        session_id: str
        session: Annotated[str, Metadata(SESSION)]
        user: Annotated[str | None, Metadata(USER)] = None

    def test_it_is_looked_up_by_its_key(self):
        assert says(self.Sessions, {"session_id": "s"}, {SESSION: "s", "mlflow.trace.tokenUsage": "{}"}) == []

    def test_it_is_missing_by_its_key(self):
        assert says(self.Sessions, {"session_id": "s"}, {}) == [
            (
                "tags.missing at metadata 'mlflow.trace.session': expected a string, got nothing"
                " (set it by mlflow.update_current_trace(metadata={'mlflow.trace.session': ...}))"
            )
        ]

    def test_a_tag_does_not_stand_in_for_it(self):
        assert says(self.Sessions, {"session_id": "s", "session": "s"}, {}) == [
            (
                "tags.unknown at tag 'session': expected only tags that the schema names, got 's'"
                " (it is metadata: set it by mlflow.update_current_trace(metadata={'mlflow.trace.session': ...}))"
            )
        ]
        assert len(says(self.Sessions, {"session_id": "s", "session": "s"}, {SESSION: "s"})) == 1

    def test_bad_metadata_is_one_finding(self):
        for value in ("s" * 251, 5, None):
            (finding,) = self.Sessions.check_tags({"session_id": "s"}, {SESSION: value})
            assert finding.where == "metadata 'mlflow.trace.session'"

    def test_without_metadata_nothing_is_known_of_it(self):
        assert says(self.Sessions, {"session_id": "s"}) == []

    def test_an_illegal_value_is_told_by_its_key(self):
        class Turns(TagSchema):
            turn: Annotated[IntTag, Metadata("turn")]

        assert says(Turns, {}, {"turn": "1.0"}) == [
            "tags.value at metadata 'turn': expected a whole number, got '1.0' (write '1')"
        ]

    def test_what_mlflow_writes_need_be_no_text(self):
        class Models(TagSchema):
            model: Annotated[str, Metadata("mlflow.modelId")]

        (finding,) = Models.check(tree("agent", metadata={"mlflow.modelId": 5}))

        assert str(finding) == "tags.value at metadata 'mlflow.modelId': expected a string, got 5"

    def test_a_key_is_some_text(self):
        with pytest.raises(ValueError, match="the key is empty"):
            Metadata("")
        with pytest.raises(TypeError, match="a string, got 5"):
            Metadata(5)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            ("mlflow.trace.sesion", SESSION),
            ("mlflow.trace.session_id", SESSION),
            ("mlflow.trace.userId", USER),
        ],
    )
    def test_one_that_misspells_what_people_set_is_refused(self, key, meant):
        with pytest.raises(ValueError, match="did you mean") as caught:
            Metadata(key)

        assert str(caught.value) == f"Metadata({key!r}): MLflow has no such metadata; did you mean {meant!r}?"

    @pytest.mark.parametrize("key", ["mlflow.trace.tokenUsage", "mlflow.sourceRun", "session_id", "mlflow.user"])
    def test_other_keys_are_free(self, key):
        assert Metadata(key).key == key


class TestNames:
    def test_a_tag_of_another_name_than_its_field_has_an_alias(self):
        class Aliased(TagSchema):
            check_: BoolTag = Field(alias="check")
            request_id: str = Field(alias="request-id", default="none")

        assert says(Aliased, {"check": "true", "request-id": "1"}) == []
        assert says(Aliased, {"check": "True"}) == [
            "tags.value at tag 'check': expected 'true' or 'false', got 'True' (write 'true': str(True) is 'True')"
        ]
        assert [finding.where for finding in Aliased.check_tags({"check_": "true"})] == ["tag 'check_'"]

    def test_aliases_may_be_generated(self):
        class Dotted(TagSchema):
            model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "."))
            team_name: str

        assert says(Dotted, {"team.name": "red"}) == []
        assert [finding.rule for finding in Dotted.check_tags({"team_name": "red"})] == ["tags.unknown"]

    def test_errors_may_name_fields_instead(self):
        class Aliased(TagSchema):
            model_config = ConfigDict(loc_by_alias=False)
            count: IntTag = Field(alias="domain-count")

        assert [finding.where for finding in Aliased.check_tags({"domain-count": "x"})] == ["tag 'domain-count'"]

    @pytest.mark.parametrize("name", ["check", "check_tags", "from_mapping", "copy", "json", "model_dump", "register"])
    def test_a_field_is_not_called_as_the_schema_needs_it(self, name):
        with pytest.raises(TypeError) as caught:
            type("Tags", (TagSchema,), {"__annotations__": {name: str}, "__module__": __name__})

        assert str(caught.value) == (
            f"Tags.{name}: the schema needs this name for itself; write {name}_: ... = Field(alias={name!r})"
        )

    @pytest.mark.parametrize("name", ["_team", "__team__"])
    def test_a_field_does_not_begin_with_an_underscore(self, name):
        with pytest.raises(TypeError, match=r"pydantic takes no field that begins with _; write team_: ... = Field"):
            type("Tags", (TagSchema,), {"__annotations__": {name: str}, "__module__": __name__})

    def test_two_fields_are_not_one_tag(self):
        with pytest.raises(TypeError, match=r"Twice\.other: the tag 'team' has a field already, team"):

            class Twice(TagSchema):
                team: str
                other: str = Field(alias="team")

    def test_a_tag_has_one_name(self):
        from pydantic import AliasChoices

        with pytest.raises(TypeError, match=r"Several\.team: a tag has one name"):

            class Several(TagSchema):
                team: str = Field(validation_alias=AliasChoices("a", "b"))

    def test_no_tag_has_a_name_that_backends_refuse(self):
        with pytest.raises(TypeError, match=r"Tags\.tag_0: no tag can have a name with ';'"):
            TagSchema.from_mapping({"a;b": str})

    def test_mlflows_own_tags_are_none_of_a_schema(self):
        with pytest.raises(TypeError, match=r"'mlflow.x' is MLflow's own, .*; is it Metadata\('mlflow.x'\)\?"):
            TagSchema.from_mapping({"mlflow.x": str})


def test_a_schema_that_checks_nothing_is_refused():
    class Nothing(TagSchema):
        model_config = ConfigDict(extra="allow")

    class NoTags(TagSchema):
        pass

    for empty in (Nothing, TagSchema):
        with pytest.raises(TypeError, match=f"{empty.__name__} checks nothing: it names no tag, and has no rules"):
            empty.check_tags({})
    assert [finding.rule for finding in NoTags.check_tags({"a": "b"})] == ["tags.unknown"]


def test_extra_tags_are_forbidden_or_allowed():
    with pytest.raises(TypeError, match="Tags: extra is 'forbid' or 'allow', got 'ignore'"):

        class Tags(TagSchema):
            model_config = ConfigDict(extra="ignore")


def test_a_schema_may_be_defined_in_a_function_with_types_of_its_own():
    words = Literal["a", "b"]

    class Local(TagSchema):
        word: words

    assert [finding.rule for finding in Local.check_tags({"word": "c"})] == ["tags.value"]


def test_a_type_that_is_defined_later_is_checked_then():
    class Late(TagSchema):
        flag: "Later"  # noqa: UP037, F821  # type: ignore[name-defined]

    with pytest.raises(TypeError, match="Late: the name 'Later' is not defined"):
        Late.check_tags({"flag": "yes"})

    globals()["Later"] = bool
    try:
        with pytest.raises(TypeError, match=r"Late\.flag: every tag is text; for bool write BoolTag"):
            Late.check_tags({"flag": "yes"})
    finally:
        del globals()["Later"]


class TestInheritance:
    class Base(TagSchema):
        model_config = ConfigDict(extra="allow")
        team: str

        @model_validator(mode="after")
        def not_black(self):
            if self.team == "black":
                raise ValueError("black is not a team")
            return self

    def test_fields_config_and_rules_are_inherited(self):
        class Sub(self.Base):  # type: ignore[name-defined]
            level: IntTag

        assert says(Sub, {"team": "red", "level": "1", "more": "x"}) == []
        assert [finding.where for finding in Sub.check_tags({"team": "black", "level": "1"})] == ["rule 'not_black'"]

    def test_a_field_may_be_narrowed(self):
        class Sub(self.Base):  # type: ignore[name-defined]
            team: Literal["red", "black"]

        assert [finding.where for finding in Sub.check_tags({"team": "blue"})] == ["tag 'team'"]
        assert says(self.Base, {"team": "blue"}) == []

    def test_a_rule_may_be_replaced(self):
        class Sub(self.Base):  # type: ignore[name-defined]
            @model_validator(mode="after")
            def not_black(self):
                return self

        assert says(Sub, {"team": "black"}) == []


class TestFromMapping:
    def test_a_table_is_a_schema(self):
        table = TagSchema.from_mapping(
            {"json": str, "check": BoolTag, "a b": IntTag, "tag_0": str}, optional=("a b",), name="Table"
        )

        assert table.__name__ == "Table"
        assert says(table, {"json": "a", "check": "true", "tag_0": "x"}) == []
        assert [(each.rule, each.where) for each in table.check_tags({"check": "x", "a b": "1.5"})] == [
            ("tags.value", "tag 'check'"),
            ("tags.value", "tag 'a b'"),
            ("tags.missing", "tag 'json'"),
            ("tags.missing", "tag 'tag_0'"),
        ]

    def test_its_inner_names_are_no_tags(self):
        assert says(TagSchema.from_mapping({"team": str}), {"team": "red", "tag_0": "x"}) == [
            (
                "tags.unknown at tag 'tag_0': expected only tags that the schema names, got 'x'"
                ' (add it to the schema, or say extra="allow")'
            )
        ]

    def test_it_may_be_open(self):
        assert says(TagSchema.from_mapping({"team": str}, extra="allow"), {"team": "red", "more": "x"}) == []

    def test_it_adds_to_the_schema_it_is_called_on(self):
        both = Tags.from_mapping({"team": str})

        assert [finding.where for finding in both.check_tags(GOOD)] == ["tag 'team'"]

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            (({},), ValueError, "from_mapping({}) checks nothing: name a tag"),
            (({"a b": bool},), TypeError, "from_mapping(): 'a b': every tag is text; for bool write BoolTag"),
            (({5: str},), TypeError, "from_mapping(): the name of a tag is a string, got 5"),
        ],
    )
    def test_what_cannot_be_is_refused(self, arguments, error, text):
        with pytest.raises(error) as caught:
            TagSchema.from_mapping(*arguments)

        assert str(caught.value) == text

    def test_options_are_checked(self):
        with pytest.raises(TypeError, match=r"optional is a tuple of names: \('a',\)"):
            TagSchema.from_mapping({"a": str}, optional="a")
        with pytest.raises(ValueError, match=r"'eror' is optional but not in the table; did you mean 'error'\?"):
            TagSchema.from_mapping({"error": str}, optional=("eror",))
        with pytest.raises(ValueError, match="extra is 'forbid' or 'allow', got 'ignore'"):
            TagSchema.from_mapping({"a": str}, extra="ignore")


class TestCheck:
    """A schema as an expectation of a trace."""

    class Sessions(Tags):
        session: Annotated[str, Metadata(SESSION)]

    def test_a_good_trace_has_no_finding(self):
        trace = tree("agent", tags=GOOD, metadata={SESSION: "s"}, system_tags={"mlflow.traceName": "agent"})

        assert self.Sessions.check(trace) == []

    def test_what_backends_do_not_keep_comes_first_and_once(self):
        tags = {**GOOD, "has_error": False, "environment": "x" * 5000, "user_id": "ada"}
        trace = tree("agent", tags=tags, metadata={SESSION: "s" * 300}, system_tags={"mlflow.mine": "x"})

        assert [(finding.rule, finding.where) for finding in self.Sessions.check(trace)] == [
            ("tags.length", "tag 'environment'"),
            ("tags.type", "tag 'has_error'"),
            ("tags.reserved", "tag 'mlflow.mine'"),
            ("tags.length", "metadata 'mlflow.trace.session'"),
        ]

    def test_metadata_is_required(self):
        trace = tree("agent", tags=GOOD)

        assert [finding.where for finding in self.Sessions.check(trace)] == ["metadata 'mlflow.trace.session'"]

    def test_a_secret_is_a_warning(self):
        trace = tree("agent", tags={**GOOD, "user_id": "ada@example.com"})

        with pytest.warns(SecretTagWarning, match=r"tag 'user_id' looks like an e-mail address: 'ada'"):
            assert Tags.check(trace) == []


class TestFieldValidators:
    class Lower(TagSchema):
        team: str
        other: str = ""

        @field_validator("team", "other")
        @classmethod
        def lower(cls, value: str) -> str:
            if value != value.lower():
                raise ValueError("must be lower case")
            return value

        @field_validator("other")
        @classmethod
        def asserting(cls, value: str) -> str:
            assert value != "x"
            return value

    def test_they_say_why(self):
        assert says(self.Lower, {"team": "Red", "other": "Blue"}) == [
            "tags.value at tag 'team': expected a value that its validator takes, got 'Red' (must be lower case)",
            "tags.value at tag 'other': expected a value that its validator takes, got 'Blue' (must be lower case)",
        ]

    def test_an_assertion_does(self):
        (finding,) = self.Lower.check_tags({"team": "red", "other": "x"})

        assert (finding.rule, finding.where) == ("tags.value", "tag 'other'")

    def test_one_that_raises_for_want_of_another_tag_hides_no_finding(self):
        class Counted(TagSchema):
            domains: ListTag[str]
            count: IntTag

            @field_validator("count")
            @classmethod
            def as_many(cls, value: int, info: Any) -> int:
                if value != len(info.data["domains"]):
                    raise ValueError("count is not the number of domains")
                return value

        assert says(Counted, {"domains": "a", "count": "2"}) == [
            (
                "tags.value at tag 'count': expected a value that its validator takes, got '2'"
                " (count is not the number of domains)"
            )
        ]
        assert [each.where for each in Counted.check_tags({"domains": "a, b", "count": "2"})] == ["tag 'domains'"]
        assert [each.where for each in Counted.check_tags({"count": "2"})] == ["tag 'domains'"]

    def test_one_that_raises_for_an_unknown_tag_hides_none_either(self):
        class Guarded(TagSchema):
            domains: ListTag[str]
            count: IntTag
            level: IntTag = 0

            @field_validator("count")
            @classmethod
            def as_many(cls, value: int, info: Any) -> int:
                if info.data.get("domains") is not None and value != len(info.data["domains"]):
                    raise ValueError("count is not the number of domains")
                return value

        assert [each.where for each in Guarded.check_tags({"domains": "a, b", "count": "2"})] == ["tag 'domains'"]
        assert [each.where for each in Guarded.check_tags({"count": "2", "level": "1"})] == ["tag 'domains'"]
        assert [each.where for each in Guarded.check_tags({"count": "2", "level": "x"})] == [
            "tag 'level'",
            "tag 'domains'",
        ]

    @pytest.mark.parametrize("annotation", [str, Literal["a", "b"], IntTag | Literal["a", "b"], ListTag[str]])
    @pytest.mark.parametrize("text", ["a", "b"])
    def test_one_that_answers_instead_of_raising_is_a_finding(self, annotation, text):
        class Answering(TagSchema):
            team: annotation
            size: IntTag = 0
            done: BoolTag = False

            @field_validator("team")
            @classmethod
            def known(cls, value: Any) -> bool:  # the mistake: the answer becomes the value
                return value in ("a", ["a"])

            @field_validator("done")
            @classmethod
            def whichever(cls, value: bool) -> bool:
                return value

            @model_validator(mode="after")
            def looking(self) -> Answering:
                assert self.team is not False
                return self

        for others in ({"done": "true"}, {"size": "x"}):
            (finding, *rest) = reversed(Answering.check_tags({"team": text, **others}))

            assert (finding.rule, finding.where) == ("tags.value", "tag 'team'")
            says = f"it returned {text == 'a'}: return the value, and raise a ValueError where it does not hold"
            assert finding.hint == says
            assert [each.where for each in rest] == ["tag 'size'"] * ("size" in others)

    @pytest.mark.parametrize(
        ("annotation", "text", "answer"),
        [
            (Annotated[str, AfterValidator(_never)] | None, "a", False),
            (Annotated[str, AfterValidator(_never)] | Annotated[str, Field(max_length=9)], "a", False),
            (IntTag | Annotated[Literal["a"], AfterValidator(_always)], "a", True),
            (ListTag[Annotated[str, AfterValidator(_never)]], "a,b", False),
            (ListTag[Annotated[IntTag, AfterValidator(_never)]] | None, "1", False),
            (Annotated[ListTag[BoolTag], AfterValidator(_never)], "true", False),
            (Annotated[BoolTag, AfterValidator(_never)], "true", False),
            (Annotated[BoolTag, AfterValidator(_always)], "false", True),
            (Annotated[BoolTag, AfterValidator(partial(_never))] | None, "true", False),
            (Annotated[BoolTag, WrapValidator(_wrapped_never)], "true", False),
            (Annotated[date, AfterValidator(_never)], "2026-01-02", False),
            (Annotated[date, PlainValidator(_never)], "2026-01-02", False),
            (Annotated[date, WrapValidator(_wrapped_never)], "2026-01-02", False),
            (Annotated[UUID, AfterValidator(_always)], str(UUID(int=1)), True),
            (Annotated[UUID, AfterValidator(_always)] | Literal["none"], str(UUID(int=1)), True),
        ],
    )
    def test_one_that_answers_is_a_finding_wherever_it_can_stand(self, annotation, text, answer):
        class Answering(TagSchema):
            it: annotation
            size: IntTag = 0

        (finding,) = Answering.check_tags({"it": text})

        assert (finding.rule, finding.where) == ("tags.value", "tag 'it'")
        assert finding.hint == f"it returned {answer}: return the value, and raise a ValueError where it does not hold"
        assert [each.where for each in Answering.check_tags({"it": text, "size": "x"})] == ["tag 'size'", "tag 'it'"]

    @pytest.mark.parametrize("annotation", [BoolTag, UUID | BoolTag, ListTag[BoolTag], date])
    def test_one_that_gives_the_value_is_none(self, annotation):
        class Giving(TagSchema):
            it: Annotated[
                annotation, AfterValidator(lambda value: value), WrapValidator(lambda value, inner: inner(value))
            ]

        assert Giving.check_tags({"it": "2026-01-02" if annotation is date else "true"}) == []

    def test_one_that_reads_a_truth_of_the_text_gives_the_value(self):
        class Reading(TagSchema):
            done: Annotated[BoolTag, PlainValidator(lambda text: text == "yes")]

        assert Reading.check_tags({"done": "yes"}) == Reading.check_tags({"done": "no"}) == []

    def test_one_of_a_default_that_is_not_asked_is_none(self):
        class Defaulting(TagSchema):
            it: Annotated[str, AfterValidator(_never)] | None = None

        assert Defaulting.check_tags({}) == []

    def test_one_that_raises_what_it_should_not_is_a_finding(self):
        class Odd(TagSchema):
            team: Annotated[str, AfterValidator(_look_up)]

        (finding,) = Odd.check_tags({"team": "red"})

        assert (finding.rule, finding.where) == ("tags.rule", "schema 'Odd'")
        assert str(finding.hint).startswith("it raised KeyError: 'red' in _look_up, test_schema.py:")
