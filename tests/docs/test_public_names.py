"""The public surface: each name of it has documentation, and what documentation names is there.

Public are the names in the `__all__` of the package and of the modules beside it, the fixtures, the marker, the options
and the commands. Whoever adds one finds here where it is to be told of; whoever takes one away, who still speaks of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import pytest_mlflow_traces
from pytest_mlflow_traces import plugin
from pytest_mlflow_traces.cli import main
from pytest_mlflow_traces.plugin.marker import KEYWORDS

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
REFERENCE = {path.stem: path.read_text() for path in sorted((DOCS / "reference").glob("*.md"))}
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
NAME = "pytest_mlflow_traces"
# modules whose names are reached through the package, or by other means than an import
WITHOUT_NAMES = {
    "capture",
    "cli",
    "core",
    "files",
    "inline_snapshots",
    "mlflow_import",
    "otlp",
    "plugin",
    "reports",
    "store",
    "virtual_time",
    "warnings",
}
DOCUMENTED = re.findall(r"^::: (\S+)$", "\n".join(REFERENCE.values()), re.MULTILINE)


def public_names():
    yield from (f"{NAME}.{each}" for each in pytest_mlflow_traces.__all__)
    for module in pkgutil.iter_modules(pytest_mlflow_traces.__path__):
        if not module.name.startswith("_") and module.name not in WITHOUT_NAMES:
            names = getattr(importlib.import_module(f"{NAME}.{module.name}"), "__all__", None)
            assert names, f"{module.name} is a new module: give it __all__, or name it in WITHOUT_NAMES"
            yield from (f"{NAME}.{module.name}.{each}" for each in names)


class Options:
    """Record the options that a plugin adds."""

    def __init__(self):
        self.options, self.settings = [], []

    def getgroup(self, *_):
        return self

    def addoption(self, name, **_):
        self.options.append(name)

    def addini(self, name, *_, **__):
        self.settings.append(name)


@pytest.fixture
def added():
    recorder = Options()
    plugin.pytest_addoption(recorder)
    return recorder


@pytest.mark.parametrize("name", list(public_names()))
def test_a_public_name_is_in_the_reference(name):
    assert name in DOCUMENTED, f"{name} has no documentation: add `::: {name}` to a page of docs/reference"


def test_a_name_of_the_package_in_the_reference_is_public():
    of_package = [each for each in DOCUMENTED if each.count(".") == 1]

    assert sorted(of_package) == sorted(f"{NAME}.{each}" for each in pytest_mlflow_traces.__all__)
    assert len(DOCUMENTED) == len(set(DOCUMENTED)), "something is documented twice"


def test_the_package_lists_its_names_in_order_and_has_them_all():
    names = pytest_mlflow_traces.__all__

    assert names == sorted(names)
    assert set(names) == set(pytest_mlflow_traces._HOMES)
    assert all(hasattr(pytest_mlflow_traces, name) for name in names)


def test_a_fixture_is_in_the_reference():
    fixtures = [name for name, value in vars(plugin).items() if type(value).__name__ == "FixtureFunctionDefinition"]

    assert fixtures
    assert [name for name in fixtures if f"{NAME}.plugin.{name}" not in DOCUMENTED] == []


def test_the_marker_and_its_keywords_are_in_the_reference():
    assert f"@pytest.mark.{plugin.MARKER}" in REFERENCE["pytest"]
    assert [word for word in KEYWORDS if f"| `{word}` |" not in REFERENCE["pytest"]] == []


def test_an_option_is_in_the_reference(added):
    page = REFERENCE["pytest"]

    assert added.options
    assert [name for name in added.options if not re.search(rf"^\| `{name}[`=]", page, re.MULTILINE)] == []
    assert [name for name in added.settings if f"\n| `{name}` |" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_option_that_a_page_speaks_of_is_there(page, added):
    text = page.read_text()
    options = set(re.findall(r"--mlflow-traces-[a-z-]+", text)) - set(added.options)
    settings = set(re.findall(r"^mlflow_traces_\w+(?= *=)", text, re.MULTILINE)) - set(added.settings)

    assert (options, settings) == (set(), set())


@pytest.mark.parametrize("command", [(), *((name,) for name in main.commands)], ids=" ".join)
def test_the_reference_has_the_help_of_a_command(command):
    asked = [*command, "--help"]
    said = CliRunner().invoke(main, asked, prog_name="pytest-mlflow-traces", terminal_width=100).output.rstrip()
    block = f"```console\n$ {' '.join(['pytest-mlflow-traces', *asked])}\n{said}\n```"

    assert block in REFERENCE["command-line"], f"docs/reference/command-line.md is to have\n\n{block}"


def test_each_option_of_a_command_says_what_it_does():
    options = [
        (name, option.name)
        for name, command in main.commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]

    assert options == []
