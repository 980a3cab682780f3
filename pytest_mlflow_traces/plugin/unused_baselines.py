"""Which baseline files nobody uses any more: known at the end of a run of everything, and only then.

The process that collects knows which test each file belongs to; the one that reports knows which tests passed, and
what they used. Under pytest-xdist these are two, and the first tells the second at its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.plugin.run_report import is_whole_run
from pytest_mlflow_traces.plugin.stash import USED_ATTRIBUTE

if TYPE_CHECKING:
    from pytest_mlflow_traces.plugin.run_report import RunReport

# in the output of a worker: files and their tests; absent, where not all was run
OWNERS_OUTPUT = "mlflow_traces_owners"
Owners = list[tuple[str, str]]


class BaselineOwners:
    """Which test each baseline file belongs to, found out while tests are collected, in each process that collects.

    It begins when it meets the first folder of baselines; the modules beside a folder are collected after that.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.folders: list[Path] = []
        self._collected: set[Path] = set()
        self._items: list[pytest.Item] = []
        self._is_partial = False
        self.owners: Owners | None = None

    def pytest_deselected(self) -> None:
        self._is_partial = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._items = list(items)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        report = yield
        self._is_partial |= report.failed
        if report.passed and isinstance(collector, pytest.File):
            self._collected.add(collector.path)  # a module that skips itself whole is not among them
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # who leaves tests out without a word, as plugins that shard do, is found by the count
        if not self._is_partial and len(session.items) == len(self._items):
            from pytest_mlflow_traces.plugin.baselines.owners import owners_of

            self.owners = owners_of(self.folders, self._items, self._collected)
        self._items = []

    def pytest_sessionfinish(self) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None and self.owners is not None:
            output[OWNERS_OUTPUT] = self.owners


_COLLECTOR: pytest.StashKey[BaselineOwners] = pytest.StashKey()


def watch(config: pytest.Config, folder: Path) -> None:
    """Note a folder of baselines, and find out from now on whose they are."""
    collector = config.stash.get(_COLLECTOR, None)
    if collector is None:
        collector = config.stash[_COLLECTOR] = BaselineOwners(config)
        config.pluginmanager.register(collector, "mlflow-traces-baseline-owners")
    collector.folders.append(folder)


def baseline_folders(config: pytest.Config) -> list[Path]:
    """Return the folders of baselines that the collection met."""
    collector = config.stash.get(_COLLECTOR, None)
    return [] if collector is None else collector.folders


class UnusedBaselines:
    """The files and sections that no test uses: reported, and removed with an update."""

    def __init__(self, config: pytest.Config, run_report: RunReport) -> None:
        self._config = config
        self._run_report = run_report
        self._owners: Owners | None = None
        self._passed: set[str] = set()
        self._left: dict[str, list[str]] = {}  # by file, the sections that its test did not use in any run

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist found out."""
        owners = getattr(node, "workeroutput", {}).get(OWNERS_OUTPUT)
        if owners is not None:
            self._owners = [(file, owner) for file, owner in owners]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        if hasattr(report, USED_ATTRIBUTE):
            file, names = getattr(report, USED_ATTRIBUTE)
            self._left[file] = [name for name in self._left.get(file, names) if name in names]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        collector = self._config.stash.get(_COLLECTOR, None)
        owners = self._owners if collector is None else collector.owners
        if not owners or session.exitstatus or self._config.option.collectonly or not is_whole_run(self._config):
            return
        from pytest_mlflow_traces.plugin.baselines.owners import unused

        found = unused(owners, self._passed, self._left)
        for file, names in found:
            self._remove_or_report(Path(file), names)
        if found and self._run_report.notes and self._config.getini("mlflow_traces_strict"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _remove_or_report(self, file: Path, names: list[str] | None) -> None:
        """Remove a file (or sections of it) with an update, report it otherwise."""
        from pytest_mlflow_traces.plugin.baselines.owners import remove

        shown = file.relative_to(self._config.rootpath) if file.is_relative_to(self._config.rootpath) else file
        if self._config.getoption("--mlflow-traces-update") == "write":
            self._run_report.changes.append(remove(file, shown.as_posix(), names))
            return
        which = "" if names is None else f" {', '.join(f'[{name}]' for name in names)} of"
        self._run_report.notes.append(f"no test uses{which} the baseline {shown.as_posix()}")
