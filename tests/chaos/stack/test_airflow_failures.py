"""What Airflow itself does when things go wrong, on a real scheduler: the rules of the engine must outlast it."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from tests.chaos.stack.airflow_stack import AirflowStack
from tools.chaos.waiting import wait_until
from tools.local_stack import processes

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

WRITES = "SELECT COUNT(*) AS n FROM batch WHERE run_id = %(run_id)s AND fence > 0"


def claims(stack: AirflowStack, run_id: int) -> int:
    return int(stack.tables.rows(WRITES, {"run_id": run_id})[0]["n"])


def test_task_ends_with_its_supervisor_and_the_next_try_delivers_the_rest(airflow_stack: AirflowStack):
    airflow_stack.publish()
    run = airflow_stack.trigger()
    victim = airflow_stack.wait_for_shards(run)[0]

    victim.supervisor.kill()

    wait_until(lambda: not processes.is_alive(victim.task), limit_s=2, what="the end of the orphan")
    airflow_stack.wait_for_success(run)
    assert airflow_stack.shard(run, victim.shard.map_index).try_number == 2
    assert airflow_stack.portal_equals_source()


def test_clearing_one_shard_leaves_its_siblings_alone(airflow_stack: AirflowStack):
    airflow_stack.publish()
    run = airflow_stack.trigger()
    cleared = airflow_stack.wait_for_shards(run)[0].shard.map_index
    siblings = [shard.map_index for shard in airflow_stack.view.shards(run) if shard.map_index != cleared]

    airflow_stack.clear(run, ["deliver", cleared])

    airflow_stack.wait_for_success(run)
    assert airflow_stack.shard(run, cleared).try_number == 2
    assert siblings
    assert [airflow_stack.shard(run, index).try_number for index in siblings] == [1] * len(siblings)
    assert airflow_stack.portal_equals_source()


def test_clearing_the_whole_run_while_it_runs_keeps_its_plan_and_delivers_the_rest(airflow_stack: AirflowStack):
    airflow_stack.publish()
    run = airflow_stack.trigger()
    airflow_stack.wait_for_shards(run)
    before = airflow_stack.run_row(run)

    airflow_stack.clear(run)

    airflow_stack.wait_for_success(run)
    after = airflow_stack.run_row(run)
    assert (after["run_id"], after["epoch"], after["plan_hash"]) == (
        before["run_id"],
        before["epoch"],
        before["plan_hash"],
    )
    summary = airflow_stack.summary(run)
    assert summary["open"] == 0
    assert summary["created"] + summary["updated"] + summary["unchanged"] == summary["records"]
    assert airflow_stack.portal_equals_source()


def test_full_sync_that_is_killed_half_way_repeats_only_what_was_in_flight(airflow_stack: AirflowStack):
    """Scheduler, supervisors and tasks die at once, as with their machine."""
    airflow_stack.publish()
    before, refused_before = airflow_stack.write_calls(), airflow_stack.refused_calls()
    run = airflow_stack.trigger(mode="full_resync")
    airflow_stack.wait_for_shards(run)
    batches = airflow_stack.batches(run)
    wait_until(lambda: airflow_stack.batches(run, "done") >= batches / 2, limit_s=120, what="half of the batches")

    airflow_stack.place.kill("scheduler")
    for process in airflow_stack.view.working():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    in_flight, done = airflow_stack.batches(run, "leased"), airflow_stack.batches(run, "done")
    airflow_stack.place.ensure("scheduler")

    airflow_stack.wait_for_success(run)
    assert 0 < in_flight < batches / 4
    assert done < batches
    # a busy machine may send some requests too early; the portal refuses them, and they are sent once more
    refused = airflow_stack.refused_calls() - refused_before
    assert batches <= airflow_stack.write_calls() - before <= batches + in_flight + refused
    assert airflow_stack.portal_equals_source()


def test_run_that_starts_while_another_delivers_waits_and_writes_nothing_until_then(airflow_stack: AirflowStack):
    airflow_stack.publish()
    first = airflow_stack.trigger()
    airflow_stack.wait_for_shards(first)
    airflow_stack.publish()
    second = airflow_stack.trigger()

    airflow_stack.wait_for_success(first)
    finished = airflow_stack.run_row(first)["finished_at"]
    airflow_stack.wait_for_success(second)

    later = airflow_stack.run_row(second)
    assert airflow_stack.view.tries(second, "preflight") > 1, "the second run never met the lock"
    assert later["first_claim_at"] > finished
    assert later["epoch"] == airflow_stack.run_row(first)["epoch"] + 1
    assert airflow_stack.portal_equals_source()


def test_cleared_older_run_is_superseded_and_writes_nothing(airflow_stack: AirflowStack):
    runs = []
    for _ in range(2):
        airflow_stack.publish()
        runs.append(airflow_stack.trigger())
        airflow_stack.wait_for_success(runs[-1])
    older = runs[0]
    run_id = airflow_stack.run_row(older)["run_id"]
    before = claims(airflow_stack, run_id)

    airflow_stack.clear(older, ["deliver", 0])
    wait_until(lambda: airflow_stack.shard(older, 0).state == "skipped", limit_s=60, what="the superseded shard")

    assert before > 0
    assert claims(airflow_stack, run_id) == before
    assert airflow_stack.portal_equals_source()


def test_nothing_of_the_stack_is_left_when_the_scheduler_is_killed(airflow_stack: AirflowStack):
    """Airflow leaves eight idle workers behind; `make down` must find them."""
    airflow_stack.place.kill("scheduler")

    airflow_stack.place.down()

    assert [process for process in airflow_stack.place.everything() if psutil.pid_exists(process.pid)] == []
