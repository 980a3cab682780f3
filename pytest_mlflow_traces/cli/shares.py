"""Rates and confidences as options: `95%` or `0.95`."""

from __future__ import annotations

import click

from pytest_mlflow_traces.core.text.percentages import parsed_rate

CONFIDENCE = 0.95


def share(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Read an option that is a share of all: above 0 % and below 100 %."""
    if value is None:
        return None
    try:
        rate = parsed_rate(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if rate == 1:
        raise click.BadParameter(f"no number of traces shows {value}: say what is enough, such as 99%")
    return rate


def rate_asked(at_least: float | None, confidence: float | None, allowed: int) -> tuple[float, float] | None:
    """Return the rate and the confidence that are asked for; `None` where every trace is to hold."""
    if at_least is None:
        if confidence is not None:
            raise click.UsageError("--confidence is for --at-least, and there is none")
        return None
    if allowed:
        cure = "a trace that is not judged counts there as one that does not hold"
        raise click.UsageError(f"--allow-not-judged is not for --at-least: {cure}")
    return at_least, CONFIDENCE if confidence is None else confidence
