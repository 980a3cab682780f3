"""`pin`: a stored trace becomes a test that fails until its call is filled in, its baseline, and its inputs."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.cli import main
from pytest_mlflow_traces.files import pins
from tests.capture.programs import needs_full_mlflow
from tests.plugin.conftest import project as project
from tests.support.building import node
from tests.support.pinning import fill_in
from tests.support.storing import line

TARGET = "tests/test_pinned.py"
BASELINE = Path("tests/__traces__/test_pinned/test_agent.trace")
INPUTS = BASELINE.with_suffix(".json")
PERSONAL = {
    "customer": {"name": "Ada Lovelace", "phone": "+49 30 1234567"},
    "question": "What does Ada owe? Write to ada@example.com",
    "api_key": "sk-abcdef0123456789abcdef",
    "card": 4111111111111111,
    "ada@example.com": {"phone": "+49 30 7654321"},
}
RAW = "Ada", "Lovelace", "ada@example.com", "1234567", "7654321", "sk-abcdef0123456789abcdef", "4111111111111111"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keep(*specs, **said):
    Path("traces.jsonl").write_text(line("other", id="tr-0") + "\n" + line(*specs, **said) + "\n")


def pin(*args, source="traces.jsonl", trace_id="tr-1", target=TARGET):
    result = CliRunner().invoke(main, ["pin", source, "--id", trace_id, "--test", target, *args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def files():
    return {path: path.read_text() for path in Path("tests").rglob("*") if path.is_file()}


def test_three_files_are_written():
    keep(
        node("agent AGENT", inputs={"question": "q"}), ["search TOOL"], cached="true", count="3", share="0.5", team="a"
    )

    result = pin()

    assert result.exit_code == 0
    assert result.output == (
        f"pinned trace tr-1 as {TARGET}::test_agent\n  baseline  {BASELINE}\n  inputs    {INPUTS}\n\n"
        "now fill in the call, such as `agent(**inputs)`: until then the test fails\n"
    )
    assert (
        Path(TARGET).read_text()
        == '''\
"""Tests whose traces were pinned by `pytest-mlflow-traces pin`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_mlflow_traces import BoolTag, FloatTag, IntTag, TagSchema, assert_trace


@pytest.mark.filterwarnings("error::pytest_mlflow_traces.MlflowTracesWarning")
def test_agent(mlflow_traces, trace_baseline):
    # pinned from trace tr-1
    folder = Path(__file__).parent / "__traces__/test_pinned"
    inputs = json.loads((folder / "test_agent.json").read_text(encoding="utf-8"))

    pytest.fail(
        "fill in the call of 'agent' with `inputs`, in place of this line: agent(**inputs)"
    )

    trace = mlflow_traces.one()
    schema = {"cached": BoolTag, "count": IntTag, "share": FloatTag, "team": str}
    assert_trace(trace, TagSchema.from_mapping(schema, extra="allow"))
    assert trace == trace_baseline
