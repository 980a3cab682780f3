"""Budgets: what a trace may take of time, tokens, money and calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from pytest_mlflow_traces.core.budgets import limits
from pytest_mlflow_traces.core.budgets.limits import Limit
from pytest_mlflow_traces.core.findings import NO_TRACE
from pytest_mlflow_traces.core.order.rule import Rule, where_present
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span, span
from pytest_mlflow_traces.core.patterns.nodes import asks_structure_alone
from pytest_mlflow_traces.core.text.durations import exact_duration, parse_duration
from pytest_mlflow_traces.core.text.suggestions import listed, unknown_keywords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here

_KEYWORDS = ("latency", "latency_of", "self_time_of", "tokens", "cost_usd", "calls", "p95_of")

_CHECKS: dict[str, Callable[[Trace, Any], Iterator[Finding]]] = {
    "latency": limits.latency,
    "latency_of": limits.latency_of,
    "self_time_of": limits.self_time_of,
    "tokens": limits.tokens,
    "cost_usd": limits.cost,
    "calls": limits.calls,
}
_LASTING = ("budget.calls", "budget.tokens", "budget.cost")  # what no later span mends

Duration: TypeAlias = "str | timedelta"
Calls: TypeAlias = "int | tuple[int, int]"
# a key is a name or a pattern; Mapping is invariant in its keys, so a type that says so would refuse a dict of names
Durations: TypeAlias = "Mapping[Any, Duration | IfPresent]"
Counts: TypeAlias = "Mapping[Any, Calls | IfPresent]"


@dataclass(frozen=True, slots=True)
class IfPresent:
    """A limit that no span need come under. Made by `if_present()`."""

    limit: Any

    def __repr__(self) -> str:
        return f"if_present({self.limit!r})"


@overload
def if_present(limit: Rule) -> Rule: ...
@overload
def if_present(limit: Duration | Calls) -> IfPresent: ...
def if_present(limit: Duration | Calls | Rule) -> IfPresent | Rule:
    """Stand for `limit`, where a span comes under it at all; without this, a limit that none came under is a finding.

    So it is with a rule of order that begins with `each()`.

    >>> from pytest_mlflow_traces import each, span
    >>> Budget(latency_of={"web_search": if_present("2s")})
    Budget(latency_of={'web_search': if_present('2s')})
    >>> if_present(each(span("pay")).after(span("auth")))
    if_present(each(span('pay')).after(span('auth')))

    Raises:
        TypeError: for what is neither a limit nor such a rule.
        ValueError: for `each(p)` alone, which says nothing.
    """
    if isinstance(limit, Rule):
        return where_present(limit)
    if isinstance(limit, bool) or not isinstance(limit, str | timedelta | int | tuple):
        raise TypeError(f"if_present() takes a duration such as '800ms', or a number of calls, got {limit!r}")
    return IfPresent(limit)


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Budget:
    """The most that a trace may take. What is not said is not limited; a limit is the last value that passes.

    >>> Budget(latency="2s", latency_of={"genie_query": "800ms"}, tokens=4000)
    Budget(latency='2s', latency_of={'genie_query': '800ms'}, tokens=4000)

    Nothing passes on absence: a limit that no span came under is a finding (unless `if_present` says otherwise), and
    so are tokens and costs that nobody recorded, and spans that never ended.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> print(*Budget(latency="1m", calls={"search": 1}).check(traces.one()))
    budget.absent at agent: expected at most 1 call of span('search'), got no such span
    >>> Budget(calls={"agent": 1}).check_all(traces), Budget(calls={"search": 1}).check_open(traces.one())
    ([], [])

    Args:
        latency: How long the whole trace may take, as "800ms", "2s", "1.5m" or a `timedelta`.
        latency_of: Names or patterns of spans, and how long each span that matches may take.
        self_time_of: Likewise, the time in which none of its children ran.
        tokens: The most tokens in all, input and output.
        cost_usd: The highest cost, in US dollars.
        calls: Names or patterns of spans, and how many may match: at most a number, or a range `(min, max)`.
        p95_of: Names or patterns, and what 95 % of all spans that match, in all traces together, may take each.

    Raises:
        TypeError: for an unknown keyword, a limit without a unit, or one of the wrong type.
        ValueError: for no limits, and for one that cannot be.
    """

    said: dict[str, Any]

    def __init__(
        self,
        *,
        latency: Duration | None = None,
        latency_of: Durations | None = None,
        self_time_of: Durations | None = None,
        tokens: int | None = None,
        cost_usd: float | None = None,
        calls: Counts | None = None,
        p95_of: Durations | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise unknown_keywords("Budget()", unknown, _KEYWORDS)
        given = {
            "latency": _alone(latency, "latency", _duration),
            "latency_of": _each(latency_of, "latency_of", _until),
            "self_time_of": _each(self_time_of, "self_time_of", _until),
            "tokens": _alone(tokens, "tokens", _tokens),
            "cost_usd": _alone(cost_usd, "cost_usd", _cost),
            "calls": _each(calls, "calls", _calls),
            "p95_of": _each(p95_of, "p95_of", _until),
        }
        said = {word: value for word, value in given.items() if value is not None}
        if not said:
            raise ValueError(f"Budget() limits nothing: give it at least one of {listed(_KEYWORDS)}")
        object.__setattr__(self, "said", said)

    def check(self, trace: Trace) -> list[Finding]:
        """Return every way in which `trace` exceeds this budget, or gives no answer to it."""
        return self.check_all([trace])

    def check_all(self, traces: Sequence[Trace]) -> list[Finding]:
        """Return the same for several traces: each by itself, and all together under `p95_of`.

        Of several traces, each finding says by its number in which one it is: `[0] agent > search`. No trace at all is
        a finding.
        """
        if not traces:
            return [NO_TRACE]
        found = []
        for number, trace in enumerate(traces):
            place = f"[{number}] " if len(traces) > 1 else ""
            found += [replace(each, where=f"{place}{each.where}") for each in self._spent(trace)]
        for limit in self.said.get("p95_of", ()):
            found += limits.p95(traces, limit)
        return found

    def check_open(self, trace: Trace) -> list[Finding]:
        """Return in what a trace that has not ended exceeds this budget, whatever comes: calls, tokens and costs."""
        asked = [limits.calls(trace, replace(limit, least=0, optional=True)) for limit in self.said.get("calls", ())]
        asked += [_CHECKS[word](trace, self.said[word]) for word in ("tokens", "cost_usd") if word in self.said]
        return [finding for each in asked for finding in each if finding.rule in _LASTING]

    def _spent(self, trace: Trace) -> Iterator[Finding]:
        for word, said in self.said.items():
            for limit in said if isinstance(said, tuple) else (said,):
                if word in _CHECKS:
                    yield from _CHECKS[word](trace, limit)

    def _compared(self) -> frozenset[tuple[str, object]]:
        return frozenset(
            (word, frozenset(said) if isinstance(said, tuple) else said) for word, said in self.said.items()
        )

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if isinstance(other, Budget) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        return f"Budget({', '.join(f'{word}={_code(word, said)}' for word, said in self.said.items())})"


def halves(budget: Budget) -> tuple[Budget | None, Budget | None]:
    """Return what limits each trace by itself, and what all of them together; `None` for nothing."""
    alone = {word: said for word, said in budget.said.items() if word != "p95_of"}
    together = {word: said for word, said in budget.said.items() if word == "p95_of"}
    first, second = (_made(said) if said else None for said in (alone, together))
    return first, second


def without_settled_counts(budget: Budget, trace: Trace) -> Budget | None:
    """Return a budget without the counts that hold of all traces with the structure of this one; `None` for nothing."""
    counts = tuple(
        limit
        for limit in budget.said.get("calls", ())
        if not asks_structure_alone(limit.pattern) or any(True for _ in limits.calls(trace, limit))
    )
    said = {word: value for word, value in {**budget.said, "calls": counts}.items() if value != ()}
    return budget if said == budget.said else _made(said) if said else None


def _made(said: dict[str, Any]) -> Budget:
    budget = object.__new__(Budget)
    object.__setattr__(budget, "said", said)
    return budget


def _duration(value: object, what: str) -> int:
    return parse_duration(value, f"Budget(): {what}")


def _tokens(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"Budget(): {what} is a whole number, got {value!r}")
    _refuse_negative(value, what)
    return value


def _cost(value: object, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"Budget(): {what} is a number of US dollars, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"Budget(): {what} is not a limit: {value!r}")
    _refuse_negative(value, what)
    return value


def _refuse_negative(value: float, what: str) -> None:
    if value < 0:
        raise ValueError(f"Budget(): {what} cannot be negative, got {value!r}")


def _calls(value: object, what: str) -> tuple[int, int]:
    pair: tuple[object, ...] = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    numbers = [each for each in pair if isinstance(each, int) and not isinstance(each, bool)]
    if len(numbers) < len(pair):
        raise TypeError(f"Budget(): {what} is a whole number, the most, or (min, max), got {value!r}")
    for each in numbers:
        _refuse_negative(each, what)
    most = numbers[-1]
    least = numbers[0] if len(numbers) == 2 else min(1, most)
    if least > most:
        raise ValueError(f"Budget(): {what}: {value!r} has its min above its max: no number is that")
    return least, most


def _alone(value: object, word: str, check: Callable[[object, str], Any]) -> Any:
    """Check a limit of the whole trace; `None` where there is none."""
    if isinstance(value, IfPresent):
        why = "a trace has a latency" if word == "latency" else "what was not recorded passes no budget"
        raise TypeError(f"Budget(): if_present() stands for limits of spans, not in {word}: {why}")
    return None if value is None else check(value, word)


def _each(given: object, word: str, check: Callable[[object, str], tuple[int, int]]) -> tuple[Limit, ...] | None:
    """Check a mapping from spans to limits; `None` where there is none."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f"Budget(): {word} maps names or patterns of spans to limits, got {given!r}")
    if not given:
        raise ValueError(f"Budget(): {word}={{}} limits nothing; name a span, or leave it out")
    limits: dict[Pattern, Limit] = {}
    for key, value in given.items():
        pattern = span(key) if isinstance(key, str) else checked_one_span(key, f"Budget(): {word}")
        if pattern in limits:
            raise ValueError(f"Budget(): {word} has two limits for {pattern!r}")
        inner = value.limit if isinstance(value, IfPresent) else value
        least, most = check(inner, f"{word}[{key!r}]")
        limits[pattern] = Limit(pattern, most, least, optional=isinstance(value, IfPresent))
    return tuple(limits.values())


def _until(value: object, what: str) -> tuple[int, int]:
    return 0, _duration(value, what)


def _code(word: str, said: Any) -> str:
    """Return the code of what was said under one keyword."""
    if word == "latency":
        return repr(exact_duration(said))
    if not isinstance(said, tuple):
        return repr(said)
    return f"{{{', '.join(f'{limit.label}: {_limit_code(word, limit)}' for limit in said)}}}"


def _limit_code(word: str, limit: Limit) -> str:
    if word == "calls":
        code = repr(limit.most if limit.least == min(1, limit.most) else (limit.least, limit.most))
    else:
        code = repr(exact_duration(limit.most))
    return f"if_present({code})" if limit.optional else code
