"""Plans that are kept, and applied exactly or not at all: the real planner and store, a portal in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import MySQLdb
import MySQLdb.cursors
import pytest

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.engine import health
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.gate import Gate
from include.hubspot_sync.engine.plan import PlanRequest, PlanWork, compute_delta
from include.hubspot_sync.engine.run_plan import plan_to_apply
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.errors import ConfigError, GuardError, PlanMovedOnError, QuotaExhaustedError
from include.hubspot_sync.observe.plan_status import PlanStatus, read_run_plan
from include.hubspot_sync.records import FieldChange, PlanSample, RejectedLine, RunMode, RunPlan
from include.hubspot_sync.store import pacing, plans, rejects, runs
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.delta import EVERYTHING, Bound, Selection
from include.hubspot_sync.store.pacing import Pace
from include.hubspot_sync.store.rejects import RejectedChange, ReplayChoice
from include.hubspot_sync.store.runs import Run
from include.hubspot_sync.store.statements import statement
from tests.support.memory_portal import MemoryPortal
from tests.support.rows import PORTAL, SourceRow, open_run, stage
from tests.support.whole_runs import close, deliver_all

pytestmark = pytest.mark.sql

GIRLS = ("Ada", "Bea", "Cleo", "Dora", "Eve", "Fay", "Gina", "Hera", "Ida", "Jana")


def rows(births: int = 10, *girls: str, **other: int) -> list[SourceRow]:
    """Return a row for each girl; `other` gives some of them other births."""
    return [(1900, girl, "F", other.get(girl, births)) for girl in (girls or GIRLS)]


@dataclass
class Planner:
    """Plans runs of one sync, and delivers them without a portal."""

    database: Database
    connect: Callable[[], MySQLdb.connections.Connection]
    definition: SyncDefinition
    portal: MemoryPortal
    folder: Path

    def plan(
        self,
        name: str,
        source: list[SourceRow],
        version: int = 1,
        *,
        mode: RunMode = RunMode.INCREMENTAL,
        is_limited: bool = False,
        **request: Any,
    ) -> Run:
        """Open, stage and plan a run; release the lock when it sends nothing."""
        opened = open_run(self.database, self.definition, name, version=version, mode=mode, is_limited=is_limited)
        run = stage(self.database, self.definition, opened, self.folder, source)
        try:
            asyncio.run(self._compute_delta(run, PlanRequest(**request)))
        except Exception:
            self.free_lock()
            raise
        if mode is RunMode.PLAN_ONLY:
            self.free_lock()
        return self.database.run(partial(runs.get_run, dag_run_key=name))

    async def _compute_delta(self, run: Run, request: PlanRequest) -> None:
        store = AsyncStore(Database(self.connect))

        async def no_sleep(seconds: float) -> None:
            await asyncio.sleep(0)

        gate = Gate(store, portal_id=PORTAL, run_id=run.run_id, shard=-1, share=0.9, sleep=no_sleep)
        work = PlanWork(self.definition, store, Sender(gate, max_attempts=4, sleep=no_sleep), self.portal, no_sleep)
        try:
            await compute_delta(work, run, request)
        finally:
            store.close()

    def sync(self, name: str, source: list[SourceRow], version: int = 1, **request: Any) -> Run:
        """Make a run that delivered everything that it planned."""
        run = self.plan(name, source, version, **request)
        deliver_all(self.database, run)
        self.database.run(partial(close, run=run))
        self.free_lock()
        return run

    def free_lock(self) -> None:
        self.query("UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE lease_until IS NOT NULL")
        self.query("UPDATE run_lock SET holder = NULL, not_before = NULL, lease_until = NULL")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            found = list(cursor.fetchall())
            connection.commit()
            return found

    def kept(self, name: str) -> PlanStatus:
        """Return what the page shows of the run's plan."""
        ((run_id,),) = self.query("SELECT run_id FROM sync_run WHERE dag_run_key = %s", name)
        status = self.database.run(partial(read_run_plan, run_id=run_id))
        assert status is not None
        return status

    def changes(self, run: Run) -> set[tuple[str, str]]:
        found = self.query(
            "SELECT operation, key_text FROM outbox WHERE run_id = %s AND state <> 'superseded'", run.run_id
        )
        return set(found)


