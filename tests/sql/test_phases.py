"""Where the time of a run went, as MySQL keeps it."""

from __future__ import annotations

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.records import Phase
from include.hubspot_sync.store import phases
from include.hubspot_sync.store.connection import Database
from tests.support.rows import open_run

pytestmark = pytest.mark.sql

OUTSIDE = -1


def add(database: Database, name: str, shard: int, seconds: dict[Phase, float], elapsed_s: float) -> None:
    database.run(lambda t: phases.add_phases(t, name, shard, seconds, elapsed_s=elapsed_s))


def test_tasks_count_on_the_wall_and_their_parts_in_sum(database: Database, definition: SyncDefinition):
    run = open_run(database, definition, "a run")
    add(database, "a run", OUTSIDE, {Phase.PREFLIGHT: 2.0}, elapsed_s=2.0)
    for shard in (0, 1):
        add(database, "a run", shard, {Phase.DELIVER: 5.0, Phase.LIMIT_WAIT: 20.0}, elapsed_s=5.0)

    found = database.run(lambda t: phases.breakdown(t, run.run_id, 10.0))

    assert list(found) == ["schedule", "preflight", "deliver", "limit_wait"]
    assert (found["preflight"], found["limit_wait"]) == (2.0, 40.0)
    # the two shards were stored one right after the other and ran at the same time
    assert 5.0 <= found["deliver"] < 6.0
    assert found["schedule"] == pytest.approx(10.0 - 2.0 - found["deliver"], abs=0.002)


def test_a_second_try_adds_its_time(database: Database, definition: SyncDefinition):
    run = open_run(database, definition, "a run")
    for seconds in (1.0, 2.5):
        add(database, "a run", OUTSIDE, {Phase.LOAD: seconds}, elapsed_s=seconds)

    assert database.run(lambda t: phases.breakdown(t, run.run_id, None)) == {"load": 3.5}


def test_schedule_is_never_negative(database: Database, definition: SyncDefinition):
    run = open_run(database, definition, "a run")
    add(database, "a run", OUTSIDE, {Phase.LAND: 9.0}, elapsed_s=9.0)

    assert database.run(lambda t: phases.breakdown(t, run.run_id, 1.0))["schedule"] == 0


def test_run_that_was_never_opened_keeps_nothing(database: Database, definition: SyncDefinition):
    run = open_run(database, definition, "a run")
    add(database, "another", OUTSIDE, {Phase.LAND: 9.0}, elapsed_s=9.0)

    assert database.run(lambda t: phases.breakdown(t, run.run_id, None)) == {}
