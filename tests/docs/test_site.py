"""The site builds, offline and strictly: every page is in the navigation, no link or name leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_mlflow_traces

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


def test_the_site_builds_strictly(site):
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]

    assert [page for page in pages if not (site / page).exists()] == []


def test_a_page_loads_nothing_from_the_network(site):
    loaded = re.compile(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"((?:https?:)?//[^\"]*)")
    loads = {path.name: found for path in site.rglob("*.html") if (found := loaded.findall(path.read_text()))}

    assert loads == {}


@pytest.mark.parametrize("left", ["<blockquote>", "```", "\\|", "&gt;&gt;&gt; &gt;"])
def test_all_of_the_markdown_is_understood(site, left):
    assert [path.name for path in site.rglob("*.html") if left in path.read_text()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how-it-works.md"])
def test_a_file_of_the_code_is_called_as_the_page_says(page):
    named = re.findall(r"`([\w/]+(?:/|\.py))`", (ROOT / page).read_text())
    package = Path(pytest_mlflow_traces.__file__).parent  # it may be installed away from the checkout
    there = [
        name for name in named if any((at / name).exists() for at in (ROOT, package.parent)) or any(package.rglob(name))
    ]

    assert there == named != []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_a_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []
