"""The work beside the runs: how it ended."""

from __future__ import annotations

from include.hubspot_sync.records import Chore
from include.hubspot_sync.store.connection import Transaction


def count_end(transaction: Transaction, sync_name: str, chore: Chore, *, is_good: bool) -> None:
    """Count the end of a try."""
    params = {"sync_name": sync_name, "chore": chore, "is_good": int(is_good)}
    transaction.execute("chores/add_end.sql", params)
