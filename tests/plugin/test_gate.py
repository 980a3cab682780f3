"""The gate of `examples/ci`, against the reference agent: as it is, and with one span changed."""

from __future__ import annotations

import difflib
import shutil
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import mlflow
import pytest

import reference_agent
from reference_agent import genie, intent, memory, orchestrator, synthesis, utilities, workers
from tests.support.pages import data_of

GATE = Path(__file__).parents[2] / "examples" / "ci"
MODULES = (genie, intent, memory, orchestrator, synthesis, utilities, workers)
COST, SECURITY, BROAD, NEWS = (
    f"test_a_question_takes_the_way_that_was_accepted[{name}]" for name in ("cost", "security", "broad", "news")
)
SECOND = "test_the_second_turn_of_a_session_does_too"
ALL = {COST, SECURITY, BROAD, NEWS, SECOND}
UPDATE = "--mlflow-traces-update"
reference_agent.stub_orchestrator()  # loaded before a run in process, which drops what it loads itself


@pytest.fixture
def gate(project):
    """The worked example, baselines included, in a project of its own."""
    shutil.copytree(GATE, project.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return project


def baselines(gate):
    return {path.name: path.read_text() for path in gate.path.rglob("*.trace")}


def changes(old, new):
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), n=0, lineterm="")
    return [f"{line[0]} {line[1:].strip()}" for line in lines if line[:2] in ("- ", "+ ")]


# -- changes of the agent: each takes the place of the context manager that opens its spans


def renamed(real, name, kind, inputs):
    return real("audit_agent" if name == "security_agent" else name, kind, inputs)


def retyped(real, name, kind, inputs):
    return real(name, "LLM" if name == "cost_agent" else kind, inputs)


@contextmanager
def added(real, name, kind, inputs):
    with real(name, kind, inputs) as span:
        if name == "utility_tools":
            with real("guard", "GUARDRAIL", {}):
                pass
        yield span


@contextmanager
def removed(real, name, kind, inputs):
    if name == "save_context":
        yield mlflow.get_current_active_span()
    else:
        with real(name, kind, inputs) as span:
            yield span


ABOVE = ContextVar("ABOVE")  # the span of the worker that asks Genie


@contextmanager
def moved(real, name, kind, inputs):
    if name == "genie_attempt" and ABOVE.get().name == "security_agent":
        span = mlflow.start_span_no_context(name, span_type=kind, parent_span=ABOVE.get(), inputs=inputs)
        yield span
        span.end()
        return
    if name == "genie_query":
        ABOVE.set(mlflow.get_current_active_span())
    with real(name, kind, inputs) as span:
        yield span


# which tests turn red, what each of them says in one line, and the lines that accepting it changes
CHANGES = {
    renamed: (
        {SECURITY, BROAD},
        ["name: expected 'security_agent', got 'audit_agent'"],
        ["- security_agent AGENT OK", "+ audit_agent AGENT OK"],
    ),
    retyped: (
        {COST, BROAD, NEWS, SECOND},
        ["cost_agent  LLM", "type: expected 'AGENT', got 'LLM'"],
        ["- cost_agent AGENT OK", "+ cost_agent LLM OK"],
    ),
    added: ({NEWS}, ["guard  GUARDRAIL", "unexpected"], ["+ guard GUARDRAIL OK"]),
    removed: (ALL, ["save_context", "missing"], ["- save_context MEMORY OK"]),
    moved: (
        {SECURITY, BROAD},
        ["genie_attempt", "moved"],
        # it is a sibling of the query now, and runs while that does
        ["- genie_query TOOL OK", "+ any order", "+ genie_query TOOL OK"],
    ),
}


def change(monkeypatch, how):
    for module in MODULES:
        real = module.traced
        monkeypatch.setattr(module, "traced", lambda *args, real=real: how(real, *args))


def failures(result):
    """Return what each failed test says, line by line."""
    reports = [each for each in result.reprec.getreports("pytest_runtest_logreport") if each.failed]
    return {each.nodeid.partition("::")[2]: each.longreprtext.split("\n") for each in reports}


class Run:
    """Run in process, and keep what was reported."""

    def __init__(self, gate, *args):
        self.reprec = gate.inline_run(*args)


# -- the tests


def test_the_baselines_that_are_committed_hold_and_need_no_update(gate):
    before = baselines(gate)

    passed, skipped, failed = gate.inline_run(UPDATE).listoutcomes()

    assert ({each.nodeid.partition("::")[2] for each in passed}, skipped, failed) == (ALL, [], [])
    assert baselines(gate) == before


@pytest.mark.parametrize("how", CHANGES, ids=lambda how: how.__name__)
def test_one_changed_span_turns_exactly_its_tests_red_and_is_named(gate, monkeypatch, how):
    red, named, _ = CHANGES[how]
    change(monkeypatch, how)

    said = failures(Run(gate))

    assert said.keys() == red
    for lines in said.values():
        told = [line for line in lines if line.startswith("E")]
        assert len(told) < 25
        assert any(all(part in line for part in named) for line in told), "\n".join(told)


@pytest.mark.parametrize("how", CHANGES, ids=lambda how: how.__name__)
def test_it_can_be_accepted_and_then_holds(gate, monkeypatch, how):
    red, _, lines = CHANGES[how]
    change(monkeypatch, how)
    before = baselines(gate)

    assert gate.inline_run(UPDATE).countoutcomes() == [5, 0, 0]

    after = baselines(gate)
    changed = [changes(before[name], after[name]) for name in before]
    # the test of two turns has a section for each
    assert [each[: len(lines)] for each in changed if each] == [lines] * len(red)
    assert sum(map(len, changed)) == len(lines) * (len(red) + (SECOND in red))
    assert gate.inline_run().countoutcomes() == [5, 0, 0]
    assert baselines(gate) == after


@pytest.mark.parametrize("how", CHANGES, ids=lambda how: how.__name__)
def test_who_has_only_the_page_can_name_it(gate, monkeypatch, how):
    pytest.importorskip("jinja2")
    red, named, _ = CHANGES[how]
    change(monkeypatch, how)

    gate.inline_run("--mlflow-traces-html=page.html")

    data = data_of((gate.path / "page.html").read_text())
    failed = [entry for entry in data["entries"] if entry["failed"]]
    assert {entry["name"].partition("::")[2] for entry in failed} == red
    for k, entry in enumerate(failed):
        rows = [row for spans in data[f"spans-{k}"] for row in marked(entry["texts"], spans)]
        assert any(all(part in row for part in named) for row in rows), "\n".join(rows)
        assert entry["baseline"].startswith("__traces__/test_gate/")
        assert entry["accept"].startswith("pytest --mlflow-traces-update ")


def marked(texts, spans):
    """Return what the page shows of each row that is marked."""
    for mark in spans["marks"]:
        at = mark.get("at")
        label = mark["label"] if at is None else f"{texts[spans['name'][at]]}  {texts[spans['type'][at]]}"
        yield f"{label}  {'; '.join(mark['text'])}"
