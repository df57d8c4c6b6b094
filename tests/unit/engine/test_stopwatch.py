"""Where the time of a task goes."""

from __future__ import annotations

import asyncio
import time

import pytest

from include.hubspot_sync.engine.stopwatch import running_stopwatch, spent_on
from include.hubspot_sync.records import Phase


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the test move the clock: its only element is the time."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_time_counts_for_the_phase_of_the_block(clock: list[float]):
    with running_stopwatch() as stopwatch:
        for seconds in (1, 2):
            with spent_on(Phase.LOAD):
                clock[0] += seconds
        clock[0] += 4

    assert stopwatch.seconds == {Phase.LOAD: 3}
    assert stopwatch.elapsed_s == 7


def test_block_that_fails_counts(clock: list[float]):
    def fail() -> None:
        with spent_on(Phase.LOAD):
            clock[0] += 2
            raise ValueError("broken")

    with running_stopwatch() as stopwatch, pytest.raises(ValueError, match="broken"):
        fail()

    assert stopwatch.seconds == {Phase.LOAD: 2}


def test_coroutines_that_run_at_once_count_in_full(clock: list[float]):
    async def work(seconds: float) -> None:
        with spent_on(Phase.ANSWER_WAIT):
            await asyncio.sleep(0)
            clock[0] += seconds
            await asyncio.sleep(0)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(1))
            group.create_task(work(2))

    with running_stopwatch() as stopwatch:
        asyncio.run(both())

    assert stopwatch.seconds == {Phase.ANSWER_WAIT: 6}


def test_without_a_stopwatch_nothing_is_counted(clock: list[float]):
    with running_stopwatch() as stopwatch:
        pass
    with spent_on(Phase.LOAD):
        clock[0] += 2

    assert stopwatch.seconds == {}
