"""What looks personal or secret is found by its looks or its key, and replaced wherever it stands."""

from __future__ import annotations

import time

import pytest

from pytest_mlflow_traces.core.text.personal_data import found_in, is_name, kind_by_key
from pytest_mlflow_traces.core.text.placeholders import Placeholders

PLANTED = {
    "email": "ada.l+tag@mail.example.com",
    "phone": "+49 (30) 123-4567",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "ssn": "078-05-1120",
    "ip": "192.0.2.17",
    "key": "AKIAIOSFODNN7EXAMPLE",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.Sig-nat_ure",
    "credentials": "ada:hunter2",
    "data": "data:image/png;base64," + "aB3/" * 30,
}


def replaced(value):
    placeholders = Placeholders()
    placeholders.learn(value)
    return placeholders.replaced(value, "inputs"), placeholders.all


@pytest.mark.parametrize(("kind", "text"), PLANTED.items())
def test_it_is_found_by_its_looks_whole_and_nothing_around_it(kind, text):
    around = "see {} now" if kind != "credentials" else "postgres://{}@db.test/x"

    assert replaced(around.format(text))[0] == around.format(f"<redacted-{kind}-1>")


@pytest.mark.parametrize(
    "text",
    [
        *["555-010-9999", "(555) 010-9999", "030 1234567", "06 12 34 56 78", "0049 30 1234567", "+15550109999"],
        *["password=hunter2", "token: abcd1234", "sk_live_0123456789ab", "aVeryLongRandomText0123456789ABCdef"],
        *["ada%40example.com", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "0" * 8 + "ab" * 20],
    ],
)
def test_other_ways_to_write_it_are_found(text):
    assert text not in str(replaced([text])[0])


@pytest.mark.parametrize(
    "text",
    [
        *["2026-11-30", "2026-11-30T10:20:30", "1.2.3", "10,000", "4111 1111 1111 1112", "0000000000000000"],
        *["DE88370400440532013000", "999.1.1.1", "Why did costs spike?", "step 12 of 300", "web_search", "0.25"],
        *["gpt-4o-2024-08-06", "SELECT a FROM b WHERE c = 12345", "the token that counts"],
    ],
)
def test_ordinary_texts_stay(text):
    assert list(found_in(text)) == []


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        *[("customerName", "name"), ("user_name", "name"), ("surname", "name"), ("patient", "name")],
        *[("work e-mail", "email"), ("phoneNumber", "phone"), ("billing.address", "address"), ("zipCode", "address")],
        *[("date_of_birth", "birthday"), ("SSN", "number"), ("user_id", "id"), ("accessToken", "secret")],
        *[("Authorization", "password"), ("client_ip", "ip")],
        *[("tool_name", None), ("file_name", None), ("question", None), ("max_tokens", None), ("hostname", None)],
        *[("model", None), ("id", None), ("name", None)],
    ],
)
def test_a_key_says_what_stands_below_it(key, kind):
    assert kind_by_key(key) == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *[("Ada Lovelace", True), ("Ludwig van Beethoven", True), ("Jean-Luc O'Neill", True), ("Zoë Müller", True)],
        *[("Ada", False), ("web search", False), ("search Web", False), ("A B C D E", False), ("Run 7", False)],
    ],
)
def test_a_name_is_two_to_four_words_with_capitals(text, said):
    assert is_name(text) is said


def test_the_same_value_has_the_same_placeholder_in_every_text_and_key():
    said, found = replaced(
        {
            "customer": {"name": "Ada Lovelace", "plan": "gold"},
            "question": "What does Ada owe? Ada Lovelace, that is; not Adam",
            "notes": ["greet_Ada", {"Ada Lovelace": 1}],
        }
    )

    assert said == {
        "customer": {"name": "<redacted-name-1>", "plan": "gold"},
        "question": "What does <redacted-name-2> owe? <redacted-name-1>, that is; not Adam",
        "notes": ["greet_<redacted-name-2>", {"<redacted-name-1>": 1}],
    }
    assert [(each.value, each.where) for each in found] == [
        ("Ada Lovelace", "inputs.customer.name"),
        ("Ada", "inputs.question"),
    ]


def test_numbers_are_replaced_and_what_only_looks_alike_stays():
    said, _ = replaced({"card_number": 5, "paid": 4111111111111111, "again": [4111111111111111, 3.5, 12], "ok": True})

    assert said == {
        "card_number": "<redacted-number-1>",
        "paid": "<redacted-card-1>",
        "again": ["<redacted-card-1>", 3.5, 12],
        "ok": True,
    }


def test_a_short_value_is_replaced_under_its_key_alone():
    assert replaced({"user_id": "u1", "text": "u1 is unit u1"})[0] == {
        "user_id": "<redacted-id-1>",
        "text": "u1 is unit u1",
    }


def test_what_a_value_looks_like_goes_before_what_its_key_says():
    assert replaced({"user": "ada@example.com"})[0] == {"user": "<redacted-email-1>"}


def test_a_secret_that_says_nothing_stays():
    assert replaced({"has_token": "true", "password": "", "token": None})[1] == ()


@pytest.mark.parametrize(
    "text", ["a.", "a@", "0 ", "01-", "+1", "(55)", "1.", "aA1-", "DE89 ", "token=", "-----BEGIN "]
)
def test_long_texts_are_read_in_no_time(text):
    started = time.process_time()
    replaced([text * 20_000])

    assert time.process_time() - started < 3
