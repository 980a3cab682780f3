"""Values that look like secrets are found by how they are written, or by the name of their tag."""

from __future__ import annotations

import time

import pytest

from pytest_mlflow_traces.core.text.redaction import masked, redacted, redacted_values, secret_kind, shown


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ghp_0123456789abcdefghijABCDEFGHIJ", "a token"),
        ("github_pat_11ABCDEFG0123456789_abcdef", "a token"),
        ("glpat-0123456789abcdefghij", "a token"),
        ("xoxb-1234567890-abcdefghij", "a token"),
        ("hf_abcdefghijklmnopqrstuvwxyz", "a token"),
        ("dapi0123456789abcdef0123456789abcdef", "a token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "a token"),
        ("sk-proj-0123456789abcdefghij", "a key"),
        ("AKIAIOSFODNN7EXAMPLE", "a key"),
        ("AIzaSyA0123456789abcdefghijklmnop", "a key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a key"),
        ("Authorization: Bearer abc123def456ghi", "credentials"),
        ("basic YWRhOnNlY3JldDEyMw==", "credentials"),
        ("postgres://ada:hunter2@db.test/x", "credentials"),
        ("asked by ada.l+tag@mail.example.com today", "an e-mail address"),
        (["dapi0123456789abcdef"], "a token"),
        ({"to": "ada@example.com"}, "an e-mail address"),
    ],
)
def test_secrets_are_known_by_their_looks(value, kind):
    assert secret_kind("note", value) == kind


@pytest.mark.parametrize(
    "value",
    [
        *[
            "",
            "prod",
            "cost,security",
            "basic understanding of cost",
            "sk-learn-pipeline-version",
            "risk-assessment-2024",
        ],
        *[
            "user@host",
            "a@b",
            "https://example.com/a:b@c",
            "3.14",
            "tr-0123456789abcdef",
            None,
            5,
            ["a"],
            "bearer of news",
        ],
    ],
)
def test_ordinary_values_are_no_secrets(value):
    assert secret_kind("note", value) is None


@pytest.mark.parametrize(
    "name", ["password", "db_password", "API_KEY", "apiKey", "auth-token", "x.secret", "access_key"]
)
def test_a_name_gives_a_secret_away(name):
    assert secret_kind(name, "hunter2!") == "a secret, by its name"


@pytest.mark.parametrize(
    ("name", "value"),
    [("has_token", "true"), ("token", "none"), ("max_tokens", "4096000"), ("token", "1234567"), ("monkey", "hunter2!")],
)
def test_a_name_alone_is_not_enough(name, value):
    assert secret_kind(name, value) is None


def test_masked_values_show_their_first_characters_and_length():
    assert masked("ghp_0123456789") == "'ghp'... (14 characters)"
    assert masked("abcd") == "'a'... (4 characters)"
    assert masked("abc") == "''... (3 characters)"


def test_values_are_shown_as_code_and_shortened_in_the_middle():
    assert shown("note", "a\nb") == r"'a\nb'"
    assert shown("note", "x" * 60 + "y" * 60) == f"'{'x' * 59}...{'y' * 16}'"
    assert shown("password", "hunter2!") == "'hu'... (8 characters)"


def test_a_value_whose_repr_raises_is_shown_by_its_type():
    class Odd:
        def __repr__(self):
            raise OSError

    assert shown("note", ["a", "b"]) == "['a', 'b']"
    assert secret_kind("note", Odd()) is None
    assert shown("note", Odd()) == "<a Odd whose repr raises OSError>"


@pytest.mark.parametrize("text", ["a.", "a@", "a-", "@a.", "://a:", "eyJ-", "sk-", "basic ", "a_token_"])
def test_long_values_are_read_in_no_time(text):
    started = time.process_time()
    secret_kind("a_" * 5000, text * 100_000)

    assert time.process_time() - started < 0.5


def test_a_secret_in_a_text_is_masked_whole():
    text = "key -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- and eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbg, then"

    assert redacted(text) == "key '---'... (58 characters) and 'eyJ'... (32 characters), then"


def test_data_is_masked_by_looks_and_keys_and_what_holds_no_secret_stays_as_it_is():
    said = {
        "inputs": '{"api_key":  "hunter2!", "n": [1, "ada@example.com"]}',
        "plain": '{"n":   1}',
        "broken": '{"n": ada@example.com',
        "items": [{"password": "hunter2!"}, 5, None],
    }

    assert redacted_values(said) == {
        "inputs": """{"api_key": "'hu'... (8 characters)", "n": [1, "'ada'... (15 characters)"]}""",
        "plain": '{"n":   1}',
        "broken": """{"n": 'ada'... (15 characters)""",
        "items": [{"password": "'hu'... (8 characters)"}, 5, None],
    }
