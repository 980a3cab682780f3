"""Tags and metadata that stand in other tables than the spans: the latest counts, whatever order the rows are in."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta, timezone

import pytest

from pytest_mlflow_traces.core.spans.annotation_rows import key_of, refuse_lacking, said_of
from tests.support.messages import exactly

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
HEX = "0123456789abcdef" * 2


def tag(value, second, *, name="team", gone=False):
    time = NOON + timedelta(seconds=second)
    return {"annotation_type": "TAG", "name": name, "value": value, "updated_at": time, "deleted_at": gone and time}


def event(second, kind="genai.trace.tag", place="body", **said):
    return {"event_name": kind, "time_unix_nano": second, place: json.dumps(said) if place == "body" else said}


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_of_a_tag_the_latest_counts(order):
    rows = [tag("red", 1), tag("blue", 3), tag("green", 2)]

    assert said_of([rows[k] for k in order]) == {"tags": {"team": "blue"}, "trace_metadata": {}}


@pytest.mark.parametrize("order", [*itertools.permutations(range(2))])
def test_what_is_deleted_is_gone_at_one_time_too(order):
    rows = [tag("red", 2), tag("red", 2, gone=True)]

    assert said_of([rows[k] for k in order])["tags"] == {}
    assert said_of([*rows, tag("blue", 3)])["tags"] == {"team": "blue"}


@pytest.mark.parametrize(
    ("value", "shown"), [('"red"', "red"), ("red", "red"), ('"red', '"red'), (5, 5), ("", ""), ("5", "5")]
)
def test_a_value_is_json_or_plain(value, shown):
    assert said_of([tag(value, 1)])["tags"] == {"team": shown}


@pytest.mark.parametrize("place", ["body", "attributes"])
def test_the_events_of_logs(place):
    rows = [
        event(3, place=place, key="a", value="new"),
        event(2, place=place, key="a", value="old"),
        event(1, place=place, key="b", value="x"),
        event(2, place=place, key="b", value="x", deleted="true"),
        event(9, "genai.assessments.snapshot", place=place, key="a", value="none"),
        event(1, "genai.trace.metadata", place=place, trace_metadata='{"mlflow.trace.session": "s"}'),
    ]

    assert said_of(rows) == {"tags": {"a": "new"}, "trace_metadata": {"mlflow.trace.session": "s"}}


def test_attributes_as_arrow_has_a_map():
    assert said_of([event(1, place="attributes") | {"attributes": [("key", "a"), ("value", "b")]}])["tags"] == {
        "a": "b"
    }


def test_the_metadata_of_annotations():
    row = {"annotation_type": "METADATA", "updated_at": NOON, "value": json.dumps({"trace_metadata": {"a": "b"}})}
    other = {"annotation_type": "FEEDBACK", "updated_at": NOON, "name": "team", "value": "5"}

    assert said_of([row, other]) == {"tags": {}, "trace_metadata": {"a": "b"}}


@pytest.mark.parametrize(
    "late",
    [
        "2026-01-01T12:00:05Z",
        "2026-01-01T13:00:05+01:00",
        NOON.replace(tzinfo=None) + timedelta(seconds=5),
        str(10**18 * 2),
    ],
)
def test_times_as_files_have_them(late):
    rows = [tag("late", 0) | {"updated_at": late}, tag("early", 4)]

    assert said_of(rows)["tags"] == {"team": "late"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (tag("a", 1) | {"updated_at": None}, "an annotation without its time: which is the latest, nobody knows"),
        (tag("a", 1) | {"updated_at": "noon"}, "an annotation whose time is none: 'noon'"),
        (event(1) | {"body": "{"}, "an annotation that is no JSON: {"),
        (event(1) | {"body": "5"}, "an annotation that is no object: 5"),
    ],
)
def test_what_cannot_be_read_is_an_error(row, says):
    with pytest.raises(ValueError, match=exactly(says)):
        said_of([row])


@pytest.mark.parametrize("given", [HEX, HEX.upper(), f"tr-{HEX}", f"trace:/main.agents.prod/{HEX}"])
def test_the_id_of_a_trace_has_several_forms(given):
    assert key_of(given) == HEX


@pytest.mark.parametrize("given", ["tr-1", f"x{HEX}", f"{HEX}0", ""])
def test_another_id_is_what_it_is(given):
    assert key_of(given) == given


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["annotation_type"], "`_otel_annotations` it lacks 'name', 'value', 'updated_at', 'target_id'"),
        (["event_name"], "`_otel_logs` it lacks 'trace_id', 'time_unix_nano', 'body'"),
    ],
)
def test_a_table_that_cannot_tell_which_is_the_latest_lacks_something(names, says):
    with pytest.raises(ValueError, match=exactly(f"not a table of annotations: for {says}")):
        refuse_lacking(names)
