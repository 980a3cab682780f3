"""The rules of order against the sentences that define them, on small random traces and sessions.

`python -m tests.core.order.test_oracle --cases 50000` runs more than the suite does.
"""

from __future__ import annotations

import argparse
import random
import sys

from tests.support.ordering import Oracle, groups_of, random_rule, random_traces


def run(cases, seed):
    rng = random.Random(seed)
    wrong, holds = [], 0
    for number in range(cases):
        if number % 4 == 0:
            traces = random_traces(rng)
        rule, per, about = random_rule(rng)
        right = [fault for group in groups_of(traces, per) for fault in Oracle(group, per).faults(**about)]
        said = rule.check_all(traces)
        ours = [(each.rule, None if each.rule == "order.absent" else each.where) for each in said]
        holds += not right
        if sorted(ours, key=repr) != sorted(right, key=repr) or any(len(lines_of(each)) > 12 for each in said):
            times = [[(each.path, each.start_ns, each.end_ns, each.inputs) for each in t.spans] for t in traces]
            shown = "\n".join(
                f"{trace.session_id}\n{trace.tree()}\n{its}" for trace, its in zip(traces, times, strict=True)
            )
            wrong.append(f"{shown}\n{rule!r}\nright: {right}\nours: {[*map(str, said)]}")
    return holds, wrong


def lines_of(finding):
    return [] if finding.hint is None else finding.hint.splitlines()


def test_rules_agree_with_the_sentences_that_define_them():
    holds, wrong = run(1_500, seed=0)

    assert wrong == []
    assert 400 < holds < 1_100


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    holds, wrong = run(given.cases, given.seed)
    sys.stdout.write("\n\n".join([*wrong[:5], f"{given.cases} cases, {holds} hold, {len(wrong)} disagreements\n"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
