"""The architecture: who may import whom. Imports under TYPE_CHECKING cost nothing at run time and are left out."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import pytest_mlflow_traces

ROOT = Path(__file__).parent.parent
PACKAGE = "pytest_mlflow_traces"
MLFLOW = frozenset({"mlflow", "opentelemetry"})
# Each door knows one outside library.
DOORS = {
    "": frozenset(),
    "__main__": frozenset(),
    "_assessments": MLFLOW,
    "_clockwork": frozenset(),
    "_assertions": frozenset({"pytest"}),
    "_attempts": frozenset(),
    "_baseline_keeping": frozenset({"pytest"}),
    "_baselines": frozenset(),
    "_captures": frozenset(),
    "_checking": frozenset(),
    "_experiments": MLFLOW,
    "_finishing": MLFLOW,
    "_loading": frozenset(),
    "_marker": frozenset({"pytest"}),
    "_memory_store": MLFLOW,
    "_mlflow": MLFLOW,
    "_ownership": frozenset({"pytest"}),
    "_reporting": frozenset(),
    "_routing": MLFLOW,
    "_run_keeping": frozenset({"pytest"}),
    "_saving": frozenset(),
    "_searching": MLFLOW,
    "_switchboard": MLFLOW,
    "_stashes": frozenset({"pytest"}),
    "_selections": frozenset(),
    "_session": frozenset({"pytest"}),
    "_suite_contracts": frozenset({"pytest"}),
    "_threads": frozenset(),
    "_trace_log": frozenset(),
    "_trace_sets": frozenset(),
    "_tracking": MLFLOW,
    "_pattern_strategies": frozenset({"hypothesis"}),
    "_tag_faults": frozenset(),
    "_tag_strategies": frozenset({"hypothesis"}),
    "_trace_strategies": frozenset({"hypothesis"}),
    "_verdicts": frozenset({"pytest"}),
    "_whole_comparisons": frozenset({"_pytest", "pytest"}),
    "baselines": frozenset(),
    "capture": MLFLOW,
    "captured": frozenset(),
    "cli": frozenset({"click", "rich"}),
    "clock": frozenset({"time_machine"}),
    "files": frozenset(),
    "plugin": frozenset({"pytest"}),
    "store": MLFLOW,
    "strategies": frozenset({"hypothesis"}),
    "wall_clock": frozenset(),
}
PRIVATE_TO = {"plugin": set(), "cli": {"__main__"}}  # nobody else imports these


def modules(folder: str) -> dict[str, Path]:
    found = {}
    above = Path(pytest_mlflow_traces.__file__).parent.parent if folder == PACKAGE else ROOT  # it may be installed
    for path in sorted((above / folder).rglob("*.py")):
        parts = path.relative_to(above).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports when it runs, also inside functions."""
    found: set[str] = set()

    class Visitor(ast.NodeVisitor):
        def visit_If(self, node: ast.If) -> None:
            if "TYPE_CHECKING" not in ast.unparse(node.test):
                self.generic_visit(node)
            for other in node.orelse:
                self.visit(other)

        def visit_Import(self, node: ast.Import) -> None:
            found.update(alias.name for alias in node.names)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            assert node.level == 0, f"{path}: imports are absolute"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)

    Visitor().visit(ast.parse(path.read_text()))
    return found


OURS = modules(PACKAGE)


def resolved(name: str) -> str | None:
    """Return which of our modules an import means: `package.module.name` is the module, or the name in it."""
    while name.startswith(PACKAGE):
        if name in OURS:
            return name
        name = name.rpartition(".")[0]
    return None


GRAPH = {module: {target for name in imports(path) if (target := resolved(name))} for module, path in OURS.items()}


def outside(module: str) -> set[str]:
    tops = {name.partition(".")[0] for name in imports(OURS[module])}
    return tops - {PACKAGE} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", [name for name in OURS if name.startswith(f"{PACKAGE}.core")])
def test_core_imports_core_the_standard_library_and_pydantic(module):
    assert outside(module) <= {"pydantic"}
    assert all(target.startswith(f"{PACKAGE}.core") for target in GRAPH[module])


@pytest.mark.parametrize("module", [name for name in OURS if name.startswith(f"{PACKAGE}.reports")])
def test_reports_import_core(module):
    assert not outside(module)
    assert all(target.startswith((f"{PACKAGE}.core", f"{PACKAGE}.reports")) for target in GRAPH[module])


@pytest.mark.parametrize("module", [name for name in OURS if "." not in name.removeprefix(f"{PACKAGE}.")])
def test_a_door_imports_the_one_library_it_is_for(module):
    name = module.removeprefix(PACKAGE).removeprefix(".")
    if name in {"core", "reports"}:
        return

    assert name in DOORS, f"{module} is a new door: say in DOORS which library it is for"
    assert outside(module) <= DOORS[name]


@pytest.mark.parametrize("module", list(OURS))
def test_nobody_imports_the_plugin_or_the_console_script(module):
    for private, friends in PRIVATE_TO.items():
        if f"{PACKAGE}.{private}" in GRAPH[module]:
            assert module.removeprefix(f"{PACKAGE}.") in friends


def test_there_is_no_cycle():
    seen: dict[str, int] = {}  # 1 while below it, 2 when done

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert seen.get(module) != 1, f"a cycle: {' > '.join((*trail, module))}"
        if module in seen:
            return
        seen[module] = 1
        for target in sorted(GRAPH[module]):
            visit(target, (*trail, module))
        seen[module] = 2

    for module in OURS:
        visit(module, ())


@pytest.mark.parametrize("module", list(modules("reference_agent")))
def test_the_reference_agent_knows_the_toolkit_only_in_its_tags_and_its_contract(module):
    path = modules("reference_agent")[module]
    uses = {name for name in imports(path) if name.startswith(PACKAGE)}

    assert not uses or path.stem in {"tags", "contract", "__main__"}
