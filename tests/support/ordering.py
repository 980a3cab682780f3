"""Rules of order and small traces for them at random, and an oracle of what breaks a rule.

The oracle says each sentence of `docs/how-to/order.md` as it stands there, span by span.
"""

from __future__ import annotations

from pytest_mlflow_traces.core.budgets.budget import if_present
from pytest_mlflow_traces.core.order.rule import each, never
from pytest_mlflow_traces.core.patterns.constructors import one_of, span
from tests.support.building import Record, trace_of

MISSING = object()
SESSION = "mlflow.trace.session"


class Oracle:
    """The spans of some traces, looked at as one."""

    def __init__(self, traces, per="trace"):
        self.traces, self.per = traces, per
        self.spans = [each for trace in traces for each in trace.spans]
        self.place = {each: number for number, each in enumerate(self.spans)}

    def where(self, p):
        if self.per == "trace":
            return p.path
        number, trace = next((n, trace) for n, trace in enumerate(self.traces) if p in trace.spans)
        session = trace.session_id
        return f"{p.path} of trace " + (f"[{number}] {trace.id} of session {session!r}" if session else trace.id)

    def related(self, a, b):
        return a is b or a in b.ancestors() or b in a.ancestors()

    def stands_first(self, a, b):
        return (a.start_ns, self.place[a]) < (b.start_ns, self.place[b])

    def surely_before(self, q, p):
        if self.related(q, p) or q.end_ns is None:
            return False
        return q.end_ns < p.start_ns or (q.end_ns == p.start_ns and self.stands_first(q, p))

    def possibly_before(self, q, p):
        return not self.related(q, p) and self.stands_first(q, p)

    def find(self, pattern):
        return [] if pattern is None else [each for each in self.spans if each == pattern]

    def faults(self, word, p, relation=None, q=None, between=None, same=(), optional=False):
        spans, others, cuts = map(self.find, (p, q, between))
        if word == "each" and not spans:
            return [] if optional else [("order.absent", None)]
        found = []
        for p in spans:
            if same and self.key(p, same, 0) is MISSING:
                found.append(("order.key", self.where(p)))
            elif word == "each":
                if not any(self.is_each(relation, p, q, cuts, same) for q in others):
                    found.append((f"order.{relation}", self.where(p)))
            elif relation is None or any(self.is_never(relation, p, q, cuts, same) for q in others):
                found.append(("order.never", self.where(p)))
        return found

    def is_each(self, relation, p, q, cuts, same):
        if same and self.key(q, same, 1) != self.key(p, same, 0):
            return False
        if relation == "inside":
            return q in p.ancestors()
        one, two = (q, p) if relation == "after" else (p, q)
        return self.surely_before(one, two) and not any(
            self.possibly_before(one, r) and self.possibly_before(r, two) and self.counts(p, r, same) for r in cuts
        )

    def is_never(self, relation, p, q, cuts, same):
        if same and self.key(q, same, 1) not in (MISSING, self.key(p, same, 0)):
            return False
        if relation == "inside":
            return q in p.ancestors()
        one, two = (q, p) if relation == "after" else (p, q)
        return self.possibly_before(one, two) and not any(
            self.surely_before(one, r) and self.surely_before(r, two) and self.counts(p, r, same) for r in cuts
        )

    def counts(self, p, r, same):
        return not same or self.key(r, same, 1) in (MISSING, self.key(p, same, 0))

    def key(self, each, same, side):
        values = [(each.inputs or {}).get(pair[side], MISSING) for pair in same]
        return MISSING if MISSING in values else values


def random_traces(rng):
    """Make one trace, or some of which a few are of one session, with times that touch, coincide, or never end."""
    traces = []
    for number in range(1 if rng.random() < 0.7 else rng.randint(2, 4)):
        records = []
        many, deep = rng.choice((0.85, 0.95, 1)), rng.random() < 0.5
        for i in range(rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 10, 14))):
            start = rng.randint(0, rng.choice((3, 8, 15)))
            length = rng.choice((0, 0, 1, 1, 2, 3, 5, 15, None))
            above = rng.choice(records[-3:] if deep else records[:3]) if records and rng.random() < many else None
            if above is not None and rng.random() < 0.7:  # most begin in the time of what is above them
                start = above.start_time_ns + rng.randint(0, 2)
            length = -1 if rng.random() < 0.02 else length  # of a clock that was set back
            end = None if length is None else start + length
            record = Record(rng.choice("pqrx"), str(i), above and above.span_id, rng.choice("TU"), start, end)
            if rng.random() < 0.9:
                record.inputs = {key: rng.choice((1, 2, True, [1])) for key in "kj" if rng.random() < 0.85}
            records.append(record)
        session = rng.choice((None, "one", "one", "two"))
        metadata = {} if session is None else {SESSION: session}
        traces.append(trace_of(records, id=str(number), metadata=metadata))
    return traces


def random_rule(rng):
    """Make a rule, and what the oracle needs to know of it."""
    word = rng.choice(("each", "never"))
    per = rng.choice(("trace", "session"))
    p, q, r = (one_span(rng, name) for name in "pqr")
    relation = rng.choice(("after", "before", "inside", None if word == "never" else "after"))
    said, same = {}, ()
    if rng.random() < 0.4:
        same = rng.choice(((("k", "k"),), (("k", "k"), ("j", "j")), (("k", "j"),)))
        texts = [(f"inputs.{one}", f"inputs.{other}") for one, other in same]
        plain = texts[0][0] if len(texts) == 1 else tuple(one for one, _ in texts)
        said["same"] = plain if all(one == other for one, other in texts) else dict(texts)
    between = None
    if rng.random() < 0.6 and relation in ("after", "before"):
        between = said[{"after": "since", "before": "until"}[relation]] = r
    rule = (each if word == "each" else never)(p, per=per)
    if relation is None:
        return rule, per, {"word": word, "p": p}
    rule = getattr(rule, relation)(q, **said)
    optional = word == "each" and rng.random() < 0.2
    rule = if_present(rule) if optional else rule
    about = {"word": word, "p": p, "relation": relation, "q": q, "between": between, "same": same, "optional": optional}
    return rule, per, about


def one_span(rng, name):
    if rng.random() < 0.15:
        name = rng.choice("pqrx")  # now and then the same for two of them
    if rng.random() < 0.1:
        return one_of(span(name), span("x"))
    return span(name, type="T") if rng.random() < 0.1 else span(name)


def groups_of(traces, per):
    if per == "trace":
        return [[trace] for trace in traces]
    sessions = {trace.session_id for trace in traces} - {None}
    alone = [[trace] for trace in traces if trace.session_id is None]
    return [
        *alone,
        *(sorted((t for t in traces if t.session_id == each), key=lambda t: t.start_ns or 0) for each in sessions),
    ]
