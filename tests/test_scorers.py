"""Contracts as scorers of MLflow: the four verdicts as feedback, and what is stored of one and runs elsewhere."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Feedback
from mlflow.exceptions import MlflowException

from pytest_mlflow_traces import Contract, capture_traces, each, never, span
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.scorers import as_scorer, feedback_of
from tests.capture.programs import needs_full_mlflow

pytestmark = [
    needs_full_mlflow,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),  # MLflow, where it is first imported
]

ROOT = Path(__file__).parents[1]
CAREFUL = Contract("careful", never(span("delete_table")), applies_to=span("agent"), about="Nothing is deleted.")
PAID = Contract("paid", each(span("pay"), per="session").after(span("auth")))
MODULE = """
from dirty_equals import IsInt
from pytest_mlflow_traces import Contract, never, span

IN_CODE = Contract("in code", never(span("pay", inputs={"amount": IsInt})))
PATTERN = span("agent")
"""
HOSTILE = "it's \"one\" \\ 'of' {many}\N{LINE SEPARATOR}\N{NEXT LINE}\r\x0c\N{SNOWMAN} '''"


def _has_empty_feedback():
    try:
        Feedback(value=None)
    except MlflowException:
        return False
    return True


HAS_EMPTY_FEEDBACK = _has_empty_feedback()


def traced(*names):
    """Return MLflow's trace of one span below another, and so on."""
    with capture_traces() as traces:
        spans = [mlflow.start_span(name) for name in names]
        for each_span in spans:
            each_span.__enter__()
        for each_span in reversed(spans):
            each_span.__exit__(None, None, None)
    return traces.one().raw


def lost(*names):
    raw = traced(*names)
    raw.data.spans.clear()
    return raw


