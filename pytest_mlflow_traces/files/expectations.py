"""Expectations that are named in a setting or on a command line, as `module:NAME`."""

from __future__ import annotations

import importlib
from typing import Any

from pytest_mlflow_traces.core.contracts import checked_expectation
from pytest_mlflow_traces.core.text.suggestions import nearest


def loaded_expectation(name: str) -> Any:
    """Import what `module:NAME` names.

    Raises:
        ValueError: that says what is wrong with the name, or with what it stands for.
    """
    module_name, separator, attribute = name.partition(":")
    if not separator or not module_name or not attribute:
        raise ValueError("write it as module:NAME")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # such as a schema that is refused where it is defined
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise ValueError(f"{module_name} has no {attribute!r}{nearest(attribute, vars(module))}")
    try:
        return checked_expectation(getattr(module, attribute))
    except TypeError as error:
        raise ValueError(str(error)) from None
