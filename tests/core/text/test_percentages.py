"""Rates as a person writes and reads them."""

from __future__ import annotations

import re

import pytest

from pytest_mlflow_traces.core.text.percentages import parsed_rate, percentage


@pytest.mark.parametrize(
    ("rate", "lower", "upper"),
    [
        (0.95, "95 %", "95 %"),
        (0.9496, "94.9 %", "95 %"),
        (0.999_99, "99.9 %", "100 %"),
        (0.000_01, "0 %", "0.1 %"),
        (0.29, "29 %", "29 %"),  # 28.999... as a float
        (0, "0 %", "0 %"),
        (1, "100 %", "100 %"),
    ],
)
def test_no_rate_looks_better_than_it_is(rate, lower, upper):
    assert (percentage(rate), percentage(rate, up=True)) == (lower, upper)


@pytest.mark.parametrize(("text", "rate"), [("95%", 0.95), (" 99.5 % ", 0.995), ("0.95", 0.95), ("100%", 1), ("1", 1)])
def test_a_rate_is_read(text, rate):
    assert parsed_rate(text) == rate


@pytest.mark.parametrize("text", ["95", "0", "0%", "-5%", "101%", "nan", "inf", "high", "", "%"])
def test_what_is_no_rate_is_refused(text):
    said = f"expected a rate such as 95% or 0.95, got {text!r}"

    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parsed_rate(text)
