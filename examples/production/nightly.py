"""Judge the traces of a day by a contract.

`python -m examples.production.nightly TABLE CONTRACT OUT SINCE UNTIL [SPANS]`

TABLE is a table or view of Unity Catalog (`main.agents.prod_trace_unified`), or a path of Parquet; OUT is a folder for
the verdicts, which is added to. SINCE and UNTIL are times such as 2026-01-31T00:00:00Z, as a scheduler has them: the
UNTIL of one night is the SINCE of the next. Let it be old enough for the last spans to have arrived. Where TABLE is the
view, SPANS is the table that it is made of: the view leaves out traces whose root it has not, and nobody would know.

The exit status is 1 where a trace fails or is not judged, and where none was judged at all.
"""

from __future__ import annotations

import sys
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # as everybody calls it

from pytest_mlflow_traces.spark import findings


def main(table: str, contract: str, out: str, since: str, until: str, spans: str | None = None) -> int:
    spark = SparkSession.builder.getOrCreate()

    def read(name: str) -> DataFrame:
        return spark.read.parquet(name) if "/" in name else spark.table(name)

    start, watermark = (datetime.fromisoformat(time.replace("Z", "+00:00")) for time in (since, until))
    judged = findings(
        read(table), contract, spans=None if spans is None else read(spans), since=start, watermark=watermark
    )
    night = f"{out}/until={watermark:%Y-%m-%dT%H%M%S}"
    # those of tomorrow are for tomorrow; what has no time is of today
    judged.where(F.coalesce(F.col("request_time") < watermark, F.lit(True))).write.parquet(night)
    verdicts = spark.read.parquet(night)
    counts = {row.verdict: row["count"] for row in verdicts.groupBy("verdict").count().collect()}
    print(", ".join(f"{counts[verdict]:,} {verdict}" for verdict in sorted(counts)) or "no traces")  # noqa: T201
    # of what fails in the same way, in traces of the same structure, one is enough to read
    for row in verdicts.where("verdict = 'fails'").groupBy("shape", "rules").agg(
        F.count("*").alias("times"), F.min("trace_id").alias("trace_id"), F.min_by("text", "trace_id").alias("text")
    ).orderBy(F.desc("times")).limit(20).collect():  # fmt: skip
        print(f"\n{row.times:,} like {row.trace_id}\n{row.text}")  # noqa: T201
    bad = counts.get("fails", 0) + counts.get("not judged", 0)
    return 1 if bad or not counts.get("holds") else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
