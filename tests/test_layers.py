"""The architecture: a room imports only rooms below it, and one outside library has one door.

A room is a folder of modules; in a folder that has folders of its own, such as `core`, each module beside them is one.
"Below" needs no list: where no room reaches itself, each import goes down. Imports for the type checker count.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import pytest_mlflow_traces

PACKAGE = "pytest_mlflow_traces"
# A library, and who may know it: a folder with all that is in it, or a module. Who is not named knows none.
DOORS = {
    "_pytest": {"plugin.hooks"},
    "click": {"cli"},
    "google": {"otlp"},  # its protobuf
    "hypothesis": {"strategies"},
    "inline_snapshot": {"inline_snapshots"},
    "jinja2": {"reports.html"},
    "markupsafe": {"reports.html"},
    "mlflow": {"capture", "cli.export", "cli.tracking_store", "otlp", "scorers"},
    "opentelemetry": {"capture", "otlp"},
    "orjson": {"files.objects"},
    "pyarrow": {"files.arrow", "spark", "tables"},
    "pyspark": {"spark"},
    "pydantic": {"core.contract_files", "core.tags", "strategies"},
    "pydantic_core": {"core.contract_files", "core.tags"},
    "pytest": {"plugin", "warnings"},
    "rich": {"cli"},
    "sqlalchemy": {"capture.store.database"},
    "time_machine": {"clock"},
    "tomli": {"core.contract_files"},
    "tomli_w": {"core.contract_files"},
    "tomllib": {"core.contract_files"},
}
DOOR_OF_ALL = {"plugin", "cli"}  # nobody imports these but themselves and the entry point of `python -m`


@cache
def modules(package: str) -> dict[str, Path]:
    """Return the modules of a package by their names."""
    # the package may be installed away from the checkout
    above = Path(__file__).parent.parent if package != PACKAGE else Path(pytest_mlflow_traces.__file__).parent.parent
    found = {}
    for path in sorted((above / package).rglob("*.py")):
        parts = path.relative_to(above).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(path: Path) -> frozenset[str]:
    """Return all that a file imports: at its head, inside functions, and for the type checker."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def graph(package: str) -> dict[str, set[str]]:
    """Return which module imports which."""
    ours = modules(package)

    def meant(name: str) -> str | None:  # `package.module.name` is the module, or the name in it
        while name and name not in ours:
            name = name.rpartition(".")[0]
        return name or None

    return {
        module: {target for name in imports(path) if (target := meant(name)) and target != module}
        for module, path in ours.items()
    }


def room_of(module: str, package: str) -> str:
    """Return the room of a module: its folder, or itself where folders stand beside it."""
    path = modules(package)[module]
    has_folders = any((each / "__init__.py").exists() for each in path.parent.iterdir())
    return (
        f"{module}.__init__"
        if has_folders and path.stem == "__init__"
        else (module if has_folders else ".".join(module.split(".")[: -1 if path.stem != "__init__" else None]))
    )


def cycle_in(arrows: dict[str, set[str]]) -> list[str]:
    """Return the names on a way that leads back to its start, if there is one."""
    open_, done = [], set()

    def visit(name: str) -> list[str]:
        if name in open_:
            return [*open_[open_.index(name) :], name]
        if name in done:
            return []
        open_.append(name)
        found = next(filter(None, map(visit, sorted(arrows.get(name, ())))), [])
        open_.pop()
        done.add(name)
        return found

    return next(filter(None, map(visit, sorted(arrows))), [])


@pytest.mark.parametrize("package", [PACKAGE, "reference_agent"])
def test_no_module_reaches_itself(package):
    assert " > ".join(cycle_in(graph(package))) == ""


@pytest.mark.parametrize("package", [PACKAGE, "reference_agent"])
def test_a_room_imports_only_rooms_below_it(package):
    arrows: dict[str, set[str]] = {}
    for module, targets in graph(package).items():
        room = room_of(module, package)
        arrows.setdefault(room, set()).update(room_of(target, package) for target in targets)
        arrows[room].discard(room)

    assert " > ".join(cycle_in(arrows)) == ""


@pytest.mark.parametrize("module", list(modules(PACKAGE)))
def test_an_outside_library_is_known_behind_its_door_alone(module):
    tops = {name.partition(".")[0] for name in imports(modules(PACKAGE)[module])}
    inner = module.removeprefix(PACKAGE).removeprefix(".")

    for library in tops - {PACKAGE} - set(sys.stdlib_module_names):
        assert any(f"{inner}.".startswith(f"{door}.") for door in DOORS.get(library, ())), f"{module} knows {library}"


def test_nobody_imports_the_plugin_or_the_console_script():
    for module, targets in graph(PACKAGE).items():
        home = module.removeprefix(f"{PACKAGE}.").partition(".")[0]
        for target in targets:
            other = target.removeprefix(f"{PACKAGE}.").partition(".")[0]
            if other in DOOR_OF_ALL and home not in {other, "__main__"}:
                # the names of the package are all there is at its root, loaded when asked for
                assert module == PACKAGE, f"{module} imports {target}"


def test_core_imports_core():
    for module, targets in graph(PACKAGE).items():
        if module.startswith(f"{PACKAGE}.core"):
            assert all(target.startswith(f"{PACKAGE}.core") for target in targets), module


def test_a_folder_holds_no_more_than_fifteen_modules():
    folders = Counter(str(path.parent) for path in modules(PACKAGE).values())

    assert {folder: count for folder, count in folders.items() if count > 15} == {}


@pytest.mark.parametrize("module", list(modules("reference_agent")))
def test_the_reference_agent_knows_the_toolkit_only_in_its_tags_and_its_contract(module):
    path = modules("reference_agent")[module]
    uses = {name for name in imports(path) if name.startswith(PACKAGE)}

    assert not uses or path.stem in {"tags", "contract", "__main__"}