@pytest.fixture
def planner(
    database: Database,
    connect: Callable[[], MySQLdb.connections.Connection],
    definition: SyncDefinition,
    tmp_path: Path,
) -> Planner:
    """A sync whose guards let small numbers pass, at 20 requests per second."""
    guards = definition.guards.model_copy(
        update={"max_archive_share": 0.2, "max_change_share": 0.5, "min_record_share": 0.8, "min_row_share": 0.8}
    )
    definition = definition.model_copy(update={"guards": guards})
    database.run(lambda t: pacing.open_pacing(t, PORTAL, Pace(50_000, 0, 200)))
    return Planner(database, connect, definition, MemoryPortal(), tmp_path)


REVISED = rows(10, *GIRLS[:-1], "Kim", Ada=77)
"""Ada has other births, Jana has left, Kim is new."""


def test_plan_says_what_changes_what_it_costs_and_shows_every_difference(planner: Planner):
    planner.sync("first", rows())
    planner.query("UPDATE rate_limit SET daily_limit = 1000, daily_remaining = 400")

    planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)

    status = planner.kept("look")
    plan = status.plan
    assert plan.changes == {"create": 1, "update": 1, "archive": 1}
    assert (plan.records, plan.rejected, plan.quarantined, plan.trips) == (10, 0, 0, ())
    # an upsert and its read-back; an archive with its look-up and its proof
    assert (plan.cost.write_calls, plan.cost.read_calls, plan.cost.seconds) == (2, 3, 0.25)
    assert plan.cost.share_of_rest == 5 / 400
    samples = {sample.operation: sample for sample in status.samples}
    assert samples["update"] == PlanSample(
        "update", "ada-f", (FieldChange("peak_births", "10", "77"), FieldChange("total_births", "10", "77"))
    )
    assert (samples["create"].key_text, samples["archive"].key_text) == ("kim-f", "jana-f")
    assert {(field.before, field.name) for field in samples["create"].fields} >= {(None, "firstname")}
    assert FieldChange("firstname", "Jana", None) in samples["archive"].fields
    assert planner.query("SELECT COUNT(*) FROM outbox WHERE state <> 'verified' AND state <> 'superseded'") == [(0,)]


