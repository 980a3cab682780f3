"""Pages of HTML for tests: made of traces without pytest, read without a browser, and opened in one."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.contracts import error_of, verdicts
from pytest_mlflow_traces.files.pages import Pages
from pytest_mlflow_traces.files.spool import Spool
from pytest_mlflow_traces.reports.html.entries import Entry
from pytest_mlflow_traces.reports.html.page import Head, Kept, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTALL = "apt-get install -y chromium"
HEAD = Head("MLflow traces: 1 of 2 tests failed", "2 traces of 2 tests", failed=True, notes=["a note"])


def failing(name: str, trace: Any, *expected: Any, **fields: Any) -> Entry:
    """Make the entry of a test of which nothing that is expected holds."""
    error = error_of([verdict for each in expected for verdict in verdicts([trace], each)])
    assert error.findings
    said = {"findings": error.findings, "marks": error._marks, "message": str(error), **fields}
    return Entry(name, "failed", [trace], failed=True, **said)


def passing(name: str, *traces: Any) -> Entry:
    """Make the entry of a test that passed."""
    return Entry(name, "passed", traces)


def written(path: Path, *entries: Entry, head: Head = HEAD) -> Path:
    """Write a page."""
    pytest.importorskip("jinja2")
    spool = Spool()
    pages = Pages(spool)
    for entry in entries:
        pages.put((entry.name,), entry.parts(), failed=entry.failed, has_findings=bool(entry.findings))
    pages.write(path, head)
    spool.close()
    return path


def made(*entries: Entry, **options: Any) -> str:
    """Return a page."""
    pytest.importorskip("jinja2")
    kept = []
    for entry in entries:
        one, two, three = texts = entry.parts()
        sizes = len(one), len(two), len(three)
        kept.append(Kept(entry.name, entry.failed, bool(entry.findings), sizes, texts.__getitem__))
    return "".join(page(HEAD, kept, **options))


def data_of(html: str) -> dict[str, Any]:
    """Return the data that a page holds, by the ids of the elements."""
    found = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', html, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the Chromium of this machine; skip the test where there is none, or nothing that drives it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="nothing drives a browser: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip(f"there is no Chromium: {INSTALL}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in a browser, with what it asked for and what went wrong in it."""

    def __init__(self, browser: Any, path: Path, fragment: str = "", **options: Any) -> None:
        self.requests: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.errors: list[str] = []
        self.page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page.set_default_timeout(5_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.refused.append((request.url, request.failure)))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.goto(path.as_uri() + fragment)

    def open_all(self) -> None:
        """Open every test and every trace."""
        self.click('article:not([hidden]) h2 button[aria-expanded="false"]')
        self.click('article:not([hidden]) h3 button[aria-expanded="false"]')

    def click(self, selector: str) -> None:
        """Click everything that is so."""
        self.page.evaluate("selector => document.querySelectorAll(selector).forEach((each) => each.click())", selector)

    def row(self, name: str) -> Any:
        """Return the row of the span of this name."""
        return self.page.locator('[role="treeitem"]', has=self.page.locator(f'.name:text-is("{name}")'))

    def selected(self) -> str:
        """Return the name in the row that is selected, in the tree that has the focus."""
        return str(self.page.locator(':focus [aria-selected="true"] .name').inner_text())
