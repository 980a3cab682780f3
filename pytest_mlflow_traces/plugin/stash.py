"""What a test and a session remember, and the names under which reports carry it; light, since every run loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.explanations import FailedComparison
    from pytest_mlflow_traces.core.rates.sequential import Plan
    from pytest_mlflow_traces.plugin.test_result import Asked, Result

# options that several modules ask for
EXPORT = "--mlflow-traces-export"
MUTATE = "--mlflow-traces-mutate"
MUTATE_FLOOR, MUTATE_JSON = f"{MUTATE}-fail-under", f"{MUTATE}-json"
COVERAGE = "--mlflow-traces-coverage"
COVERAGE_FLOOR = f"{COVERAGE}-fail-under"

# of one phase of a test
FAILED_COMPARISONS: pytest.StashKey[list[FailedComparison]] = pytest.StashKey()
# of one run of a test, where it asks for traces or a baseline
RESULT: pytest.StashKey[Result] = pytest.StashKey()
# of the same, where somebody wants to know what it asks of traces
ASKED: pytest.StashKey[Asked] = pytest.StashKey()
# of a test that is repeated: by which plan, and whether it is being repeated, which another plugin may prevent
PLAN: pytest.StashKey[Plan] = pytest.StashKey()
REPEATING: pytest.StashKey[bool] = pytest.StashKey()

# attributes of reports, plain data: pytest-xdist carries them to the controller
RECORD_ATTRIBUTE = "mlflow_traces_record"
SAVED_ATTRIBUTE = "mlflow_traces_saved"  # the traces as lines of JSON, where they are to be saved
PAGE_ATTRIBUTE = "mlflow_traces_page"  # the test as parts of a page, where there is to be one
MUTANTS_ATTRIBUTE = "mlflow_traces_mutants"  # which mutants of its traces the test noticed
APPLIED_ATTRIBUTE = "mlflow_traces_contracts"
USED_ATTRIBUTE = "mlflow_traces_baselines"  # the baseline file, with the sections that were not used
SECTION = "mlflow traces"  # of a report
