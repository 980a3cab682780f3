"""Rates as a person writes them: `95 %`, rounded so that none looks better than it is."""

from __future__ import annotations

import math


def percentage(rate: float, *, up: bool = False) -> str:
    """Return a rate in percent, with one decimal at most: the lower one, or the higher one where it is to go `up`.

    >>> percentage(0.9496), percentage(0.9496, up=True), percentage(0.9)
    ('94.9 %', '95 %', '90 %')
    """
    tenths = rate * 1000
    # what stands for a tenth of a percent is that, also where a float cannot hold it
    near = round(tenths)
    whole = near if abs(tenths - near) < 1e-9 else (math.ceil if up else math.floor)(tenths)
    return f"{whole / 10:g} %"


def parsed_rate(text: str) -> float:
    """Read a rate: `95%`, `95 %` or `0.95`.

    >>> parsed_rate("95%"), parsed_rate("0.95")
    (0.95, 0.95)

    Raises:
        ValueError: for what is none, or not above 0 % and at most 100 %.
    """
    said = text.strip()
    try:
        rate = float(said.removesuffix("%")) / 100 if said.endswith("%") else float(said)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= 1:
        raise ValueError(f"expected a rate such as 95% or 0.95, got {text!r:.80}")
    return rate
