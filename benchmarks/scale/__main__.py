"""Judge a million generated traces in tables by a contract, and say whether all is found, how fast, and in what memory.

Measured is reading Parquet, judging, and writing the verdicts; the traces are generated before.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from benchmarks.scale.judged import differs_from_check, wrong
from benchmarks.scale.processes import cpu_seconds, worker_memory
from benchmarks.scale.tables import JSON, SPANS, TABLES, VIEW
from benchmarks.scale.traces import CONTRACT, FAULTS, RULES, TROUBLES, WATERMARK_MS
from benchmarks.scale.writing import expected, write
from pytest_mlflow_traces.spark import findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.scale.tables import Table

CORES = 2
VERDICTS = ("holds", "fails", "not applicable", "not judged")
BAR, BAR_OF_CPU = 1_000_000 / 360, 1_500  # traces a second, and a CPU second where others use the machine
FULL = 200_000  # with less, what each job costs by itself is most of the time
BAR_MB = 1_024
ALL_CHECKED = 20_000  # of more traces, `check` is asked about so many
ALONE = 2_000
WATERMARK = datetime.fromtimestamp(WATERMARK_MS / 1_000, timezone.utc)


@dataclass(frozen=True, slots=True)
class Measured:
    """What judging one table came to."""

    table: str
    seconds: float
    cpu_seconds: float
    verdicts: dict[str, int]
    planted: dict[str, int]  # by what is wrong with it
    checked: int  # traces that the command line was asked about as well
    problems: list[str]

    @property
    def traces(self) -> int:
        """How many it judged."""
        return sum(self.verdicts.values())


@contextmanager
def session(folder: Path) -> Iterator[SparkSession]:
    """Start Spark, which talks to itself alone, and writes nowhere else."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    made = SparkSession.builder.master(f"local[{CORES}]").appName("scale")
    said = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "3g",
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[2]),
        "spark.local.dir": str(folder / "local"),
        "spark.log.level": "ERROR",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(4 * CORES),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    for key, value in said.items():
        made = made.config(key, value)
    spark = made.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def judged(spark: SparkSession, table: Table, folder: Path) -> tuple[float, float]:
    """Judge one table into Parquet; return the seconds and the CPU seconds it took."""
    began, used = time.perf_counter(), cpu_seconds()
    rows = spark.read.parquet(str(folder / table.name))
    spans = spark.read.parquet(str(folder / SPANS)) if table.name == VIEW else None
    said = findings(rows, CONTRACT.read_text(), spans=spans, watermark=WATERMARK)
    said.write.parquet(str(folder / "said" / table.name))
    return time.perf_counter() - began, cpu_seconds() - used


def measured(spark: SparkSession, table: Table, folder: Path, share: float, took: tuple[float, float]) -> Measured:
    """Compare what was said of a table with what must be said, and for a share of it with what `check` says."""
    said = spark.read.parquet(str(folder / "said" / table.name))
    asked = expected(spark, folder, table)
    wrongs = asked.where("planted != ''").groupBy("planted").count().collect()
    found = {row.planted: row["count"] for row in wrongs}
    problems = [f"no trace of it is wrong so: {each}" for each in (*FAULTS, *TROUBLES) if each not in found]
    problems += wrong(said, asked)
    sample = asked.sample(share, seed=1) if share < 1 else asked
    rows = spark.read.parquet(str(folder / table.name))
    checked, differences = differs_from_check(rows, said, sample, folder / "checked" / table.name)
    verdicts = {row.verdict: row["count"] for row in said.groupBy("verdict").count().collect()}
    return Measured(table.name, *took, verdicts, found, checked, problems + differences)


def alone(spark: SparkSession, folder: Path) -> float:
    """Return how many traces MLflow itself reads of the same JSON in a CPU second, and does nothing with."""
    from mlflow.entities import Trace

    lines = [row.trace for row in spark.read.parquet(str(folder / JSON)).select("trace").limit(ALONE).collect()]
    began = time.process_time()
    for line in lines:
        Trace.from_json(line)
    return len(lines) / (time.process_time() - began)


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether all was found and the bars were met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000, help="how many traces (default 1,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was written goes then, too
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="scale-") as made, session(folder := Path(made)) as spark:
        print(f"Spark {spark.version} on local[{CORES}], started in {time.perf_counter() - began:.0f} s", flush=True)
        began = time.perf_counter()
        write(spark, folder, options.seed, options.traces)
        print(f"generated in {time.perf_counter() - began:.0f} s", flush=True)
        with worker_memory() as peak:
            took = [(table, judged(spark, table, folder)) for table in TABLES]
        share = ALL_CHECKED / options.traces
        tables = list(told(measured(spark, table, folder, share, costs) for table, costs in took))
        return report(tables, peak.megabytes, alone(spark, folder))


def told(tables: Iterator[Measured]) -> Iterator[Measured]:
    """Print each table when it is compared."""
    print(f"\n| table | traces | {' | '.join(VERDICTS)} | s | CPU s | traces/CPU s | the same by check |")
    print(f"|---|---|{'---|' * len(VERDICTS)}---|---|---|---|", flush=True)
    for each in tables:
        counts = " | ".join(f"{each.verdicts.get(verdict, 0):,}" for verdict in VERDICTS)
        speed = f"{each.seconds:.1f} | {each.cpu_seconds:.1f} | {each.traces / each.cpu_seconds:,.0f}"
        print(f"| {each.table} | {each.traces:,} | {counts} | {speed} | of {each.checked:,} |", flush=True)
        yield each


def report(tables: list[Measured], megabytes: float, rate_alone: float) -> bool:
    """Print what came of it; return whether it is good."""
    planted = sum((Counter(each.planted) for each in tables), Counter())
    print("\n| what is wrong | traces | what must be said |\n|---|---|---|")
    for what in (*FAULTS, *TROUBLES):
        print(f"| {what} | {planted[what]:,} | {RULES.get(what, 'not judged')} |")
    traces, seconds = sum(each.traces for each in tables), sum(each.seconds for each in tables)
    rate, rate_of_cpu = traces / seconds, traces / sum(each.cpu_seconds for each in tables)
    problems = [f"{each.table}: {problem}" for each in tables for problem in each.problems]
    is_full = traces >= FULL
    rows = (
        ("traces/s", f"{rate:,.0f}", f">= {BAR:,.0f}, or" if is_full else f"from {FULL:,} traces on"),
        ("traces/CPU s", f"{rate_of_cpu:,.0f}", f">= {BAR_OF_CPU:,}" if is_full else ""),
        (f"Trace.from_json alone, of {ALONE:,}: traces/CPU s", f"{rate_alone:,.0f}", ""),
        ("times as fast as that", f"{rate_of_cpu / rate_alone:.2f}", ""),
        ("MB of a worker at its peak", f"{megabytes:,.0f}", f"<= {BAR_MB:,}, and not 0"),
        ("verdicts that are wrong, or not those of check", f"{len(problems)}", "0"),
        ("load of the machine", " ".join(f"{load:.1f}" for load in os.getloadavg()), ""),
    )
    print(f"\n| {traces:,} traces in {seconds:,.0f} s | | bar |\n|---|---|---|")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows), *problems, sep="\n")
    is_fast = not is_full or rate >= BAR or rate_of_cpu >= BAR_OF_CPU
    return is_fast and 0 < megabytes <= BAR_MB and not problems


if __name__ == "__main__":
    sys.exit(not main())
