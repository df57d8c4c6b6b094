"""One shard from claim to read-back: the real engine and store, a portal in memory that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.destination.protocol import Answer, SearchAnswer, Verdict
from include.hubspot_sync.engine import health
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.deliver import ShardDelivery, ShardResult, ShardWork
from include.hubspot_sync.engine.gate import Gate
from include.hubspot_sync.engine.plan import PlanRequest, PlanWork, compute_delta
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.engine.verify import property_types
from include.hubspot_sync.errors import (
    AuthError,
    ConfigError,
    GuardError,
    LeaseLostError,
    QuotaExhaustedError,
    TransientError,
)
from include.hubspot_sync.records import Change, OutboxState, RunMode, StoredRecord
from include.hubspot_sync.store import lock, pacing, report, runs
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.delta import EVERYTHING, Bound, Selection
from include.hubspot_sync.store.outbox import Writer
from include.hubspot_sync.store.pacing import Pace
from include.hubspot_sync.store.rejects import EVERY_REJECT, ReplayChoice
from include.hubspot_sync.store.runs import Run
from tests.support.memory_portal import (
    MemoryPortal,
    applied_but_unanswered,
    daily_limit,
    half_named,
    never_arrived,
    unauthorized,
)
from tests.support.rows import PORTAL, SourceRow, open_run, stage

pytestmark = pytest.mark.sql

ROWS: list[SourceRow] = [(1900 + number, f"Name{chr(97 + number)}", "F", 10 + number) for number in range(8)]
KEYS = {f"{name.lower()}-f" for _, name, _, _ in ROWS}


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def portal() -> MemoryPortal:
    return MemoryPortal()


@pytest.fixture
def sync(
    database: Database, connect: Callable, definition: SyncDefinition, portal: MemoryPortal, tmp_path: Path
) -> Sync:
    database.run(lambda t: pacing.open_pacing(t, PORTAL, Pace(1, 0, 190)))
    return Sync(database, connect, definition, portal, tmp_path)


class Sync:
    """Runs of one sync against the portal in memory."""

    def __init__(self, database, connect, definition, portal, folder) -> None:
        self.database, self.connect, self.definition, self.portal, self.folder = (
            database,
            connect,
            definition,
            portal,
            folder,
        )

    def plan(
        self,
        rows: list[SourceRow] = ROWS,
        *,
        name: str = "first",
        version: int = 1,
        mode: RunMode = RunMode.INCREMENTAL,
        replay: ReplayChoice = EVERY_REJECT,
        selection: Selection = EVERYTHING,
    ) -> Run:
        is_limited = selection != EVERYTHING
        opened = open_run(self.database, self.definition, name, version=version, mode=mode, is_limited=is_limited)
        run = stage(self.database, self.definition, opened, self.folder, rows)
        self.replan(run, replay, selection)
        return self.database.run(lambda t: runs.get_run(t, name))

    def replan(self, run: Run, replay: ReplayChoice = EVERY_REJECT, selection: Selection = EVERYTHING) -> list:
        async def work():
            store = AsyncStore(Database(self.connect))
            try:
                plan = PlanWork(self.definition, store, self._sender(store, run, -1), self.portal, no_sleep)
                return await compute_delta(
                    plan, run, PlanRequest(guards_approved=True, replay=replay, selection=selection)
                )
            finally:
                store.close()

        return asyncio.run(work())

    def _sender(self, store: AsyncStore, run: Run, shard: int) -> Sender:
        gate = Gate(store, portal_id=PORTAL, run_id=run.run_id, shard=shard, share=0.9, sleep=no_sleep)
        return Sender(gate, max_attempts=4, sleep=no_sleep)

    def deliver(self, run: Run, *, read_back: ReadBack = ReadBack.FULL, sleep=no_sleep) -> ShardResult:
        async def work():
            store = AsyncStore(Database(self.connect))
            writer = Writer(run.run_id, run.sync_name, PORTAL, run.epoch or 0, 1, 0, "try", 30, 10, read_back)
            self.delivery = ShardDelivery(
                ShardWork(
                    store,
                    self._sender(store, run, 0),
                    self.portal,
                    writer,
                    run,
                    property_types(self.definition),
                    in_flight=3,
                    run_lease_s=900,
                    sleep=sleep,
                )
            )
            try:
                return await self.delivery.run()
            finally:
                store.close()

        return asyncio.run(work())

    def states(self, run: Run) -> dict[OutboxState, int]:
        outcomes = self.database.run(lambda t: report.count_outcomes(t, run.run_id))
        return {state: outcomes.in_state(state) for state in OutboxState if outcomes.in_state(state)}

    def execute(self, sql: str) -> list:
        connection = self.connect()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall()
        connection.commit()
        connection.close()
        return list(rows)

    def end(self, run: Run) -> None:
        """Release the lock as `finish` does, with everything drained."""
        self.execute("UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE lease_until IS NOT NULL")
        self.database.run(lambda t: lock.release_lock(t, run, drain_s=10))

    def judge(self, run: Run) -> health.Summary:
        now = self.database.run(lambda t: runs.get_run(t, run.dag_run_key))
        return self.database.run(lambda t: health.judge(t, self.definition, now, ()))


def test_every_row_is_delivered_once_and_verified(sync: Sync, portal: MemoryPortal):
    run = sync.plan()

    result = sync.deliver(run)

    assert set(portal.contacts) == KEYS
    assert portal.contacts["namea-f"].properties["total_births"] == "10"
    assert (result.delivered, result.verified) == (8, 8)
    assert sync.states(run) == {OutboxState.VERIFIED: 8}
    assert len(portal.upserts) == 1


def test_second_try_of_a_finished_shard_sends_nothing(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    sync.deliver(run)

    result = sync.deliver(run)

    assert result.delivered == 0
    assert len(portal.upserts) == 1


def test_lost_answer_is_sent_again_and_leaves_one_contact_per_key(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.append(applied_but_unanswered)

    sync.deliver(run)

    assert set(portal.contacts) == KEYS
    assert sync.states(run) == {OutboxState.VERIFIED: 8}
    # the first request may still be on its way: the lease stays, so that the next run waits for it
    assert sync.execute("SELECT COUNT(*) FROM batch WHERE lease_until IS NOT NULL") == [(1,)]


def test_unanswered_batch_stays_in_doubt_and_the_next_try_waits_for_the_drain(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.extend([applied_but_unanswered] * 4)
    slept: list[float] = []

    async def remember(seconds: float) -> None:
        slept.append(seconds)
        sync.execute("UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE lease_until IS NOT NULL")

    with pytest.raises(TransientError):
        sync.deliver(run)
    assert sync.states(run) == {OutboxState.IN_FLIGHT: 8}
    assert sync.execute("SELECT DISTINCT state FROM ledger") == [("uncertain",)]

    sync.deliver(run, sleep=remember)
    assert sync.states(run) == {OutboxState.VERIFIED: 8}
    assert 30 < slept[0] <= 40


def test_late_try_of_a_run_that_is_over_does_not_open_it_again(sync: Sync):
    """It took the lock, and the next run waited for its lease of 15 minutes."""
    run = sync.plan()
    sync.deliver(run)
    sync.execute("UPDATE sync_run SET state = 'done'")
    sync.database.run(lambda t: lock.release_lock(t, run, drain_s=0))

    late = sync.deliver(run)

    assert late.delivered == 0
    assert sync.execute("SELECT holder FROM run_lock") == [(None,)]
    assert sync.execute("SELECT state FROM sync_run") == [("done",)]


def test_request_that_never_left_frees_the_batch_at_once(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.extend([never_arrived] * 4)

    with pytest.raises(TransientError):
        sync.deliver(run)

    assert sync.states(run) == {OutboxState.PENDING: 8}
    assert sync.execute("SELECT state, lease_until FROM batch") == [("ready", None)]
    assert sync.execute("SELECT COUNT(*) FROM ledger") == [(0,)]


def test_rejected_record_does_not_block_its_batch(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.bad_keys.add("namec-f")

    sync.deliver(run)

    assert set(portal.contacts) == KEYS - {"namec-f"}
    assert sync.states(run) == {OutboxState.VERIFIED: 7, OutboxState.REJECTED: 1}
    assert sync.execute("SELECT key_text, line_no, reason FROM rejected_record") == [("namec-f", 4, "INVALID_OPTION")]


def test_replay_sends_refused_records_again_and_nothing_else(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    portal.bad_keys.add("namec-f")
    sync.deliver(first)
    sync.end(first)
    portal.bad_keys.clear()
    unchanged = sync.plan(name="second")
    assert sync.states(unchanged) == {}
    sync.end(unchanged)

    replay = sync.plan(name="third", mode=RunMode.REPLAY)
    sync.deliver(replay)

    assert portal.upserts[1:] == [["namec-f"]]
    assert sync.states(replay) == {OutboxState.VERIFIED: 1}
    assert sync.execute("SELECT resolved_at IS NOT NULL FROM rejected_record") == [(1,)]


@pytest.mark.parametrize(
    ("selection", "sent"),
    [
        (Selection(record_limit=3), 3),
        (Selection(bounds=(Bound("total_births", least=13),)), 5),
        (Selection(bounds=(Bound("total_births", most=11), Bound("first_year", least=1900))), 2),
        (Selection(2, (Bound("total_births", least=13, most=15),)), 2),
        (Selection(bounds=(Bound("first_year", most=1899),)), 0),
    ],
    ids=str,
)
def test_limited_run_sends_what_was_chosen_and_the_next_one_the_rest(
    sync: Sync, portal: MemoryPortal, selection: Selection, sent: int
):
    trial = sync.plan(selection=selection)
    if sent:
        sync.deliver(trial)
    sync.end(trial)
    assert len(portal.contacts) == sent
    for bound in selection.bounds:
        births = [int(contact.properties[bound.name]) for contact in portal.contacts.values()]
        assert all((bound.least or 0) <= number <= (bound.most or 9999) for number in births)

    sync.deliver(sync.plan(name="second"))

    assert set(portal.contacts) == KEYS
    assert sum(map(len, portal.upserts)) == len(KEYS)


def test_limited_run_archives_nothing_and_is_not_accepted(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)

    trial = sync.plan(ROWS[1:], name="trial", version=2, selection=Selection(record_limit=1))
    sync.deliver(trial)

    assert set(portal.contacts) == KEYS
    assert trial.is_limited
    summary = sync.judge(trial)
    assert (summary.state, summary.archived) == ("success", 0)
    assert summary.note == "a limited run: 0 changed records and every removal were left for a run without limits"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ReplayChoice(key_text="namec-f"), [["namec-f"]]),
        (ReplayChoice(run_id=1), [["namec-f", "named-f"]]),
        (ReplayChoice(run_id=1, key_text="named-f"), [["named-f"]]),
        (ReplayChoice(reason="INVALID_OPTION"), [["namec-f", "named-f"]]),
        (ReplayChoice(reason="OTHER"), []),
        (ReplayChoice(run_id=99), []),
    ],
    ids=str,
)
def test_replay_takes_only_what_was_chosen(sync: Sync, portal: MemoryPortal, choice: ReplayChoice, sent: list):
    portal.bad_keys.update(("namec-f", "named-f"))
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    portal.bad_keys.clear()
    run_id = {1: first.run_id, None: None, 99: 99_999}[choice.run_id]

    replay = sync.plan(name="second", mode=RunMode.REPLAY, replay=replace(choice, run_id=run_id))
    sync.deliver(replay)

    assert [sorted(keys) for keys in portal.upserts[1:]] == sent
    unfit = {ReplayChoice(reason="OTHER"): "replay_reason OTHER", ReplayChoice(run_id=99): "replay_run 99999"}
    wanted = f"fits {unfit.get(choice)}; open are 2 for INVALID_OPTION in run {first.run_id}"
    note = sync.judge(replay).note
    assert note == (f"the replay found nothing: no open refused record {wanted}" if choice in unfit else "")


def test_replay_without_any_refused_record_says_so_and_syncs_what_changed(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    changed = (*ROWS[0][:3], ROWS[0][3] + 1)

    replay = sync.plan([changed, *ROWS[1:]], name="second", version=2, mode=RunMode.REPLAY)
    sync.deliver(replay)

    summary = sync.judge(replay)
    assert (summary.state, summary.updated) == ("success", 1)
    assert summary.note == "the replay found nothing: no record that HubSpot refused is open"


def test_full_resync_sends_every_record_and_makes_no_doubles(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)

    again = sync.plan(name="second", mode=RunMode.FULL_RESYNC)
    sync.deliver(again)

    assert len(portal.upserts[1]) == 8
    assert set(portal.contacts) == KEYS
    assert len({contact.hubspot_id for contact in portal.contacts.values()}) == 8


def test_full_resync_archives_keyed_contacts_that_the_ledger_does_not_know(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    for number, key in enumerate(("old-m", "older-m", "Oldest-M")):
        portal.contacts[key] = StoredRecord(key, 5000 + number, {"firstname": "Old"})

    again = sync.plan(name="second", mode=RunMode.FULL_RESYNC)
    sync.deliver(again)

    assert sorted(portal.archived) == [5000, 5001]
    # a key that the sync never writes may be the twin of one of ours in the eyes of HubSpot
    assert set(portal.contacts) == KEYS | {"Oldest-M"}
    assert sync.states(again) == {OutboxState.VERIFIED: 10}


def test_full_resync_searches_the_portal_in_parts_that_leave_nothing_out(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    for hubspot_id, key in ((1, "below-m"), (5000, "above-m")):
        portal.contacts[key] = StoredRecord(key, hubspot_id, {})

    sync.plan(name="second", mode=RunMode.FULL_RESYNC)

    begins = {0, *(end for _, end in portal.searches if end)}
    assert len(begins) == 4
    ends = {end for begin, end in portal.searches if begin in begins}
    assert ends == {*begins, None} - {0}
    assert sync.execute("SELECT COUNT(*) FROM ledger WHERE key_text IN ('below-m', 'above-m')") == [(2,)]


def test_full_resync_without_a_ledger_searches_in_one_part(sync: Sync, portal: MemoryPortal):
    for number in range(5):
        portal.contacts[f"old{number}-m"] = StoredRecord(f"old{number}-m", 100 + number, {})

    sync.plan(mode=RunMode.FULL_RESYNC)

    assert portal.searches == [(0, None), (101, None), (103, None)]
    assert sync.execute("SELECT COUNT(*) FROM ledger WHERE key_text LIKE 'old%'") == [(5,)]


def test_search_that_fails_stops_the_plan_with_its_own_error(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)

    async def refused(_after_id: int, _up_to_id: int | None = None) -> SearchAnswer:
        return SearchAnswer(Verdict.STOP, status=403, reason="scope_missing", message="no right to search")

    portal.search_keys = refused  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="no right to search"):
        sync.plan(name="second", mode=RunMode.FULL_RESYNC)


def test_contact_that_came_back_is_archived_by_a_full_resync(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    gone = portal.contacts["namea-f"]
    second = sync.plan(ROWS[1:], name="second", version=2)
    sync.deliver(second)
    sync.end(second)
    portal.contacts["namea-f"] = gone

    third = sync.plan(ROWS[1:], name="third", version=2, mode=RunMode.FULL_RESYNC)
    sync.deliver(third)

    assert set(portal.contacts) == KEYS - {"namea-f"}


def test_poison_row_is_found_by_halving(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.poison_keys.add("namef-f")

    sync.deliver(run)

    assert set(portal.contacts) == KEYS - {"namef-f"}
    assert sync.states(run) == {OutboxState.VERIFIED: 7, OutboxState.REJECTED: 1}
    assert len(portal.upserts) <= 7


def test_rows_that_the_answer_does_not_name_are_sent_again(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.append(half_named)

    sync.deliver(run)

    assert sync.states(run) == {OutboxState.VERIFIED: 8}
    assert [len(keys) for keys in portal.upserts] == [8, 4]


def test_daily_limit_leaves_rows_pending_for_the_next_run(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.append(daily_limit)

    with pytest.raises(QuotaExhaustedError):
        sync.deliver(run)

    assert sync.states(run) == {OutboxState.PENDING: 8}
    assert len(portal.upserts) == 1


def test_stopped_shard_finishes_what_is_under_way_and_leaves_the_rest_open(sync: Sync, portal: MemoryPortal):
    small = sync.definition.delivery.model_copy(update={"batch_size": 2})
    sync.definition = sync.definition.model_copy(update={"delivery": small})
    run = sync.plan()

    def stop_and_apply(portal: MemoryPortal, changes: Sequence[Change]) -> Answer:
        sync.delivery.stop()
        return portal.apply(changes)

    portal.faults.append(stop_and_apply)
    with pytest.raises(TransientError, match="batches left open for its next try: 1"):
        sync.deliver(run)

    assert sync.states(run) == {OutboxState.VERIFIED: 6, OutboxState.PENDING: 2}
    assert sync.deliver(run).verified == 2
    assert len(portal.upserts) == 4


def test_refused_token_is_fetched_once_more_and_then_stops(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.extend([unauthorized, unauthorized])

    with pytest.raises(AuthError):
        sync.deliver(run)

    assert len(portal.upserts) == 2
    assert sync.states(run) == {OutboxState.PENDING: 8}


def test_write_that_was_acknowledged_but_not_stored_is_sent_once_more(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.lose_writes_of["nameb-f"] = 1

    sync.deliver(run)

    assert set(portal.contacts) == KEYS
    assert sync.states(run) == {OutboxState.VERIFIED: 8}
    assert portal.upserts[1] == ["nameb-f"]


def test_row_that_still_differs_is_mismatched_and_in_doubt(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.lose_writes_of["nameb-f"] = 5

    sync.deliver(run)

    assert sync.states(run) == {OutboxState.VERIFIED: 7, OutboxState.MISMATCHED: 1}
    assert sync.execute("SELECT key_text FROM ledger WHERE state = 'uncertain'") == [("nameb-f",)]


def test_nothing_is_read_back_when_the_definition_says_so(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    reads_of_the_plan = portal.reads

    sync.deliver(run, read_back=ReadBack.NONE)

    assert portal.reads == reads_of_the_plan
    assert sync.states(run) == {OutboxState.DELIVERED: 8}
    assert sync.execute("SELECT DISTINCT is_waived FROM ledger") == [(1,)]


def test_crash_between_settle_and_read_back_is_read_back_by_the_next_try(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    sync.deliver(run, read_back=ReadBack.NONE)

    result = sync.deliver(run)

    assert result.verified == 8
    assert len(portal.upserts) == 1


def test_removed_records_are_archived_by_present_id_and_a_merged_one_is_reported(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    portal.contacts["namea-f"] = replace(portal.contacts["namea-f"], hubspot_id=77)
    portal.contacts["nameb-f"] = replace(portal.contacts["nameb-f"], merged=True)
    del portal.contacts["namec-f"]

    second = sync.plan(ROWS[3:], name="second", version=2)
    sync.deliver(second)

    assert portal.archived == [77]
    assert sync.states(second) == {OutboxState.VERIFIED: 2, OutboxState.REJECTED: 1}
    assert sync.execute("SELECT key_text, reason FROM rejected_record") == [("nameb-f", "merged_contact")]


def test_applied_write_without_an_answer_is_undone_when_the_source_goes_back(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    changed = [(1900, "Namea", "F", 99), *ROWS[1:]]
    second = sync.plan(changed, name="second", version=2)
    portal.faults.extend([applied_but_unanswered] * 4)
    with pytest.raises(TransientError):
        sync.deliver(second)
    assert portal.contacts["namea-f"].properties["total_births"] == "99"
    sync.end(second)

    third = sync.plan(ROWS, name="third", version=3)
    sync.deliver(third)

    assert portal.contacts["namea-f"].properties["total_births"] == "10"
    assert sync.states(third) == {OutboxState.VERIFIED: 1}


def test_unconfirmed_create_is_archived_when_the_record_leaves_the_source(sync: Sync, portal: MemoryPortal):
    first = sync.plan(ROWS[:7])
    sync.deliver(first)
    sync.end(first)
    second = sync.plan(ROWS, name="second", version=2)
    portal.faults.extend([applied_but_unanswered] * 4)
    with pytest.raises(TransientError):
        sync.deliver(second)
    sync.end(second)

    third = sync.plan(ROWS[:7], name="third", version=3)
    sync.deliver(third)

    assert set(portal.contacts) == KEYS - {"nameh-f"}


def test_lost_ledger_is_read_from_the_portal_instead_of_sent_again(sync: Sync, portal: MemoryPortal):
    first = sync.plan()
    sync.deliver(first)
    sync.end(first)
    sync.execute("DELETE FROM ledger")
    portal.contacts["namea-f"] = StoredRecord("namea-f", 5, portal.contacts["namea-f"].properties | {"first_year": "1"})

    second = sync.plan(name="second", version=2)
    sync.deliver(second)

    assert portal.upserts[1:] == [["namea-f"]]


def test_nothing_is_sent_after_another_run_took_the_lock(sync: Sync, portal: MemoryPortal):
    run = sync.plan()

    def take_over(portal_: MemoryPortal, changes):
        sync.execute("UPDATE run_lock SET holder = 999, epoch = 99")
        return never_arrived(portal_, changes)

    portal.faults.append(take_over)

    with pytest.raises(LeaseLostError):
        sync.deliver(run)
    assert len(portal.upserts) == 1
    assert portal.contacts == {}


def test_requests_are_counted_by_run(sync: Sync, portal: MemoryPortal):
    run = sync.plan()
    portal.faults.append(never_arrived)

    sync.deliver(run)

    usage = sync.database.run(lambda t: pacing.total_usage(t, run.run_id))
    # one search for a lost ledger, one question for the contact limit, two sends, one read-back
    assert (usage.calls, usage.write_calls) == (5, 2)


def test_contacts_that_do_not_fit_stop_the_run_before_any_write(sync: Sync, portal: MemoryPortal):
    portal.room = 7

    with pytest.raises(GuardError, match=r"8 new contacts do not fit: the portal holds 0 of 7"):
        sync.plan()

    assert sync.execute("SELECT COUNT(*) FROM outbox") == [(0,)]


def test_requests_that_do_not_fit_into_the_day_stop_the_run_before_any_write(sync: Sync, portal: MemoryPortal):
    sync.execute("UPDATE rate_limit SET daily_limit = 1000, daily_remaining = 51")

    with pytest.raises(QuotaExhaustedError, match=r"needs 2 requests, 51 of 1000 are left"):
        sync.plan()

    assert sync.execute("SELECT COUNT(*) FROM outbox") == [(0,)]
