"""Stored traces by the test that made them, packed: both sides of a comparison are in memory at once."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.rates.more_frequent import Runs
from pytest_mlflow_traces.core.rates.rates import judgements
from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files.traces import TraceFileError, stored_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_mlflow_traces.core.judgements import Judge

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".pb", ".parquet", ".arrow", ".feather")
_PACKED = {".gz": "gunzip", ".bz2": "bunzip2", ".xz": "unxz", ".zst": "unzstd", ".zip": "unzip"}


class TraceSet:
    """The traces of a file or of a folder of files, each by its test, or by its name where no test is said."""

    def __init__(self, path: str, advance: Callable[[int], object] = lambda _: None) -> None:
        self._packed: dict[str, list[bytes]] = {}
        for stored in stored_traces(files_of(path), advance):
            key = stored.test or f"trace {visible(stored.trace.name)}"
            packed = zlib.compress(json.dumps(stored.trace.raw, default=str).encode(), 1)
            self._packed.setdefault(key, []).append(packed)

    @property
    def tests(self) -> list[str]:
        """The tests there are."""
        return sorted(self._packed)

    def traces(self, test: str) -> list[Trace]:
        """Return the traces of one test."""
        said = [json.loads(zlib.decompress(packed)) for packed in self._packed.get(test, ())]
        return [Trace(table, facts, each) for each in said for facts, table in [convert.parse_dict(each)]]


def runs_of(traces: TraceSet, judges: Mapping[str, Judge]) -> Runs:
    """Return what contracts come to on the runs of each test."""
    runs = Runs(judges)
    for test in traces.tests:
        its = traces.traces(test)
        for name, judge in judges.items():
            for judgement in judgements(judge, its):
                runs.add(test, name, judgement)
    return runs


def files_of(path: str) -> Iterator[str]:
    """Yield the file at `path`, or the files of traces anywhere in the folder there.

    Raises:
        ValueError: for a folder without any, or with some that are compressed: what is left out is not compared.
    """
    folder = Path(path)
    if path == "-" or not folder.is_dir():
        yield path
        return
    if next(folder.rglob("_delta_log"), None) is not None:
        raise TraceFileError(f"{visible(path)}: a Delta table, whose files hold deleted rows, too; save it as Parquet")
    found = []
    for each in sorted(folder.rglob("*")):
        suffixes = [suffix.lower() for suffix in each.suffixes[-2:]]
        if each.is_dir() or not (each.is_file() or each.is_symlink()):  # a link to nothing is told of when it is read
            continue
        if len(suffixes) == 2 and suffixes[0] in _SUFFIXES and suffixes[1] in _PACKED:
            raise TraceFileError(f"{visible(str(each))}: it is compressed; unpack it with {_PACKED[suffixes[1]]} first")
        if suffixes and suffixes[-1] in _SUFFIXES:
            found.append(each)
    if not found:
        raise TraceFileError(f"{visible(path)}: no file of traces ({', '.join(_SUFFIXES)}) in this folder")
    yield from map(str, found)
