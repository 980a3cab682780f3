"""Expectations that a setting, a marker or a command line names: as `module:NAME`, or as a contract file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.contracts import Contract, parts_of
from pytest_mlflow_traces.core.expectation import checked_expectation, is_contract_file
from pytest_mlflow_traces.core.references import named
from pytest_mlflow_traces.files.contracts import read_contract

if TYPE_CHECKING:
    from collections.abc import Iterable


def loaded_expectation(name: str | os.PathLike[str], folders: Iterable[Path] = (Path(),)) -> Any:
    """Import what `module:NAME` names, or read the contract file of that name in the first of the folders with one.

    Raises:
        ValueError: that says what is wrong with the name, or with what it stands for.
    """
    if is_contract_file(name):
        contract = _read([folder / name for folder in folders])
        _import_all(contract, ())
        return contract
    try:
        return checked_expectation(named(str(name)))
    except TypeError as error:
        raise ValueError(str(error)) from None


def given_contract(contract: object, call: str) -> Any:
    """Return what a call was given as a contract: a `Contract`, the text of one, its file, or its `module:NAME`.

    Raises:
        TypeError: for anything else.
        ValueError: that says what is wrong with it.
    """
    if isinstance(contract, Contract):
        return contract
    if not isinstance(contract, str | os.PathLike):
        raise TypeError(f"{call}() takes a contract, its file, or its module:NAME, got {contract!r:.80}")
    if isinstance(contract, str) and "\n" in contract:
        return Contract.from_toml(contract)
    try:
        return loaded_expectation(contract)
    except ValueError as error:
        raise ValueError(f"{call}({os.fspath(contract)!r:.80}): {error}") from None


def _read(paths: list[Path]) -> Contract:
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        looked = " nor in ".join(dict.fromkeys(str(path.absolute().parent) for path in paths))
        raise ValueError(f"there is no such file in {looked}")
    try:
        return read_contract(path)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None


def _import_all(contract: Contract, above: tuple[Contract, ...]) -> None:
    """Import the code that a contract names, so that what is wrong with it is known before anything is checked."""
    if contract in above:
        raise ValueError(f"contract {contract.name!r} names itself")
    for each in parts_of(contract):
        if isinstance(each, Contract):
            _import_all(each, (*above, contract))
