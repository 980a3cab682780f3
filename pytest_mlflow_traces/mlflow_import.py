"""MLflow is imported without its telemetry: it decides then, for the whole process, whether to phone home.

A suite imports MLflow at the head of a module, before any test and any capture. The environment is changed during that
import alone, so that nobody sees it who does not trace.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType

VARIABLE = "MLFLOW_DISABLE_TELEMETRY"


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Turn the telemetry off for what is imported inside."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "true"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


class _Finder:
    """Finds the package `mlflow` as the others do, and turns its telemetry off while it is executed."""

    is_looking = False

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "mlflow" or self.is_looking:
            return None
        self.is_looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.is_looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                with without_telemetry():
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


def quieten() -> None:
    """Do so with each import of MLflow from now on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