def test_samples_are_bounded_and_show_also_an_operation_that_is_rare(planner: Planner):
    planner.sync("first", rows(10, "Zoe", "Yva"))
    many = [f"Girl{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(400)]

    planner.plan("look", rows(10, "Zoe", *many, Zoe=11), 2, mode=RunMode.PLAN_ONLY, guards_approved=True)

    status = planner.kept("look")
    assert status.plan.changes == {"create": 400, "update": 1, "archive": 1}
    found = {operation: len(some) for operation, some in status.samples_by_operation.items()}
    assert found == {"create": 20, "update": 1, "archive": 1}


def test_contact_that_comes_back_is_shown_as_new(planner: Planner):
    planner.sync("first", rows())
    planner.sync("without", rows(10, *GIRLS[:-1]), 2)

    planner.plan("look", rows(), 3, mode=RunMode.PLAN_ONLY)

    (sample,) = planner.kept("look").samples
    assert sample.operation == "create"
    assert {field.before for field in sample.fields} == {None}


def test_resent_record_without_a_difference_has_no_fields(planner: Planner):
    planner.sync("first", rows(10, "Ada"))

    planner.plan("again", rows(10, "Ada"), 1, mode=RunMode.FULL_RESYNC, guards_approved=True)

    assert planner.kept("again").samples == (PlanSample("update", "ada-f", ()),)


def test_checksum_of_changes_has_no_order_and_covers_key_operation_hash_and_the_values_before(planner: Planner):
    planner.sync("first", rows())
    run = planner.plan("second", REVISED, 2)

    def sums() -> plans.ChangeSums:
        return planner.database.run(lambda t: plans.sum_changes(t, run.run_id, 1))

    before = sums()
    planner.query("UPDATE outbox SET seq = 100 - seq WHERE run_id = %s", run.run_id)
    assert (sums().changes_sum, sums().previous_sum) == (before.changes_sum, before.previous_sum)
    for change in (
        "UPDATE outbox SET operation = 'create' WHERE operation = 'update' AND run_id = %s",
        "UPDATE outbox SET row_hash = UNHEX(SHA2('x', 256)) WHERE operation = 'create' AND run_id = %s",
        "UPDATE outbox SET record_key = UNHEX(LEFT(SHA2('x', 256), 32)) WHERE key_text = 'jana-f' AND run_id = %s",
    ):
        last = sums().changes_sum
        planner.query(change, run.run_id)
        assert sums().changes_sum != last, change
    last = sums()
    planner.query(
        "UPDATE outbox SET previous_properties = '{\"a\": \"b\"}' WHERE run_id = %s AND operation = 'archive'",
        run.run_id,
    )
    assert sums().changes_sum == last.changes_sum
    assert sums().previous_sum != last.previous_sum


def test_values_that_two_records_exchanged_are_another_snapshot(planner: Planner):
    run = planner.plan("first", rows(10, "Ada", "Bea", Ada=11))
    before = planner.database.run(lambda t: plans.sum_snapshot(t, run.run_id))

    planner.query(
        "UPDATE snapshot s JOIN (SELECT key_text, row_hash FROM snapshot) o ON o.key_text <> s.key_text "
        "SET s.row_hash = o.row_hash"
    )

    assert planner.database.run(lambda t: plans.sum_snapshot(t, run.run_id)) != before


def test_plan_is_applied_exactly_and_both_runs_show_it(planner: Planner):
    planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)

    run = planner.plan("apply", REVISED, 2, plan_run_id=look.run_id)

    assert planner.changes(run) == {("create", "kim-f"), ("update", "ada-f"), ("archive", "jana-f")}
    applied = planner.kept("apply")
    assert applied.plan.basis == planner.kept("look").plan.basis
    assert applied.applies_run_id == look.run_id
    assert planner.kept("look").applied_by == run.run_id


def refused(planner: Planner, name: str, source: list[SourceRow], version: int, look: Run, **request: Any) -> str:
    """Apply a plan that no longer fits; return the message after nothing was queued."""
    ((before,),) = planner.query("SELECT COUNT(*) FROM outbox")
    with pytest.raises(PlanMovedOnError) as caught:
        planner.plan(name, source, version, plan_run_id=look.run_id, **request)
    assert planner.query("SELECT COUNT(*) FROM outbox") == [(before,)]
    assert planner.query("SELECT planned_at, plan_hash FROM sync_run WHERE dag_run_key = %s", name) == [(None, None)]
    assert planner.kept(name).applies_run_id == look.run_id
    return str(caught.value)


def test_plan_is_refused_after_another_run_wrote_the_same_records(planner: Planner):
    planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)
    other = planner.sync("other", REVISED, 2)

    message = refused(planner, "apply", REVISED, 2, look)

    assert f"the plan of run {look.run_id} cannot be applied, moved on: the ledger" in message
    assert f"run {other.run_id} has planned since" in message
    assert "changes then: create 1, update 1, archive 1, now: create 0, update 0, archive 0" in message
    assert "nothing was sent" in message


def test_plan_is_refused_when_hubspot_holds_other_values_of_a_planned_record(planner: Planner):
    planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)
    # as a read-back of a key in doubt leaves it: the same change is planned, over another value
    planner.query(
        "UPDATE ledger SET row_hash = UNHEX(SHA2('other', 256)), properties = '{\"total_births\": \"5\"}' "
        "WHERE key_text = 'ada-f'"
    )

    message = refused(planner, "apply", REVISED, 2, look)

    assert "moved on: the ledger (10 active contacts then, 10 now)" in message


