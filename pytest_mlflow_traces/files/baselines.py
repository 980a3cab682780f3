"""Baseline files: one for each test, in `__traces__` beside the test's module; read, and written whole or not at all.

The file of `tests/test_agent.py::TestCost::test_question[eu]` is in `tests/__traces__/test_agent`, and is called
`TestCost.test_question-eu-1f2e3d4c.trace`. Whatever a parameter's id holds, a name is letters, digits, `_`, `-`, `.`;
where that loses something, or a disk without case could take two names for one, a hash tells them apart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.file_format import BaselineError, BaselineText, read_baseline
from pytest_mlflow_traces.files.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "__traces__"
SUFFIX = ".trace"
_MARK = "\ufeff"  # which some editors put at the start of UTF-8
_PLAIN = re.compile(r"[a-z0-9_]{1,80}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")
_WIDTH = 60
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # no names of files on Windows


def file_of(module: Path, test: str) -> Path:
    """Return the file of a test, given as what comes after its module in the node id: `TestCost::test_question[eu]`."""
    return module.parent / FOLDER / safe_name(module.stem) / f"{safe_name(test)}{SUFFIX}"


def safe_name(text: str) -> str:
    """Return a name that is safe in any folder, and no other text's."""
    if _PLAIN.fullmatch(text) and not _DEVICES.fullmatch(text):
        return text
    slug = _UNSAFE.sub("-", text.replace("::", ".")).strip("-.")
    slug = slug if len(slug) <= _WIDTH else f"{slug[: _WIDTH // 2]}-{slug[-_WIDTH // 2 :]}".replace("--", "-")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug or 'test'}-{digest}"


def load(path: Path) -> BaselineText | None:
    """Return what a baseline file says; `None` where there is no such file.

    Raises:
        BaselineError: for a file that cannot be read, or says what it cannot mean.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise BaselineError(f"no UTF-8 at byte {error.start + 1}", 1) from None
    except OSError as error:
        raise BaselineError(error.strerror or str(error), 1) from None
    marked, plain = text.startswith(_MARK), text.removeprefix(_MARK)
    baseline = read_baseline(plain.replace("\r\n", "\n"))
    is_windows = 2 * plain.count("\r\n") > plain.count("\n")
    return replace(baseline, mark=_MARK if marked else "", line_end="\r\n" if is_windows else "\n")


def store(path: Path, baseline: BaselineText) -> None:
    """Write a baseline file, atomically, with the line ends that it had."""
    with replacing(path) as stream:
        stream.write(baseline.in_file.encode())


def remove(path: Path) -> None:
    """Remove a baseline file, and the folders that are empty without it."""
    path.unlink(missing_ok=True)
    for folder in (path.parent, path.parent.parent):
        if folder.name != FOLDER and folder.parent.name != FOLDER:
            return
        try:
            folder.rmdir()
        except OSError:  # it is not empty
            return


def files_in(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield the baseline files in a `__traces__` folder, each with its test as the file says it."""
    for path in sorted(folder.glob(f"*/*{SUFFIX}")):
        try:
            with path.open(encoding="utf-8", errors="replace") as stream:
                lines = [stream.readline(10_000).rstrip("\r\n") for _ in range(2)]
        except OSError:
            continue
        yield path, lines[1].removeprefix("# ") if lines[1].startswith("# ") else None
