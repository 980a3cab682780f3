"""What stands somewhere else: expectations in code that are named as `module:NAME`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from pytest_mlflow_traces.core.text.suggestions import nearest

__tracebackhide__ = True  # a failure points at the test, not in here


@dataclass(frozen=True, slots=True)
class Reference:
    """An expectation that a contract file names by `expect`, or by `schema` of its tags; imported when it is used."""

    name: str
    is_schema: bool = False

    def load(self) -> Any:
        """Import what it names.

        Raises:
            ValueError: that says what is wrong with the name, or with what it stands for.
        """
        try:
            value = named(self.name)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error.__cause__
        if self.is_schema and not (isinstance(value, type) and hasattr(value, "check_tags")):
            raise ValueError(f"{self.name}: expected a TagSchema, got {value!r:.80}; name other expectations in expect")
        return value

    def check(self, trace: Any) -> Any:
        """Return the findings of what it names."""
        return self.load().check(trace)


def named(name: str) -> Any:
    """Import what `module:NAME` names.

    Raises:
        ValueError: that says what is wrong with the name.
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
    return getattr(module, attribute)
