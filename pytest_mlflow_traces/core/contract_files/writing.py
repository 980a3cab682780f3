"""A contract to the text of a contract file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.contract_files.model import FORMAT
from pytest_mlflow_traces.core.contract_files.tag_tables import OTHERS, said_as, table_of
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.notation import format as text_of
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.order.terms import BETWEEN, Terms
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, short, span_patterns_of
from pytest_mlflow_traces.core.references import Reference
from pytest_mlflow_traces.core.text.durations import exact_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.budgets.limits import Limit

__tracebackhide__ = True  # a failure points at the test, not in here

DEEPEST = 12  # contracts in contracts; a key has so many parts
_ORDER = ("shape", "has", "never", "order", "expect", "budget", "tags", "metadata")
_LONGEST = 10**400  # what more digits than this the scan refuses


class Contractual(Protocol):
    """What a contract says."""

    @property
    def name(self) -> str: ...
    @property
    def expectations(self) -> Sequence[Any]: ...
    @property
    def applies_to(self) -> Pattern | None: ...
    @property
    def only(self) -> Sequence[Pattern]: ...
    @property
    def about(self) -> str | None: ...


def toml_of(contract: Contractual) -> str:
    """Return the text of a contract.

    Raises:
        ValueError: for what data cannot say, naming the part.
    """
    import tomli_w

    data = {"format": FORMAT, **_Writing(type(contract)).table(contract)}
    text = tomli_w.dumps(data)
    if "\\r" not in text:  # in a string of several lines it would be lost
        text = tomli_w.dumps(data, multiline_strings=True)
    return text


class _Writing:
    """One writing of a contract and those inside it, which are of the same class."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind

    def table(self, contract: Contractual, depth: int = 1) -> dict[str, Any]:
        """Return the table of a contract."""
        try:
            data = _head(contract, depth)
            said = _joined(each for each in contract.expectations if not isinstance(each, self._kind))
        except ValueError as error:
            raise ValueError(f"contract {contract.name!r:.80}: {error}") from None
        data |= {key: said[key] for key in _ORDER if key in said}
        inside = [self.table(each, depth + 1) for each in contract.expectations if isinstance(each, self._kind)]
        return data | ({"contract": inside} if inside else {})


def _head(contract: Contractual, depth: int) -> dict[str, Any]:
    """Return what a contract says beside its expectations."""
    if depth > DEEPEST:
        raise ValueError(f"contracts in contracts, more than {DEEPEST} deep, have no text form")
    data: dict[str, Any] = {"name": _text(contract.name, "its name")}
    if contract.about is not None:
        data["about"] = _text(contract.about, "about")
    if contract.applies_to is not None:
        data["applies_to"] = line_of(contract.applies_to, "applies_to")
    if contract.only:
        data["only"] = [line_of(each, "only") for each in contract.only]
    return data


def _joined(expectations: Iterable[Any]) -> dict[str, Any]:
    """Return what all say together, by the keys of a file."""
    said: dict[str, Any] = {}
    for each in expectations:
        for key, value in said_by(each).items():
            if isinstance(value, list):
                said.setdefault(key, []).extend(value)
            elif key in said:
                raise ValueError(f"{key} is said twice: make one of both, or put one into a contract inside")
            else:
                said[key] = value
    return said


def line_of(pattern: Pattern, part: str) -> str:
    """Return the text of a pattern of one span whose children are free unless it says which.

    Raises:
        ValueError: for one that has no such text.
    """
    for each in span_patterns_of(pattern):
        if each.children == ():
            cure = "say lacks=span() instead of [()]"
            raise ValueError(f"{part}: {short(each)}: a line leaves the children free: {cure}")
    text = _notation(pattern, part)
    is_line = isinstance(pattern, SpanPattern) and "\n" not in text
    return text.removesuffix(" ...") if is_line else text


def _notation(pattern: Pattern, part: str) -> str:
    try:
        return text_of(pattern)
    except ValueError as error:
        raise ValueError(f"{part}: {error}") from None


