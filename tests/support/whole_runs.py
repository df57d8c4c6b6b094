"""Builders: runs that planned, delivered, verified and closed, without HubSpot or Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.records import RunState
from include.hubspot_sync.store import delta, lock, outbox, plans, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.outbox import Settlement, Writer
from include.hubspot_sync.store.runs import Run
from tests.support.rows import PORTAL, SourceRow, open_run, stage
from tests.support.stored_plans import SAMPLE, run_plan


def whole_run(
    database: Database, definition: SyncDefinition, folder: Path, name: str, version: int, rows: Sequence[SourceRow]
) -> Run:
    """Make a run that delivered every change of its file."""
    run = stage(database, definition, open_run(database, definition, name, version=version), folder, list(rows))
    plan(database, run)
    deliver_all(database, run)
    database.run(partial(close, run=run))
    return run


def plan(database: Database, run: Run) -> None:
    def work(transaction: Transaction) -> None:
        delta.supersede_open(transaction, run)
        first = delta.queue_changes(transaction, run, batch_size=2, is_resync=False, with_archives=True)
        runs.store_plan(transaction, run.run_id, {"create": 5}, is_shown_only=False)
        plans.keep_plan(transaction, run.run_id, run_plan(), (SAMPLE,), applies_run_id=None)
        delta.cut_batches(transaction, run, first_batch_no=first, shard_count=1, plan_hash=b"p" * 32)

    database.run(work)


def writer_of(run: Run) -> Writer:
    version = run.source_version or 0
    return Writer(run.run_id, run.sync_name, PORTAL, run.epoch or 0, version, 0, "try 1", 30, 1, ReadBack.FULL)


def deliver_all(database: Database, run: Run) -> None:
    writer = writer_of(run)
    while batches := database.run(partial(outbox.open_batches, writer=writer)):
        claim = database.run(partial(outbox.claim_batch, writer=writer, batch=batches[0]))
        assert claim is not None
        delivered = {change.seq: change.seq for change in claim.changes}
        database.run(
            partial(outbox.settle_batch, writer=writer, claim=claim, settlement=Settlement(delivered=delivered))
        )
        database.run(
            partial(
                outbox.mark_read_back, writer=writer, batch=claim.batch, verified=delivered, mismatched={}, again=()
            )
        )


def close(transaction: Transaction, run: Run) -> None:
    runs.close_run(transaction, run.run_id, RunState.DONE, {"created": 5}, text="", is_accepted=True)
    lock.release_lock(transaction, run, drain_s=0)
