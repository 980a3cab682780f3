"""Which test a baseline file belongs to, and what of it nobody uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.core.baselines.file_format import BaselineError
from pytest_mlflow_traces.core.runs.records import BaselineChange
from pytest_mlflow_traces.files import baselines

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.baselines.file_format import BaselineText


def name_of(item: pytest.Item) -> str:
    """Return what the node id of a test says after its module; made anew, since some plugins add to node ids."""
    chain = item.listchain()
    first = next((number for number, node in enumerate(chain) if isinstance(node, pytest.File)), len(chain) - 2)
    return "::".join(node.name for node in chain[first + 1 :])


def owners_of(
    folders: Iterable[Path], items: Iterable[pytest.Item], collected: Container[Path]
) -> list[tuple[str, str]]:
    """Return each file in the folders with the node id of its test, which is empty where there is no such test.

    A file whose module is there and was not collected is left out, as is one of a test whose parameters could not be
    collected: nobody knows.
    """
    items = list(items)
    unknown = tuple({start for item in items for start in _without_parameters(item)})
    tests = {baselines.file_of(item.path, name_of(item)): item.nodeid for item in items}
    found = []
    for folder in folders:
        for path, said in baselines.files_in(folder):
            if path in tests:
                found.append((str(path), tests[path]))
            elif (
                said is not None
                and not f"{folder}/{said}".startswith(unknown)
                and ((module := folder.parent / Path(said.partition("::")[0]).name) in collected or not module.exists())
            ):
                found.append((str(path), ""))
    return found


def _without_parameters(item: pytest.Item) -> Iterator[str]:
    """Yield how the files of a test begin whose set of parameters is empty: pytest collects it once, with `NOTSET`."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and any(type(value).__name__ == "NotSetType" for value in callspec.params.values()):
        name = name_of(item).removesuffix(f"{callspec.id}]")
        yield f"{item.path.parent / baselines.FOLDER}/{item.path.name}::{name}"


def former_of(item: pytest.Item, path: Path, text: BaselineText) -> Path | None:
    """Return the file of a test that is gone and has the same sections: that of this one under another name."""
    folder = path.parent.parent
    for other, said in baselines.files_in(folder):
        if said is None or other == path or _may_be_there(item, folder.parent, said):
            continue
        try:
            found = baselines.load(other)
        except BaselineError:
            continue
        if found is not None and [each.lines for each in found.sections] == [each.lines for each in text.sections]:
            return other
    return None


def _may_be_there(item: pytest.Item, folder: Path, said: str) -> bool:
    """Return whether a test is where its baseline says; of those in modules beside that of `item`, nobody knows."""
    module, _, name = said.partition("::")
    if (folder / module) != item.path:
        return (folder / module).exists()
    found: object = getattr(item, "module", None)
    for part in name.split("::"):
        found = getattr(found, part.partition("[")[0], None)
    return found is not None


def unused(
    owners: Sequence[tuple[str, str]], passed: Container[str], left: Mapping[str, list[str]]
) -> list[tuple[str, list[str] | None]]:
    """Return the files that no test uses, and the sections in `left` of others, `None` being all."""
    found: list[tuple[str, list[str] | None]] = []
    for file, owner in owners:
        if owner and owner not in passed:
            continue  # it was skipped, or failed as expected, and may have come to what it uses
        names = left.get(file)
        if names != []:
            found.append((file, names))
    return found


def remove(file: Path, shown: str, names: list[str] | None) -> BaselineChange:
    """Remove a file, or sections of it; return what was done."""
    try:
        said = None if names is None else baselines.load(file)
        if said is None or names is None:
            baselines.remove(file)
            return BaselineChange(shown, "removed")
        baselines.store(file, said.without(names))
        return BaselineChange(shown, "updated", tuple(f"-[{name}]" for name in names))
    except (OSError, BaselineError) as error:
        return BaselineChange(shown, "refused", (f"it is used by no test, and was not removed: {error}",))
