"""The files of a pinned trace: the test, its baseline and its inputs; nothing that is there is written over."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.file_format import new_baseline
from pytest_mlflow_traces.core.pinning import IMPORTS
from pytest_mlflow_traces.files import baselines
from pytest_mlflow_traces.files.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_mlflow_traces.core.pinning import Pin

_HEAD = '"""Tests whose traces were pinned by `pytest-mlflow-traces pin`."""\n\nfrom __future__ import annotations\n'


class PinError(ValueError):
    """Why a module of tests cannot take one more test."""


@dataclass(frozen=True, slots=True)
class PinnedTest:
    """The files of a test that was pinned, and its name."""

    name: str
    module: Path
    baseline: Path
    inputs: Path


def write_pin(pin: Pin, module: Path, name: str | None = None) -> PinnedTest:
    """Write the files of a pin; the test is called `name`, or after the trace, with a number where that is taken.

    Raises:
        PinError: for a module that cannot take the test, or where a test or a file of this name is there.
        OSError: for what cannot be written; nothing is left then.
    """
    text = _text_of(module)
    test = _free(module, _names_in(text, module), pin.test) if name is None else _files(module, name)
    if name is not None and (name in _names_in(text, module) or test.baseline.exists() or test.inputs.exists()):
        raise PinError(f"{module} has a test {name!r} already, or its baseline: name another")
    code, used = pin.skeleton(test.name, test.inputs.relative_to(module.parent).as_posix())
    changed = _with_imports(text, used, module).rstrip("\n") + f"\n\n\n{code}"
    written: list[Path] = []
    try:
        for path, said in (
            (test.inputs, json.dumps(pin.inputs, indent=2, ensure_ascii=False, default=str) + "\n"),
            (test.baseline, str(new_baseline(f"{module.name}::{test.name}").with_section(pin.section))),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as stream:
                written.append(path)
                stream.write(said)
        _put(module, text, changed)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise
    return test


def _text_of(module: Path) -> str:
    """Return the code of a module of tests, that of a new one where there is none."""
    if module.suffix != ".py":
        raise PinError(f"{module} is not a module of tests: name a file such as tests/test_pinned.py")
    try:
        return module.read_bytes().decode()
    except FileNotFoundError:
        return _HEAD
    except UnicodeDecodeError as error:
        raise PinError(f"{module}: no UTF-8 at byte {error.start + 1}") from None


def _put(module: Path, old: str, new: str) -> None:
    is_windows = 2 * old.count("\r\n") > old.count("\n")
    plain = new.replace("\r\n", "\n")
    with replacing(module) as stream:
        stream.write((plain.replace("\n", "\r\n") if is_windows else plain).encode())


def _tree(text: str, module: Path) -> ast.Module:
    try:
        return ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError) as error:
        raise PinError(f"{module} was left alone, since it is not Python: {error}") from None


def _names_in(text: str, module: Path) -> set[str]:
    tree = _tree(text, module)
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _files(module: Path, name: str) -> PinnedTest:
    baseline = baselines.file_of(module, name)
    return PinnedTest(name, module, baseline, baseline.with_suffix(".json"))


def _free(module: Path, taken: set[str], name: str) -> PinnedTest:
    """Return the files of a test of this name, or of the first one with a number that nothing has."""
    for number in count(1):
        test = _files(module, name if number == 1 else f"{name}_{number}")
        if test.name not in taken and not test.baseline.exists() and not test.inputs.exists():
            return test
    raise AssertionError("unreachable: there is always another number")


def _with_imports(text: str, used: Iterable[str], module: Path) -> str:
    """Return the code with the imports that it lacks, below those that it has."""
    tree = _tree(text, module)
    head = 0
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not isinstance(node, ast.Import | ast.ImportFrom):
            break
        head = node.end_lineno or head
    bound = dict(_bound(tree))
    missing = []
    for name in used:
        if name in bound and bound[name] != IMPORTS[name]:
            raise PinError(f"{module} was left alone: it has another {name!r} than that of `{IMPORTS[name]}`")
        missing += [] if name in bound else [IMPORTS[name]]
    lines = text.split("\n")
    return "\n".join([*lines[:head], *_grouped(missing), *lines[head:]])


def _grouped(imports: Sequence[str]) -> Iterator[str]:
    """Yield lines of imports, those of Python, of pytest and of this package by themselves, each after a blank line."""
    ours = "from pytest_mlflow_traces import "
    names = ", ".join(sorted(each.removeprefix(ours) for each in imports if each.startswith(ours)))
    python = [each for each in imports if each != "import pytest" and not each.startswith(ours)]
    for group in (python, ["import pytest"] * ("import pytest" in imports), [f"{ours}{names}"] * bool(names)):
        yield from ["", *group] if group else []


def _bound(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that stands at the top of a module, with the import that bound it, if one did."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"from {node.module} import {alias.name}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, ""
        else:
            for each in ast.walk(node):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                    yield each.id, ""