def test_plan_is_refused_for_another_file(planner: Planner):
    planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)

    message = refused(planner, "apply", rows(10, *GIRLS, "Kim", "Lea"), 3, look)

    assert "the source (version 2 with 10 records then, version 3 with 12 now)" in message


def test_plan_is_refused_when_other_records_are_rejected(planner: Planner):
    first = planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)
    reject(planner, look, "ada-f")

    message = refused(planner, "apply", REVISED, 2, look)

    assert "moved on: the rejects (0 records left out then, 1 now);" in message
    assert first.run_id < look.run_id


def reject(planner: Planner, run: Run, key_text: str) -> None:
    """Let HubSpot have refused the value that a run planned for a record."""
    ((seq,),) = planner.query("SELECT seq FROM outbox WHERE run_id = %s AND key_text = %s", run.run_id, key_text)
    change = RejectedChange(seq, key_text, "INVALID_OPTION", "no such option", "c-1")
    planner.database.run(lambda t: rejects.insert_rejected_changes(t, run.run_id, run.sync_name, [change]))


def test_rejected_record_is_counted_as_left_out_and_a_replay_takes_it(planner: Planner):
    planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)
    reject(planner, look, "ada-f")

    planner.plan("again", REVISED, 2, mode=RunMode.PLAN_ONLY)
    assert (planner.kept("again").plan.rejected, planner.kept("again").plan.changes["update"]) == (1, 0)

    planner.plan("replay", REVISED, 2, mode=RunMode.REPLAY, replay=ReplayChoice())
    assert (planner.kept("replay").plan.rejected, planner.kept("replay").plan.changes["update"]) == (0, 1)


def test_guards_are_named_in_a_plan_that_sends_nothing_and_stop_a_run_whose_plan_is_kept(planner: Planner):
    planner.sync("first", rows())
    broken = rows(99, "Ada", "Bea", "Cleo", "Dora", "Eve", "Fay", "Gina")

    planner.plan("look", broken, 2, mode=RunMode.PLAN_ONLY)
    with pytest.raises(GuardError, match=r"the file shrank from 10 to 7 rows|3 of 10 contacts are no longer"):
        planner.plan("run", broken, 2)

    trips = {trip.guard: (trip.found, trip.allowed) for trip in planner.kept("look").plan.trips}
    assert trips == {
        "min_row_share": (7, 8),
        "min_record_share": (7, 8),
        "max_archive_share": (3, 2),
        "max_change_share": (7, 5),
    }
    assert planner.kept("run").plan.trips == planner.kept("look").plan.trips
    assert planner.kept("run").plan.changes == {"create": 0, "update": 7, "archive": 3}
    assert planner.query("SELECT COUNT(*) FROM outbox WHERE state NOT IN ('verified', 'superseded')") == [(0,)]


def test_summary_of_a_run_that_a_guard_stopped_has_the_numbers_of_its_plan(planner: Planner):
    planner.sync("first", rows())
    with pytest.raises(GuardError):
        planner.plan("run", rows(10, *GIRLS[:6], "Kim", Ada=77), 2)
    run = planner.database.run(partial(runs.get_run, dag_run_key="run"))

    summary = planner.database.run(
        lambda transaction: health.judge(transaction, planner.definition, run, ["compute_delta"])
    )

    assert (summary.state, summary.created, summary.updated, summary.archived) == ("failed", 0, 0, 0)
    assert (summary.planned_create, summary.planned_update, summary.planned_archive) == (1, 1, 4)
    assert summary.planned_calls == planner.kept("run").plan.cost.calls == 5


