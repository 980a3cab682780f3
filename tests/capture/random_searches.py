"""Random searches over many traces, whose answers must be the same in a capture as in production; see scenarios.py.

The suite asks a few; more with
`RANDOM_SEARCHES=1500 RANDOM_TRACES=200 RANDOM_SEED=7 pytest tests/capture/test_as_in_production.py -k random`.
"""

from __future__ import annotations

import json
import os
import random
import re
import warnings
from base64 import b64encode
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import mlflow
from mlflow.entities import AssessmentSource
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

SEARCHES = int(os.environ.get("RANDOM_SEARCHES", "70"))
SEED = int(os.environ.get("RANDOM_SEED", "20260101"))
TRACES = int(os.environ.get("RANDOM_TRACES", "25"))
FIRST_MS = 1_700_000_000_000

TEXTS = ["a", "b", "A", "", "true", "3", "x_y", "50%", "née", "two\nlines", "O'Brien", "(", "^a", "%a%", "_", "gpt-4o"]
IDS = [f"tr-{number:032x}" for number in (1, 2, 31, 60, 150, 9999)]
AGENTS = ["agent", "Agent", "search", "plan%", "%a%"]
USAGE = ['{"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}', "a"]
EQUAL = ["=", "=", "!="]
LIKE = [*EQUAL, "LIKE", "ILIKE", "RLIKE"]
LISTED = [*LIKE, "IN", "NOT IN"]
NULL = ["IS NULL", "IS NOT NULL"]
TIMES = ["=", "!=", ">", ">=", "<", "<="]
# what MLflow documents, with its comparators and values; None is for numbers
KEYS: dict[str, tuple[list[str], list[str] | None]] = {
    "status": (LISTED, ["OK", "ERROR", "IN_PROGRESS", "ok", "%R%"]),
    "request_id": (LISTED, IDS),
    "client_request_id": (LISTED, ["request-1", "request-2", "request-30", "request%"]),
    "name": (LISTED, AGENTS),
    "run_id": (EQUAL, ["{run}", "{run}", "nobody's"]),
    "prompt": (["="], ["synthesis/1", "synthesis/2", "a/b"]),
    "text": (["LIKE", "ILIKE"], ["%because%", "%née%", "%agent%", "a"]),
    **dict.fromkeys(("timestamp", "timestamp_ms", "execution_time", "execution_time_ms", "end_time"), (TIMES, None)),
    **{f"tags.{key}": ([*LIKE, *NULL], TEXTS) for key in ("team", "flag", "number", "missing", "`dotted.key`")},
    **{f"{kind}.custom": ([*LIKE, *NULL], TEXTS) for kind in ("metadata", "request_metadata")},
    "tag.team": (LIKE, TEXTS), "tags.dotted.key": (LIKE, TEXTS), "tags.name": (LIKE, AGENTS),
    "tags.`mlflow.traceName`": (LIKE, AGENTS), "tags.`mlflow.trace.spansLocation`": (EQUAL, ["TRACKING_STORE"]),
    "tags.`service.name`": (LIKE, ["%service%"]), "tags.`mlflow.artifactLocation`": ([*EQUAL, *NULL], ["nowhere"]),
    "metadata.`mlflow.trace.session`": ([*LIKE, *NULL], ["s1", "s2", "s3", "s%", ""]),
    "metadata.`mlflow.trace.user`": ([*LIKE, *NULL], ["u1", "u2", "u3", "u%"]),
    "metadata.`mlflow.trace.tokenUsage`": ([*EQUAL, *NULL], USAGE),
    "metadata.`mlflow.sourceRun`": ([*EQUAL, *NULL], ["{run}"]),
    "metadata.`mlflow.trace.infoFinalized`": ([*EQUAL, *NULL], ["true"]),
    "span.name": (LISTED, ["agent", "tool", "t%", "TOOL"]), "span.type": (LISTED, ["TOOL", "CHAT_MODEL", "%O%"]),
    "span.status": (LISTED, ["OK", "ERROR"]), "span.content": (["LIKE", "ILIKE"], ["%because%", "%née%"]),
    "span.attributes.model": (LISTED, ["gpt-4o", "%gpt%"]), "span.attributes.`my.key`": (LISTED, TEXTS),
    **{f"feedback.{key}": ([*LIKE, *NULL], [*TEXTS, "yes", "false"]) for key in ("good", "score", "missing")},
    "feedback.`two words`": (EQUAL, ["yes"]), "feedback.score": (TIMES[2:], None),
    "expectation.facts": ([*LIKE, *NULL], TEXTS), "issue.id": (["="], ["issue-1"]),
}  # fmt: skip
ODD_KEYS = ["experiment_id", "nonsense", "request_preview", "span.nonsense", "span.attributes.", "issue.nonsense",
            "nonsense.key", "params.p", "`trace`.status", "attributes.text", "tags.", "end_time_ms"]  # fmt: skip
