"""PM4Py's miners on the same folds, in an environment of their own: needs PM4Py, and nothing else of what is here.

Reads on standard input a list of folds as JSON, each the sequences of calls to learn from and those to ask about;
writes, for each miner, whether it flags each of the latter.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MINERS = ("inductive miner, noise 0", "inductive miner, noise 0.2", "Declare")


def main() -> None:
    import pandas as pd
    import pm4py

    def log(sequences: list[list[str]]) -> Any:
        # what has no calls has no events, and would not be a case: each begins and ends
        rows = [
            {
                "case:concept:name": f"{number:06}",
                "concept:name": name,
                "time:timestamp": pd.Timestamp(second, unit="s"),
            }
            for number, sequence in enumerate(sequences)
            for second, name in enumerate(["begin", *sequence, "end"])
        ]
        return pm4py.format_dataframe(
            pd.DataFrame(rows),
            case_id="case:concept:name",
            activity_key="concept:name",
            timestamp_key="time:timestamp",
        )

    def mined(training: Any, asked: Any, noise: float) -> list[bool]:
        net = pm4py.discover_petri_net_inductive(training, noise_threshold=noise)
        return [not said["trace_is_fit"] for said in pm4py.conformance_diagnostics_token_based_replay(asked, *net)]

    def declared(training: Any, asked: Any) -> list[bool]:
        model = pm4py.discover_declare(training, min_support_ratio=0.05, min_confidence_ratio=1.0)
        return [not said["is_fit"] for said in pm4py.conformance_declare(asked, model)]

    found: dict[str, list[list[bool]]] = {miner: [] for miner in MINERS}
    for training, asked in json.load(sys.stdin):
        logs = log(training), log(asked)
        found[MINERS[0]].append(mined(*logs, 0.0))
        found[MINERS[1]].append(mined(*logs, 0.2))
        found[MINERS[2]].append(declared(*logs))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
