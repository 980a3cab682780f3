"""What the Genie spaces of the stub know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class GenieReply:
    """What a space answers: a text, and the query it ran unless `sql` is None."""

    text: str
    sql: str | None = "select 1"
    title: str = "Query result"
    columns: Sequence[str] = ("metric", "value")
    rows: Sequence[Sequence[str]] = (("total", "1"),)


ANSWERS: Mapping[str, GenieReply] = {
    "cost": GenieReply(
        "Spend rose 42% on Tuesday, nearly all of it in the etl-nightly job.",
        "select usage_date, sum(list_cost) from system.billing.usage group by usage_date",
        "Spend by day",
        ("usage_date", "list_cost"),
        (("2025-03-03", "1200.50"), ("2025-03-04", "1704.71")),
    ),
    "security": GenieReply(
        "Three failed logins from one address, no access granted.",
        "select source_ip, count(*) from system.access.audit where action = 'login_failed' group by source_ip",
        "Failed logins",
        ("source_ip", "count"),
        (("192.0.2.7", "3"),),
    ),
    "performance": GenieReply(
        "Median query time is 2.1 s; 14 queries took longer than 30 s.",
        "select percentile(duration, 0.5) from system.query.history",
        "Query duration",
        ("median_seconds",),
        (("2.1",),),
    ),
    "reliability": GenieReply(
        "Two of 118 job runs failed, both in etl-nightly.",
        "select job_name, count(*) from system.lakeflow.job_runs where state = 'FAILED' group by job_name",
        "Failed runs",
        ("job_name", "failures"),
        (("etl-nightly", "2"),),
    ),
    "quality": GenieReply("All tables are fresh; no check failed.", None),
}