ODD_COMPARATORS = [*LISTED, *TIMES, *NULL, "like", "is null", "==", "<>", "BETWEEN", "IS", ""]
ODD_VALUES = ["word", "NULL", "true", "''", "()", "'a", "1.5", "1e3", "-1", "9" * 20, "(1, 2)", "a.b", "`a`", "'7'", ""]
ORDERS = [
    "timestamp", "timestamp_ms", "execution_time", "status", "request_id", "name", "run_id", "experiment_id",
    "tags.team", "tags.`dotted.key`", "metadata.custom", "metadata.`mlflow.trace.session`", "attributes.status",
    "trace.timestamp", "tags.`mlflow.traceName`",
]  # fmt: skip
ODD_ORDERS = ["end_time", "metadata.`mlflow.trace.tokenUsage`", "span.name", "feedback.score", "client_request_id",
              "nonsense", "", "timestamp SIDEWAYS", "name DESC"]  # fmt: skip
ODD_LIMITS = [0, -1, 50_000, 50_001, None, "a"]
ODD_TOKENS = [
    *(b64encode(text).decode() for text in (b'{"offset": -3}', b"[]", b"junk", b'{"offset": "a"}')),
    "!",
    "a",
    "",
]
PLACES = [["0"], ["{one}"], ["0", "{one}", "{two}"], ["{two}", "0"]]
ODD_PLACES: list[Any] = [["17"], ["abc"], [" 0"], ["00"], [], None, [0]]


