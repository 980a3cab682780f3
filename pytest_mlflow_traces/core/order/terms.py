"""What a rule of order says, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.order.same import same_code

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.order.same import Path
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

BETWEEN = {"after": "since", "before": "until"}  # the keyword for what lies between, by the relation


@dataclass(frozen=True, slots=True, repr=False)
class Terms:
    """One rule: `word` is `each` or `never`, `relation` is `after`, `before`, `inside`, or `None` for `never(p)`."""

    word: str
    pattern: Pattern
    per: str = "trace"
    relation: str | None = None
    other: Pattern | None = None
    between: Pattern | None = None
    same: tuple[tuple[Path, Path], ...] = ()
    optional: bool = False

    def __repr__(self) -> str:
        per = f", per={self.per!r}" if self.per != "trace" else ""
        code = f"{self.word}({self.pattern!r}{per})"
        if self.relation is not None:
            between = "" if self.between is None else f", {BETWEEN[self.relation]}={self.between!r}"
            same = f", same={same_code(self.same)}" if self.same else ""
            code += f".{self.relation}({self.other!r}{between}{same})"
        return f"if_present({code})" if self.optional else code
