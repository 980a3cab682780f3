"""What two spans have in common: paths into inputs, outputs and attributes, and the values there, as keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mlflow_traces.core.text.suggestions import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

__tracebackhide__ = True  # a failure points at the test, not in here

FIELDS = ("inputs", "outputs", "attributes")
_STEP = re.compile(r"""\.(?P<plain>[^.\[\]]+)|\.?\[(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\]"']+))\]""")

Same: TypeAlias = "str | Sequence[str] | Mapping[str, str]"


@dataclass(frozen=True, slots=True)
class Path:
    """A place in what a span recorded: `inputs.order.id`, `inputs.items.0`, `attributes[gen_ai.conversation.id]`."""

    text: str
    field: str
    steps: tuple[str, ...]

    def read(self, table: SpanTable, i: int) -> tuple[Any, ...]:
        """Return the value there, as a tuple of one; nothing where the span has none."""
        value: Any = getattr(table, self.field)(i)
        if value is None:  # nothing was recorded
            return ()
        for step in self.steps:
            if isinstance(value, dict | Mapping) and step in value:  # a dict is told faster
                value = value[step]
            elif isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return ()
        return (value,)


def checked_same(given: object, call: str) -> tuple[tuple[Path, Path], ...]:
    """Return the pairs of paths that `same` stands for: where the one span has the value, and where the other.

    Raises:
        TypeError: for what is no path, tuple of paths or mapping from paths to paths.
        ValueError: for a path that no span has, or for none.
    """
    what = f"{call}: same"
    if isinstance(given, str):
        pairs = [(given, given)]
    elif isinstance(given, Mapping):
        pairs = [*given.items()]
    elif isinstance(given, tuple | list):
        pairs = [(each, each) for each in given]
    else:
        legal = "a path such as 'inputs.order_id', a tuple of paths, or a mapping from one span's path to the other's"
        raise TypeError(f"{what} is {legal}, got {given!r:.80}")
    if not pairs:
        raise ValueError(f"{what}={given!r} compares nothing; name a path, or leave it out")
    return tuple((_checked_path(one, what), _checked_path(other, what)) for one, other in pairs)


def same_code(pairs: Sequence[tuple[Path, Path]]) -> str:
    """Return the code of what `same` was given."""
    if any(one.text != other.text for one, other in pairs):
        return f"{{{', '.join(f'{one.text!r}: {other.text!r}' for one, other in pairs)}}}"
    return repr(pairs[0][0].text) if len(pairs) == 1 else repr(tuple(one.text for one, _ in pairs))


def _checked_path(given: object, what: str) -> Path:
    if not isinstance(given, str):
        raise TypeError(f"{what} takes paths such as 'inputs.order_id', got {given!r:.80}")
    found = re.match(r"\w*", given)
    field = found[0] if found else ""
    if field not in FIELDS:
        raise ValueError(f"{what}: {given!r} begins with none of {listed(FIELDS)}{nearest(field, FIELDS)}")
    steps, at = [], len(field)
    while at < len(given):
        step = _STEP.match(given, at)
        if step is None:
            cure = "write 'inputs.order.id', 'inputs.items.0' or 'attributes[a.key.with.dots]'"
            raise ValueError(f"{what}: {given!r} is no path from {given[at:]!r} on: {cure}")
        steps.append(next(text for text in step.groups() if text is not None))
        at = step.end()
    if field == "attributes" and not steps:
        raise ValueError(f"{what}: 'attributes' are those of all sorts; name one: 'attributes.order_id'")
    return Path(given, field, tuple(steps))


class Keys:
    """The values of spans under some paths as keys for a dictionary, equal where the values are; `None` for no key."""

    def __init__(self) -> None:
        self._odd: list[object] = []  # values that have no hash, by their number

    def of(self, table: SpanTable, i: int, paths: Sequence[Path]) -> Hashable | None:
        """Return the key of a span, `None` where a value is missing."""
        values = [value for path in paths for value in path.read(table, i)]
        return None if len(values) < len(paths) else tuple(map(self._key, values))

    def _key(self, value: Any) -> Hashable:
        if type(value) is str or type(value) is int:
            return value
        if isinstance(value, dict):
            return "dict", frozenset((key, self._key(item)) for key, item in value.items())
        if isinstance(value, list | tuple):
            return "list", tuple(map(self._key, value))  # OpenTelemetry keeps a list as a tuple
        if value != value:  # nan equals nothing, and would find itself in a dictionary
            return object()
        try:
            hash(value)
        except TypeError:
            if value not in self._odd:
                self._odd.append(value)
            return "odd", self._odd.index(value)
        else:
            return value  # type: ignore[no-any-return]  # hashed just now