def said_by(expectation: Any) -> dict[str, Any]:
    """Return what one expectation says, by the keys of a file."""
    if isinstance(expectation, Pattern):
        return {"shape": f"{_notation(expectation, 'shape')}\n"}
    if isinstance(expectation, Has):
        return {"has": [line_of(expectation.pattern, "has")]}
    if isinstance(expectation, Rule):
        terms = expectation.terms
        if terms.word == "never" and terms.relation is None and terms.per == "trace":
            return {"never": [line_of(terms.pattern, "never")]}
        return {"order": [_rule(terms)]}
    if isinstance(expectation, Budget):
        return {"budget": _budget(expectation)}
    if isinstance(expectation, Reference):
        return {"tags": {"schema": expectation.name}} if expectation.is_schema else {"expect": [expectation.name]}
    if isinstance(expectation, type) and hasattr(expectation, "check_tags"):
        return _schema(expectation)
    home = f'name it, as expect = ["{type(expectation).__module__}:NAME"]'
    raise ValueError(f"{expectation!r:.80} is an expectation of your own, which data cannot say: {home}")


def _rule(terms: Terms) -> dict[str, Any]:
    said: dict[str, Any] = {terms.word: line_of(terms.pattern, terms.word)}
    if terms.relation is not None and terms.other is not None:
        said[terms.relation] = line_of(terms.other, terms.relation)
        if terms.between is not None:
            said[BETWEEN[terms.relation]] = line_of(terms.between, BETWEEN[terms.relation])
    if terms.same:
        pairs = [(_text(one.text, "same"), _text(other.text, "same")) for one, other in terms.same]
        ones = [one for one, _ in pairs]
        said["same"] = dict(pairs) if ones != [other for _, other in pairs] else ones if len(ones) > 1 else ones[0]
    said |= {"per": terms.per} if terms.per != "trace" else {}
    return said | ({"if_present": True} if terms.optional else {})


def _budget(budget: Budget) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for word, value in budget.said.items():
        if isinstance(value, tuple):
            said[word] = {line_of(limit.pattern, f"budget.{word}"): _limit(word, limit) for limit in value}
        else:
            said[word] = exact_duration(value) if word == "latency" else _number(value, f"budget.{word}")
    return said


def _limit(word: str, limit: Limit) -> Any:
    said: Any = exact_duration(limit.most)
    if word == "calls":
        least, most = (_number(each, "budget.calls") for each in (limit.least, limit.most))
        said = most if least == min(1, most) else [least, most]
    return {"limit": said, "if_present": True} if limit.optional else said


def _schema(schema: Any) -> dict[str, Any]:
    try:
        is_open, table = table_of(schema)
        rows = {
            (is_metadata, _text(key, "a tag")): _tag(said_as(form, key), required)
            for is_metadata, key, form, required in table
        }
    except ValueError as error:
        home = f'[tags] schema = "{schema.__module__}:{schema.__qualname__}"'
        raise ValueError(f"tags: {schema.__name__}: {error}: name it, as {home}") from None
    tags = {key: row for (is_metadata, key), row in rows.items() if not is_metadata}
    metadata = {key: row for (is_metadata, key), row in rows.items() if is_metadata}
    tags |= {OTHERS: "str"} if is_open and tags else {}
    says_tags = bool(tags) or not is_open
    return ({"tags": tags} if says_tags else {}) | ({"metadata": metadata} if metadata else {})


def _tag(said: str | list[str] | dict[str, Any], required: bool) -> Any:
    if required:
        return said
    if isinstance(said, list):
        said = {"values": said}
    return {**(said if isinstance(said, dict) else {"type": said}), "optional": True}


def _number(value: float, part: str) -> float:
    if abs(value) >= _LONGEST:
        raise ValueError(f"{part}: a number of more than 400 digits has no text form")
    return value


def _text(text: str, part: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{part}: {text!r:.80} is no text that a file can hold") from None
    return text
