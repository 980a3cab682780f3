"""Files that a run writes: whole or not at all."""

from __future__ import annotations

import copy
import json
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.files.traces import TEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mlflow_traces.core.trace import Trace


def trace_line(trace: Trace, test: str) -> str:
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
    if trace.table.turns:
        said[convert.TURNS] = trace.table.turns
    return json.dumps(said, default=str) + "\n"


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
