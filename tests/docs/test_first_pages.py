"""The pages that a stranger reads first, copied block by block into an empty folder, do as they are printed.

| a block of | is |
|---|---|
| `python` | a file; its first line has its name: `# agent.py` |
| `diff` | a change of the one file that has these lines |
| `console` | commands to run in the folder, except those that install |
| `text` | lines that the commands above it printed, times and ids apart |
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_docs import FIRST_PAGES, ROOT, blocks

# how long something took is another matter in each run, and pytest ends empty lines in spaces
VARYING = re.compile(r" *\b[0-9.]+ (?:ns|µs|ms|s)\b|(?<=\btr-)[0-9a-f]{32}| +$", re.MULTILINE)
# no plugins but ours: half of the time is theirs; no bytecode: of a file that changes twice in a second it may be old
SETTINGS = {
    "COLUMNS": "80",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTEST_ADDOPTS": "-p pytest_mlflow_traces.plugin",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
INSTALLS = re.compile(r"\$ (?:pip install|make) ")


def write(folder: Path, code: str) -> None:
    name, _, text = code.partition("\n")
    assert re.fullmatch(r"# \w+\.py", name), f"a file without a name: {name}"
    (folder / name.removeprefix("# ")).write_text(f"{text}\n")


def change(folder: Path, diff: str) -> None:
    old, new = ("".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in marks) for marks in (" -", " +"))
    having = [path for path in folder.rglob("*") if path.is_file() and f"\n{old}" in path.read_text()]
    assert len(having) == 1, f"{len(having)} files have the lines to change"
    having[0].write_text(having[0].read_text().replace(old, new))


def call(folder: Path, commands: str) -> tuple[str, bool]:
    """Run commands; return what they printed, and whether one failed."""
    env = {**os.environ, **SETTINGS}
    printed, failed = "", False
    for line in commands.splitlines():
        assert line.startswith("$ "), f"not a command: {line}"
        if not INSTALLS.match(line):
            done = subprocess.run(
                line[2:], shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            printed, failed = printed + done.stdout, failed or done.returncode != 0
    return printed, failed


def follow(page: Path, folder: Path) -> None:
    """Do in `folder` what a page says."""
    printed, failed = "", False
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}, line {block.line}"
        if block.kind == "text":
            shown = VARYING.sub("", block.code)
            assert f"\n{shown}\n" in f"\n{VARYING.sub('', printed)}", f"{where} is not what was printed:\n{printed}"
            failed = False  # as the page says
            continue
        assert not failed, f"{where}: what stands above has failed, and the page does not say so:\n{printed}"
        if block.kind == "python":
            write(folder, block.code)
        elif block.kind == "diff":
            change(folder, block.code)
        else:
            assert block.kind == "console", f"{where}: nobody can follow a block of {block.kind!r}"
            printed, failed = call(folder, block.code)
    assert not failed, f"{page.name}: the last commands failed:\n{printed}"


@pytest.mark.parametrize("page", FIRST_PAGES, ids=lambda page: page.name)
def test_a_first_page_does_as_it_is_printed(tmp_path, page):
    follow(page, tmp_path)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```python\nx = 1\n```", "a file without a name: x = 1"),
        ("```trace\na\n```", "nobody can follow a block of 'trace'"),
        ("```console\npytest\n```", "not a command: pytest"),
        ("```console\n$ exit 3\n```", "the last commands failed"),
        ("```console\n$ exit 3\n```\n```python\n# a.py\n```", "line 5: what stands above has failed"),
        ("```console\n$ echo one\n```\n```text\non\n```", "line 5 is not what was printed:"),
        ("```python\n# a.py\nx\n```\n```diff\n-y\n+z\n```", "0 files have the lines to change"),
    ],
)
def test_a_page_that_cannot_be_followed_fails(tmp_path, page, message):
    path = tmp_path / "page.md"
    path.write_text(page)

    with pytest.raises(AssertionError, match=re.escape(message)):
        follow(path, tmp_path)


def test_each_figure_names_the_benchmark_that_prints_it():
    figures = re.findall(
        r"^\| .+ \| .*[0-9].* \| `benchmarks\.(\w+)` \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )

    assert set(figures) == {path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")}
