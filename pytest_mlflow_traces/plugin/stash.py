"""What a test and a session remember, and the names under which reports carry it; light, since every run loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_mlflow_traces.files.atomic import PartFile
    from pytest_mlflow_traces.plugin.assertrepr import FailedComparison
    from pytest_mlflow_traces.plugin.test_result import Result

# of one phase of a test
FAILED_COMPARISONS: pytest.StashKey[list[FailedComparison]] = pytest.StashKey()
# of one run of a test, where it asks for traces or a baseline
RESULT: pytest.StashKey[Result] = pytest.StashKey()
# of a session
PART: pytest.StashKey[PartFile] = pytest.StashKey()

# attributes of reports, plain data: pytest-xdist carries them to the controller
RECORD_ATTRIBUTE = "mlflow_traces_record"
SAVED_ATTRIBUTE = "mlflow_traces_saved"  # which piece of which part file has the traces
APPLIED_ATTRIBUTE = "mlflow_traces_contracts"
USED_ATTRIBUTE = "mlflow_traces_baselines"  # the baseline files, with their sections
SECTION = "mlflow traces"  # of a report
PARTS_INPUT = "mlflow_traces_parts"  # in the input of a worker: the folder for part files
