"""What importing the agent costs, and that its examples run."""

import ast
import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import reference_agent

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(reference_agent.__path__, "reference_agent.")
    if not module.name.endswith("__main__")
)


def modules_after(statement):
    code = f"{statement}; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_package_and_tags_load_none_of_the_heavy_libraries():
    loaded = modules_after(
        "import reference_agent, reference_agent.tags, reference_agent.stubs, reference_agent.clocks"
    )

    assert not {"mlflow", "langchain_core", "databricks", "responses", "requests", "pydantic"} & set(loaded)


def test_only_the_stubs_load_the_databricks_sdk_when_they_are_imported():
    """It costs a second; an application pays for it where it connects."""
    importing = set()
    for path in (ROOT / "reference_agent").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            if any(name.startswith(("databricks", "responses")) for name in names):
                importing.add(path.parent.name)

    assert importing == {"stubs"}


def test_agent_knows_the_toolkit_in_its_contract_alone():
    knowing = [
        path.name for path in (ROOT / "reference_agent").rglob("*.py") if "pytest_mlflow_traces" in path.read_text()
    ]

    assert knowing == ["contract.py"]


def test_schema_of_the_tags_is_loaded_when_it_is_asked_for():
    from reference_agent import tags
    from reference_agent.contract import HealthMonitorTags

    assert tags.HealthMonitorTags is HealthMonitorTags
    with pytest.raises(AttributeError, match="has no attribute 'HealthMonitorTag'"):
        tags.HealthMonitorTag  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(captured, name):
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0


def test_package_offers_the_orchestrator_and_its_stub():
    from reference_agent.orchestrator import TracedOrchestrator

    assert reference_agent.TracedOrchestrator is TracedOrchestrator
    assert isinstance(reference_agent.stub_orchestrator(), TracedOrchestrator)


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'Orchestrator'"):
        _ = reference_agent.Orchestrator
    with pytest.raises(AttributeError, match="no attribute 'StubModel'"):
        _ = reference_agent.stubs.StubModel
    assert dir(reference_agent) == ["TracedOrchestrator", "stub_orchestrator"]
