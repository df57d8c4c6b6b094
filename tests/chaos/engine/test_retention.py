"""Old rows go while syncs come, fail, are cleared and run at the same time: nobody may notice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.util import await_only, greenlet_spawn

from include.hubspot_sync.config import Retention
from include.hubspot_sync.engine.retention import PurgeWork, purge
from include.hubspot_sync.orchestration import tasks
from include.hubspot_sync.records import RunMode
from tests.chaos.engine.dag_run import DagRun
from tests.chaos.engine.network import Fate
from tests.chaos.engine.processes import Process, Stop
from tests.chaos.engine.world import REFUSED_BIRTHS, Trouble, World

pytestmark = pytest.mark.sql

DAY_S = 86_400
NAMES = ("Ada", "Bea", "Cleo", "Dora", "Eve", "Fay")
RETENTION = Retention(run_days=1, keep_runs=1, reject_days=1, chunk_rows=2, pause_s=0.5)
OWNERS = {
    "outbox": "SELECT run_id FROM outbox",
    "batch": "SELECT run_id FROM batch",
    "snapshot": "SELECT run_id FROM snapshot",
    "run_plan": "SELECT run_id FROM run_plan",
}


def purge_now(world: World) -> dict[str, int]:
    """Purge between two moments of everybody else."""
    definition = world.definition.model_copy(update={"retention": RETENTION})
    return purge(PurgeWork(definition, world.database, sleep=lambda _: None))


def start_purge(world: World) -> Process:
    """Purge as a process of its own, which others overtake and which may be stopped before each transaction."""
    definition = world.definition.model_copy(update={"retention": RETENTION})

    async def body(process: Process) -> dict[str, int]:
        database = world.greenlet_database(process)
        work = PurgeWork(definition, database, sleep=lambda seconds: await_only(asyncio.sleep(seconds)))
        return await greenlet_spawn(purge, work)

    async def start() -> Process:
        return world.table.start("purge", body)

    return world.loop.run_until_complete(start())


def sync(
    world: World, births: Mapping[str, int], mode: RunMode = RunMode.INCREMENTAL, *, seconds: float = 60
) -> DagRun:
    world.publish(births)
    dag_run = world.trigger(mode)
    world.pass_time(seconds)
    return dag_run


def run_id_of(world: World, dag_run: DagRun) -> int:
    return dict(world.rows("SELECT CONVERT(dag_run_key USING utf8mb4), run_id FROM sync_run"))[dag_run.key]


def rows_of(world: World, dag_run: DagRun) -> Counter[str]:
    """Count what a purge may remove of a run."""
    run_id = run_id_of(world, dag_run)
    return Counter({table: [row for (row,) in world.rows(ids)].count(run_id) for table, ids in OWNERS.items()})


def row_of(world: World, dag_run: DagRun) -> tuple[Any, ...]:
    """Return what a run that is over must keep."""
    rows = world.rows(
        "SELECT run_id, state, summary, is_accepted, planned, epoch, finished_at, reason, reason_text FROM sync_run"
    )
    return {row[0]: row for row in rows}[run_id_of(world, dag_run)]


@pytest.fixture
def two_runs(world: World) -> tuple[DagRun, DagRun]:
    """A first load and a change, days ago: the rows of the first one may go."""
    first = sync(world, {"Ada": 10, "Bea": 10, "Cleo": REFUSED_BIRTHS})
    second = sync(world, {"Ada": 20, "Bea": 10, "Cleo": REFUSED_BIRTHS})
    world.pass_time(3 * DAY_S)
    return first, second


def test_rows_of_the_older_run_go_and_those_of_the_accepted_one_stay(world: World, two_runs: tuple[DagRun, DagRun]):
    first, second = two_runs
    before, kept, ledger = rows_of(world, first), rows_of(world, second), world.rows("SELECT * FROM ledger")
    assert min(before.values()) > 0

    removed = purge_now(world)

    assert removed == {"runs": 1, **before, "rejected_record": 0}
    assert rows_of(world, first).total() == 0
    assert rows_of(world, second) == kept
    assert world.rows("SELECT * FROM ledger") == ledger
    assert purge_now(world) == dict.fromkeys(removed, 0)


def test_unchanged_file_costs_no_write_after_a_purge(world: World, two_runs: tuple[DagRun, DagRun]):
    purge_now(world)
    before = world.write_calls

    again = world.trigger()
    world.pass_time(60)

    assert (again.state, again.summary["unchanged"], again.summary["rejected"]) == ("success", 2, 1)
    assert world.write_calls == before
    world.come_to_rest()


def test_full_resync_works_after_a_purge(world: World, two_runs: tuple[DagRun, DagRun]):
    purge_now(world)

    again = world.trigger(RunMode.FULL_RESYNC)
    world.pass_time(60)

    assert (again.state, again.summary["updated"], again.summary["verified"]) == ("success", 2, 2)
    world.come_to_rest()


def test_record_that_a_purged_run_saw_refused_can_be_replayed(world: World, two_runs: tuple[DagRun, DagRun]):
    purge_now(world)
    run_id = world.rows("SELECT run_id FROM rejected_record WHERE resolved_at IS NULL")[0][0]
    assert rows_of(world, two_runs[0]).total() == 0
    world.faults.remove(world.faults.listed()[0]["id"])

    request = tasks.RunRequest(RunMode.REPLAY, approve_guards="test", replay_run=run_id)
    replay = DagRun(world, "replay", request)
    world.dag_runs.append(replay)
    replay.start()
    world.pass_time(60)

    assert (replay.state, replay.summary["created"], replay.summary["rejected"]) == ("success", 1, 0)
    assert set(world.contacts) == {"ada-f", "bea-f", "cleo-f"}


def clear_all(dag_run: DagRun) -> None:
    dag_run.clear(leaves_orphans=False)


def clear_shard(dag_run: DagRun) -> None:
    dag_run.clear_shard(0, leaves_orphans=False)


def clear_finish(dag_run: DagRun) -> None:
    dag_run._schedule = dag_run.world.loop.create_task(dag_run._finish([]))


@pytest.mark.parametrize("clear", [clear_all, clear_shard, clear_finish])
@pytest.mark.parametrize("purges", [1, 0], ids=["purged", "whole"])
def test_cleared_run_whose_records_a_later_one_planned_is_superseded_and_writes_nothing(
    world: World, two_runs: tuple[DagRun, DagRun], clear: Callable[[DagRun], None], purges: int
):
    first, second = two_runs
    for _ in range(purges):
        purge_now(world)
    before, writes, ledger = row_of(world, first), world.write_calls, world.rows("SELECT * FROM ledger")

    clear(first)
    world.pass_time(60)

    ends = [process.task.exception() for process in first.processes if process.task and process.task.exception()]
    assert {str(end).split(",")[0] for end in ends} == {f"superseded by run {run_id_of(world, second)}"}
    assert row_of(world, first) == before
    assert (world.write_calls, world.rows("SELECT * FROM ledger")) == (writes, ledger)
    world.come_to_rest()


def test_purge_that_is_killed_is_finished_by_the_next_one(world: World, two_runs: tuple[DagRun, DagRun]):
    before = rows_of(world, two_runs[0])
    world.table.stops.append(Stop(2, 0, "purge"))
    killed = start_purge(world)
    world.pass_time(60)
    left = rows_of(world, two_runs[0])
    assert killed.is_dead
    assert 0 < left.total() < before.total()

    again = start_purge(world)
    world.pass_time(60)

    assert again.task.result() == {"runs": 1, **left, "rejected_record": 0}
    world.come_to_rest()


def test_run_that_last_wrote_a_key_in_doubt_keeps_its_rows_until_the_key_is_read(
    world: World, two_runs: tuple[DagRun, DagRun]
):
    first, _ = two_runs
    writers = dict(world.rows("SELECT key_text, run_id FROM ledger"))
    assert writers["bea-f"] == run_id_of(world, first) != writers["ada-f"]
    world.rows("UPDATE ledger SET state = 'uncertain', uncertain_from = 'active' WHERE key_text = 'bea-f'")

    assert purge_now(world)["runs"] == 0

    world.trigger()
    world.pass_time(60)
    purge_now(world)
    assert rows_of(world, first).total() == 0
    world.come_to_rest()


def test_failed_run_keeps_its_rows_until_a_later_one_has_planned(world: World):
    sync(world, {"Ada": 10, "Bea": 10})
    world.make_trouble(Trouble(fates=[Fate.RESET_AFTER, *[Fate.REFUSED] * 200]))
    failed = sync(world, {"Ada": 20, "Bea": 20}, seconds=4 * DAY_S)
    assert failed.state == "failed"
    before = rows_of(world, failed)
    world.network.fates.clear()

    purge_now(world)
    assert rows_of(world, failed) == before

    sync(world, {"Ada": 30, "Bea": 20})
    sync(world, {"Ada": 30, "Bea": 30})
    world.pass_time(2 * DAY_S)
    purge_now(world)
    assert rows_of(world, failed).total() == 0
    world.come_to_rest()


@dataclass
class Script:
    """A random history, which happens again in the same way for the same number."""

    world: World
    number: int
    purge: Callable[[World], object]

    def play(self) -> None:
        rng = random.Random(self.number)  # noqa: S311  repeatable
        births = dict.fromkeys(NAMES, 11)
        sync(self.world, births)
        steps = (self._change, self._change, self._break, self._clear, self._show, self._days)
        for step in (self._change, self._days, *rng.choices(steps, k=9), self._days):
            step(rng, births)
            self.world.pass_time(rng.choice((1.5, 4, 60, 400)))
            self.purge(self.world)

    def _change(self, rng: random.Random, births: dict[str, int]) -> None:
        for name in rng.sample(NAMES, 2):
            births[name] = rng.choice((10, 20, REFUSED_BIRTHS, births.get(name, 10) + 5))
        if rng.random() < 0.3:
            births.pop(rng.choice(NAMES), None)
        self.world.publish(births or {"Ada": 10})
        self.world.trigger()

    def _break(self, rng: random.Random, births: dict[str, int]) -> None:
        self.world.network.fates.extend(rng.choice((Fate.RESET_AFTER, Fate.REFUSED, None)) for _ in range(6))
        self._change(rng, births)

    def _clear(self, rng: random.Random, births: dict[str, int]) -> None:
        if self.world.dag_runs:
            rng.choice((clear_all, clear_shard))(rng.choice(self.world.dag_runs))

    def _show(self, rng: random.Random, births: dict[str, int]) -> None:
        if self.world.dataset.versions:
            self.world.trigger(RunMode.PLAN_ONLY)

    def _days(self, rng: random.Random, births: dict[str, int]) -> None:
        self.world.pass_time(2 * DAY_S)


def outcome(world: World) -> dict[str, Any]:
    """Return everything that must be the same with and without purges; numbers of runs and seconds differ."""
    dropped = {"run_id", "plan_page", "phases", "deliver_s", "message"}
    return {
        "contacts": {key: contact.properties for key, contact in world.contacts.items()},
        "writes": world.write_calls,
        "ends": [
            (run.state, {name: value for name, value in run.summary.items() if name not in dropped})
            for run in world.dag_runs
        ],
        "ledger": world.rows(
            "SELECT key_text, state, uncertain_from, HEX(row_hash), run_epoch, source_version FROM ledger ORDER BY 1"
        ),
        "rejects": world.rows(
            "SELECT key_text, reason, attempts, line_no FROM rejected_record WHERE resolved_at IS NULL ORDER BY 1"
        ),
    }


@pytest.mark.parametrize("number", range(12))
def test_history_with_purges_is_the_one_without(world: World, number: int):
    removed: Counter[str] = Counter()
    Script(world, number, lambda world: removed.update(purge_now(world))).play()
    with_purges = outcome(world)
    world.come_to_rest()
    assert removed["outbox"] > 0

    world.reset()
    Script(world, number, lambda _: None).play()

    assert with_purges == outcome(world)


@pytest.mark.parametrize("number", range(6))
def test_purges_beside_running_and_dying_tasks_break_no_promise(world: World, number: int):
    rng = random.Random(number)  # noqa: S311  repeatable
    purges: list[Process] = []

    def start(world: World) -> None:
        if rng.random() < 0.3:
            world.table.stops.append(Stop(rng.randrange(6), rng.choice((0.0, 30.0)), "purge"))
        purges.append(start_purge(world))

    Script(world, number, start).play()
    world.come_to_rest()

    ended = [process.task.result() for process in purges if process.task.done()]
    assert sum(removed["outbox"] for removed in ended) > 0


def test_purge_and_run_take_turns_row_by_row(world: World):
    """A purge begins before the run does and ends after it: its rests lie between the steps of the run."""
    for births in range(10, 60, 10):
        sync(world, dict.fromkeys(NAMES, births + 1))
    world.pass_time(3 * DAY_S)
    process = start_purge(world)
    world.pass_time(1)
    assert not process.task.done()

    during = sync(world, dict.fromkeys(NAMES, 77), seconds=120)

    assert process.task.result()["runs"] == 4
    assert (during.state, during.summary["updated"], during.summary["verified"]) == ("success", 6, 6)
    world.come_to_rest()
