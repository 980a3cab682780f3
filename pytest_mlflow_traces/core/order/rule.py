"""Rules of order, as they are written: `each(p).after(q)`, `never(p).inside(q)`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_mlflow_traces.core.compared import Compared
from pytest_mlflow_traces.core.findings import NO_TRACE
from pytest_mlflow_traces.core.order.report import findings_of
from pytest_mlflow_traces.core.order.same import checked_same
from pytest_mlflow_traces.core.order.terms import BETWEEN, Terms
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span
from pytest_mlflow_traces.core.text.suggestions import listed, nearest, unknown_keywords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.order.same import Same
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here

_SCOPES = ("trace", "session")
_HOMES = {  # where the words of a rule stand, for those who write them elsewhere
    "since": ".after(q, since=r); the other end of .before(q) is until",
    "until": ".before(q, until=r); the other end of .after(q) is since",
    "same": ".after(q, same='inputs.order_id'), and likewise in .before and .inside",
    "per": "each(p, per='session') or never(p, per='session')",
}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Rule:
    """A rule of order. Made by `each()` and `never()`.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces, each, span
    >>> with capture_traces() as traces, mlflow.start_span("pay"):
    ...     pass
    >>> rule = each(span("pay")).after(span("auth"))
    >>> print(*rule.check(traces.one()))
    order.after at pay: expected span('auth') to have ended before, got no span('auth') at all
    >>> rule.check_all(traces) == rule.check(traces.one())
    True
    >>> rule.check_open(traces.one())
    []
    >>> each(span("begin")).before(span("commit"), until=span("begin"))
    each(span('begin')).before(span('commit'), until=span('begin'))
    """

    terms: Terms

    def after(
        self, pattern: Pattern, *, since: Pattern | None = None, same: Same | None = None, **unknown: Any
    ) -> Rule:
        """Ask for a span before each that had ended; for `never`, forbid one that had started.

        Args:
            pattern: The span that comes before.
            since: A span that must not lie between the two; for `never`, one that allows it again.
            same: What the two have in common: a path such as "inputs.order_id", a tuple of paths, or a mapping from a
                path of the one to a path of the other.

        Raises:
            TypeError: for anything but patterns of one span, an unknown keyword, or a `same` of the wrong type.
            ValueError: for a second relation, or a path that no span has.
        """
        return self._with("after", pattern, since, same, unknown)

    def before(
        self, pattern: Pattern, *, until: Pattern | None = None, same: Same | None = None, **unknown: Any
    ) -> Rule:
        """Ask for a span after the end of each; for `never`, forbid one that starts later. The mirror of `after`."""
        return self._with("before", pattern, until, same, unknown)

    def inside(self, pattern: Pattern, *, same: Same | None = None, **unknown: Any) -> Rule:
        """Ask for a span above each, at any distance; for `never`, forbid it."""
        return self._with("inside", pattern, None, same, unknown)

    def check(self, trace: Trace) -> list[Finding]:
        """Return every span of `trace` that breaks this rule."""
        return self.check_all([trace])

    def check_open(self, trace: Trace) -> list[Finding]:
        """Return what a trace that has not ended breaks already; only a `never` without `same` is sure of that."""
        lasting = self.terms.word == "never" and not self.terms.same
        return self.check(trace) if lasting else []

    def check_all(self, traces: Sequence[Trace]) -> list[Finding]:
        """Return the same for several traces: each by itself or, `per="session"`, those of one session together.

        A trace without a session stands alone. No trace at all is a finding.

        Raises:
            ValueError: for `each(p)` alone, which says nothing.
        """
        refuse_unsaid(self)
        if not traces:
            return [NO_TRACE]
        return [finding for group in self._groups(traces) for finding in findings_of(self.terms, group)]

    def _groups(self, traces: Sequence[Trace]) -> list[list[Trace]]:
        if self.terms.per == "trace":
            return [[trace] for trace in traces]
        groups: dict[object, list[Trace]] = {}
        for number, trace in enumerate(traces):
            groups.setdefault(number if trace.session_id is None else str(trace.session_id), []).append(trace)
        return [sorted(group, key=lambda trace: trace.start_ns or 0) for group in groups.values()]

    def _with(
        self, relation: str, pattern: Pattern, between: Pattern | None, same: Same | None, unknown: dict[str, Any]
    ) -> Rule:
        call = f"{self.terms.word}(...).{relation}()"
        if unknown:
            _refuse(call, unknown, [*filter(None, [BETWEEN.get(relation)]), "same"])
        if self.terms.relation is not None:
            raise ValueError(f"{self!r} has its relation already: what else holds is a rule of its own")
        terms = replace(
            self.terms,
            relation=relation,
            other=checked_one_span(pattern, call),
            between=None if between is None else checked_one_span(between, f"{call}: {BETWEEN[relation]}"),
            same=() if same is None else checked_same(same, call),
        )
        return Rule(terms)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Compared):  # it would be False for ever, so that `!=` would always pass
            raise TypeError(f"a rule of order is checked, not compared: write assert_trace(trace, {self!r})")
        return self.terms == other.terms if isinstance(other, Rule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.terms)

    def __bool__(self) -> NoReturn:
        # `assert each(...).after(...)`, with the trace forgotten, would always pass
        raise TypeError(f"{self!r} has no truth value: write assert_trace(trace, {self!r})")

    def __repr__(self) -> str:
        return repr(self.terms)


def each(pattern: Pattern, *, per: str = "trace", **unknown: Any) -> Rule:
    """Begin a rule about each span that matches; say which with `.after()`, `.before()` or `.inside()`.

    >>> import mlflow
    >>> from pytest_mlflow_traces import assert_trace, capture_traces, each, span
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     for step in ("auth", "pay"):
    ...         with mlflow.start_span(step):
    ...             pass
    >>> assert_trace(traces, each(span("pay")).after(span("auth")), each(span("auth")).inside(span("agent")))

    Nothing passes on absence: without any such span the rule does not hold, unless it stands in `if_present()`.

    Args:
        pattern: The spans that the rule is about.
        per: `"trace"`, or `"session"` for all traces of a session together.

    Raises:
        TypeError: for anything but a pattern of one span, or an unknown keyword.
        ValueError: for another `per`; and, when it is checked, for `each(p)` alone.
    """
    return _begun("each", pattern, per, unknown)


def never(pattern: Pattern, *, per: str = "trace", **unknown: Any) -> Rule:
    """Forbid spans that match: at all, or `.after()`, `.before()` or `.inside()` of another.

    What may have been is forbidden too: two spans that overlap are one after the other for `never`, and not for `each`.

    >>> import mlflow
    >>> from pytest_mlflow_traces import assert_trace, capture_traces, never, span
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> assert_trace(traces, never(span("delete_table")), never(span(type="TOOL")).after(span("cancel")))

    Args:
        pattern: The spans that the rule is about.
        per: `"trace"`, or `"session"` for all traces of a session together.

    Raises:
        TypeError: for anything but a pattern of one span, or an unknown keyword.
        ValueError: for another `per`.
    """
    return _begun("never", pattern, per, unknown)


def where_present(rule: Rule) -> Rule:
    """Return a rule of `each()` for traces that need not have such a span; `if_present(rule)` is the same."""
    refuse_unsaid(rule)
    if rule.terms.word == "never":
        raise TypeError(f"if_present() takes no never(), which holds without such a span: write {rule!r}")
    return Rule(replace(rule.terms, optional=True))


def refuse_unsaid(rule: Rule) -> None:
    """Raise a ValueError where a rule says nothing."""
    if rule.terms.word == "each" and rule.terms.relation is None:
        raise ValueError(f"{rule!r} says nothing: go on with .after(...), .before(...) or .inside(...)")


def _begun(word: str, pattern: Pattern, per: object, unknown: dict[str, Any]) -> Rule:
    if unknown:
        _refuse(f"{word}()", unknown, ("per",))
    checked = checked_one_span(pattern, f"{word}()")
    if not isinstance(per, str):
        raise TypeError(f"{word}(): per is one of {listed(_SCOPES)}, got {per!r:.80}")
    if per not in _SCOPES:
        raise ValueError(f"{word}(): unknown per {per!r} (legal: {listed(_SCOPES)}){nearest(per, _SCOPES)}")
    return Rule(Terms(word, checked, per))


def _refuse(call: str, unknown: dict[str, Any], legal: Sequence[str]) -> NoReturn:
    for word in unknown:
        if word in _HOMES:
            raise TypeError(f"{call} takes no {word}: write {_HOMES[word]}")
    raise unknown_keywords(call, unknown, legal)