def test_plan_that_meets_a_guard_is_applied_only_with_an_approval_of_its_own(planner: Planner):
    planner.sync("first", rows())
    few = rows(10, *GIRLS[:7])
    look = planner.plan("look", few, 2, mode=RunMode.PLAN_ONLY, guards_approved=True)

    with pytest.raises(GuardError):
        planner.plan("apply", few, 2, plan_run_id=look.run_id)

    run = planner.plan("approved", few, 2, plan_run_id=look.run_id, guards_approved=True)
    assert planner.changes(run) == {("archive", "hera-f"), ("archive", "ida-f"), ("archive", "jana-f")}
    assert planner.kept("approved").plan.guards_approved


def test_portal_and_day_without_room_are_named_in_a_plan_and_no_approval_lifts_them(planner: Planner):
    planner.portal.room = 7
    planner.query("UPDATE rate_limit SET daily_limit = 1000, daily_remaining = 51")

    planner.plan("look", rows(), mode=RunMode.PLAN_ONLY)
    with pytest.raises(GuardError, match="10 new contacts do not fit: the portal holds 0 of 7"):
        planner.plan("run", rows(), guards_approved=True)
    planner.portal.room = None
    with pytest.raises(QuotaExhaustedError, match=r"needs 2 requests, 51 of 1000 are left"):
        planner.plan("next", rows(), guards_approved=True)

    assert [trip.guard for trip in planner.kept("look").plan.trips] == ["contact_limit", "daily_quota"]
    assert planner.query("SELECT COUNT(*) FROM outbox WHERE state <> 'superseded'") == [(0,)]


def test_refused_replay_leaves_the_rejects_as_they_were(planner: Planner):
    planner.sync("first", rows())
    look = planner.plan("look", REVISED, 2, mode=RunMode.PLAN_ONLY)
    reject(planner, look, "ada-f")
    planner.query("UPDATE rate_limit SET daily_limit = 1000, daily_remaining = 51")

    with pytest.raises(QuotaExhaustedError):
        planner.plan("replay", REVISED, 2, mode=RunMode.REPLAY)

    assert planner.query("SELECT released_at FROM rejected_record") == [(None,)]
    assert planner.kept("replay").plan.changes["update"] == 1


def test_plan_of_a_trial_run_is_applied_with_its_limits(planner: Planner):
    trial = Selection(3, (Bound("total_births", 20, None),))
    source = rows(10, Ada=21, Bea=22, Cleo=23, Dora=24)
    look = planner.plan("look", source, mode=RunMode.PLAN_ONLY, is_limited=True, selection=trial)
    assert look.planned == {"create": 3, "update": 0, "archive": 0}

    run = planner.plan("apply", source, plan_run_id=look.run_id, is_limited=True, selection=EVERYTHING)

    assert len(planner.changes(run)) == 3
    assert planner.kept("apply").plan.basis.bounds == (("total_births", 20, None),)


def test_withheld_records_are_counted_in_the_plan(planner: Planner):
    opened = open_run(planner.database, planner.definition, "look", mode=RunMode.PLAN_ONLY)
    line = RejectedLine(2, "Number", "not_an_integer", "no whole number", "raw", "ada-f")
    planner.database.run(lambda t: rejects.insert_rejected_lines(t, opened.run_id, "baby_names", "v1", [line]))

    planner.plan("look", rows(), mode=RunMode.PLAN_ONLY)

    plan = planner.kept("look").plan
    assert (plan.records, plan.quarantined, plan.changes["create"]) == (10, 1, 9)


def apply_early(planner: Planner, run_id: int, **changes: Any) -> RunPlan:
    order = {"definition": planner.definition, "portal_id": PORTAL, "mode": RunMode.INCREMENTAL} | changes
    return planner.database.run(lambda t: plan_to_apply(t, order.pop("definition"), run_id, **order))


