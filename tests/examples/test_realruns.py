"""What learnt contracts catch in real runs, as the page says it."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.realruns.__main__ import within_a_test
from benchmarks.realruns.runs import AGENTS, by_test, folds, runs_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "live-models.md"


def test_the_page_has_the_figures_within_a_test(capsys):
    within_a_test(runs_of(AGENTS["airline"]))
    printed = [
        re.findall(r"[\d.]+(?= %)", line) for line in capsys.readouterr().out.splitlines() if line.startswith("| ")
    ][1:]

    assert printed == [["97.9", "48.6"], ["81.3", "2.8"], ["91.7", "2.8"]]
    said = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "flags 92 % of the failing runs at 2.8 % of the passing ones, and 81 % without inputs" in said
    assert "a recorded sequence flags 98 % of the one and 49 % of the other" in said


def test_no_test_is_on_both_sides_of_a_fold():
    for agent, path in AGENTS.items():
        runs = runs_of(path)
        asked = [run for _, held_out in folds(runs) for run in held_out]

        assert sorted(run.trace.id for run in asked) == sorted(run.trace.id for run in runs), agent
        for training, held_out in folds(runs):
            assert not {*by_test(training)} & {*by_test(held_out)}
            assert all(run.passed for run in training)
            assert not any(run.trace.tags for run in training)
