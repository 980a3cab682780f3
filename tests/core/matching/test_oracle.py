"""Matching against the definition: every way to share out the spans, enumerated, on small random traces.

The oracle says what a pattern means and nothing of how to decide it: an item stands for a set of words over sibling
spans, and each way to read a word says which of its spans were matched by patterns (and not by a gap), which is all
that `parallel` needs. `python -m tests.core.test_matching_oracle --cases 100000` runs more than the suite does.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from itertools import combinations
from types import EllipsisType

import pytest

from pytest_mlflow_traces.core.matching import any_order as flows
from pytest_mlflow_traces.core.matching import matcher
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from pytest_mlflow_traces.core.patterns.nodes import OneOf, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.patterns.operands import Operand
from tests.support.building import Event, Record, Status, trace_of

NOTHING = frozenset()


class Oracle:
    """The definition of the language on one trace."""

    def __init__(self, trace):
        self.spans = trace.spans
        self.index = {each: i for i, each in enumerate(self.spans)}
        self.children = [tuple(self.index[child] for child in each.children) for each in self.spans]
        self.below = [tuple(self.index[each] for each in one.descendants()) for one in self.spans]
        self.roots = tuple(self.index[root] for root in trace.roots)
        self.known = {}

    def find(self, pattern):
        return [i for i in range(len(self.spans)) if self.readings(pattern, (i,))]

    def accepts(self, items, word):
        return bool(self.sequence(items, word))

    def readings(self, item, word):
        """Return the sets of spans that patterns match where `item` stands for `word`, one set for each reading."""
        return self.once(self._readings, item, word)

    def once(self, define, *about):
        """Return `define(*about)`, worked out once; patterns are told apart by identity, and kept alive."""
        key = define.__name__, *(tuple(map(id, part)) if isinstance(part, tuple) else id(part) for part in about)
        if key not in self.known:
            self.known[key] = about, frozenset(define(*about))
        return self.known[key][1]

    def _readings(self, item, word):
        if isinstance(item, EllipsisType):
            return {NOTHING}
        if isinstance(item, SpanPattern):
            return {frozenset(word)} if len(word) == 1 and self.holds(item, word[0]) else set()
        if isinstance(item, OneOf):
            return {reading for each in item.alternatives for reading in self.readings(each, word)}
        if isinstance(item, Repeat):
            # more copies than spans beyond the least number would be empty ones
            most = item.min + len(word) if item.max is None else min(item.max, item.min + len(word))
            return {
                reading
                for copies in range(item.min, most + 1)
                for reading in self.sequence((item.item,) * copies, word)
            }
        found = self.shuffles(item.items, item.gap, word)
        return {each for each in found if not item.overlapping or self.overlap_pairwise(each)}

    def sequence(self, items, word):
        return self.once(self._sequence, items, word)

    def _sequence(self, items, word):
        if not items:
            return set() if word else {NOTHING}
        found = set()
        for cut in range(len(word) + 1):
            first = self.readings(items[0], word[:cut])
            if first:
                found |= {a | b for a in first for b in self.sequence(items[1:], word[cut:])}
        return found

    def shuffles(self, items, gap, word):
        return self.once(self._shuffles, items, gap, word)

    def _shuffles(self, items, gap, word):
        if not items:
            return {NOTHING} if gap or not word else set()
        found = set()
        for size in range(len(word) + 1):
            for taken in combinations(range(len(word)), size):
                first = self.readings(items[0], tuple(word[k] for k in taken))
                if first:
                    rest = tuple(word[k] for k in range(len(word)) if k not in taken)
                    found |= {a | b for a in first for b in self.shuffles(items[1:], gap, rest)}
        return found

    def overlap_pairwise(self, spans):
        times = [(self.spans[i].start_ns, self.spans[i].end_ns) for i in spans]
        return all((b[1] is None or a[0] < b[1]) and (a[1] is None or b[0] < a[1]) for a, b in combinations(times, 2))

    def holds(self, pattern, i):
        each = self.spans[i]
        if not says_text(pattern.name, each.name) or not says_text(pattern.type, each.type):
            return False
        if pattern.status not in (None, each.status):
            return False
        if isinstance(pattern.inputs, Operand) and each.inputs != pattern.inputs.value:
            return False
        if isinstance(pattern.outputs, Operand) and each.outputs != pattern.outputs.value:
            return False
        for key, operand in pattern.attributes or ():
            if key not in each.attributes or each.attributes[key] != operand.value:
                return False
        if pattern.error is not None and not says_error(pattern.error, each.error):
            return False
        lasted = -1 if each.end_ns is None else each.end_ns - each.start_ns
        if pattern.within_ns is not None and not 0 <= lasted <= pattern.within_ns:
            return False
        if not all(any(self.readings(wanted, (k,)) for k in self.below[i]) for wanted in pattern.has):
            return False
        if any(self.readings(unwanted, (k,)) for unwanted in pattern.lacks for k in self.below[i]):
            return False
        return pattern.children is None or self.accepts(pattern.children, self.children[i])


def says_text(said, actual):
    return said is None or (said == actual if isinstance(said, str) else said.fullmatch(actual) is not None)


def says_error(said, error):
    if isinstance(said, bool):
        return said == (error is not None)
    recorded = error.type if error is not None else None
    return recorded is not None and said == (recorded if "." in said else recorded.split(".")[-1])


# ---- random traces


def random_trace(rng):
    """Make a trace with few names, so that much is ambiguous, and times that touch, coincide, or never end."""
    count = rng.choice((1, 2, 3, 4, 5, 5, 6, 6, 7, 8))
    names = rng.choice(("ab", "abc", "abcdef"))
    bushy = rng.random() < 0.7
    records = []
    for i in range(count):
        start = rng.randint(0, 6)
        length = rng.choice((0, 0, 1, 2, 3, 6, None, -1 if rng.random() < 0.1 else 4))
        above = rng.choice(records[:2] if bushy else records) if records and rng.random() < 0.93 else None
        record = Record(
            rng.choice(names), str(i), above and above.span_id, rng.choice(("T", "T", "U")),
            start, None if length is None else start + length, Status(rng.choice(("OK", "OK", "ERROR", "UNSET"))),
        )  # fmt: skip
        record.inputs = rng.choice((None, 0, "", {}, 1))
        record.outputs = rng.choice((None, [], False, "x"))
        if rng.random() < 0.4:
            record.attributes = {"k": rng.choice((None, 0, 1))}
        if rng.random() < 0.15:
            record.events = [Event("exception", {"exception.type": rng.choice(("E", "m.E", "E.m"))})]
        records.append(record)
    return trace_of(records)


# ---- random patterns, made to fit what is there, with mistakes here and there


class Author:
    """Write patterns for the spans of one trace; `slips` is how often a part is written for something else."""

    def __init__(self, rng, trace, slips):
        self.rng, self.trace, self.slips = rng, trace, slips

    def one(self, each, depth):
        """A pattern of one span: mostly one that matches `each`."""
        rng = self.rng
        if rng.random() < self.slips:
            each = rng.choice(self.trace.spans)
        name = each.name if rng.random() < 0.85 else rng.choice((None, re.compile("[ab]"), re.compile(each.name + "?")))
        said = self.fields(each)
        if depth > 0 and rng.random() < 0.2:
            below = each.descendants()
            other = rng.choice(self.trace.spans)
            found = [self.one(rng.choice(below) if below else other, depth - 1)]
            said[rng.choice(("has", "lacks") if rng.random() < 0.3 else ("has",) if below else ("lacks",))] = found
        pattern = span(name, **said)
        if depth > 0 and rng.random() < (0.6 if each.children else 0.2):
            items = tuple(self.items(self.slipped(each.children), depth - 1))
            if items or not pattern.has:
                pattern = pattern[items]
        if rng.random() < 0.08:
            other = self.one(rng.choice(self.trace.spans), depth - 1)
            pattern = rng.choice((pattern | other, other | pattern))
        return pattern

    def fields(self, each):
        rng, said = self.rng, {}
        if rng.random() < 0.25:
            said["type"] = each.type
        for field in ("status", "inputs", "outputs"):
            if rng.random() < 0.1:
                said[field] = getattr(each, field)
        if rng.random() < 0.08 and (each.attributes or rng.random() < 0.2):
            said["attributes"] = {"k": each.attributes.get("k")}
        if rng.random() < 0.08 and said.get("status") != "ERROR":
            said["error"] = rng.choice((each.error is not None, "E", "m.E"))
        if rng.random() < 0.08:
            said["within"] = f"{rng.choice((0, 1, 2, 4))}ns"
        return said

    def slipped(self, word):
        """The spans of `word`; now and then without one, or with one twice, replaced, or out of its place."""
        rng, word = self.rng, list(word)
        if word and rng.random() < self.slips:
            k, other = rng.randrange(len(word)), rng.choice(self.trace.spans)
            word[k : k + 1] = rng.choice(([], [word[k]] * 2, [other], [other, word[k]]))
        if len(word) > 1 and rng.random() < self.slips / 2:
            rng.shuffle(word)
        return word

    def items(self, word, depth):
        """A list of children for `word`."""
        rng, items, rest = self.rng, [], list(word)
        while rest or rng.random() < 0.2:
            cut = min(len(rest), rng.choice((0, 1, 1, 1, 2, 3, 5)))
            part, rest = rest[:cut], rest[cut:]
            if rng.random() < 0.15:
                items.append(...)
            elif len(part) == 1 and rng.random() < 0.6:
                items.append(self.one(part[0], depth))
            else:
                items.append(self.item(part, depth))
        return items

    def item(self, word, depth):
        """A pattern for `word`, of any kind."""
        rng = self.rng
        if rng.random() < self.slips / 2:
            word = rng.sample(self.trace.spans, min(len(self.trace.spans), rng.randint(0, 2)))
        if depth <= -2:
            return repeat(self.one_for_each(word, depth), 0, rng.choice((None, len(word), len(word) + 1)))
        kind = rng.choice(("optional", "repeat", "copies", "one_of", "group", "group", "group", "one"))
        if kind == "one" and len(word) == 1:
            return self.one(word[0], depth)
        if kind == "optional":
            return optional(self.item(word, depth - 1))
        if kind == "repeat":
            least = rng.choice((0, len(word), max(0, len(word) - 1), 2 if rng.random() < self.slips else 0))
            most = rng.choice((None, max(least, len(word)), max(least, len(word)) + 1))
            return repeat(self.one_for_each(word, depth), least, most)
        if kind == "copies":
            cut = sorted(rng.randint(0, len(word)) for _ in range(rng.randint(0, 2)))
            pieces = [word[a:b] for a, b in zip([0, *cut], [*cut, len(word)], strict=True)]
            kinds = [self.item(piece, depth - 1) for piece in pieces]
            least = rng.choice((0, 1, len(pieces), 1 + len(pieces) if rng.random() < self.slips else 0))
            copied = kinds[0] if len(kinds) == 1 else one_of(*kinds)
            return repeat(copied, least, rng.choice((None, max(least, len(pieces)), max(least, len(pieces)) + 1)))
        if kind == "one_of":
            other = self.item(rng.sample(self.trace.spans, rng.randint(0, 1)), depth - 1)
            pair = [self.item(word, depth - 1), other]
            rng.shuffle(pair)
            return one_of(*pair)
        return self.group(word, depth)

    def one_for_each(self, word, depth):
        rng = self.rng
        distinct = {each.name: self.one(each, depth - 1) for each in word} or {
            "": self.one(rng.choice(self.trace.spans), 0)
        }
        return one_of(*distinct.values()) if len(distinct) > 1 else next(iter(distinct.values()))

    def group(self, word, depth):
        rng = self.rng
        count = rng.choice((1, 2, 2, 3, 3))
        gap = rng.random() < 0.3
        parts = [[] for _ in range(count + gap)]
        for each in word:
            rng.choice(parts).append(each)
        items = []
        for part in parts[:count]:
            if len(part) > 1 and rng.random() < 0.5:
                items += [self.one(each, depth - 1) for each in part]
            elif len(part) == 1 and rng.random() < 0.7:
                items.append(self.one(part[0], depth - 1))
            else:
                items.append(self.item(part, depth - 1))
        rng.shuffle(items)
        make = parallel if rng.random() < 0.35 else any_order
        return make(*items, *([...] if gap else []))


def size(pattern):
    count, stack = 0, [pattern]
    while stack:
        part = stack.pop()
        count += 1
        if isinstance(part, Pattern):
            stack += part.parts
    return count


# ---- the comparison


def comparisons(rng):
    """Make one trace and a few patterns; yield whether each holds, what we say of it, and what is right."""
    trace = random_trace(rng)
    oracle = Oracle(trace)
    author = Author(rng, trace, rng.choice((0.0, 0.5, 0.7, 0.9)))
    for _ in range(4):
        if rng.random() < 0.4:
            each = rng.choice(trace.spans)
            pattern = author.one(each, 3)
            if size(pattern) <= 40:
                right = oracle.find(pattern)
                answers = [matcher.find(trace.table, pattern), everywhere(trace, pattern), one_by_one(trace, pattern)]
                yield oracle.index[each] in right, answers, right, trace, pattern
        else:
            above = rng.choice((None, *trace.spans[:2]))
            word = oracle.roots if above is None else oracle.children[oracle.index[above]]
            pattern = author.item(author.slipped(trace.spans[i] for i in word), 2)
            if size(pattern) <= 40:
                right = oracle.accepts((pattern,), word)
                yield right, [matcher.matches(trace.table, pattern, list(word))], right, trace, pattern


def everywhere(trace, pattern):
    """Find as if there were too many candidates to look into them one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matcher, "_FEW", 0)
        return matcher.find(trace.table, pattern)


