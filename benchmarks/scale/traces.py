"""The traces of an agent that makes refunds, each told by a seed and its number, with what must be said of it.

One in a hundred has a fault. Some are not whole, as traces in tables are: their root is in another process, or a span
has not arrived yet. Some have a span twice, and some are not about refunds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

CONTRACT = Path(__file__).with_name("refunds.contract.toml")
SKIPPED, TWICE, TAG, ORDER, FAILED, SLOW = FAULTS = (
    "guardrail skipped", "tool called twice", "tag as Python prints it", "wrong order", "tool failed", "too slow",
)  # fmt: skip
RULES = {  # which tells of each
    SKIPPED: "order.after",
    TWICE: "budget.calls",
    TAG: "tags.value",
    ORDER: "shape.order",
    FAILED: "shape.different",
    SLOW: "budget.latency",
}
LOST, LATE, YOUNG = TROUBLES = "root lost", "span late", "after the watermark"
FAULTY, TROUBLED, REPEATED, ELSEWHERE = 0.01, 0.006, 0.02, 0.1  # of all traces; the last are not about refunds

BEGIN_MS = 1_767_225_600_000  # 2026-01-01
WATERMARK_MS = BEGIN_MS + 30 * 86_400_000
_NS_PER_MS = 1_000_000
_LATENCY_MS, _SLOW_MS = (200, 4_800), (5_100, 9_000)  # the budget is 5 s
# name, type, the place of the parent, and when it begins and ends, in thousandths of the whole
_SPANS = (
    ("answer", "AGENT", None, 0, 1000),
    ("load_context", "MEMORY", 0, 10, 50),
    ("classify", "LLM", 0, 60, 200),
    ("check_policy", "GUARDRAIL", 0, 210, 290),
    ("lookup", "AGENT", 0, 300, 600),
    ("search_orders", "TOOL", 4, 310, 400),
    ("read_order", "TOOL", 4, 410, 590),
    ("refund", "TOOL", 0, 610, 700),
    ("summarize", "LLM", 0, 710, 900),
    ("save", "MEMORY", 0, 910, 990),
)
_REFUND, _LAST = 7, len(_SPANS) - 1
_USAGE = json.dumps({"input_tokens": 512, "output_tokens": 64, "total_tokens": 576})
_COST = json.dumps({"input_cost": 7.68e-05, "output_cost": 3.84e-05, "total_cost": 1.152e-04})
# what the client of Databricks says of a call of a model, and of the whole trace with two of them
_CALL = {"mlflow.chat.tokenUsage": _USAGE, "mlflow.llm.model": '"gpt-4o-mini"', "mlflow.llm.cost": _COST}
METADATA = {
    "mlflow.trace_schema.version": "3",
    "mlflow.trace.tokenUsage": json.dumps({"input_tokens": 1024, "output_tokens": 128, "total_tokens": 1152}),
    "mlflow.trace.cost": json.dumps({"input_cost": 1.536e-04, "output_cost": 7.68e-05, "total_cost": 2.304e-04}),
}


class Span(NamedTuple):
    """One span as OpenTelemetry has it: ids in hexadecimal, and of MLflow's attributes their JSON text."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    status: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One trace: what it is about, and what is wrong with it."""

    number: int
    fault: str | None = None
    trouble: str | None = None
    is_refund: bool = True
    is_repeated: bool = False  # one span was delivered twice
    latency_ms: int = 1_000

    @property
    def trace_id(self) -> str:
        """Its id, in hexadecimal."""
        return f"{self.number + 1:032x}"

    @property
    def start_ms(self) -> int:
        """When it began."""
        return (WATERMARK_MS if self.trouble == YOUNG else BEGIN_MS) + self.number

    @property
    def tags(self) -> dict[str, str]:
        """What the agent says of the whole."""
        return {"approved": "True" if self.fault == TAG else "true", "team": "payments"}

    @property
    def verdict(self) -> str:
        """What the contract comes to."""
        if self.trouble is not None:
            return "not judged"
        if not self.is_refund:
            return "not applicable"
        return "holds" if self.fault is None else "fails"

    @property
    def planted(self) -> str:
        """What is wrong with it, in words."""
        return self.trouble or self.fault or ""

    @property
    def rules(self) -> list[str]:
        """The rules of what does not hold."""
        return [RULES[self.fault]] if self.fault is not None and self.verdict == "fails" else []

    @property
    def spans(self) -> list[Span]:
        """Its spans, those that arrived, each once; parents come first."""
        # the second call of a tool is another span, with an id of its own
        places = [*range(len(_SPANS)), *([_REFUND] if self.fault == TWICE else [])]
        gone = {SKIPPED: "check_policy", LATE: "lookup", YOUNG: "save"}
        missing = {gone.get(self.fault or ""), gone.get(self.trouble or "")}
        return [self._span(k, place) for k, place in enumerate(places) if _SPANS[place][0] not in missing]

    def _span(self, k: int, place: int) -> Span:
        name, type_, parent, begin, end = _SPANS[place]
        if self.fault == ORDER and name == "classify":
            begin, end = 601, 605
        if k > _LAST:
            begin, end = 701, 705
        start_ns, step_ns = self.start_ms * _NS_PER_MS, self.latency_ms * _NS_PER_MS // 1_000
        failed = self.fault == FAILED and name == "refund"
        return Span(
            trace_id=self.trace_id,
            span_id=self._span_id(k),
            parent_id=self._span_id(parent) if parent is not None else self._remote_id(),
            name=name if self.is_refund or place != _REFUND else "explain_policy",
            start_ns=start_ns + begin * step_ns,
            end_ns=start_ns + end * step_ns,
            status="STATUS_CODE_ERROR" if failed else "STATUS_CODE_OK",
            attributes=self._attributes(name, type_),
        )

    def _span_id(self, k: int) -> str:
        return f"{(self.number + 1) * 16 + k:016x}"

    def _remote_id(self) -> str:
        """Return the parent of the root, which tables have as an empty text."""
        return self._span_id(15) if self.trouble == LOST else ""

    def _attributes(self, name: str, type_: str) -> dict[str, str]:
        question = f"Order {self.number} came broken. " + "What can I do about it? " * 3
        answer = f"Of order {self.number}: " + "the policy allows a refund within thirty days. " * 5
        made = {
            "mlflow.traceRequestId": f'"{self.trace_id}"',
            "mlflow.spanType": f'"{type_}"',
            "mlflow.spanFunctionName": f'"{name}"',
            "mlflow.spanInputs": f'{{"question": "{question}", "order": {self.number}}}',
            "mlflow.spanOutputs": f'{{"answer": "{answer}", "domains": ["orders", "policy"], "confidence": 0.9}}',
        }
        return made | (_CALL if type_ == "LLM" else {})


def case(seed: int, number: int) -> Case:
    """Draw a trace."""
    random = Random(f"{seed}/{number}")
    trouble = random.choice(TROUBLES) if random.random() < TROUBLED else None
    is_refund = random.random() >= ELSEWHERE
    # what could not be judged is as likely to be wrong as not, for nothing may be said of it
    is_faulty = random.random() < (FAULTY if trouble is None else 0.5)
    fault = random.choice(FAULTS) if is_faulty else None
    latency = random.randint(*(_SLOW_MS if fault == SLOW else _LATENCY_MS))
    return Case(number, fault, trouble, is_refund or is_faulty, random.random() < REPEATED, latency)