@pytest.fixture
def rules(tmp_path, monkeypatch):
    """A module of contracts, as a package that is installed has one."""
    (tmp_path / "rules_of_ours.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "rules_of_ours"
    sys.modules.pop("rules_of_ours", None)


# -- feedback


def test_a_contract_that_holds_is_yes():
    feedback = as_scorer(CAREFUL)(trace=traced("agent"))

    assert (feedback.value, feedback.rationale) == ("yes", "contract 'careful' holds")
    assert feedback.metadata == {"verdict": "holds"}
    assert (feedback.source.source_type, feedback.source.source_id) == ("CODE", "careful")


def test_a_contract_that_fails_is_no_with_the_text_and_the_rules():
    raw = traced("agent", "delete_table")

    feedback = as_scorer(CAREFUL)(trace=raw)

    assert (feedback.value, feedback.metadata) == ("no", {"verdict": "fails", "rules": "order.never"})
    assert feedback.rationale == Judge(CAREFUL).judge(Trace.from_mlflow(raw)).text


@pytest.mark.skipif(not HAS_EMPTY_FEEDBACK, reason="this MLflow has no feedback without a value")
def test_where_nothing_is_judged_there_is_no_value_and_no_error():
    other, gone = as_scorer(CAREFUL)(trace=traced("other")), as_scorer(CAREFUL)(trace=lost("agent"))

    assert (other.value, other.error, other.metadata) == (None, None, {"verdict": "not applicable"})
    assert other.rationale == "contract 'careful' does not apply: no span matches span('agent')"
    assert (gone.value, gone.error) == (None, None)
    assert gone.metadata == {"verdict": "not judged", "rules": "trace.not_judged"}
    assert gone.rationale == "not judged: it has no spans"


def test_an_mlflow_without_empty_feedback_shows_what_is_not_judged_as_an_error(monkeypatch):
    original = Feedback.__init__

    def refusing(self, *args, value=None, error=None, **kwargs):  # as in MLflow 3.10
        if value is None and error is None:
            raise MlflowException("Either `value` or `error` must be provided.")
        original(self, *args, value=value, error=error, **kwargs)

    monkeypatch.setattr(Feedback, "__init__", refusing)

    gone = as_scorer(CAREFUL)(trace=lost("agent"))

    assert as_scorer(CAREFUL)(trace=traced("other")) is None
    assert (gone.value, gone.error.error_code, gone.error.error_message) == (
        None,
        "NOT_JUDGED",
        "not judged: it has no spans",
    )
    assert gone.metadata["verdict"] == "not judged"


def test_what_else_mlflow_has_against_a_feedback_is_raised(monkeypatch):
    def refusing(self, *args, **kwargs):
        raise MlflowException("no")

    monkeypatch.setattr(Feedback, "__init__", refusing)

    with pytest.raises(MlflowException, match="no"):
        as_scorer(CAREFUL)(trace=traced("agent"))


def test_a_session_is_scored_by_all_its_traces():
    scorer = as_scorer(PAID, session=True)

    assert scorer.is_session_level_scorer
    assert scorer(session=[traced("auth"), traced("pay")]).value == "no"  # neither says that it is of the session


def test_the_scorer_of_a_trace_is_none_of_a_session():
    assert not as_scorer(CAREFUL).is_session_level_scorer


# -- what is taken


def test_a_contract_file_its_text_a_contract_and_a_name_are_taken(rules, tmp_path):
    path = tmp_path / "careful.contract.toml"
    path.write_text(CAREFUL.to_toml())

    for given in (path, str(path), CAREFUL.to_toml(), CAREFUL):
        assert as_scorer(given)(trace=traced("agent", "delete_table")).value == "no"
    assert as_scorer(f"{rules}:IN_CODE")(trace=traced("pay")).value == "yes"
    assert as_scorer(f"{rules}:PATTERN")(trace=traced("pay")).value == "no"


def test_the_name_and_what_it_is_for_are_those_of_the_contract(rules):
    assert (as_scorer(CAREFUL).name, as_scorer(CAREFUL).description) == ("careful", "Nothing is deleted.")
    assert as_scorer(CAREFUL, name="tables").name == "tables"
    assert as_scorer(f"{rules}:IN_CODE").name == "in code"
    assert (as_scorer(f"{rules}:PATTERN").name, as_scorer(f"{rules}:PATTERN").description) == (f"{rules}_PATTERN", None)


def test_a_name_has_no_character_that_a_metric_may_not_have():
    assert as_scorer(Contract("R&D: (1)", span())).name == "R_D_ _1_"


def test_a_contract_that_data_cannot_say_is_refused_with_the_cure():
    class Mine:
        def check(self, trace):
            return []

    with pytest.raises(ValueError, match="an expectation of your own") as raised:
        as_scorer(Contract("mine", Mine()))

    assert str(raised.value).startswith("as_scorer(): MLflow stores a scorer as text: contract 'mine': ")
    assert str(raised.value).endswith(
        ", or give as_scorer() the module:NAME of the contract, in a package that is installed where it runs"
    )


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (3, TypeError, "as_scorer() takes a contract, its file, or its module:NAME, got 3"),
        ("nowhere.toml", ValueError, "as_scorer('nowhere.toml'): there is no such file in "),
        ("careful", ValueError, "as_scorer('careful'): write it as module:NAME"),
        ("nowhere:X", ValueError, "as_scorer('nowhere:X'): No module named 'nowhere'"),
        ("format = 1\nname = 3", ValueError, "line 2, column 1: name: expected a text in quotes, got 3"),
    ],
)
def test_what_is_no_contract_is_refused_when_the_scorer_is_made(given, error, text):
    with pytest.raises(error) as raised:
        as_scorer(given)

    assert str(raised.value).startswith(text)


def test_a_name_of_the_program_itself_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "MINE", CAREFUL, raising=False)

    with pytest.raises(ValueError, match="no other process has this __main__: name the module that defines it"):
        as_scorer("__main__:MINE")


def test_mlflow_without_scorers_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.genai", None)

    with pytest.raises(ImportError, match=r"needs the scorers of the full MLflow: `pip install mlflow`"):
        as_scorer(CAREFUL)


def test_mlflow_is_not_imported_before_a_scorer_is_made():
    program = "import sys, pytest_mlflow_traces.scorers; print(*(n for n in sys.modules if n.startswith('mlflow')))"

    assert run(program) == "\n"


# -- what is stored


