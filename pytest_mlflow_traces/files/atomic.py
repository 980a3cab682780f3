"""Files that a run writes: whole or not at all, and the traces of all its processes in one.

Each process appends the traces of a test to a part file of its own when the test ends; the reports of tests say which
piece of which part is theirs, and the controller puts the pieces together. So no trace travels through a report.
"""

from __future__ import annotations

import copy
import json
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from pytest_mlflow_traces.files.traces import TEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_mlflow_traces.core.trace import Trace

_BLOCK = 1 << 20


def trace_line(trace: Trace, test: str) -> bytes:
    """Return a captured trace as a line of JSON Lines: MLflow's `Trace.to_dict()`, with the test in its tag.

    What servers keep of tags and metadata is text, so that is what raw values become.
    """
    info = copy.copy(trace.raw.info)  # the trace itself stays as the test may still look at it
    info.tags = _texts(info.tags) | {TEST_NAME: _text(test)}
    info.trace_metadata = _texts(info.trace_metadata)
    for preview in ("request_preview", "response_preview"):
        if getattr(info, preview, None) is not None:
            setattr(info, preview, _text(getattr(info, preview)))
    said = {"info": info.to_dict(), "data": trace.raw.data.to_dict()}
    return json.dumps(said, default=str).encode() + b"\n"


def _texts(tags: Any) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in dict(tags).items()}


def _text(value: object) -> str:
    # a lone surrogate is not text to protobuf, which MLflow's to_dict() goes through
    return str(value).encode("utf-8", "backslashreplace").decode()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when all is written: nobody ever sees half of it."""
    path = path.resolve()  # a link stays a link
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:  # /dev/stdout, a pipe: nothing to put in its place
            yield stream
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name[:80]}.{uuid4().hex[:12]}.part")
    try:
        with new.open("xb") as stream:
            yield stream
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


class PartFile:
    """The lines of one process, in a file that grows as its tests end."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path, self._name = folder / name, name
        self._stream: IO[bytes] | None = None

    def write(self, lines: Iterable[bytes]) -> tuple[str, int, int]:
        """Append lines; return the name of the part, where they begin, and how many bytes they are."""
        if self._stream is None:
            try:
                self._stream = self._path.open("wb")
            except OSError:  # the folder is on the machine of the controller, which tells
                return self._name, 0, 1
        start = self._stream.tell()
        self._stream.writelines(lines)
        self._stream.flush()
        return self._name, start, self._stream.tell() - start

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()


def merge_parts(folder: Path, pieces: Iterable[tuple[str, int, int]], path: Path) -> int:
    """Write the pieces of part files to `path`, in their order; return how many pieces were not to be had."""
    missing = 0
    parts: dict[str, IO[bytes]] = {}
    with ExitStack() as stack, replacing(path) as merged:
        for name, start, length in pieces:
            try:
                if name not in parts:
                    parts[name] = stack.enter_context((folder / name).open("rb"))
                parts[name].seek(start)
            except OSError:
                missing += 1
                continue
            missing += not _copied(parts[name], merged, length)
    return missing


def _copied(source: IO[bytes], target: IO[bytes], length: int) -> bool:
    while length and (block := source.read(min(length, _BLOCK))):
        target.write(block)
        length -= len(block)
    return not length
