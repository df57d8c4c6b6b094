"""Which rows may go, and their removal: few at a time, each time only if nobody can need them any more."""

from __future__ import annotations

import enum

from include.hubspot_sync.store.connection import Transaction

_MOST_IDS = 1_000
"""A longer list of ids is no look-up any more on MariaDB (in_predicate_conversion_threshold)."""


class RunTable(enum.StrEnum):
    """The tables that hold rows of single runs, in the order in which they are emptied."""

    OUTBOX = "outbox"
    SNAPSHOT = "snapshot"
    BATCH = "batch"
    RUN_PLAN = "run_plan"


def old_runs(transaction: Transaction, sync_name: str, *, run_days: int, keep_runs: int) -> list[int]:
    """Return the runs of a sync whose rows are old enough to go, oldest first.

    A run that last wrote a key in doubt is not among them: its rows show what was sent.
    """
    params = {"sync_name": sync_name, "run_days": run_days, "newer_runs": keep_runs - 1}
    old = [int(row["run_id"]) for row in transaction.rows("retention/select_old_runs.sql", params)]
    if not old:
        return []
    in_doubt = {int(row["run_id"]) for row in transaction.rows("retention/select_unsettled_runs.sql", params)}
    return [run_id for run_id in old if run_id not in in_doubt]


def delete_run_rows(transaction: Transaction, run_id: int, table: RunTable, chunk_rows: int) -> int:
    """Remove the first rows of a run from a table and return how many; none when the run may still need them."""
    if transaction.row("retention/select_removable_run.sql", {"run_id": run_id}) is None:
        return 0
    return transaction.execute(f"retention/delete_{table}.sql", {"run_id": run_id, "chunk_rows": chunk_rows})


def delete_rejects(transaction: Transaction, sync_name: str, *, reject_days: int, chunk_rows: int) -> int:
    """Remove some rejected records that were resolved long ago and return how many."""
    params = {"sync_name": sync_name, "reject_days": reject_days, "chunk_rows": min(chunk_rows, _MOST_IDS)}
    ids = [int(row["id"]) for row in transaction.rows("retention/select_old_rejects.sql", params)]
    return transaction.execute("retention/delete_rejects.sql", params | {"ids": ids}) if ids else 0
