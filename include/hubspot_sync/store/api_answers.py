"""Answers of HubSpot, counted for the metrics: how long they took, and the status of those that were no good."""

from __future__ import annotations

from include.hubspot_sync.records import LATENCY_BOUNDS_MS
from include.hubspot_sync.store.connection import Transaction

NO_ANSWER = 0
LONGER = 0
"""Stands for the class of times above all bounds."""
_GOOD = range(200, 300)


def is_good(status: int | None) -> bool:
    """Tell whether HubSpot accepted the request as such; None stands for no answer."""
    return status in _GOOD


def count_answer(transaction: Transaction, run_id: int, shard: int, status: int | None, latency_ms: int) -> None:
    """Count one request of a run by the time and the status of its answer; shard -1: the tasks around the shards."""
    bound_ms = next((bound for bound in LATENCY_BOUNDS_MS if latency_ms <= bound), LONGER)
    params = {"run_id": run_id, "shard": shard, "is_good": int(is_good(status)), "bound_ms": bound_ms}
    transaction.execute("rate_limit/add_answer.sql", params | {"latency_ms": latency_ms})
    if not is_good(status):
        transaction.execute("rate_limit/add_error.sql", {"run_id": run_id, "status": status or NO_ANSWER})
