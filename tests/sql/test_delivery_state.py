"""Plan, claim, settle and read back on a real server: every move of a row, its ledger and its batch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.errors import ConfigError, LeaseLostError, LockHeldError, SupersededError
from include.hubspot_sync.records import BatchState, StoredRecord
from include.hubspot_sync.store import delta, ledger, lock, outbox, pacing, report, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.outbox import Claim, Settlement, Writer
from include.hubspot_sync.store.pacing import Pace
from include.hubspot_sync.store.rejects import RejectedChange, count_current_rejects
from include.hubspot_sync.store.runs import Run
from tests.support.rows import PORTAL, SourceRow, open_run, stage

pytestmark = pytest.mark.sql

NAMES = ["Ada", "Bea", "Cleo", "Dora", "Eve"]
ROWS: list[SourceRow] = [(1900, name, "F", 10) for name in NAMES]


def plan(database: Database, run: Run, *, batch_size: int = 2, shards: int = 2, archives: bool = True) -> list:
    def work(transaction):
        delta.supersede_open(transaction, run)
        first = delta.queue_changes(transaction, run, batch_size=batch_size, is_resync=False, with_archives=archives)
        delta.cut_batches(transaction, run, first_batch_no=first, shard_count=shards, plan_hash=b"p" * 32)
        return delta.open_shards(transaction, run.run_id, "full")

    return database.run(work)


def writer_of(run: Run, shard: int = 0, *, lease_s: float = 30, drain_s: float = 1) -> Writer:
    return Writer(
        run.run_id,
        run.sync_name,
        PORTAL,
        run.epoch or 0,
        run.source_version or 0,
        shard,
        "try 1",
        lease_s,
        drain_s,
        ReadBack.FULL,
    )


def claim_next(database: Database, writer: Writer) -> Claim:
    batch = database.run(lambda t: outbox.open_batches(t, writer))[0]
    claim = database.run(lambda t: outbox.claim_batch(t, writer, batch))
    assert claim is not None
    return claim


def deliver_all(database: Database, run: Run) -> None:
    """Deliver and verify everything that is open, as if HubSpot took it all."""
    for shard in database.run(lambda t: delta.open_shards(t, run.run_id, "full")):
        writer = writer_of(run, shard.shard)
        while database.run(lambda t, w=writer: outbox.open_batches(t, w)):
            claim = claim_next(database, writer)
            ids = {change.seq: 1000 + change.seq for change in claim.changes}
            settle(database, writer, claim, Settlement(delivered=ids))
            database.run(
                lambda t, w=writer, c=claim, i=ids: outbox.mark_read_back(
                    t, w, c.batch, verified=list(i), mismatched={}, again=[]
                )
            )


def settle(database: Database, writer: Writer, claim: Claim, settlement: Settlement) -> BatchState:
    return database.run(lambda t: outbox.settle_batch(t, writer, claim, settlement))


def ledger_states(connect: Callable) -> dict[str, str]:
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_text, state FROM ledger ORDER BY key_text")
        rows = dict(cursor.fetchall())
    connection.close()
    return rows


def execute(connect: Callable, sql: str) -> None:
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute(sql)
    connection.commit()
    connection.close()


@pytest.fixture
def first_run(database: Database, definition: SyncDefinition, tmp_path: Path) -> Run:
    """A staged and planned first run: five creates in three batches and two shards."""
    run = stage(database, definition, open_run(database, definition, "first"), tmp_path, ROWS)
    plan(database, run)
    return run


@pytest.fixture
def delivered_run(database: Database, first_run: Run) -> Run:
    deliver_all(database, first_run)
    database.run(lambda t: runs.close_run(t, first_run.run_id, runs.RunState.DONE, {}, text="", is_accepted=True))
    database.run(lambda t: lock.release_lock(t, first_run, drain_s=1))
    return first_run


def next_run(
    database: Database, definition: SyncDefinition, folder: Path, rows: list[SourceRow], name: str = "second"
) -> Run:
    return stage(database, definition, open_run(database, definition, name, version=2), folder, rows)


def test_first_plan_creates_every_record_in_full_batches(database: Database, first_run: Run):
    shards = database.run(lambda t: delta.open_shards(t, first_run.run_id, "full"))
    outcomes = database.run(lambda t: report.count_outcomes(t, first_run.run_id))

    assert [(shard.batches, shard.rows) for shard in shards] == [(2, 3), (1, 2)]
    assert outcomes.planned() == {"create": 5, "update": 0, "archive": 0}


def test_unchanged_source_plans_nothing(
    database: Database, definition: SyncDefinition, tmp_path: Path, delivered_run: Run
):
    run = next_run(database, definition, tmp_path, ROWS)

    assert plan(database, run) == []
    assert database.run(lambda t: report.count_untouched(t, run)).unchanged == 5


def test_change_new_and_removed_become_update_create_and_archive(
    database: Database, definition: SyncDefinition, tmp_path: Path, delivered_run: Run
):
    rows = [*ROWS[:3], (1900, "Dora", "F", 11), (1900, "Fay", "F", 3)]

    run = next_run(database, definition, tmp_path, rows)
    plan(database, run)

    outcomes = database.run(lambda t: report.count_outcomes(t, run.run_id))
    assert outcomes.planned() == {"create": 1, "update": 1, "archive": 1}


def test_upserts_and_archives_never_share_a_batch(
    database: Database, connect: Callable, definition: SyncDefinition, tmp_path: Path, delivered_run: Run
):
    run = next_run(database, definition, tmp_path, [(1900, "Ada", "F", 11), *ROWS[1:4]])
    plan(database, run, batch_size=100)

    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, row_count FROM batch WHERE run_id = %s ORDER BY batch_no", (run.run_id,))
        assert cursor.fetchall() == (("upsert", 1), ("archive", 1))
    connection.close()


def test_claim_puts_keys_in_doubt_before_anything_is_sent(database: Database, connect: Callable, first_run: Run):
    claim = claim_next(database, writer_of(first_run))

    assert claim.fence == 1
    assert set(ledger_states(connect).values()) == {"uncertain"}
    assert len(ledger_states(connect)) == len(claim.changes) == 2


def test_a_claimed_batch_cannot_be_claimed_before_it_has_drained(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)

    assert database.run(lambda t: outbox.claim_batch(t, writer, claim.batch)) is None

    execute(connect, "UPDATE batch SET lease_until = NOW(6) - INTERVAL 0.9 SECOND WHERE state = 'leased'")
    assert database.run(lambda t: outbox.claim_batch(t, writer, claim.batch)) is None

    execute(connect, "UPDATE batch SET lease_until = NOW(6) - INTERVAL 1.1 SECOND WHERE state = 'leased'")
    again = database.run(lambda t: outbox.claim_batch(t, writer, claim.batch))
    assert again is not None
    assert again.fence == 2
    assert again.doubtful == {change.seq for change in claim.changes}


def test_settled_rows_are_in_the_ledger_and_the_rest_stays_open(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    done, left = claim.changes

    state = settle(
        database,
        writer,
        claim,
        Settlement(delivered={done.seq: 77}, unsent=frozenset({left.seq}), certain=frozenset({left.seq})),
    )

    assert state is BatchState.READY
    assert ledger_states(connect) == {done.key_text: "active"}
    again = claim_next(database, writer)
    assert [change.key_text for change in again.changes] == [left.key_text]
    assert again.doubtful == frozenset()


def test_unknown_outcome_keeps_lease_and_doubt(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)

    state = settle(database, writer, claim, Settlement(is_clean=False))

    assert state is BatchState.LEASED
    assert set(ledger_states(connect).values()) == {"uncertain"}
    assert database.run(lambda t: lock.drain_wait(t, first_run.run_id, 1)) > 20


def test_zombie_commit_is_refused(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    zombie = claim_next(database, writer)
    execute(connect, "UPDATE batch SET lease_until = NOW(6) - INTERVAL 5 SECOND WHERE state = 'leased'")
    owner = database.run(lambda t: outbox.claim_batch(t, writer, zombie.batch))
    assert owner is not None

    with pytest.raises(LeaseLostError):
        database.run(lambda t: outbox.extend_lease(t, writer, zombie))
    with pytest.raises(LeaseLostError):
        settle(database, writer, zombie, Settlement(delivered={change.seq: 1 for change in zombie.changes}))

    assert set(ledger_states(connect).values()) == {"uncertain"}
    assert settle(database, writer, owner, Settlement(delivered={c.seq: 1 for c in owner.changes})) is BatchState.DONE


def test_settling_twice_after_a_lost_commit_answer_is_harmless(database: Database, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    settlement = Settlement(delivered={change.seq: 5 for change in claim.changes})

    assert settle(database, writer, claim, settlement) is BatchState.DONE
    assert settle(database, writer, claim, settlement) is BatchState.DONE


def test_ended_lease_is_extended_as_long_as_nobody_claimed_the_batch(
    database: Database, connect: Callable, first_run: Run
):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    execute(connect, "UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE state = 'leased'")

    database.run(lambda t: outbox.extend_lease(t, writer, claim))

    assert database.run(lambda t: lock.drain_wait(t, first_run.run_id, 0)) > 20


def test_claims_end_with_the_lock(database: Database, first_run: Run):
    """Otherwise a worker that wakes when its run has the lock again would send what was read as certain meanwhile."""
    writer = writer_of(first_run, lease_s=0, drain_s=0)
    claim = claim_next(database, writer)
    database.run(lambda t: lock.release_lock(t, first_run, drain_s=0))
    assert database.run(lambda t: outbox.claim_batch(t, writer, claim.batch)) is None
    database.run(lambda t: lock.take_lock(t, first_run, lease_s=900, drain_s=0))

    with pytest.raises(LeaseLostError, match="not ours any more"):
        database.run(lambda t: outbox.extend_lease(t, writer, claim))
    with pytest.raises(LeaseLostError, match="claimed again"):
        settle(database, writer, claim, Settlement(delivered={change.seq: 1 for change in claim.changes}))
    assert database.run(lambda t: outbox.claim_batch(t, writer, claim.batch)) is not None


def test_claims_end_when_another_run_takes_the_lock(
    database: Database, connect: Callable, definition: SyncDefinition, first_run: Run
):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    execute(connect, "UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE state = 'leased'")
    execute(connect, "UPDATE run_lock SET lease_until = NOW(6) - INTERVAL 1 SECOND")
    second = open_run(database, definition, "second")
    assert second.epoch == 2
    execute(connect, "UPDATE run_lock SET lease_until = NOW(6) - INTERVAL 1 SECOND")
    database.run(lambda t: lock.take_lock(t, first_run, lease_s=900, drain_s=0))

    with pytest.raises(LeaseLostError, match="not ours any more"):
        database.run(lambda t: outbox.extend_lease(t, writer, claim))


def test_lock_that_was_given_back_cannot_be_renewed(database: Database, definition: SyncDefinition, first_run: Run):
    database.run(lambda t: lock.renew_lock(t, first_run, lease_s=900))
    database.run(lambda t: lock.release_lock(t, first_run, drain_s=0))

    with pytest.raises(LeaseLostError, match="run 1 does not hold the lock any more"):
        database.run(lambda t: lock.renew_lock(t, first_run, lease_s=900))

    open_run(database, definition, "second")
    with pytest.raises(LeaseLostError):
        database.run(lambda t: lock.renew_lock(t, first_run, lease_s=900))


def test_nobody_waits_for_the_lease_of_a_run_that_ended_well(
    database: Database, definition: SyncDefinition, delivered_run: Run
):
    database.run(lambda t: lock.take_lock(t, delivered_run, lease_s=900, drain_s=0))

    assert open_run(database, definition, "second").epoch == 2


def extend_while(
    database: Database, connect: Callable, run: Run, end_run: Callable[[Database], object]
) -> Future[object]:
    """Let a check extend a lease that ended long ago, and meanwhile somebody end the run, who has to wait for it."""
    writer = writer_of(run)
    claim = claim_next(database, writer)
    execute(connect, "UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE state = 'leased'")

    with ThreadPoolExecutor(1) as pool:

        def check(transaction: Transaction) -> Future[object]:
            outbox.extend_lease(transaction, writer, claim)
            ended = pool.submit(end_run, Database(connect, attempts=1))
            with pytest.raises(TimeoutError):
                ended.result(0.5)
            return ended

        return database.run(check)


def test_release_knows_of_a_check_that_was_under_way(
    database: Database, connect: Callable, definition: SyncDefinition, first_run: Run
):
    def release(other: Database) -> None:
        other.run(lambda t: lock.release_lock(t, first_run, drain_s=1))

    extend_while(database, connect, first_run, release).result()

    with pytest.raises(LockHeldError, match="draining"):
        open_run(database, definition, "second")


def test_taker_of_the_lock_knows_of_a_check_that_was_under_way(
    database: Database, connect: Callable, definition: SyncDefinition, first_run: Run
):
    execute(connect, "UPDATE run_lock SET lease_until = NOW(6) - INTERVAL 1 SECOND")

    taken = extend_while(database, connect, first_run, lambda other: open_run(other, definition, "second"))

    with pytest.raises(LockHeldError, match="holds the lock"):
        taken.result()


def test_refused_row_is_kept_with_its_source_line_and_left_out_until_it_changes(
    database: Database, connect: Callable, definition: SyncDefinition, tmp_path: Path, delivered_run: Run
):
    changed = [(1900, "Ada", "F", 99), *ROWS[1:]]
    run = next_run(database, definition, tmp_path, changed)
    plan(database, run)
    writer = writer_of(run)
    claim = claim_next(database, writer)
    row = claim.changes[0]
    refused = RejectedChange(row.seq, row.key_text, "INVALID_OPTION", "no such option", "corr-1", "baby_sex")
    settle(database, writer, claim, Settlement(rejected=(refused,), certain=frozenset({row.seq})))

    assert ledger_states(connect)["ada-f"] == "active"
    assert database.run(lambda t: count_current_rejects(t, definition.name)) == 1
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT source_file, line_no, column_name, reason, correlation_id FROM rejected_record")
        assert cursor.fetchall() == (("v2", 2, "baby_sex", "INVALID_OPTION", "corr-1"),)
    connection.close()

    same = stage(database, definition, rerun(database, definition, run, "third"), tmp_path, changed)
    assert plan(database, same) == []
    assert database.run(lambda t: report.count_untouched(t, same)).carried_rejects == 1

    other = stage(
        database, definition, rerun(database, definition, same, "fourth"), tmp_path, [(1900, "Ada", "F", 98), *ROWS[1:]]
    )
    plan(database, other)
    deliver_all(database, other)
    assert database.run(lambda t: count_current_rejects(t, definition.name)) == 0


def rerun(database: Database, definition: SyncDefinition, previous: Run, name: str) -> Run:
    database.run(lambda t: lock.release_lock(t, previous, drain_s=0))
    return open_run(database, definition, name, version=3)


def test_refused_create_leaves_no_trace_in_the_ledger(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    rows = tuple(RejectedChange(c.seq, c.key_text, "X", "x", "") for c in claim.changes)

    settle(database, writer, claim, Settlement(rejected=rows, certain=frozenset(c.seq for c in claim.changes)))

    assert ledger_states(connect) == {}


def test_refused_row_of_which_an_earlier_request_may_have_landed_stays_in_doubt(
    database: Database, connect: Callable, first_run: Run
):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    rows = tuple(RejectedChange(c.seq, c.key_text, "X", "x", "") for c in claim.changes)

    settle(database, writer, claim, Settlement(rejected=rows, certain=frozenset(), is_clean=False))

    assert set(ledger_states(connect).values()) == {"uncertain"}


def test_mismatch_leaves_the_key_in_doubt(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    good, bad = claim.changes
    settle(database, writer, claim, Settlement(delivered={good.seq: 1, bad.seq: 2}))

    database.run(
        lambda t: outbox.mark_read_back(
            t, writer, claim.batch, verified=[good.seq], mismatched={bad.seq: "differs: total_births"}, again=[]
        )
    )

    assert ledger_states(connect) == {good.key_text: "active", bad.key_text: "uncertain"}
    unsettled = database.run(
        lambda t: ledger.unsettled_keys(t, first_run.sync_name, after=ledger.FIRST_KEY, page_size=10)
    )
    assert [key.key_text for key in unsettled] == [bad.key_text]


def test_row_that_differs_is_sent_once_more(database: Database, connect: Callable, first_run: Run):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    good, bad = claim.changes
    settle(database, writer, claim, Settlement(delivered={good.seq: 1, bad.seq: 2}))

    database.run(
        lambda t: outbox.mark_read_back(t, writer, claim.batch, verified=[good.seq], mismatched={}, again=[bad.seq])
    )

    again = database.run(lambda t: outbox.claim_batch(t, writer, claim.batch))
    assert again is not None
    assert [change.key_text for change in again.changes] == [bad.key_text]
    assert ledger_states(connect)[bad.key_text] == "uncertain"


def test_read_back_settles_doubts_by_what_hubspot_holds(
    database: Database, connect: Callable, definition: SyncDefinition, tmp_path: Path, first_run: Run
):
    writer = writer_of(first_run)
    claim = claim_next(database, writer)
    applied, lost = claim.changes
    settle(database, writer, claim, Settlement(is_clean=False))

    found = StoredRecord(applied.key_text, 900, dict(applied.properties))
    database.run(lambda t: ledger.settle_keys(t, first_run, found=[found], missing=[lost.key_text]))

    assert ledger_states(connect) == {applied.key_text: "active", lost.key_text: "archived"}
    plan(database, first_run)
    planned = database.run(lambda t: report.count_outcomes(t, first_run.run_id))
    assert planned.planned() == {"create": 4, "update": 0, "archive": 0}


def test_second_run_waits_for_the_first(database: Database, definition: SyncDefinition, first_run: Run):
    def take(transaction):
        other = runs.open_run(transaction, "other", definition.name, PORTAL, first_run.mode)
        return lock.take_lock(transaction, other, lease_s=900, drain_s=1)

    with pytest.raises(LockHeldError):
        database.run(take)


def test_same_run_joins_its_lock_under_the_same_epoch(database: Database, first_run: Run):
    assert database.run(lambda t: lock.take_lock(t, first_run, lease_s=900, drain_s=1)) == first_run.epoch


def test_next_run_waits_until_the_requests_of_the_last_have_drained(
    database: Database, connect: Callable, definition: SyncDefinition, first_run: Run
):
    writer = writer_of(first_run, lease_s=30, drain_s=10)
    claim = claim_next(database, writer)
    settle(database, writer, claim, Settlement(is_clean=False))
    database.run(lambda t: lock.release_lock(t, first_run, drain_s=10))

    with pytest.raises(LockHeldError, match="draining"):
        open_run(database, definition, "second")

    execute(connect, "UPDATE run_lock SET not_before = NOW(6) - INTERVAL 1 MICROSECOND")
    assert open_run(database, definition, "second").epoch == 2


def test_cleared_shard_of_a_run_whose_successor_has_planned_is_superseded(
    database: Database, definition: SyncDefinition, tmp_path: Path, delivered_run: Run
):
    second = next_run(database, definition, tmp_path, ROWS)
    plan(database, second)
    database.run(lambda t: lock.release_lock(t, second, drain_s=1))

    with pytest.raises(SupersededError, match=f"run {second.run_id}"):
        database.run(lambda t: lock.take_lock(t, delivered_run, lease_s=900, drain_s=1))


def test_run_without_successor_takes_the_free_lock_again_under_its_own_epoch(database: Database, delivered_run: Run):
    assert database.run(lambda t: lock.take_lock(t, delivered_run, lease_s=900, drain_s=1)) == delivered_run.epoch


def test_next_plan_supersedes_what_the_last_left_open(
    database: Database, definition: SyncDefinition, tmp_path: Path, first_run: Run
):
    database.run(lambda t: lock.release_lock(t, first_run, drain_s=0))
    second = next_run(database, definition, tmp_path, ROWS)
    plan(database, second)

    assert database.run(lambda t: delta.open_shards(t, first_run.run_id, "full")) == []
    assert database.run(lambda t: report.count_outcomes(t, second.run_id)).planned()["create"] == 5


def test_sends_are_spaced_and_a_pause_holds_everybody(database: Database):
    pace = Pace(interval_us=100_000, burst_us=0, window_limit=100)
    database.run(lambda t: pacing.open_pacing(t, PORTAL, pace))

    waits = [database.run(lambda t: pacing.reserve_send(t, PORTAL)) for _ in range(4)]
    database.run(lambda t: pacing.pause_sending(t, PORTAL, 5))
    after_pause = [database.run(lambda t: pacing.reserve_send(t, PORTAL)) for _ in range(2)]

    assert 0.2 <= waits[3] <= 0.3
    assert 4 < after_pause[0] < 5
    assert 0.05 < after_pause[1] - after_pause[0] < 0.15


def test_older_run_that_is_closed_once_more_is_not_the_accepted_one(
    database: Database, definition: SyncDefinition, delivered_run: Run, tmp_path: Path
):
    """Its last task may be cleared at any time; what HubSpot holds is the later plan all the same."""
    later = next_run(database, definition, tmp_path, ROWS[1:])
    plan(database, later)
    for run in (later, delivered_run):
        database.run(lambda t, r=run: runs.close_run(t, r.run_id, runs.RunState.DONE, {}, text="", is_accepted=True))

    accepted = database.run(lambda t: runs.accepted_run(t, later.sync_name, PORTAL))

    assert accepted is not None
    assert accepted.run_id == later.run_id


def test_run_that_this_schema_does_not_know_is_no_reason_to_retry(database: Database):
    with pytest.raises(ConfigError, match="no run row for a run elsewhere in this schema"):
        database.run(lambda t: runs.get_run(t, "a run elsewhere"))
