"""Contract files: read, with the name of the file in what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.spans.records import visible


def read_contract(path: str | os.PathLike[str]) -> Contract:
    """Return the contract of a file.

    Raises:
        OSError: for a file that cannot be read.
        ValueError: for what is not a contract, naming the file, the line and the column.
    """
    name = visible(os.fspath(path))
    try:
        return Contract.from_toml(Path(path).read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: no UTF-8 at byte {error.start + 1}") from None
    except ValueError as error:
        raise ValueError(f"{name}, {error}") from None
