"""The page of a run in a browser: how long until a trace of 10,000 spans can be used, and how large a page is.

Measured in the Chromium of this machine, from a file: until the first rows of the tree are drawn, and then what a key
takes. The bar is a second for each of one large trace, and the limit of a page for many small ones. Without Chromium,
or Playwright to drive it, nothing is measured, and it says so.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.contracts import error_of, verdicts
from pytest_mlflow_traces.core.spans.convert import TraceFacts
from pytest_mlflow_traces.core.spans.table import SpanTable
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files.pages import Pages
from pytest_mlflow_traces.files.spool import Spool
from pytest_mlflow_traces.reports.html.entries import Entry
from pytest_mlflow_traces.reports.html.page import LIMIT, Head
from tests.support.building import node, records

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 1.0
READY = """() => new Promise((done) => {
    const look = () => {
        const row = document.querySelector('[role="treeitem"]');
        if (row) requestAnimationFrame(() => setTimeout(() => done(performance.now())));
        else setTimeout(look, 5);
    };
    look();
})"""


def trace(count: int, odd: bool = False) -> Trace:
    """Make an agent of some turns, 99 calls in each, whose inputs and outputs are as long as those of models."""
    text = "Why did costs spike? " * 5
    made: list[Any] = []
    for turn in range(count // 100):
        name = "odd" if odd and turn == 50 else f"turn {turn}"
        made += [name, [node(f"call {k % 9} TOOL", inputs={"q": text}, outputs=text) for k in range(99)]]
    return Trace(SpanTable(records("agent AGENT", made)), TraceFacts(id="tr"))


def failing(count: int) -> Entry:
    """Make a test whose trace has one span that is called otherwise."""
    shown = trace(count, odd=True)
    error = error_of(verdicts([shown], trace(count).to_pattern()))
    return Entry("test_large", "failed", [shown], failed=True, findings=error.findings, marks=error._marks)


def written(path: Path, entries: Sequence[Entry]) -> tuple[float, int]:
    """Write a page; return the seconds that took, and its bytes."""
    began = time.perf_counter()
    spool = Spool()
    pages = Pages(spool)
    for entry in entries:
        pages.put((entry.name,), entry.parts(), failed=entry.failed, has_findings=bool(entry.findings))
    pages.write(path, Head("MLflow traces", "", failed=True))
    spool.close()
    return time.perf_counter() - began, path.stat().st_size


def opened(browser: Any, path: Path) -> tuple[float, float]:
    """Return the seconds until the rows are drawn, and those of the slowest of some keys."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri(), wait_until="commit")
    ready = page.evaluate(READY) / 1000
    page.locator('[role="tree"]').focus()
    slowest = 0.0
    for key in ("End", "ArrowRight", "ArrowDown", "Home", "Enter"):
        began = time.perf_counter()
        page.keyboard.press(key)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
        slowest = max(slowest, time.perf_counter() - began)
    page.close()
    return ready, slowest


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000, help="of the large trace (default 10,000)")
    given = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("nothing was measured: apt-get install -y chromium, pip install playwright")
        return True
    pages = {
        f"{given.spans:,} spans, one of which differs": [failing(given.spans)],
        f"{given.spans:,} spans, nothing marked": [Entry("test_large", "failed", [trace(given.spans)], failed=True)],
        "1,000 tests of 30 spans": [
            Entry(f"test_{k:04}", "failed" if k == 0 else "passed", [few(k)], failed=k == 0) for k in range(1_000)
        ],
    }
    met = True
    print("| page | written s | bytes | ready s | slowest key s |")
    print("|---|--:|--:|--:|--:|")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, entries in pages.items():
            took, size = written(Path(folder, "page.html"), entries)
            ready, key = min(opened(browser, Path(folder, "page.html")) for _ in range(3))
            is_timed = len(entries) == 1
            bars = (f" (bar {SECONDS:g})", "") if is_timed else ("", f" (bar {LIMIT:,})")
            print(f"| {name} | {took:.2f} | {size:,}{bars[1]} | {ready:.2f}{bars[0]} | {key:.3f} |")
            met &= size <= LIMIT and (not is_timed or max(ready, key) < SECONDS)
        browser.close()
    return met


def few(number: int) -> Trace:
    """Make an agent of 30 spans."""
    text = f"question {number}: why did costs spike? " * 8
    made = [node(f"call {k % 9} TOOL", inputs={"q": text}, outputs=text) for k in range(29)]
    return Trace(SpanTable(records("agent AGENT", made)), TraceFacts(id=f"tr-{number}"))


if __name__ == "__main__":
    sys.exit(not main())
