"""What a test and a session remember, and the names under which reports carry it; light, since every run loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.files.atomic import PartFile
    from pytest_mlflow_traces.plugin.assertrepr import FailedComparison
    from pytest_mlflow_traces.plugin.baseline import BaselineFile
    from pytest_mlflow_traces.plugin.contracts import SuiteContracts
    from pytest_mlflow_traces.plugin.test_result import Result
    from pytest_mlflow_traces.plugin.unused_baselines import BaselineOwners

# of a test
MISUSE: pytest.StashKey[pytest.UsageError] = pytest.StashKey()
# of one run of a test
CAPTURED: pytest.StashKey[CapturedTraces] = pytest.StashKey()
FAILED_COMPARISONS: pytest.StashKey[list[FailedComparison]] = pytest.StashKey()
APPLIED: pytest.StashKey[dict[str, bool]] = pytest.StashKey()
JUDGED: pytest.StashKey[set[str]] = pytest.StashKey()  # the ids of the traces that the verdict was on
RESULT: pytest.StashKey[Result] = pytest.StashKey()
BASELINES: pytest.StashKey[BaselineFile] = pytest.StashKey()
# of a session
CONTRACTS: pytest.StashKey[SuiteContracts] = pytest.StashKey()
COLLECTOR: pytest.StashKey[BaselineOwners] = pytest.StashKey()
PART: pytest.StashKey[PartFile] = pytest.StashKey()

# attributes of reports, plain data: pytest-xdist carries them to the controller
RECORD_ATTRIBUTE = "mlflow_traces_record"
SAVED_ATTRIBUTE = "mlflow_traces_saved"  # which piece of which part file has the traces
APPLIED_ATTRIBUTE = "mlflow_traces_contracts"
USED_ATTRIBUTE = "mlflow_traces_baselines"  # the baseline files, with their sections
SECTION = "mlflow traces"  # of a report
PARTS_INPUT = "mlflow_traces_parts"  # in the input of a worker: the folder for part files


def forget(item: pytest.Item) -> None:
    """Drop what an earlier run of the same test left behind: some plugins run tests again."""
    keys: tuple[pytest.StashKey[Any], ...] = (CAPTURED, FAILED_COMPARISONS, APPLIED, JUDGED, RESULT, BASELINES)
    for key in keys:
        if key in item.stash:
            del item.stash[key]