def test_plan_of_nobody_of_another_sync_mode_portal_or_mapping_is_refused_at_once(planner: Planner):
    look = planner.plan("look", rows(), mode=RunMode.PLAN_ONLY)
    other = planner.definition.model_copy(update={"name": "other"})
    destination = planner.definition.destination
    remapped = planner.definition.model_copy(
        update={"destination": destination.model_copy(update={"properties": destination.properties[:-1]})}
    )

    assert apply_early(planner, look.run_id) == planner.kept("look").plan
    with pytest.raises(ConfigError, match="plan_run_id 999: sync baby_names has no plan of this run"):
        apply_early(planner, 999)
    with pytest.raises(ConfigError, match="sync other has no plan of this run"):
        apply_early(planner, look.run_id, definition=other)
    with pytest.raises(ConfigError, match="is sent with mode incremental, not full_resync"):
        apply_early(planner, look.run_id, mode=RunMode.FULL_RESYNC)
    with pytest.raises(PlanMovedOnError, match=r"the portal .planned for 4242, the token is of 7"):
        apply_early(planner, look.run_id, portal_id=7)
    with pytest.raises(PlanMovedOnError, match="the mapping"):
        apply_early(planner, look.run_id, definition=remapped)


def test_run_that_is_planned_anew_keeps_its_latest_plan(planner: Planner):
    planner.plan("look", rows(), mode=RunMode.PLAN_ONLY)
    planner.plan("look", rows(10, "Ada"), 2, mode=RunMode.PLAN_ONLY)

    assert planner.kept("look").plan.changes["create"] == 1


def test_plan_counts_less_reading_without_a_read_back(planner: Planner):
    delivery = planner.definition.delivery.model_copy(update={"read_back": ReadBack.NONE})
    planner.definition = planner.definition.model_copy(update={"delivery": delivery})

    planner.plan("look", rows(), mode=RunMode.PLAN_ONLY)

    cost = planner.kept("look").plan.cost
    assert (cost.write_calls, cost.read_calls) == (1, 0)


STATEMENTS = [
    ("plan/sum_changes.sql", "outbox", "PRIMARY|outbox_record"),
    ("plan/select_samples.sql", "outbox", "PRIMARY"),
    ("plan/sum_snapshot.sql", "snapshot", "PRIMARY"),
    ("plan/sum_rejects.sql", "s", "PRIMARY"),
    ("plan/select_run_plan.sql", "p", "PRIMARY"),
    ("page/select_run_plan.sql", "p", "PRIMARY"),
]
COPY_PLAN = """
    INSERT INTO run_plan
    SELECT run_id + %s, fingerprint, run_id, plan, samples, made_at FROM run_plan WHERE run_id = 1
"""
COPY_CHANGES = """
    INSERT INTO outbox (run_id, seq, batch_no, operation, record_key, key_text, state, updated_at)
    SELECT run_id + %s, seq, batch_no, operation, record_key, key_text, state, updated_at FROM outbox WHERE run_id = 1
"""
COPY_SNAPSHOT = """
    INSERT INTO snapshot
    SELECT run_id + %s, record_key, key_text, row_hash, properties, 2, 1 FROM snapshot WHERE run_id = 1
"""


def test_every_statement_of_a_plan_finds_its_rows_by_an_index_and_sorts_nothing(planner: Planner):
    assert planner.plan("first", rows()).run_id == 1
    for sql in (COPY_PLAN, COPY_CHANGES, COPY_SNAPSHOT):
        for number in range(1, 30):
            planner.query(sql, number)
    planner.query("ANALYZE TABLE outbox, snapshot, run_plan, rejected_record")
    values = {"run_id": 1, "sync_name": "baby_names", "first_batch_no": 1, "seqs": [1, 2, 3]}

    for name, table, index in STATEMENTS:
        with closing(planner.connect()) as connection, connection.cursor(MySQLdb.cursors.DictCursor) as cursor:
            cursor.execute("EXPLAIN FORMAT=TRADITIONAL " + statement(name), values)
            steps = [step for step in cursor.fetchall() if step["table"] == table]
        assert steps, name
        for step in steps:
            assert re.fullmatch(index, step["key"] or ""), (name, steps)
            assert "filesort" not in (step["Extra"] or ""), (name, steps)
