"""Remove rows that no run needs any more, in short transactions beside whatever else runs.

Nothing here takes the run lock. The records of a run whose rows go were planned by a later one, so the lock refuses
the run for good and nobody writes its rows; holding the lock would only make the sync wait. A purge that is stopped
half-way leaves a run with fewer rows, and the next one goes on: what is left to do is what is left in the tables.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.store import retention
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.retention import RunTable

log = logging.getLogger(__name__)

REJECTS = "rejected_record"


@dataclass(frozen=True, slots=True)
class PurgeWork:
    """The collaborators of a purge."""

    definition: SyncDefinition
    database: Database
    sleep: Callable[[float], object]
    """Waits some seconds between two transactions."""


def purge(work: PurgeWork) -> dict[str, int]:
    """Remove what the definition's retention no longer keeps.

    Returns:
        Rows that went, by table, and under `runs` the runs that they belonged to.

    Raises:
        StoreUnavailableError: MySQL is away or busy; what went until then stays removed.
    """
    rules = work.definition.retention
    name = work.definition.name
    old = work.database.run(
        partial(retention.old_runs, sync_name=name, run_days=rules.run_days, keep_runs=rules.keep_runs)
    )
    removed = Counter(dict.fromkeys(("runs", *map(str, RunTable), REJECTS), 0))
    for run_id in old:
        removed.update(_purge_run(work, run_id))
    removed[REJECTS] = _repeat(
        work,
        partial(
            retention.delete_rejects,
            sync_name=name,
            reject_days=rules.reject_days,
            chunk_rows=rules.chunk_rows,
        ),
    )
    log.info("old rows removed sync=%s %s", name, _text(removed))
    return dict(removed)


def _purge_run(work: PurgeWork, run_id: int) -> Counter[str]:
    chunk_rows = work.definition.retention.chunk_rows
    removed: Counter[str] = Counter()
    for table in RunTable:
        delete = partial(retention.delete_run_rows, run_id=run_id, table=table, chunk_rows=chunk_rows)
        removed[str(table)] = _repeat(work, delete)
    if removed.total():
        log.info("rows of an old run removed run_id=%d %s", run_id, _text(removed))
        removed["runs"] = 1
    return removed


def _repeat(work: PurgeWork, delete: Callable[[Transaction], int]) -> int:
    """Run a bounded removal until it finds nothing, each time in a transaction of its own; return the rows."""
    total = 0
    while removed := work.database.run(delete):
        total += removed
        work.sleep(work.definition.retention.pause_s)
    return total


def _text(removed: Counter[str]) -> str:
    return " ".join(f"{name}={count}" for name, count in removed.items())
