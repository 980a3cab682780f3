"""Each way in which a backend changes, cuts, drops or refuses a tag has a finding; MLflow's own tags have none."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.tags.portability import SecretTagWarning, portability, warn_of_secrets
from tests.support.building import tree

LOST = "SQLite drops all tags and metadata of the trace, a REST server stores the repr"


def findings(tags=(), system_tags=(), metadata=()):
    trace = tree("agent", tags=dict(tags), system_tags=dict(system_tags), metadata=dict(metadata))
    return [str(finding) for finding in portability(trace)]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "done",
            True,
            (
                "tags.type at tag 'done': expected a string, got True"
                " (SQLite stores '1', a REST server 'True': write 'true')"
            ),
        ),
        (
            "done",
            False,
            (
                "tags.type at tag 'done': expected a string, got False"
                " (SQLite stores '0', a REST server 'False': write 'false')"
            ),
        ),
        ("n", 1, "tags.type at tag 'n': expected a string, got 1 (MLflow takes strings: write '1')"),
        ("n", 0.5, "tags.type at tag 'n': expected a string, got 0.5 (MLflow takes strings: write '0.5')"),
        (
            "n",
            None,
            (
                "tags.type at tag 'n': expected a string, got None"
                " (SQLite stores a null, a REST server 'None': leave the tag out, or write '')"
            ),
        ),
        (
            "n",
            ["a", "b"],
            (f"tags.type at tag 'n': expected a string, got ['a', 'b'] ({LOST}: write ','.join(...))"),
        ),
        (
            "n",
            {"a": 1},
            (f"tags.type at tag 'n': expected a string, got {{'a': 1}} ({LOST}: write json.dumps(...))"),
        ),
        (
            "n",
            [1],
            (f"tags.type at tag 'n': expected a string, got [1] ({LOST}: write json.dumps(...))"),
        ),
        (
            "n",
            b"x",
            (
                "tags.type at tag 'n': expected a string, got b'x'"
                " (each backend makes text of it in its own way: write str(...))"
            ),
        ),
        (
            5,
            "x",
            (
                "tags.name at tag 5: expected a name that is a string, got 5"
                " (SQLite stores it as text, a REST server loses tags and metadata of the trace: write '5')"
            ),
        ),
        (
            "k" * 251,
            "x",
            (
                f"tags.name at tag '{'k' * 59}...: expected a name of at most 250 characters, got 251"
                " (a server cuts it to 250)"
            ),
        ),
        (
            "n",
            "v" * 4097,
            "tags.length at tag 'n': expected at most 4096 characters, got 4097 (a server cuts it to 4096)",
        ),
        (
            "n",
            "a\ud83d",
            (
                r"tags.text at tag 'n': expected text without '\ud83d', got 'a\ud83d'"
                " (it cannot be encoded, and MLflow loses tags and metadata)"
            ),
        ),
        (
            "n",
            "\0a",
            r"tags.text at tag 'n': expected text without '\x00', got '\x00a' (PostgreSQL refuses it)",
        ),
        *[
            (
                name,
                "x",
                (
                    f"tags.name at tag {name!r}: expected a name that MLflow takes everywhere, got {problem}"
                    " (MLflow's set_trace_tag and its searches take letters, digits, spaces and _ - . / :)"
                ),
            )
            for name, problem in [
                ("", "the empty name"),
                ("a;b", "a name with ';'"),
                ("a`b", "a name with '`'"),
                ("\n", r"a name with '\n'"),
                ("a\n", r"a name with '\n'"),
                ("ü;,'", "a name with \"'\", ',', ';'"),
                ("../x", "a name that as a path is '../x'"),
                ("a//b", "a name that as a path is 'a/b'"),
                ("/a", "a name that as a path is '/a'"),
                (".", "a name that as a path is '.'"),
            ]
        ],
    ],
)
def test_what_a_backend_does_not_keep_is_one_finding(key, value, says):
    assert findings({key: value}) == [says]


def test_of_tags_there_may_be_any_number():
    assert findings({f"tag_{number}": "x" for number in range(2_000)}) == []


@pytest.mark.parametrize("key", ["a", "é", "a b", "a.b/c:d-e_f", "k" * 250])
def test_ordinary_tags_have_no_finding(key):
    assert findings({key: "v" * 4096}) == []


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "mlflow.mine",
            "x",
            (
                "tags.reserved at tag 'mlflow.mine': expected a name of your own, got 'x'"
                " (names that begin with mlflow. are MLflow's: the tag may be ignored, or change how the trace is read)"
            ),
        ),
        (
            "mlflow.user",
            "ada",
            (
                "tags.reserved at tag 'mlflow.user': expected a name of your own, got 'ada'"
                " (names that begin with mlflow. are MLflow's: the tag may be ignored, or change how the trace is read)"
            ),
        ),
        (
            "mlflow.traceName",
            "other",
            (
                "tags.reserved at tag 'mlflow.traceName': expected 'agent', got 'other'"
                " (MLflow's own tag was overwritten: it is the name by which the trace is listed and searched)"
            ),
        ),
        (
            "mlflow.trace.spansLocation",
            "here",
            (
                "tags.reserved at tag 'mlflow.trace.spansLocation': expected what MLflow set, got 'here'"
                " (MLflow's own tag was overwritten: it tells where the trace is stored)"
            ),
        ),
        (
            "mlflow.artifactLocation",
            "x",
            (
                "tags.reserved at tag 'mlflow.artifactLocation': expected what MLflow set, got 'x'"
                " (MLflow's own tag was overwritten: it tells where the trace is stored)"
            ),
        ),
        *[
            (
                key,
                "s1",
                (
                    f"tags.reserved at tag {key!r}: expected metadata of this name, got 's1'"
                    f" (MLflow groups by metadata: mlflow.update_current_trace(metadata={{{key!r}: ...}}))"
                ),
            )
            for key in ("mlflow.trace.session", "mlflow.trace.user")
        ],
    ],
)
def test_names_of_mlflows_own_are_reserved(key, value, says):
    assert findings(system_tags={key: value}) == [says]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mlflow.traceName", "agent"),
        ("mlflow.trace.spansLocation", "TRACKING_STORE"),
        ("mlflow.artifactLocation", "mlflow-artifacts:/0/traces/tr-1/artifacts"),
        ("mlflow.linkedPrompts", '[{"name": "p", "version": "1"}]'),
        ("mlflow.eval.requestId", "f01e1a0c"),
        ("mlflow.trace.sourceScorer", "correctness"),
        ("mlflow.trace.archivalFailure", "gone"),
        ("mlflow.test.name", "tests/test_agent.py::test_answer"),
        ("mlflow.databricks.notebookID", "1"),
        ("mlflow.source.git.commit", "0123abc"),
    ],
)
def test_what_mlflow_set_itself_has_no_finding(key, value):
    assert findings(system_tags={key: value}) == []


def test_a_trace_of_several_roots_may_have_any_name():
    trace = tree("one", "two", system_tags={"mlflow.traceName": "three"})

    assert portability(trace) == []


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "note",
            "v" * 251,
            "tags.length at metadata 'note': expected at most 250 characters, got 251 (a server cuts it to 250)",
        ),
        (
            "mlflow.trace.session",
            "s" * 300,
            (
                "tags.length at metadata 'mlflow.trace.session': expected at most 250 characters, got 300"
                " (a server cuts it to 250)"
            ),
        ),
        (
            "mlflow.trace.user",
            7,
            "tags.type at metadata 'mlflow.trace.user': expected a string, got 7 (MLflow takes strings: write '7')",
        ),
        (
            "k" * 251,
            "v",
            (
                f"tags.length at metadata '{'k' * 59}...: expected a key of at most 250 characters, got 251"
                " (a server cuts it to 250)"
            ),
        ),
        (5, "v", "tags.name at metadata 5: expected a key that is a string, got 5 (write '5')"),
        (
            "note",
            "\udfff",
            (
                r"tags.text at metadata 'note': expected text without '\udfff', got '\udfff'"
                " (it cannot be encoded, and MLflow loses tags and metadata)"
            ),
        ),
    ],
)
def test_metadata_has_limits_of_its_own(key, value, says):
    assert findings(metadata={key: value}) == [says]


@pytest.mark.parametrize("value", [True, False])
def test_metadata_that_a_server_writes_is_nobodys_mistake(value):
    assert findings(metadata={"is_truncated": value}) == []


@pytest.mark.parametrize(("key", "value"), [("is_truncated", 0), ("is_truncated", None), ("is_short", False)])
def test_what_no_server_writes_is_the_users(key, value):
    (finding,) = findings(metadata={key: value})

    assert finding.startswith(f"tags.type at metadata {key!r}: expected a string, got {value!r} ")


def test_metadata_that_mlflow_writes_has_no_limit():
    assert findings(metadata={"mlflow.traceInputs": "x" * 1000, "mlflow.trace.tokenUsage": "{}"}) == []


def test_secrets_are_masked_in_every_finding():
    token = "ghp_0123456789abcdefghijABCDEFGHIJ"
    found = findings(
        {"a": [token], "b": {"auth": token}}, {"mlflow.mine": token, "mlflow.traceName": token}, {"note": {"t": token}}
    )

    assert len(found) == 5
    assert not [text for text in found if token in text]


def test_a_tag_that_looks_like_a_secret_is_a_warning():
    trace = tree("agent", tags={"contact": "ada@example.com", "team": "red"})

    with pytest.warns(SecretTagWarning) as caught:
        warn_of_secrets(trace)

    text = "trace 'agent': tag 'contact' looks like an e-mail address: 'ada'... (15 characters)"
    assert [str(each.message) for each in caught] == [text]
