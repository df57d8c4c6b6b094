"""Builders: source rows into staging, runs into MySQL, without a file or Airflow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.records import RunMode
from include.hubspot_sync.store import lock, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.runs import Run, SourcePin
from include.hubspot_sync.store.snapshot import build_snapshot
from include.hubspot_sync.store.staging import load_staging

PORTAL = 4242

SourceRow = tuple[int, str, str, int]


def write_clean_file(folder: Path, rows: Iterable[SourceRow]) -> Path:
    path = folder / "clean.csv"
    lines = [
        f"{number},{name.lower()}-{sex.lower()},{year},{name},{sex},{births}\n"
        for number, (year, name, sex, births) in enumerate(rows, start=2)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def open_run(
    database: Database,
    definition: SyncDefinition,
    name: str,
    *,
    version: int = 1,
    mode: RunMode = RunMode.INCREMENTAL,
    is_limited: bool = False,
) -> Run:
    """Open a run that holds the lock and is pinned to a source version."""

    def work(transaction: Transaction) -> Run:
        run = runs.open_run(transaction, name, definition.name, PORTAL, mode, is_limited=is_limited)
        lock.take_lock(transaction, run, lease_s=900, drain_s=1)
        digest = version.to_bytes(32, "big")
        pin = SourcePin(version, "2026-01-01", digest, f"m{version}", f"v{version}", definition.mapping_hash())
        runs.pin_source(transaction, run.run_id, pin, is_unchanged=False)
        return runs.get_run(transaction, name)

    return database.run(work)


def stage(database: Database, definition: SyncDefinition, run: Run, folder: Path, rows: list[SourceRow]) -> Run:
    """Load rows and build the snapshot, as the task `stage` does."""
    path = write_clean_file(folder, rows)
    sums = {"year_of_birth": sum(row[0] for row in rows), "number": sum(row[3] for row in rows)}

    def work(transaction: Transaction) -> Run:
        load_staging(transaction, definition, run.run_id, path, rows=len(rows), sums=sums)
        count = build_snapshot(transaction, definition, run.run_id, run.run_id)
        runs.mark_staged(
            transaction,
            run.run_id,
            source_rows=len(rows),
            quarantined_lines=0,
            unreadable_key_lines=0,
            records=count.records + count.withheld,
            quarantined=count.withheld,
        )
        return runs.get_run(transaction, run.dag_run_key)

    return database.run(work)
