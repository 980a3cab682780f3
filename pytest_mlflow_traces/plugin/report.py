"""What the reports of a test tell of its traces: JUnit properties, the trees, and the record of the whole test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.files import baselines
from pytest_mlflow_traces.plugin.baseline import BaselineFile, TraceBaseline, update_command
from pytest_mlflow_traces.plugin.baseline_owners import name_of
from pytest_mlflow_traces.plugin.stash import (
    APPLIED,
    APPLIED_ATTRIBUTE,
    BASELINES,
    FAILED_COMPARISONS,
    PART,
    RECORD_ATTRIBUTE,
    RESULT,
    SAVED_ATTRIBUTE,
    SECTION,
    USED_ATTRIBUTE,
)
from pytest_mlflow_traces.plugin.test_result import Result
from pytest_mlflow_traces.reports.sections import PREFIX, properties, section

if TYPE_CHECKING:
    import pytest

    from pytest_mlflow_traces.capture.traces import CapturedTraces


def tell_junit(item: pytest.Item, report: pytest.TestReport, traces: CapturedTraces) -> None:
    """Add the facts of the traces to what a JUnit file gets: from this report, or from that of the teardown."""
    others = [each for each in item.user_properties if not each[0].startswith(PREFIX)]  # ours are of a run before
    item.user_properties[:] = [*others, *properties(list(traces), with_trees=report.failed)]
    report.user_properties = list(item.user_properties)


def tell(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, traces: CapturedTraces | None
) -> None:
    """Add to a report what it is to carry, and show."""
    attempt = item.stash.setdefault(RESULT, Result())
    if call.when == "teardown" and BASELINES in item.stash:
        _finish_baselines(item.stash[BASELINES], attempt, report)
    attempt.note(report, call, item.stash.get(FAILED_COMPARISONS, []))
    if call.when != "setup" and item.stash.get(APPLIED, None):
        setattr(report, APPLIED_ATTRIBUTE, item.stash[APPLIED])
    if call.when == "teardown":
        _hand_over(item, report, attempt, traces)
    show = item.config.getoption("--mlflow-traces-show") if traces is not None else "none"
    if traces is not None and show != "none" and (report.failed or (show == "all" and call.when == "call")):
        report.sections.append((SECTION, section(list(traces), traces.unfinished, traces.lost)))


def _hand_over(item: pytest.Item, report: pytest.TestReport, attempt: Result, traces: CapturedTraces | None) -> None:
    test = test_id(item)
    home = item.stash.get(BASELINES, None)
    if home is not None and home.used:
        setattr(report, USED_ATTRIBUTE, [[str(home.path), name] for name in home.used])
    setattr(report, RECORD_ATTRIBUTE, attempt.record(test, traces).to_dict())
    part = item.config.stash.get(PART, None)
    if part is not None and traces:
        from pytest_mlflow_traces.files.atomic import trace_line

        setattr(report, SAVED_ATTRIBUTE, part.write(trace_line(trace, test) for trace in traces))


def baseline_of(item: pytest.Item) -> TraceBaseline:
    """Return the baseline of a test, whose file is read when something is compared with it."""
    name = name_of(item)
    path = baselines.file_of(item.path, name)
    root = item.config.rootpath
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    update = item.config.getoption("--mlflow-traces-update")
    test = f"{item.path.name}::{name}"
    home = item.stash[BASELINES] = BaselineFile(path, shown, test, update_command(test_id(item)), update=update)
    return TraceBaseline(home)


def _finish_baselines(home: BaselineFile, attempt: Result, report: pytest.TestReport) -> None:
    """Write what the test changed in its baselines, where all of it has passed: subtests and fixtures, too."""
    try:
        attempt.changes += home.finish(passed=attempt.has_passed and report.passed)
    except OSError as error:
        report.outcome, report.longrepr = "failed", f"{home.shown_path} was not written: {error}"


def test_id(item: pytest.Item) -> str:
    """Return the node id, without what `--dist=loadgroup` of pytest-xdist adds to it."""
    grouped: Any = getattr(item.config.option, "loadgroup", False) and item.get_closest_marker("xdist_group")
    return item.nodeid.rpartition("@")[0] if grouped else item.nodeid
