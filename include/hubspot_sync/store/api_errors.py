"""Requests to HubSpot that got no good answer, counted by status for the metrics."""

from __future__ import annotations

from include.hubspot_sync.store.connection import Transaction

NO_ANSWER = 0
_FIRST_ERROR = 400


def is_error(status: int | None) -> bool:
    """Tell whether an answer with this HTTP status counts as an error; None stands for no answer."""
    return status is None or status >= _FIRST_ERROR


def count_error(transaction: Transaction, run_id: int, status: int | None) -> None:
    """Count one request of a run by the status of its answer."""
    transaction.execute("rate_limit/add_error.sql", {"run_id": run_id, "status": status or NO_ANSWER})
