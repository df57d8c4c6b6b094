"""Answers of HubSpot, counted for the metrics: how long they took, and the status of those that were no good."""

from __future__ import annotations

from collections.abc import Sequence

from include.hubspot_sync.records import LATENCY_BOUNDS_MS, HeardAnswer
from include.hubspot_sync.store import pacing
from include.hubspot_sync.store.connection import Transaction

NO_ANSWER = 0
LONGER = 0
"""Stands for the class of times above all bounds."""
_GOOD = range(200, 300)
_TOO_MANY_REQUESTS = 429


def is_good(status: int | None) -> bool:
    """Tell whether HubSpot accepted the request as such; None stands for no answer."""
    return status in _GOOD


def count_answers(
    transaction: Transaction, run_id: int, shard: int, answers: Sequence[HeardAnswer], *, calls: int = 0
) -> None:
    """Count requests of a run by time and status of their answers.

    Args:
        transaction: Open transaction.
        run_id: The run.
        shard: Its shard; -1: the tasks around the shards.
        answers: One for each request.
        calls: How many of the requests were not counted when they were sent.
    """
    if not answers:
        return
    refused = sum(answer.status == _TOO_MANY_REQUESTS for answer in answers)
    answer_ms = sum(answer.latency_ms for answer in answers)
    usage = pacing.Usage(calls=calls, http_429=refused, answer_ms=answer_ms)
    pacing.add_usage(transaction, run_id, shard, usage)
    for answer in answers:
        params = {"run_id": run_id, "shard": shard, "is_good": int(is_good(answer.status))}
        times = {"bound_ms": _bound_ms(answer), "latency_ms": answer.latency_ms}
        transaction.execute("rate_limit/add_answer.sql", params | times)
        if not is_good(answer.status):
            transaction.execute("rate_limit/add_error.sql", {"run_id": run_id, "status": answer.status or NO_ANSWER})


def count_early(transaction: Transaction, dag_run_key: str, sync_name: str, answers: Sequence[HeardAnswer]) -> None:
    """Count requests of a DAG run that has no run row."""
    for answer in answers:
        params = {"dag_run_key": dag_run_key, "sync_name": sync_name, "status": answer.status or NO_ANSWER}
        times = {"bound_ms": _bound_ms(answer), "latency_ms": answer.latency_ms}
        transaction.execute("rate_limit/add_early_request.sql", params | times)


def _bound_ms(answer: HeardAnswer) -> int:
    return next((bound for bound in LATENCY_BOUNDS_MS if answer.latency_ms <= bound), LONGER)
