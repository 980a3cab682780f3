"""What the reports of a test carry of its traces: JUnit properties, the trees, and the record of the whole test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.files import baselines
from pytest_mlflow_traces.files.atomic import trace_line
from pytest_mlflow_traces.plugin.baselines.baseline import BaselineFile, TraceBaseline, update_command
from pytest_mlflow_traces.plugin.baselines.owners import former_of, name_of
from pytest_mlflow_traces.plugin.contracts import CONTRACTS
from pytest_mlflow_traces.plugin.stash import (
    APPLIED_ATTRIBUTE,
    EXPORT,
    FAILED_COMPARISONS,
    PAGE_ATTRIBUTE,
    RECORD_ATTRIBUTE,
    RESULT,
    SAVED_ATTRIBUTE,
    SECTION,
    USED_ATTRIBUTE,
)
from pytest_mlflow_traces.plugin.test_result import Result
from pytest_mlflow_traces.reports.sections import PREFIX, properties, section

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_mlflow_traces.core.baselines.file_format import BaselineText


def complete(report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None], result: Result) -> None:
    """Add to a report what it is to carry, and show."""
    traces = result.traces
    if call.when == "call" and traces is not None:
        _add_properties(report, item, result)
        contracts = item.config.stash.get(CONTRACTS, None)
        if report.failed and contracts is not None and result.checked is None:
            result.applied = contracts.applying(traces)  # what failed by itself was not checked, yet is not absence
    if call.when == "teardown" and result.baselines is not None:
        _write_baselines(report, result, result.baselines)
    result.note(report, item, call, item.stash.get(FAILED_COMPARISONS, []))
    if call.when != "setup" and result.all_applied:
        setattr(report, APPLIED_ATTRIBUTE, result.all_applied)
    if call.when == "teardown" and (report.failed or not result.goes_on):
        _add_record(report, item, result)
    show = item.config.getoption("--mlflow-traces-show")
    shown = result if result.repeated is None else result.repeated.shown
    traces = shown.traces
    if traces is not None and show != "none" and (report.failed or (show == "all" and call.when == "call")):
        report.sections.append((SECTION, section(list(traces), traces.unfinished, traces.lost)))


def _add_properties(report: pytest.TestReport, item: pytest.Item, result: Result) -> None:
    """Add the facts of the traces to what a JUnit file gets: from this report, or from that of the teardown."""
    others = [each for each in item.user_properties if not each[0].startswith(PREFIX)]  # ours are of a run before
    traces = (
        result.all_traces if result.repeated is not None else tuple(result.traces or ())
    )  # only the last run has all
    item.user_properties[:] = [*others, *properties(traces, with_trees=report.failed)]
    if result.repeated is not None:
        item.user_properties.append((f"{PREFIX}runs", result.repeated.runs.line))
    report.user_properties = list(item.user_properties)


def _write_baselines(report: pytest.TestReport, result: Result, file: BaselineFile) -> None:
    """Write what the test changed in its baselines, where all of it has passed: subtests and fixtures, too."""
    try:
        result.changes += file.write(passed=result.has_passed and report.passed)
    except OSError as error:
        report.outcome, report.longrepr = "failed", f"{file.shown_path} was not written: {error}"


def _add_record(report: pytest.TestReport, item: pytest.Item, result: Result) -> None:
    test = test_id(item)
    used = result.used_baselines
    if used is not None:
        setattr(report, USED_ATTRIBUTE, [str(used[0].path), used[1]])
    setattr(report, RECORD_ATTRIBUTE, result.record(test).to_dict())
    traces = result.all_traces
    if traces and any(item.config.getoption(name) is not None for name in ("--mlflow-traces-save", EXPORT)):
        setattr(report, SAVED_ATTRIBUTE, "".join(trace_line(trace, test) for trace in traces))
    if item.config.getoption("--mlflow-traces-html") is not None:
        setattr(report, PAGE_ATTRIBUTE, list(result.entry(test, item.config.rootpath).parts()))


def baseline_of(item: pytest.Item) -> TraceBaseline:
    """Return the baseline of a test, whose file is read when something is compared with it."""
    name = name_of(item)
    path = baselines.file_of(item.path, name)

    def shown_path(path: Path) -> str:
        root = item.config.rootpath
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def former(text: BaselineText) -> str | None:
        found = former_of(item, path, text)
        return None if found is None else shown_path(found)

    update = item.config.getoption("--mlflow-traces-update")
    test = f"{item.path.name}::{name}"
    file = BaselineFile(path, shown_path(path), test, update_command(test_id(item)), update=update, former=former)
    item.stash.setdefault(RESULT, Result()).baselines = file
    return TraceBaseline(file)


def test_id(item: pytest.Item) -> str:
    """Return the node id, without what `--dist=loadgroup` of pytest-xdist adds to it."""
    grouped: Any = getattr(item.config.option, "loadgroup", False) and item.get_closest_marker("xdist_group")
    return item.nodeid.rpartition("@")[0] if grouped else item.nodeid
