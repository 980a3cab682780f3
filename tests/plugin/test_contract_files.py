"""A contract file is named by its path wherever a contract is: by the ini option, and by the marker."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import INI

ANSWERS = """
format = 1
name = "answers"
applies_to = "agent"
shape = '''
agent
  plan
  search TOOL
'''
"""
HEAD = 'format = 1\nname = "c"\n'
OTHERS = ANSWERS.replace("answers", "others").replace("search TOOL", "browse TOOL")


def run(project, *args):
    return project.runpytest_inprocess(*args)


@pytest.fixture
def folders(project):
    """A suite with a test in a folder, and contract files there and at the top."""

    def made(marker="", *, ini="", **files):
        for path, text in files.items():
            file = project.path / path.replace("__", "/").replace("_toml", ".toml")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        (project.path / "inner").mkdir(exist_ok=True)
        (project.path / "inner/test_it.py").write_text(
            f"import pytest\nfrom pathlib import Path\nfrom app import agent\n\n{marker}\n"
            "def test_it(mlflow_traces):\n    agent()\n"
        )
        project.syspathinsert()
        # a contract in code that is the file again
        project.makepyfile(again="from pytest_mlflow_traces import Contract\nC = Contract.read('answers.toml')\n")
        project.makeini(f"{INI}mlflow_traces_contract =\n    {ini}\n")
        return project

    return made


@pytest.mark.parametrize("given", ["'answers.toml'", "Path('answers.toml')", "['answers.toml']"])
@pytest.mark.parametrize("folder", ["answers_toml", "inner__answers_toml"])
def test_the_marker_takes_a_path_from_the_folder_of_the_test_or_the_rootdir(folders, given, folder):
    project = folders(f"@pytest.mark.mlflow_traces(expect={given})", **{folder: ANSWERS})

    run(project).assert_outcomes(passed=1)


def test_the_folder_of_the_test_comes_first(folders):
    marker = "@pytest.mark.mlflow_traces(expect='answers.toml')"
    project = folders(marker, answers_toml=ANSWERS, inner__answers_toml=OTHERS)

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["contract 'others': trace 'agent' does not match: 1 different"])


def test_the_ini_option_takes_a_path_from_the_rootdir(folders, monkeypatch):
    project = folders(ini="kept/answers.toml", kept__answers_toml=OTHERS)
    monkeypatch.chdir(project.path / "inner")

    result = run(project, "--rootdir", str(project.path))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["contract 'others': trace 'agent' does not match: 1 different"])


def test_one_that_applies_to_nothing_is_told_by_its_path(folders):
    project = folders(ini="answers.toml", answers_toml=ANSWERS.replace('applies_to = "agent"', 'applies_to = "nobody"'))

    result = run(project)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["answers.toml applied to no trace of this run"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no such file in {folder}"),
        ("format = 1\nname = 5\n", "{folder}/answers.toml, line 2, column 1: name: expected a text in quotes, got 5"),
        (f'{HEAD}expect = ["nowhere:X"]\n', "contract 'c': expect: nowhere:X: No module named 'nowhere'"),
        (f'{HEAD}[tags]\nschema = "app:agent"\n', "contract 'c': the schema of its tags: app:agent: expected a *"),
        (f'{HEAD}expect = ["again:C"]\n', "contract 'c' names itself"),
    ],
)
@pytest.mark.parametrize("place", ["ini", "marker"])
def test_what_is_wrong_with_a_file_is_a_usage_error(folders, text, says, place):
    files = {} if text is None else {"answers_toml": text}
    marker = "@pytest.mark.mlflow_traces(expect='answers.toml')" if place == "marker" else ""
    project = folders(marker, ini="answers.toml" if place == "ini" else "", **files)
    begin = "*mlflow_traces_contract = answers.toml: "
    if place == "marker":
        begin = "*inner/test_it.py::test_it: @pytest.mark.mlflow_traces expect='answers.toml': "
        says = says.replace("such file in {folder}", "such file in {folder}/inner nor in {folder}")

    result = run(project)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([begin + says.format(folder=project.path)])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