def test_the_source_of_a_scorer_is_found_and_reads_well():
    scorer = as_scorer(CAREFUL)

    assert scorer.model_dump()["call_source"] == (
        """\
from pytest_mlflow_traces.scorers import feedback_of

return feedback_of(trace, (
    'format = 1\\n'
    'name = "careful"\\n'
    'about = "Nothing is deleted."\\n'
    'applies_to = "agent"\\n'
    'never = [\\n'
    '    "delete_table",\\n'
    ']\\n'
))"""
    )
    assert scorer.model_dump()["call_signature"] == "(trace)"
    assert as_scorer(CAREFUL, session=True).model_dump()["call_signature"] == "(session)"


def test_a_name_is_stored_as_a_name(rules):
    assert (
        as_scorer(f"{rules}:IN_CODE")
        .model_dump()["call_source"]
        .endswith("\n\nreturn feedback_of(trace, 'rules_of_ours:IN_CODE')")
    )


def test_any_text_of_a_contract_comes_through():
    contract = Contract("hostile", span(HOSTILE), about=HOSTILE)
    source = as_scorer(contract).model_dump()["call_source"]
    namespace = {}

    exec("def scored(trace):\n" + "\n".join(f"    {line}" for line in source.split("\n")), namespace)

    assert namespace["scored"](traced(HOSTILE)).value == "yes"
    assert namespace["scored"](traced("else")).value == "no"


def test_what_a_stored_scorer_calls_stays_where_it_is():
    """Scorers that were registered by an older version call it."""
    assert (feedback_of.__module__, list(inspect.signature(feedback_of).parameters)) == (
        "pytest_mlflow_traces.scorers",
        ["traces", "contract"],
    )


# -- a fresh process

EVALUATE = """
import json, os, sys
import mlflow
from mlflow.genai.scorers import Scorer

dumped = json.loads(sys.argv[1])
os.environ["MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS"] = "true"
mlflow.set_tracking_uri("databricks")  # what MLflow 3.10 asks for where a scorer is loaded
scorers = [Scorer.model_validate(each) for each in dumped]
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("agents")

def agent(*names, session):
    with mlflow.start_span("agent" if names else "other"):
        mlflow.update_current_trace(metadata={"mlflow.trace.session": session})
        for name in names:
            with mlflow.start_span(name):
                pass

agent("plan", session="a")
agent("pay", "delete_table", session="a")
agent(session="b")
agent("auth", session="b")
agent("pay", session="b")
mlflow.flush_trace_async_logging()
result = mlflow.genai.evaluate(data=mlflow.search_traces(), scorers=scorers)
told = [
    [trace.data.spans[-1].name, each.name, each.value, each.rationale, each.metadata["verdict"], str(each.error)]
    for trace in mlflow.search_traces(return_type="list")
    for each in trace.info.assessments
]
print(json.dumps({"metrics": {name: float(value) for name, value in result.metrics.items()}, "told": told}))
"""


def run(program, *args, cwd=None, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_scorer_that_was_stored_gives_our_verdicts_where_mlflow_evaluates(rules, tmp_path):
    scorers = as_scorer(CAREFUL), as_scorer(PAID, session=True), as_scorer(f"{rules}:IN_CODE")
    dumped = json.dumps([scorer.model_dump() for scorer in scorers])
    paths = os.pathsep.join([str(ROOT), str(tmp_path), os.environ.get("PYTHONPATH", "")])

    said = json.loads(run(EVALUATE, dumped, cwd=tmp_path, PYTHONPATH=paths).splitlines()[-1])

    by_scorer = {
        name: {span: rest for span, each, *rest in said["told"] if each == name} for name in ("careful", "paid")
    }
    careful = by_scorer["careful"]
    assert careful["plan"] == ["yes", "contract 'careful' holds", "holds", "None"]
    assert careful["delete_table"][0] == "no"
    assert careful["delete_table"][1].startswith(
        "contract 'careful': trace 'agent':\n  order.never at agent > delete_table: expected no span('delete_table')"
    )
    why = "contract 'careful' does not apply: no span matches span('agent')"
    assert careful.get("other") == ([None, why, "not applicable", "None"] if HAS_EMPTY_FEEDBACK else None)
    assert sorted(rest[0] for rest in by_scorer["paid"].values()) == ["no", "yes"]  # each at the first of its session
    assert said["metrics"] == {"careful/mean": 0.75, "paid/mean": 0.5, "in code/mean": 1.0}
