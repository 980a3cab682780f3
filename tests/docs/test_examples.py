"""Docstrings: what the reference shows has one, with an example that runs."""

from __future__ import annotations

import doctest
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import griffe
import pytest
import yaml
from hypothesis import HealthCheck, settings

import pytest_mlflow_traces
from tests.docs.running import run_tests
from tests.docs.test_docs import PAGES, blocks
from tests.docs.test_public_names import DOCUMENTED

ROOT = Path(__file__).parent.parent.parent
PLUGINS = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["plugins"]
OPTIONS = next(each["mkdocstrings"]["handlers"]["python"]["options"] for each in PLUGINS if "mkdocstrings" in each)
HIDDEN = [each.removeprefix("!") for each in OPTIONS["filters"]]


@pytest.fixture(autouse=True)
def few_examples_however_slow():
    before = settings.get_current_profile_name()
    settings.register_profile("docs", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("docs")
    yield
    settings.load_profile(before)


@cache
def package():
    home = Path(pytest_mlflow_traces.__file__).parent.parent  # of the checkout, or of what is installed
    return griffe.load("pytest_mlflow_traces", search_paths=[home], allow_inspection=False)


def documented(name):
    """Return what the reference shows for a name, as it stands in the source: also constants have docstrings there."""
    found = package()[name.removeprefix("pytest_mlflow_traces.")]
    return found.final_target if found.is_alias else found


def members(name):
    """Return what the reference shows below a name."""
    found = documented(name)
    shown = {key: each for key, each in found.members.items() if found.is_class and not each.is_attribute}
    shown |= {key: each for key, each in found.members.items() if found.is_class and each.docstring is not None}
    return {key: each for key, each in shown.items() if not any(re.search(hidden, key) for hidden in HIDDEN)}


def example_of(shown):
    """Return the example of a docstring as a test that knows the names of its module."""
    text = "" if shown.docstring is None else shown.docstring.value
    names = {**vars(import_module(shown.module.path)), "annotations": None}  # a reader's module need not have it
    return doctest.DocTestParser().get_doctest(text, names, shown.path, str(shown.filepath), 0)


@cache
def code_that_runs():
    """Return all the code of the pages and of the docstrings."""
    pages = [block.code for page in PAGES for block in blocks(page.read_text()) if block.kind.startswith("python")]
    examples = [
        example.source
        for name in DOCUMENTED
        for shown in (documented(name), *members(name).values())
        for example in example_of(shown).examples
    ]
    return "\n".join(pages + examples)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_name_has_an_example_that_runs(name):
    for shown in (documented(name), *members(name).values()):
        assert shown.docstring is not None, f"{shown.path} has no docstring"
        example = example_of(shown)
        assert example.examples or shown is not documented(name), f"the docstring of {name} has no example"
        told: list[str] = []
        names = example.globs
        doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(
            example, out=told.append, clear_globs=False
        )
        assert "".join(told) == ""
        defined = [each for line in example.examples for each in re.findall(r"^def (test_\w+)", line.source)]
        run_tests(names, defined)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_member_is_used_in_code_that_runs(name):
    unused = [key for key in members(name) if not re.search(rf"\.{key}\b|\b{key}=", code_that_runs())]

    assert unused == [], f"{unused}"
