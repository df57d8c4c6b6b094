"""Sequences that broke a promise once; each says what was wrong. The chosen ones break without one protection."""

from __future__ import annotations

from functools import partial

import pytest

from include.hubspot_sync.config import ReadBack
from include.hubspot_sync.records import RunMode, record_key
from include.hubspot_sync.store import outbox, runs
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.outbox import Claim, Settlement, Writer
from tests.chaos.engine.network import Fate
from tests.chaos.engine.processes import Point, Stop
from tests.chaos.engine.world import REFUSED_BIRTHS, Trouble, World

pytestmark = pytest.mark.sql


def sync(world: World, births: dict[str, int], trouble: Trouble | None = None, *, seconds: float = 60) -> None:
    """Publish a file and let a run work on it."""
    world.publish(births)
    world.make_trouble(trouble or Trouble())
    world.trigger()
    world.pass_time(seconds)


def test_reject_is_resolved_when_the_file_goes_back_to_the_value_that_hubspot_holds(world: World):
    """The refused value was gone from the file, and the record stayed in the list of refused ones for ever."""
    sync(world, {"Ada": 10})
    sync(world, {"Ada": REFUSED_BIRTHS})

    sync(world, {"Ada": 10})

    assert world.dag_runs[-1].summary["unchanged"] == 1
    world.come_to_rest()


def test_plan_that_is_only_shown_resolves_no_reject(world: World):
    """The file without the record was only looked at; with the old file again, the refused record was in no list."""
    sync(world, {"Ada": REFUSED_BIRTHS, "Bea": 10})
    world.publish({"Bea": 10})
    world.trigger(RunMode.PLAN_ONLY)
    world.pass_time(60)

    sync(world, {"Ada": REFUSED_BIRTHS, "Bea": 10})

    assert world.dag_runs[-1].summary["rejected"] == 1
    world.come_to_rest()


def test_cleared_run_with_a_new_file_is_the_last_one_accepted(world: World):
    """A run that found nothing new came after it, so the file from before the clear was taken for delivered still."""
    sync(world, {"Ada": 10, "Cleo": 10})
    sync(world, {"Ada": 10, "Cleo": 10})
    world.publish({"Cleo": 10})
    world.dag_run(1).clear(leaves_orphans=False)
    world.pass_time(60)
    assert set(world.contacts) == {"cleo-f"}

    sync(world, {"Ada": 10, "Cleo": 10})

    assert set(world.contacts) == {"ada-f", "cleo-f"}
    world.come_to_rest()


def test_doubt_outlives_claims_that_certainly_sent_nothing(world: World):
    """A write was applied without an answer; two later claims could not connect, and the second took the doubt away."""
    sync(world, {"Ada": 10})
    fates = [Fate.RESET_AFTER, *[Fate.REFUSED] * 200]
    sync(world, {"Ada": 20}, Trouble(fates=fates), seconds=3000)
    assert world.dag_runs[-1].state == "failed"
    assert world.contacts["ada-f"].properties["total_births"] == "20"

    world.publish({"Ada": 10})
    world.come_to_rest()

    assert world.contacts["ada-f"].properties["total_births"] == "10"


def test_late_try_of_land_does_not_pin_a_newer_version_than_was_staged(world: World):
    """The run counted as synced with a version that it had never read, so that version never arrived."""
    sync(world, {"Eve": 10})
    sync(world, {"Eve": 11}, Trouble(stops=[Stop(0, 400.0, "run 2 land 0")]), seconds=150)
    assert world.dag_runs[-1].state == "success"

    world.publish({"Eve": 20})
    world.pass_time(400)

    world.come_to_rest()


def test_late_try_of_stage_does_not_replace_the_snapshot_of_a_newer_run(world: World):
    """The newer run planned with an empty snapshot: it archived every contact and called that a success."""
    sync(world, {"Ada": 10, "Bea": 10})
    sync(world, {"Ada": 20, "Bea": 10}, Trouble(stops=[Stop(3, 300.0, "run 2 stage 0")]), seconds=280)
    assert world.dag_runs[-1].state == "success"

    sync(world, {"Ada": 20, "Bea": 20}, Trouble(stops=[Stop(0, 50.0, "run 3 compute_delta 0")]), seconds=150)

    assert set(world.contacts) == {"ada-f", "bea-f"}
    world.come_to_rest()


def test_late_planner_does_not_store_what_it_read_before_others_wrote(world: World):
    """The ledger was certain of a value that had been overwritten since, so going back to it was no change."""
    sync(world, {"Ada": 10})
    killed = Stop(1, 0.0, "run 2 deliver[0] 0", since=Point.WRITE)
    sync(world, {"Ada": 20}, Trouble(fates=[Fate.RESET_AFTER], stops=[killed]), seconds=6)
    world.dag_runs[-1].stop()
    world.pass_time(1000)
    before_it_stores = Stop(2, 500.0, "run 3 compute_delta 0", since=Point.READ)
    sync(world, {"Ada": 50}, Trouble(stops=[before_it_stores]), seconds=200)
    assert world.dag_runs[-1].state == "success"

    world.pass_time(600)
    world.publish({"Ada": 20})

    world.come_to_rest()


def test_unread_rows_of_an_old_plan_are_not_sent_again_after_the_run_was_cleared(world: World):
    """A read-back of the plan before the clear took the new value for a difference, and put the old one back."""
    names = sorted(("Ada", "Bea", "Cleo", "Dora"), key=lambda name: record_key(f"{name.lower()}-f"))
    kills = [Stop(0, 0.0, f"run 1 deliver[{shard}] 0", since=Point.READ) for shard in (0, 1)]
    sync(world, dict.fromkeys(names, 10), Trouble(stops=kills), seconds=8)
    # the old batches are the first and the last two, the new one is the two in the middle: another shard's
    world.publish(dict.fromkeys(names, 10) | {names[1]: 20, names[2]: 20})
    world.make_trouble(Trouble(stops=[Stop(0, 25.0, "run 1 deliver[1] 0", since=Point.READ)]))
    world.dag_runs[0].clear(leaves_orphans=False)
    world.pass_time(200)

    world.come_to_rest()