def one_by_one(trace, pattern):
    asked = matcher.Matcher(trace.table)
    return [i for i in reversed(range(len(trace.spans))) if asked.matches(pattern, i)][::-1]


def run(cases, seed, *, seconds=None):
    rng = random.Random(seed)
    done = matched = 0
    started = time.perf_counter()
    wrong = []
    while done < cases and (seconds is None or time.perf_counter() - started < seconds):
        for holds, answers, right, trace, pattern in comparisons(rng):
            done += 1
            matched += holds
            if any(answer != right for answer in answers):
                times = [(each.start_ns, each.end_ns) for each in trace.spans]
                wrong.append(f"{trace.tree()}\n{times}\n{pattern!r}\nright: {right}, ours: {answers}")
    return done, matched, wrong


@pytest.mark.parametrize("near", [matcher._NEAR, 0, 1])
@pytest.mark.parametrize("most_rows", [flows._MOST_ROWS, 0], ids=["by flows", "by derivatives"])
def test_matching_agrees_with_the_definition(monkeypatch, most_rows, near):
    monkeypatch.setattr(flows, "_MOST_ROWS", most_rows)
    monkeypatch.setattr(matcher, "_NEAR", near)

    done, matched, wrong = run(1000, seed=most_rows + near)

    assert wrong == []
    assert 0.3 < matched / done < 0.7


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--derivatives", action="store_true", help="decide every group by derivatives, none by flows")
    parser.add_argument("--near", type=int, default=matcher._NEAR, help="levels to look down at once, 0 for none")
    given = parser.parse_args()
    matcher._NEAR = given.near
    if given.derivatives:
        flows._MOST_ROWS = 0
    done, matched, wrong = run(given.cases, given.seed, seconds=given.seconds)
    sys.stdout.write("\n\n".join([*wrong[:5], f"{done} cases, {matched} match, {len(wrong)} disagreements\n"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