def random_searches() -> Any:
    draw = random.Random(SEED)
    asked = [_search(draw) for _ in range(SEARCHES)]
    where = {
        "{one}": mlflow.MlflowClient().create_experiment("one"),
        "{two}": mlflow.MlflowClient().create_experiment("two"),
    }
    where["{run}"] = mlflow.MlflowClient().create_run("0").info.run_id
    answers = {f"nothing captured: {json.dumps(each)}": _answer(each, where) for each in asked[: SEARCHES // 5]}
    _make_traces(where)
    return {**answers, **{json.dumps(each): _answer(each, where) for each in asked}}


def _search(draw: random.Random) -> dict[str, Any]:
    odd = 0.15 if draw.random() < 0.5 else 0.0  # how likely each part is not what MLflow documents

    def one_of(usual: Any, unusual: Any) -> Any:
        return draw.choice(unusual if draw.random() < odd else usual)

    search: dict[str, Any] = {"locations": one_of(PLACES, ODD_PLACES)}
    if draw.random() < odd / 3:
        search["experiment_ids"] = draw.choice([[], ["0"]])
    if draw.random() < 0.95:
        clauses = [_clause(draw, one_of) for _ in range(draw.choice([1, 1, 1, 1, 2, 2, 3]))]
        search["filter_string"] = one_of([" AND "], [" and ", " OR ", " "]).join(clauses)
    if draw.random() < 0.4:
        orders = draw.sample(ORDERS, draw.randrange(3))
        search["order_by"] = [
            one_of([order], ODD_ORDERS) + draw.choice(["", " ASC", " DESC", " desc"]) for order in orders
        ]
    if draw.random() < 0.6:
        search["max_results"] = one_of([1, 3, 7, 10, 17, 50, 100, 200, 500], ODD_LIMITS)
    if draw.random() < 0.3:
        search["page_token"] = one_of([b64encode(b'{"offset": 7}').decode()], ODD_TOKENS)
    return search


def _clause(draw: random.Random, one_of: Any) -> str:
    key = one_of(list(KEYS), ODD_KEYS)
    comparators, values = KEYS.get(key, (LISTED, TEXTS))
    if "." not in key:
        key = draw.choice(["", "", "trace.", "attributes.", "attribute."]) + key
    comparator = one_of(comparators, ODD_COMPARATORS)
    if comparator.upper() in NULL:
        return f"{key} {comparator}"
    if values is None:
        usual = [str(draw.choice([0, 1, 3, 250, FIRST_MS, FIRST_MS + 60_000 * draw.randrange(TRACES)]))]
    else:
        texts = [draw.choice(values) for _ in range(draw.randint(1, 3))]
        quoted = [f'"{text}"' if "'" in text or draw.random() < 0.2 else f"'{text}'" for text in texts]
        usual = [f"({', '.join(quoted)})" if comparator.endswith("IN") else quoted[0]]
    return f"{key} {comparator} {one_of(usual, ODD_VALUES)}"


def _answer(search: dict[str, Any], where: dict[str, str]) -> Any:
    """The ids on up to three pages and the last token; the kind and the words of an error."""
    text = json.dumps(search)
    for name, value in where.items():
        text = text.replace(name, value)
    asked = json.loads(text)
    found = []
    store = mlflow.MlflowClient()._tracing_client.store
    try:
        for _ in range(3):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                infos, token = store.search_traces(**asked)
            found.append([int(info.trace_id[3:], 16) for info in infos])
            if not token:
                return [*found, None]
            asked["page_token"] = token
        return [*found, (token if isinstance(token, str) else token.decode())]
    except Exception as error:
        words = str(error)
        for name, value in where.items():
            words = words.replace(value, name) if len(value) > 5 else words
        words = re.sub(r"\{[^{}]*\}", lambda braces: str(sorted(braces[0][1:-1].split(", "))), words)  # sets
        return [type(error).__name__, getattr(error, "error_code", None), words]


def _make_traces(where: dict[str, str]) -> None:
    draw = random.Random(SEED)
    numbers = iter(range(1, 10**6))
    ids = patch.object(RandomIdGenerator, "generate_trace_id", lambda _: next(numbers))
    client = mlflow.MlflowClient()
    with ids:
        made = [_make_trace(draw, number, where) for number in range(TRACES)]
    run = where["{run}"]
    client.link_traces_to_run(made[:9], run)
    for number, trace_id in enumerate(made):
        if draw.random() < 0.3:
            for name, value in (("good", draw.choice([True, False, "yes"])), ("score", draw.choice([1, 0.5, "high"]))):
                mlflow.log_feedback(trace_id=trace_id, name=name, value=value, source=AssessmentSource("HUMAN", "ada"))
        if draw.random() < 0.2:
            mlflow.log_expectation(trace_id=trace_id, name="facts", value=draw.choice([["a"], "a", {"a": 1}]))
        if number < 20:
            versions = [SimpleNamespace(name="synthesis", version=1 + number % 2)]
            client.link_prompt_versions_to_trace(versions, trace_id)
    mlflow.log_feedback(
        trace_id=made[3],
        name="two words",
        value="yes",
        metadata={"mlflow.trace.session": "s1"},
    )
    mlflow.set_trace_tag(made[5], "team", "late")
    mlflow.set_trace_tag(made[6], "flag", "a")
    mlflow.delete_trace_tag(made[6], "flag")


def _make_trace(draw: random.Random, number: int, where: dict[str, str]) -> str:
    start_ms = FIRST_MS + 60_000 * (number * 77 % TRACES)  # distinct, and not in the order of the ids
    tags = {key: draw.choice(TEXTS) for key in ("team", "flag", "number", "dotted.key") if draw.random() < 0.6}
    metadata = {"custom": draw.choice(TEXTS)} if draw.random() < 0.5 else {}
    if draw.random() < 0.5:
        metadata.update(
            {"mlflow.trace.session": draw.choice(["s1", "s2"]), "mlflow.trace.user": draw.choice(["u1", "u2"])}
        )
    if draw.random() < 0.1:
        metadata["mlflow.sourceRun"] = where["{run}"]
    root = mlflow.start_span_no_context(
        draw.choice(["agent", "Agent", "search", "plan"]),
        span_type="AGENT",
        tags=tags,
        metadata=metadata,
        inputs={"question": draw.choice(TEXTS)},
        experiment_id=draw.choice(["0", "0", where["{one}"], where["{two}"]]),
        start_time_ns=start_ms * 1_000_000,
    )
    for place in range(draw.randrange(4)):
        child = mlflow.start_span_no_context(
            draw.choice(["tool", "TOOL", "llm"]),
            span_type=draw.choice(["TOOL", "CHAT_MODEL"]),
            parent_span=root,
            attributes={"model": draw.choice(["gpt-4o", "other"]), "my.key": draw.choice(TEXTS)},
            start_time_ns=(start_ms + place) * 1_000_000,
        )
        if draw.random() < 0.1:
            child.set_attributes({"session.id": "s3", "user.id": "u3"})
        if draw.random() < 0.2:
            child.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})
        child.end(status=draw.choice(["OK", "OK", "ERROR"]), end_time_ns=(start_ms + place + 100) * 1_000_000)
    with mlflow.tracing.trace_manager.InMemoryTraceManager.get_instance().get_trace(root.trace_id) as live:
        live.info.client_request_id = f"request-{number}" if draw.random() < 0.5 else None
    root.end(
        outputs=draw.choice(["because", "née"]),
        status=draw.choice(["OK", "OK", "ERROR"]),
        end_time_ns=(start_ms + draw.choice([3, 250, 1000])) * 1_000_000,
    )
    return str(root.trace_id)
