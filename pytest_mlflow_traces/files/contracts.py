"""Contract files: read, with the name of the file in what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.spans.records import visible

MOST_BYTES = 2**20  # of which a contract has a quarter in characters


def read_contract(path: str | os.PathLike[str]) -> Contract:
    """Return the contract of a file.

    Raises:
        OSError: for a file that cannot be read.
        ValueError: for what is not a contract, naming the file, the line and the column.
    """
    from pytest_mlflow_traces.core.contract_files.reading import contract_of

    name = visible(os.fspath(path))
    with Path(path).open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"{name}: longer than {MOST_BYTES // 2**20} MiB, which no contract file may be")
    try:
        return contract_of(data.decode("utf-8-sig"), Contract, str(Path(path).absolute()))
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: no UTF-8 at byte {error.start + 1}") from None
    except ValueError as error:
        raise ValueError(f"{name}, {error}") from None
