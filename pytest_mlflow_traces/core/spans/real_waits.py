"""Real time that passed while virtual time did not see that a thread waits: a virtual duration leaves it out."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mlflow_traces.core.text.durations import readable_duration


@dataclass(eq=False, slots=True)
class RealWait:
    """One such wait: where, how long so far, and the innermost spans in which it was, by their ids."""

    where: str
    spans: frozenset[str]
    nanoseconds: int = 0

    def __str__(self) -> str:
        return f"{readable_duration(self.nanoseconds)} at {self.where}"
