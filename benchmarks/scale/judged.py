"""What was said of the traces of a table, beside what must be said of them, and what the command line says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from pyspark.sql import functions as f

from benchmarks.scale.traces import CONTRACT, YOUNG

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import Column, DataFrame

_SHOWN = 5


def wrong(said: DataFrame, expected: DataFrame) -> list[str]:
    """Return a line for each of the first traces of which something else was said, and how many there are."""
    got = said.select("trace_id", f.col("verdict").alias("got"), _found().alias("found"))
    both = expected.select("trace_id", "planted", "verdict", _found().alias("asked")).join(
        got, "trace_id", "full_outer"
    )
    # the rule of what is not judged is that it is not
    is_right = f.col("got").eqNullSafe(f.col("verdict")) & (
        (f.col("verdict") == "not judged") | f.col("found").eqNullSafe(f.col("asked"))
    )
    bad = both.where(~f.coalesce(is_right, f.lit(False)))
    rows = bad.orderBy("trace_id").limit(_SHOWN).collect()
    lines = [f"{row.trace_id} ({row.planted}): {row.verdict} {row.asked}, got {row.got} {row.found}" for row in rows]
    count = bad.count() if len(rows) == _SHOWN else len(rows)
    twice = said.count() - said.select("trace_id").distinct().count()
    lines += [f"{count:,} in all"] if count > _SHOWN else []
    return lines + ([f"{twice:,} traces were judged twice"] if twice else [])


def differs_from_check(table: DataFrame, said: DataFrame, expected: DataFrame, folder: Path) -> tuple[int, list[str]]:
    """Return how many traces `check` was asked about as well, and where it says something else.

    Of the watermark it knows nothing, so it is not asked about what is younger; and it reads a VARIANT as text.
    """
    asked = expected.where(f.col("planted") != YOUNG).select("trace_id")
    rows = table.join(asked, "trace_id", "left_semi")
    if dict(table.dtypes).get("attributes") == "variant":
        rows = rows.withColumn("attributes", f.to_json("attributes"))
    rows.coalesce(1).write.parquet(str(folder))
    theirs, counts = _check(folder)
    ours = said.join(asked, "trace_id", "left_semi").join(rows.select("trace_id").distinct(), "trace_id", "left_semi")
    mine = {
        row.trace_id: row.found if row.verdict == "fails" else ["trace.not_judged"]
        for row in ours.where(f.col("verdict").isin("fails", "not judged"))
        .select("trace_id", "verdict", _found().alias("found"))
        .collect()
    }
    lines = [
        f"{id_}: check says {theirs.get(id_)}, the table {mine.get(id_)}"
        for id_ in sorted({*theirs, *mine})
        if theirs.get(id_) != mine.get(id_)
    ]
    verdicts = {row.verdict: row["count"] for row in ours.groupBy("verdict").count().collect()}
    if verdicts != counts:
        lines.append(f"check counts {counts}, the table {verdicts}")
    return sum(counts.values()), lines[: _SHOWN + 1]


def _found() -> Column:
    return f.array_sort(f.coalesce("rules", f.array().cast("array<string>")))


def _check(folder: Path) -> tuple[dict[str, list[str]], dict[str, int]]:
    command = [
        sys.executable,
        "-m",
        "pytest_mlflow_traces",
        "check",
        str(folder),
        "--json",
        "--contract",
        str(CONTRACT),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if ran.returncode not in (0, 1):  # all hold, or some do not
        raise RuntimeError(f"check ended with {ran.returncode}: {ran.stderr[-2_000:]}")
    *traces, total = map(json.loads, ran.stdout.splitlines())
    found = {each["trace_id"]: sorted({finding["rule"] for finding in each["findings"]}) for each in traces}
    counts = {
        "fails": total["failed"],
        "not applicable": total.get("unasked", 0),
        "not judged": total.get("not_judged", 0),
    }
    counts["holds"] = total["traces"] - sum(counts.values())
    return found, {verdict: count for verdict, count in counts.items() if count}
