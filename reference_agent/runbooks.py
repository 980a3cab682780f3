"""What to do about it: the platform team's runbooks, in short."""

from __future__ import annotations

from typing import NamedTuple


class Runbook(NamedTuple):
    """One procedure."""

    title: str
    domain: str
    text: str


RUNBOOKS = (
    Runbook("Rein in a cost spike", "cost", "Find the job or warehouse that grew, cap its size, then tell its owner."),
    Runbook(
        "Retire idle clusters", "cost", "List clusters idle for an hour, set auto-termination, delete the orphans."
    ),
    Runbook(
        "Rotate a leaked token", "security", "Revoke the token, rotate its secret, review the audit log since then."
    ),
    Runbook("Review failed logins", "security", "Group failed logins by address, block the source, reset the account."),
    Runbook("Speed up a slow query", "performance", "Read the query profile, add pruning, then resize the warehouse."),
    Runbook("Recover a failed job", "reliability", "Read the first error, repair the run from the failed task, alert."),
    Runbook(
        "Platform outage", "reliability", "Check the status page, pause schedules, rerun what was missed afterwards."
    ),
    Runbook("Stale or missing data", "quality", "Check upstream freshness, backfill the partition, rerun the tests."),
)