'''
    )
    assert BASELINE.read_text() == (
        "# pytest-mlflow-traces baseline, format 1\n# test_pinned.py::test_agent\n\nagent AGENT OK\n  search TOOL OK\n"
    )
    assert json.loads(INPUTS.read_text()) == {"question": "q"}


def test_no_personal_value_is_in_any_file_and_each_is_listed():
    keep(node("agent", inputs=PERSONAL), [node("greet_Ada"), node("mail ada@example.com")], **{"ada@example.com": "1"})

    output = pin().output

    texts = "".join(files().values()) + output
    assert [raw for raw in RAW if raw in texts] == []
    assert json.loads(INPUTS.read_text()) == {
        "customer": {"name": "<redacted-name-2>", "phone": "<redacted-phone-1>"},
        "question": "What does <redacted-name-1> owe? Write to <redacted-email-1>",
        "api_key": "<redacted-key-1>",
        "card": "<redacted-card-1>",
        "<redacted-email-1>": {"phone": "<redacted-phone-2>"},
    }
    assert BASELINE.read_text().endswith("agent UNKNOWN OK\n  /greet_.+/ UNKNOWN OK\n  /mail .+/ UNKNOWN OK\n")
    assert "TagSchema" not in Path(TARGET).read_text()
    assert "\n7 values that may be personal or secret, and what stands for it:\n" in output
    assert "  <redacted-email-1> for 15 characters, first in the name of span 3\n" in output
    assert "put values for the test in place of the placeholders in" in Path(TARGET).read_text()


def test_it_fails_until_it_is_filled_in_and_the_baseline_is_found(project):
    space = {}
    with capture_traces() as traces:
        exec(Path("app.py").read_text(), space)
        space["agent"]("secret word", {"team": "a"})
    Path("traces.jsonl").write_text(traces.one().raw.to_json(pretty=False))
    pin(trace_id=traces.one().id, target="test_pinned.py")

    unfilled = project.runpytest_inprocess("test_pinned.py")
    unfilled.assert_outcomes(failed=1)
    unfilled.stdout.fnmatch_lines(
        ["*fill in the call of 'agent' with `inputs`, in place of this line: agent(?*inputs)"]
    )

    fill_in(Path("test_pinned.py"), "from app import agent; agent(**inputs)")
    project.runpytest_inprocess("test_pinned.py").assert_outcomes(passed=1)


def test_a_second_one_is_added_below_under_a_name_of_its_own():
    keep(node("agent"))
    pin()
    first = Path(TARGET).read_text()

    result = pin()

    second = Path(TARGET).read_text()
    assert second.startswith(first)
    assert "\n\n\n@pytest.mark.filterwarnings" in second[len(first) - 1 :]
    assert f"{TARGET}::test_agent_2\n" in result.output
    compile(second, TARGET, "exec")


def test_a_module_keeps_all_that_is_in_it_and_gets_the_imports_that_it_lacks():
    keep(node("agent"), team="a")
    Path("tests").mkdir()
    written = b'"""Mine."""\r\nimport json\r\n\r\nX = 1\r\n\r\n\r\ndef test_agent():\r\n    pass\r\n'
    Path(TARGET).write_bytes(written)

    pin()

    said = Path(TARGET).read_bytes()
    assert said.startswith(
        b'"""Mine."""\r\nimport json\r\n\r\nfrom pathlib import Path\r\n\r\nimport pytest\r\n\r\n'
        b"from pytest_mlflow_traces import TagSchema, assert_trace\r\n\r\n"
        b"X = 1\r\n\r\n\r\ndef test_agent():\r\n    pass\r\n"
    )
    assert b"def test_agent_2(" in said
    assert b"\n" not in said.replace(b"\r\n", b"")


@pytest.mark.parametrize("left", [BASELINE, INPUTS])
def test_a_file_that_is_there_is_not_written_over(left):
    keep(node("agent"))
    left.parent.mkdir(parents=True)
    left.write_text("mine")

    pin()

    assert left.read_text() == "mine"
    assert "def test_agent_2(" in Path(TARGET).read_text()


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("def (", "it is not Python"),
        ("from mine import json\n", "it has another 'json' than that of `import json`"),
        ("json = 5\n", "it has another 'json' than that of `import json`"),
        ("def pytest(): ...\n", "it has another 'pytest' than that of `import pytest`"),
    ],
)
def test_a_module_that_cannot_take_a_test_is_left_alone(module, said):
    keep(node("agent"))
    Path("tests").mkdir()
    Path(TARGET).write_text(module)

    result = pin()

    assert result.exit_code == 2
    assert f"{TARGET} was left alone" in result.output
    assert said in result.output
    assert files() == {Path(TARGET): module}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"trace_id": "tr-2"}, "no trace has the id 'tr-2' among 2 traces; there is tr-0, tr-1\n"),
        ({"trace_id": "x"}, "no trace has the id 'x' among 2 traces; there is tr-0, tr-1\n"),
        ({"source": "nothing.jsonl"}, "nothing.jsonl: No such file or directory\n"),
        ({"target": "tests"}, "tests is not a module of tests: name a file such as tests/test_pinned.py\n"),
        ({"target": f"{TARGET}::agent"}, f"'agent' is not the name of a test: write {TARGET}::test_something, or the"),
    ],
)
def test_a_mistake_writes_nothing(arguments, said):
    keep(node("agent"))

    result = pin(**arguments)

    assert (result.exit_code, list(Path().glob("tests"))) == (2, [])
    assert said in result.output


@pytest.mark.parametrize(("spec", "why"), [("agent @0-", "is not whole: "), ((), "has no spans")])
def test_a_trace_that_is_not_whole_is_not_pinned(spec, why):
    keep(*([spec] if spec else []))

    result = pin()

    assert (result.exit_code, files()) == (2, {})
    assert why in result.output


def test_two_traces_of_one_id_are_refused():
    Path("traces.jsonl").write_text(f"{line('a')}\n{line('b')}\n")

    assert "2 traces have the id 'tr-1': name a source with one of them" in pin().output


def test_a_name_may_be_given_and_a_taken_one_is_refused():
    keep(node("agent"))

    assert f"{TARGET}::test_refund\n" in pin(target=f"{TARGET}::test_refund").output
    before = files()
    result = pin(target=f"{TARGET}::test_refund")

    assert (result.exit_code, files()) == (2, before)
    assert "has a test 'test_refund' already, or its baseline: name another" in result.output


def test_what_cannot_be_written_leaves_nothing(monkeypatch):
    keep(node("agent"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pins, "_put", full)
    result = pin()

    assert (result.exit_code, files()) == (2, {})
    assert "No space left on device" in result.output


@pytest.mark.parametrize(
    ("spec", "call", "test"),
    [
        (node("Answer a question!", inputs="why?"), "agent(inputs)", "test_answer_a_question"),
        (node("class", inputs={"a b": 1}), "agent(inputs)", "test_class"),
        (node("\n::error::x"), "agent()", "test_error_x"),
        (node("run", attributes={"mlflow.spanFunctionName": "answer"}), "answer()", "test_run"),
        (node("Ödipus"), "Ödipus()", "test_dipus"),
        (node('"""'), "agent()", "test_agent"),
    ],
)
def test_whatever_the_agent_is_called_the_skeleton_is_python(spec, call, test):
    keep(spec)

    assert f"such as `{call}`" in pin().output
    code = Path(TARGET).read_text()
    compile(code, TARGET, "exec")
    assert f"def {test}(" in code


@needs_full_mlflow
def test_a_trace_of_a_tracking_store_is_found_by_its_id():
    with capture_traces() as traces:
        with mlflow.start_span("agent") as span:
            span.set_inputs({"question": "q"})
        result = pin(source="memory://", trace_id=traces.one().id)
        missing = pin(source="memory://", trace_id="tr-none")

    assert result.exit_code == 0, result.output
    assert json.loads(INPUTS.read_text()) == {"question": "q"}
    assert missing.exit_code == 2
