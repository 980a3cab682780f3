from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.text.durations import exact_duration, parse_duration, readable_duration
from tests.support.messages import exactly

DAY_NS = 86_400_000_000_000


@pytest.mark.parametrize(
    ("given", "nanoseconds"),
    [
        ("800ms", 800_000_000),
        ("2s", 2_000_000_000),
        (" 1.5 s ", 1_500_000_000),
        ("0.1s", 100_000_000),
        ("0.000000001s", 1),
        ("5us", 5_000),
        ("5µs", 5_000),
        ("5μs", 5_000),
        ("7ns", 7),
        ("3m", 180_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0ms", 0),
        ("007s", 7_000_000_000),
        (timedelta(0), 0),
        (timedelta(microseconds=1), 1_000),
        (timedelta(days=1, seconds=2), DAY_NS + 2_000_000_000),
        (timedelta.max, 999_999_999 * DAY_NS + DAY_NS - 1_000),
    ],
)
def test_a_duration_is_text_with_a_unit_or_a_timedelta(given, nanoseconds):
    assert parse_duration(given, "within") == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "5", "ms", "-1s", "+1s", "1e3s", "1_000s", "1.s", ".5s", "5MS", "5 S", "2s 3ms", "1s\n2"]
)
def test_text_that_is_no_duration_is_refused(text):
    message = f"within: {text!r} is not a duration; write a number and one of ns, us, ms, s, m, h: '800ms'"

    with pytest.raises(ValueError, match=exactly(message)):
        parse_duration(text, "within")


@pytest.mark.parametrize("text", ["\uff11s", "\u0663s", "9" * 5_000 + "s", "0." + "1" * 5_000 + "s"])
def test_odd_and_endless_digits_are_no_duration(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text, "within")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0.5ns", "within: '0.5ns' is finer than a nanosecond"),
        ("1.0000000001s", "within: '1.0000000001s' is finer than a nanosecond"),
        ("999999999999h", "within: '999999999999h' is longer than 100000000000 hours"),
        (
            timedelta(seconds=-1),
            "within: a duration cannot be negative, got datetime.timedelta(days=-1, seconds=86399)",
        ),
    ],
)
def test_a_duration_that_cannot_be_kept_is_refused(given, message):
    with pytest.raises(ValueError, match=exactly(message)):
        parse_duration(given, "within")


@pytest.mark.parametrize("given", [2, 2.0, True, None, b"2s", object])
def test_a_bare_number_does_not_say_its_unit(given):
    message = f"latency: write a duration as '800ms', '2s' or a timedelta, got {given!r}"

    with pytest.raises(TypeError, match=exactly(message)):
        parse_duration(given, "latency")


@given(st.one_of(st.integers(0, 10**4), st.integers(0, 3_600_000_000_000 * 10**11)))
def test_the_exact_text_reads_as_the_same_duration(nanoseconds):
    assert parse_duration(exact_duration(nanoseconds), "within") == nanoseconds


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0ms"), (1, "1ns"), (1_500, "1500ns"), (2_000_000, "2ms"), (90_000_000_000, "90s"), (7_200_000_000_000, "2h")],
)
def test_the_exact_text_has_the_largest_unit_that_fits(nanoseconds, text):
    assert exact_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ms"),
        (1, "1 ns"),
        (-1, "-1 ns"),
        (999, "999 ns"),
        (5_000, "5 µs"),
        (-12_340, "-12.3 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (1_230_000, "1.23 ms"),
        (12_345_678, "12.3 ms"),
        (9_996_000, "10 ms"),
        (99_960_000, "100 ms"),
        (999_499_999, "999 ms"),
        (999_600_000, "1 s"),
        (1_500_000_000, "1.5 s"),
        (-1_500_000_000, "-1.5 s"),
        (59_940_000_000, "59.9 s"),
        (59_999_000_000, "1 min 0 s"),
        (3_725_000_000_000, "62 min 5 s"),
        (-3_725_000_000_000, "-62 min 5 s"),
    ],
)
def test_a_person_reads_up_to_three_digits(nanoseconds, text):
    assert readable_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ms"),
        (1, "1 ns"),
        (999_999, "999.999 µs"),
        (1_500_000, "1.5 ms"),
        (1_234_567_890, "1.23456789 s"),
        (90_000_000_000, "1 min 30 s"),
        (90_500_000_000, "90.5 s"),
        (10**24 + 1, "1000000000000000.000000001 s"),
    ],
)
def test_all_digits_are_told_where_they_are_asked_for(nanoseconds, text):
    assert readable_duration(nanoseconds, exact=True) == text
