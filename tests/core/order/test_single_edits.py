"""Single edits of a trace that satisfies a rule: each gives one finding for each span that breaks the rule now.

"One finding each" reads so: one span that is dropped can break the rule for several others, and each of them is a
finding of its own, since each has to be put right. An edit that concerns one span that the rule is about gives one.
"""

from __future__ import annotations

import random

from tests.support.building import Record, trace_of
from tests.support.ordering import Oracle, groups_of, random_rule, random_traces


def records_of(trace):
    place = {each: str(i) for i, each in enumerate(trace.spans)}
    return [
        Record(s.name, place[s], s.parent and place[s.parent], s.type, s.start_ns, s.end_ns, inputs=s.inputs)
        for s in trace.spans
    ]


def renamed(rng, records, i):
    records[i].name = rng.choice([name for name in "pqrx" if name != records[i].name])


def dropped(rng, records, i):
    for each in records:
        if each.parent_id == records[i].span_id:  # its children are lifted into its place
            each.parent_id = records[i].parent_id
    del records[i]


def retimed(rng, records, i):
    length = None if records[i].end_time_ns is None else records[i].end_time_ns - records[i].start_time_ns
    records[i].start_time_ns = rng.randint(0, 20)
    records[i].end_time_ns = None if length is None else records[i].start_time_ns + length


def moved(rng, records, i):
    below = {records[i].span_id}
    for each in records:  # parents stand before their children
        if each.parent_id in below:
            below.add(each.span_id)
    records[i].parent_id = rng.choice([None, *(each.span_id for each in records if each.span_id not in below)])


EDITS = [renamed, dropped, retimed, moved]


def test_an_edit_that_breaks_a_rule_is_one_finding_for_each_span_that_breaks_it():
    rng = random.Random(4)
    concerned = dict.fromkeys(EDITS, 0)
    for _ in range(2_000):
        traces = random_traces(rng)
        rule, per, about = random_rule(rng)
        if rule.check_all(traces):
            continue
        for edit in EDITS:
            edited = edit_one(rng, traces, edit)
            found = rule.check_all(edited)
            right = [fault for group in groups_of(edited, per) for fault in Oracle(group, per).faults(**about)]

            assert sorted(each.where for each in found if each.rule != "order.absent") == sorted(
                where for _, where in right if where is not None
            )
            before, after = (spans_of(each, rule.terms.pattern) for each in (traces, edited))
            if found and max(before, after) == 1:
                concerned[edit] += 1
                assert len(found) == 1

    assert min(concerned.values()) > 1
    assert sum(concerned.values()) > 50


def test_the_edit_of_one_span_that_a_rule_is_about_is_one_finding_however_many_there_are():
    rng = random.Random(5)
    broken = dict.fromkeys(EDITS, 0)
    for _ in range(2_500):
        traces = random_traces(rng)[:1]
        rule, _, _ = random_rule(rng)
        others = [each for each in (rule.terms.other, rule.terms.between) if each is not None]
        found = traces[0].find(rule.terms.pattern)
        leaves = [each for each in found if not each.children and not any(each == other for other in others)]
        if not leaves or rule.check_all(traces):
            continue
        at = traces[0].spans.index(rng.choice(leaves))
        for edit in (retimed, moved, dropped):
            found = rule.check_all(edit_one(rng, traces, edit, at))
            broken[edit] += bool(found)

            assert len(found) <= 1

    assert broken[retimed] > 10
    assert broken[moved] > 10


def spans_of(traces, pattern):
    return sum(trace.count(pattern) for trace in traces)


def edit_one(rng, traces, edit, at=None):
    n = rng.randrange(len(traces))
    records = records_of(traces[n])
    edit(rng, records, rng.randrange(len(records)) if at is None else at)
    facts = {"id": traces[n].id, "metadata": traces[n].metadata}
    return [*traces[:n], trace_of(records, **facts), *traces[n + 1 :]]