def test_second_send_of_a_differing_row_waits_for_the_first_one(world: World):
    """The first request had no answer and the second was not stored; the third freed the lease of the first."""
    trouble = Trouble(fates=[Fate.RESET_THEN_APPLIED], portal_faults=[{"type": "lost_row"}])
    sync(world, {"Ada": 10}, trouble, seconds=8)
    sync(world, {"Ada": 20})

    world.come_to_rest()


def test_late_read_back_moves_no_row_that_is_being_sent_again(world: World):
    """It would have ended a row that another try had claimed, and left a batch that is claimed but sends nothing."""
    world.is_strict = False
    sync(world, {"Ada": 10}, Trouble(stops=[Stop(0, 0.0, "deliver[0] 0")]), seconds=3)
    world.dag_runs[0].stop()
    run = world.transact(lambda transaction: runs.get_run(transaction, "run 1"))
    writer = Writer(run.run_id, run.sync_name, run.portal_id, run.epoch or 0, 1, 0, "test", 30, 10, ReadBack.FULL)
    read_back = partial(outbox.mark_read_back, writer=writer, verified=[])

    def send(transaction: Transaction) -> Claim:
        claim = outbox.claim_batch(transaction, writer, outbox.open_batches(transaction, writer)[0])
        assert claim is not None
        return claim

    first = world.transact(send)
    seq = first.changes[0].seq
    world.transact(lambda transaction: outbox.settle_batch(transaction, writer, first, Settlement(delivered={seq: 1})))
    world.transact(partial(read_back, batch=first.batch, mismatched={}, again=[seq]))
    second = world.transact(send)
    world.transact(partial(read_back, batch=first.batch, mismatched={seq: "differs"}, again=[]))

    assert [change.seq for change in second.changes] == [seq]
    assert world.rows("SELECT state FROM outbox") == [("in_flight",)]


def test_try_that_was_stopped_before_its_check_does_not_send(world: World):
    """Chosen, not found: without the lease check the old value goes over the new one."""
    before_the_check = Stop(7, 300.0, "run 1 deliver[0] 0")
    sync(world, {"Ada": 10}, Trouble(stops=[before_the_check]), seconds=150)
    sync(world, {"Ada": 20}, seconds=250)

    world.come_to_rest()


@pytest.mark.parametrize("after", [6, 15, 24])
def test_try_that_wakes_after_its_run_does_not_keep_the_next_run_waiting(world: World, after: int):
    """Found by `make chaos` on the whole stack: it took the lock for its run once more, which nobody gave back."""
    stop = Stop(after, 120.0, "run 1 deliver[0] 0")
    names = [f"Name{chr(letter)}" for letter in range(ord("a"), ord("q"))]
    sync(world, dict.fromkeys(names, 10), Trouble(stops=[stop]), seconds=150)
    assert world.dag_runs[-1].state == "success"

    sync(world, dict.fromkeys(names, 20), seconds=60)

    assert world.dag_runs[-1].state == "success"
    world.come_to_rest()


def test_cleared_run_waits_for_a_late_request_of_its_old_plan(world: World):
    """Chosen, not found: the request is sent at the end of its lease and arrives after it, in the drain."""
    late = Trouble(fates=[Fate.LATE], stops=[Stop(0, 2.8, "run 1 deliver[0] 0", since=Point.WRITE)])
    sync(world, {"Ada": 10}, late, seconds=5)
    world.publish({"Ada": 20})
    world.dag_runs[0].clear(leaves_orphans=True)
    world.pass_time(100)

    world.come_to_rest()


def test_next_run_waits_for_a_request_of_a_shard_that_the_last_run_left_behind(world: World):
    """Chosen, not found: one shard is cleared and `finish` releases the lock while another shard is about to send."""
    names = ("Ada", "Bea", "Cleo", "Dora")
    trouble = Trouble(fates=[None, Fate.LATE], stops=[Stop(0, 2.8, "run 1 deliver[1] 0", since=Point.WRITE)])
    sync(world, dict.fromkeys(names, 10), trouble, seconds=5)
    world.dag_runs[0].clear_shard(0, leaves_orphans=True)
    world.pass_time(1)
    sync(world, dict.fromkeys(names, 20), seconds=200)

    world.come_to_rest()


@pytest.mark.parametrize("added", [{}, {"Bea": 10}], ids=["unchanged file", "changed file"])
def test_late_write_of_a_process_that_stopped_after_its_check_is_found_by_the_next_run(
    world: World, added: dict[str, int]
):
    """HubSpot cannot refuse it; the process that wakes puts its keys in doubt, so that they are read again."""
    world.is_strict = False
    world.table.longest_gap_s = 500.0
    sync(world, {"Ada": 10})
    sync(world, {"Ada": 20}, Trouble(stops=[Stop(0, 500.0, "run 2 deliver[0] 0", since=Point.WRITE)]), seconds=200)
    assert world.dag_runs[-1].state == "success"
    sync(world, {"Ada": 50}, seconds=100)
    world.pass_time(400)
    assert world.contacts["ada-f"].properties["total_births"] == "20"

    sync(world, {"Ada": 50} | added)

    assert world.contacts["ada-f"].properties["total_births"] == "50"
    world.come_to_rest()
