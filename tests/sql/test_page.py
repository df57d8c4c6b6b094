"""What the page reads, on a real server: queue depth, progress, freshness, rejected records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.observe import run_status
from include.hubspot_sync.records import BatchState, RejectedLine, RunState
from include.hubspot_sync.store import delta, lock, outbox, rejects, runs
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.outbox import Settlement, Writer
from include.hubspot_sync.store.rejects import RejectedChange
from include.hubspot_sync.store.runs import Run
from tests.support.rows import PORTAL, SourceRow, open_run, stage

pytestmark = pytest.mark.sql

ROWS: list[SourceRow] = [(1900, name, "F", 10) for name in ("Ada", "Bea", "Cleo", "Dora", "Eve")]
EVIL = "<script>-f"


@pytest.fixture
def planned_run(database: Database, definition: SyncDefinition, tmp_path: Path) -> Run:
    """Five creates in batches of 2, 2 and 1, dealt to two shards."""
    run = stage(database, definition, open_run(database, definition, "dag:first"), tmp_path, ROWS)

    def plan(transaction):
        first = delta.queue_changes(transaction, run, batch_size=2, is_resync=False, with_archives=True)
        delta.cut_batches(transaction, run, first_batch_no=first, shard_count=2, plan_hash=b"p" * 32)

    database.run(plan)
    return run


def writer_of(run: Run, shard: int) -> Writer:
    return Writer(run.run_id, run.sync_name, PORTAL, run.epoch or 0, 1, shard, "try 1", 30, 1, ReadBack.FULL)


def claim_next(database: Database, run: Run, shard: int = 0) -> outbox.Claim:
    writer = writer_of(run, shard)
    batch = database.run(lambda t: outbox.open_batches(t, writer))[0]
    claim = database.run(lambda t: outbox.claim_batch(t, writer, batch))
    assert claim is not None
    return claim


def settle(
    database: Database,
    run: Run,
    claim: outbox.Claim,
    *,
    delivered: int | None = None,
    is_clean: bool = True,
    **settlement: Any,
) -> outbox.Claim:
    """Settle a claim: its first rows are delivered, all unless a number is given."""
    ids = {change.seq: 1 for change in claim.changes[:delivered]}
    answer = Settlement(delivered=ids, is_clean=is_clean, **settlement)
    database.run(lambda t: outbox.settle_batch(t, writer_of(run, 0), claim, answer))
    return claim


def settle_next(database: Database, run: Run, **answer: Any) -> outbox.Claim:
    return settle(database, run, claim_next(database, run), **answer)


def close(database: Database, run: Run, state: RunState, **summary: Any) -> None:
    is_accepted = state is RunState.DONE
    database.run(lambda t: runs.close_run(t, run.run_id, state, summary, text="", is_accepted=is_accepted))


def read_sync(database: Database) -> run_status.SyncStatus:
    return database.run(lambda t: run_status.read_sync(t, "baby_names"))


def read_run(database: Database, run: Run, sync_name: str = "baby_names") -> run_status.RunStatus | None:
    return database.run(lambda t: run_status.read_run(t, sync_name, run.run_id))


def quarantine(database: Database, run: Run, lines: list[RejectedLine]) -> None:
    database.run(lambda t: rejects.insert_rejected_lines(t, run.run_id, run.sync_name, f"v{run.source_version}", lines))


def line(line_no: int, key_text: str | None = None) -> RejectedLine:
    return RejectedLine(line_no, "Number", "not_an_integer", "no whole number", "raw", key_text)


def test_nothing_has_run_yet(database: Database):
    assert read_sync(database) == run_status.SyncStatus(None, None, 0)


def test_queue_depth_counts_what_is_not_delivered_yet(database: Database, planned_run: Run):
    depths = [read_sync(database).open_changes]
    settle_next(database, planned_run)
    depths.append(read_sync(database).open_changes)
    settle_next(database, planned_run)
    depths.append(read_sync(database).open_changes)
    last = claim_next(database, planned_run, shard=1)
    depths.append(read_sync(database).open_changes)
    settle(database, planned_run, last, delivered=1, is_clean=False)
    depths.append(read_sync(database).open_changes)

    assert depths == [5, 3, 2, 2, 1]


def test_queue_depth_leaves_out_what_a_later_run_took_over(database: Database, planned_run: Run):
    database.run(lambda t: runs.set_state(t, planned_run.run_id, RunState.SUPERSEDED))

    assert read_sync(database).open_changes == 0


def test_queue_depth_is_of_one_sync(database: Database, planned_run: Run):
    assert database.run(lambda t: run_status.read_sync(t, "other")) == run_status.SyncStatus(None, None, 0)


def test_progress_follows_the_batches(database: Database, planned_run: Run):
    settle_next(database, planned_run)
    settle_next(database, planned_run, delivered=0, is_clean=False)

    progress = database.run(lambda t: run_status.read_progress(t, planned_run.run_id))

    assert progress.shards[0].batches == {BatchState.DONE: 1, BatchState.LEASED: 1}
    assert progress.shards[1].batches == {BatchState.READY: 1}
    assert (progress.total.done_rows, progress.total.total_rows) == (2, 5)


def test_superseded_batches_are_no_work(database: Database, planned_run: Run):
    settle_next(database, planned_run)
    database.run(lambda t: delta.supersede_open(t, planned_run))

    total = database.run(lambda t: run_status.read_progress(t, planned_run.run_id)).total

    assert total.rows == {BatchState.DONE: 2, BatchState.SUPERSEDED: 3}
    assert (total.done_rows, total.total_rows) == (2, 2)


def test_notable_batches_are_those_with_trouble_or_under_way(database: Database, planned_run: Run):
    settle_next(database, planned_run)
    troubled = settle_next(
        database, planned_run, delivered=0, is_clean=False, http_status=503, correlation_id="c-1", reason="busy"
    )

    notable = database.run(lambda t: run_status.read_notable_batches(t, planned_run.run_id))

    assert [(batch.batch_no, batch.state) for batch in notable] == [(troubled.batch.batch_no, BatchState.LEASED)]
    assert (notable[0].http_status, notable[0].correlation_id, notable[0].reason) == (503, "c-1", "busy")


def test_run_is_read_only_for_its_own_sync(database: Database, planned_run: Run):
    run = read_run(database, planned_run)

    assert run is not None
    assert (run.dag_run_id, run.state, run.source_version) == ("first", RunState.PLANNED, 1)
    assert run.counts == {"source_rows": 5, "records": 5}
    assert run.took_s is not None
    assert run.took_s >= 0
    assert read_run(database, planned_run, "other") is None


def test_cleared_run_shows_no_counts_of_its_last_end(database: Database, definition: SyncDefinition, planned_run: Run):
    close(database, planned_run, RunState.FAILED, created=3, open=2)
    ended = read_run(database, planned_run)
    open_run(database, definition, planned_run.dag_run_key)
    cleared = read_run(database, planned_run)

    assert ended is not None
    assert cleared is not None
    assert ended.counts == {"created": 3, "open": 2}
    assert ended.finished_at is not None
    assert cleared.counts == {"source_rows": 5, "records": 5}
    assert cleared.finished_at is None


def test_last_success_stays_when_a_later_run_fails(
    database: Database, connect: Callable, definition: SyncDefinition, planned_run: Run
):
    close(database, planned_run, RunState.DONE, records=5)
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE sync_run SET finished_at = finished_at - INTERVAL 1 HOUR")
        connection.commit()
    database.run(lambda t: lock.release_lock(t, planned_run, drain_s=0))
    later = open_run(database, definition, "dag:second", version=2)
    close(database, later, RunState.FAILED, records=9)

    status = read_sync(database)

    assert status.last_run is not None
    assert status.last_success is not None
    assert (status.last_run.run_id, status.last_run.state) == (later.run_id, RunState.FAILED)
    assert (status.last_success.run_id, status.last_success.records) == (planned_run.run_id, 5)
    assert 3600 <= status.last_success.age_s < 3700


def test_latest_runs_come_first(database: Database, definition: SyncDefinition, planned_run: Run):
    read = database.run(lambda t: run_status.read_runs(t, "baby_names"))

    assert [run.run_id for run in read] == [planned_run.run_id]


def test_refused_record_is_shown_with_its_line_and_correlation_id(database: Database, planned_run: Run):
    claim = settle_next(database, planned_run, delivered=0, is_clean=False)
    row = claim.changes[0]
    refused = RejectedChange(row.seq, row.key_text, "INVALID_OPTION", "no such option", "corr-1", "baby_sex")
    database.run(lambda t: rejects.insert_rejected_changes(t, planned_run.run_id, "baby_names", [refused]))

    rejected = database.run(lambda t: run_status.read_rejected(t, "baby_names", planned_run.run_id))

    assert rejected.count == 1
    first = rejected.first[0]
    line_no = 2 + [f"{name.lower()}-f" for _, name, _, _ in ROWS].index(row.key_text)
    assert (first.stage, first.key_text, first.source_file, first.line_no) == ("deliver", row.key_text, "v1", line_no)
    assert (first.reason, first.correlation_id, first.column_name) == ("INVALID_OPTION", "corr-1", "baby_sex")
    assert not first.is_released
    assert not first.is_resolved


def test_only_the_first_hundred_rejected_records_are_read(database: Database, planned_run: Run):
    quarantine(database, planned_run, [line(number, EVIL if number == 2 else None) for number in range(2, 122)])

    rejected = database.run(lambda t: run_status.read_rejected(t, "baby_names", planned_run.run_id))

    assert rejected.count == 120
    assert [record.line_no for record in rejected.first] == list(range(2, 102))
    assert (rejected.first[0].key_text, rejected.first[1].key_text) == (EVIL, "")


def test_lines_of_a_file_are_shown_with_every_run_that_read_it(
    database: Database, definition: SyncDefinition, planned_run: Run
):
    quarantine(database, planned_run, [line(2, None), line(3, None)])
    database.run(lambda t: lock.release_lock(t, planned_run, drain_s=0))
    again = open_run(database, definition, "dag:again")
    quarantine(database, again, [line(2, None), line(3, None)])

    counts = [
        database.run(lambda t, run=run: run_status.read_rejected(t, "baby_names", run.run_id)).count
        for run in (planned_run, again)
    ]

    assert counts == [2, 2]


def test_lines_of_an_older_file_are_resolved_by_the_next_plan(
    database: Database, definition: SyncDefinition, planned_run: Run, tmp_path: Path
):
    quarantine(database, planned_run, [line(2, None)])
    database.run(lambda t: lock.release_lock(t, planned_run, drain_s=0))
    run = stage(database, definition, open_run(database, definition, "dag:newer", version=2), tmp_path, ROWS)

    def plan(transaction):
        first = delta.queue_changes(transaction, run, batch_size=2, is_resync=False, with_archives=True)
        delta.cut_batches(transaction, run, first_batch_no=first, shard_count=1, plan_hash=b"p" * 32)

    database.run(plan)

    old = database.run(lambda t: run_status.read_rejected(t, "baby_names", planned_run.run_id))
    assert [record.is_resolved for record in old.first] == [True]


def test_released_records_say_so(database: Database, planned_run: Run):
    claim = settle_next(database, planned_run, delivered=0, is_clean=False)
    row = claim.changes[0]
    refused = RejectedChange(row.seq, row.key_text, "INVALID_OPTION", "no such option", "corr-1")
    database.run(lambda t: rejects.insert_rejected_changes(t, planned_run.run_id, "baby_names", [refused]))
    database.run(lambda t: rejects.release_rejects(t, "baby_names", rejects.EVERY_REJECT))

    rejected = database.run(lambda t: run_status.read_rejected(t, "baby_names", planned_run.run_id))

    assert rejected.first[0].is_released
