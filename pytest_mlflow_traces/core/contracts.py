"""Expectations put to the test: one trace or many, one expectation or several, as findings or as one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.expectation import checked_expectation, is_contract_file
from pytest_mlflow_traces.core.findings import NO_TRACE, Finding, TraceAssertionError
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span, checked_one_spans
from pytest_mlflow_traces.core.references import Reference
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.suggestions import unknown_keywords
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.core.verdicts import Verdict, broken_already, verdicts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.expectation import Expectation
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

__tracebackhide__ = True


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Contract:
    """Several expectations as one, for the traces whose tree contains `applies_to` (all, where that is `None`).

    A contract inside a contract has a say only about the traces that both apply to. With `only`, each expectation looks
    at `trace.only(...)`: just the spans that matter, and the roots.

    >>> import mlflow
    >>> from pytest_mlflow_traces import Contract, capture_traces, span
    >>> answers = Contract("answers", span("agent")[..., span("guardrail"), ...], applies_to=span("agent"))
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> answers.applies(traces.one())
    True
    >>> print(*answers.check(traces.one()))
    shape.missing at agent: expected span('guardrail')
    >>> answers.check_all(traces) == answers.check(traces.one())
    True

    A contract is data, too, in a file that is read without running anybody's code:

    >>> quiet = Contract.from_toml('''
    ... format = 1
    ... name = "quiet"
    ... never = ["delete_table"]
    ... ''')
    >>> quiet
    Contract('quiet', never(span('delete_table')))
    >>> Contract.from_toml(quiet.to_toml()) == quiet
    True

    Two contracts are equal where they expect the same, in whatever order.

    Args:
        name: What reports call it.
        expectations: Patterns, budgets, tag schemas, rules of order, other contracts, and expectations of your own.
        applies_to: A pattern of one span, which the whole trace is asked for.
        only: Patterns of the spans that the expectations look at; children are lifted into place.
        about: What it is for, in words.

    Raises:
        TypeError: for what is not an expectation, or an `applies_to` or `only` that is not a pattern of one span.
        ValueError: for an empty name, or no expectations.
    """

    name: str
    expectations: tuple[Any, ...]
    applies_to: Pattern | None
    only: tuple[Pattern, ...]
    about: str | None

    def __init__(
        self,
        name: str,
        *expectations: Pattern | Expectation | type,
        applies_to: Pattern | None = None,
        only: Pattern | Iterable[Pattern] | None = None,
        about: str | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise unknown_keywords("Contract()", unknown, ["applies_to", "only", "about"])
        if not isinstance(name, str):
            raise TypeError(f"Contract(): the first argument is its name, got {name!r:.80}")
        if not name.strip():
            raise ValueError("Contract(): the name is empty; reports call the contract by it")
        if about is not None and not isinstance(about, str):
            raise TypeError(f"Contract(): about is what the contract is for, a text, got {about!r:.80}")
        if not expectations:
            raise ValueError(f"Contract({name!r}) expects nothing: give it a pattern, a Budget or a TagSchema")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "expectations", tuple(checked_expectation(each) for each in expectations))
        checked = None if applies_to is None else checked_one_span(applies_to, "applies_to")
        object.__setattr__(self, "applies_to", checked)
        object.__setattr__(self, "only", checked_one_spans(only, "only", "Contract()"))
        object.__setattr__(self, "about", about)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Contract:
        """Read a contract file.

        >>> import pathlib, tempfile
        >>> from pytest_mlflow_traces import Contract, never, span
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "quiet.toml")
        ...     _ = path.write_text(Contract("quiet", never(span("delete_table"))).to_toml())
        ...     Contract.read(path)
        Contract('quiet', never(span('delete_table')))

        Raises:
            OSError: for a file that cannot be read.
            ValueError: for what is not a contract, naming the file, the line, the column and what is wrong there.
        """
        # by name: files are read above this package, which has no input and no output
        contract: Contract = import_module("pytest_mlflow_traces.files.contracts").read_contract(path)
        return contract

    @classmethod
    def from_toml(cls, text: str) -> Contract:
        """Return what the text of a contract file says; code that it names is imported when the contract is used.

        Raises:
            TypeError: for what is not a text, or is the name of a file.
            ValueError: for what is not a contract, naming the line, the column and what is wrong there.
        """
        _refuse_path(text)
        from pytest_mlflow_traces.core.contract_files.reading import contract_of

        return contract_of(text, cls)

    def to_toml(self) -> str:
        """Return the text of a contract file that says the same.

        Raises:
            ValueError: for a part that data cannot say, which it names: a matcher object, a validator in Python, an
                expectation of your own.
        """
        from pytest_mlflow_traces.core.contract_files.writing import toml_of

        return toml_of(self)

    def applies(self, trace: Trace) -> bool:
        """Return whether this contract has a say about `trace`: not where no contract inside it has one."""
        if self.applies_to is not None and self.applies_to not in trace:
            return False
        parts = parts_of(self)
        if not all(isinstance(each, Contract) for each in parts):
            return True
        shown = seen_by(self, trace)
        return any(each.applies(shown) for each in parts)

    def check(self, trace: Trace) -> list[Finding]:
        """Return the findings of all its expectations; none where it does not apply."""
        return self.check_all([trace])

    def check_all(self, traces: Sequence[Trace]) -> list[Finding]:
        """Return the findings of all its expectations on the traces that it applies to; no trace at all is one."""
        if not traces:
            return [NO_TRACE]
        return [finding for verdict in self.verdicts(traces) for finding in verdict.findings]

    def verdicts(self, traces: Sequence[Trace]) -> list[Verdict]:
        """Return what each of its expectations that does not hold has to say."""
        return verdicts_where_it_applies(self, [trace for trace in traces if self.applies(trace)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contract):
            return NotImplemented
        left = [*map(_compared, other.expectations)]
        for each in map(_compared, self.expectations):
            if each not in left:
                return False
            left.remove(each)
        return not left and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((self._said(), frozenset(map(_compared, self.expectations))))

    def _said(self) -> tuple[object, ...]:
        return self.name, self.applies_to, self.only, self.about

    def __repr__(self) -> str:
        said: dict[str, Any] = {"applies_to": self.applies_to, "only": [*self.only] or None, "about": self.about}
        keywords = [f"{word}={value!r}" for word, value in said.items() if value is not None]
        return f"Contract({', '.join([repr(self.name), *map(repr, self.expectations), *keywords])})"


def _refuse_path(given: object) -> None:
    if not isinstance(given, str) or (is_contract_file(given) and "\n" not in given):
        raise TypeError(f"from_toml() takes the text of a contract file, not {given!r:.80}: write Contract.read(path)")


def parts_of(contract: Contract) -> tuple[Any, ...]:
    """Return the expectations of a contract, importing those that it names.

    Raises:
        ValueError: for a name that stands for no expectation.
    """
    return tuple([_loaded(contract, each) if isinstance(each, Reference) else each for each in contract.expectations])


def _loaded(contract: Contract, reference: Reference) -> Any:
    try:
        return checked_expectation(reference.load())
    except (TypeError, ValueError) as error:
        where = "the schema of its tags" if reference.is_schema else "expect"
        raise ValueError(f"contract {contract.name!r}: {where}: {error}") from error.__cause__


def seen_by(contract: Contract, trace: Trace) -> Trace:
    """Return what the expectations of a contract look at."""
    return trace.only(*contract.only) if contract.only else trace


def _compared(expectation: Any) -> Any:
    """Return what two expectations are compared by: schemas by what they say, where data can say it."""
    if isinstance(expectation, type) and hasattr(expectation, "check_tags"):
        from pytest_mlflow_traces.core.contract_files.tag_tables import compared

        return compared(expectation)
    return expectation


def split_by_scope(expectation: Any) -> tuple[Any | None, Any | None]:
    """Return what of an expectation looks at each trace by itself, and what at all of a session; `None` for nothing."""
    return split(expectation, _by_scope)


def _by_scope(expectation: Any) -> tuple[Any | None, Any | None]:
    is_per_session = isinstance(expectation, Rule) and expectation.terms.per == "session"
    return (None, expectation) if is_per_session else (expectation, None)


def split(expectation: Any, halve: Callable[[Any], tuple[Any | None, Any | None]]) -> tuple[Any | None, Any | None]:
    """Return the two halves of an expectation, of a contract two contracts; `None` for a half with nothing in it."""
    if not isinstance(expectation, Contract):
        return halve(expectation)
    first, second = zip(*(split(each, halve) for each in parts_of(expectation)), strict=True)
    return narrowed(expectation, first), narrowed(expectation, second)


def narrowed(contract: Contract, parts: Iterable[Any | None]) -> Contract | None:
    """Return a contract with some of its expectations alone, those that are not `None`; `None` where all are."""
    kept = [each for each in parts if each is not None]
    only, about = contract.only or None, contract.about
    return Contract(contract.name, *kept, applies_to=contract.applies_to, only=only, about=about) if kept else None


def check(traces: Any, *expectations: Pattern | Expectation | type) -> list[Finding]:
    """Return every finding of every expectation on one trace, or on each of several.

    No trace at all is a finding, and so is a contract that applies to none of them.

    Raises:
        TypeError: for no expectations, or for what is none.
    """
    return [finding for verdict in _judge(traces, expectations) for finding in verdict.findings]


def assert_trace(traces: Any, *expectations: Pattern | Expectation | type) -> None:
    """Assert that every expectation holds of one trace, or of each of several; works without pytest.

    Takes a `Trace`, MLflow's own trace, or any iterable of them, such as `mlflow_traces`.

    >>> from pytest_mlflow_traces import assert_trace, capture_traces, span
    >>> import mlflow
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> assert_trace(traces, span("agent"))

    Raises:
        TraceAssertionError: with every finding of every expectation.
        TypeError: for no expectations, or for what is none.
    """
    verdicts = _judge(traces, expectations)
    if verdicts:
        raise error_of(verdicts)


def error_of(verdicts: Sequence[Verdict]) -> TraceAssertionError:
    """Return the error for what several expectations say."""
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    error = TraceAssertionError("\n\n".join(verdict.text for verdict in verdicts), findings)
    error._marks = tuple(verdict.marks for verdict in verdicts if verdict.marks is not None)
    return error


def _judge(given: Any, expectations: tuple[Any, ...]) -> list[Verdict]:
    if not expectations:
        raise TypeError("no expectation: give a pattern, a Budget, a TagSchema or a Contract to check")
    checked = [checked_expectation(each) for each in expectations]
    traces = _traces_of(given)
    if not traces:
        fail_empty = getattr(given, "fail_empty", None)
        if fail_empty is not None:  # a capture knows why it is empty
            try:
                fail_empty("expected at least one trace")
            except TraceAssertionError as error:
                return [Verdict(error.findings, str(error))]
        return [Verdict((NO_TRACE,), "expected at least one trace, got none: nothing passes on absence")]
    found: list[Verdict] = []
    for each in checked:
        if isinstance(each, Contract):
            applicable = [trace for trace in traces if each.applies(trace)]
            found += verdicts_where_it_applies(each, applicable) if applicable else [_unused(each, traces)]
        else:
            found += verdicts(traces, each)
        found += excesses(getattr(given, "in_progress", ()), each)
    return found


def _unused(contract: Contract, traces: list[Trace]) -> Verdict:
    names = ", ".join(sorted({visible(trace.name) for trace in traces})[:5])
    text = f"contract {contract.name!r} applies to none of {len(traces)} trace(s) ({names}): no span matches"
    wanted = " or ".join(map(repr, dict.fromkeys(_wanted(contract, traces))))
    return Verdict((Finding("contract.unused", contract.name, wanted, "no such span"),), f"{text} {wanted}")


def _wanted(contract: Contract, traces: list[Trace]) -> list[Pattern]:
    """Return what the contract, or those inside it, looked for in vain."""
    asked = contract.applies_to
    left = [trace for trace in traces if asked is None or asked in trace]
    if asked is not None and not left:
        return [asked]
    seen = [seen_by(contract, trace) for trace in left]
    return [each for inner in parts_of(contract) if isinstance(inner, Contract) for each in _wanted(inner, seen)]


def verdicts_where_it_applies(contract: Contract, traces: Sequence[Trace]) -> list[Verdict]:
    """Return what the expectations of a contract have to say against traces that it is known to apply to."""
    seen = [seen_by(contract, trace) for trace in traces]
    return _of(contract, [verdict for each in parts_of(contract) for verdict in verdicts(seen, each)])


def excesses(traces: Sequence[Trace], expectation: Any) -> list[Verdict]:
    """Return what of an expectation traces that have not ended break already, whatever comes."""
    if not isinstance(expectation, Contract):
        return [verdict for trace in traces for verdict in broken_already(trace, expectation)]
    seen = [seen_by(expectation, trace) for trace in traces if expectation.applies(trace)]
    return _of(expectation, [verdict for each in parts_of(expectation) for verdict in excesses(seen, each)])


def _of(contract: Contract, found: list[Verdict]) -> list[Verdict]:
    return [replace(verdict, text=f"contract {contract.name!r}: {verdict.text}") for verdict in found]


def _traces_of(given: Any) -> list[Trace]:
    if isinstance(given, Trace):
        return [given]
    if hasattr(given, "info") and hasattr(given, "data"):
        return [Trace.from_mlflow(given)]
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise TypeError(f"expected a trace or several, got {given!r:.80}")
    return [each if isinstance(each, Trace) else Trace.from_mlflow(each) for each in given]
