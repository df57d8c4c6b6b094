"""The gate when its worker or its database is slow; its pace against a real window is in `tests/sql/test_pacing.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from include.hubspot_sync.engine.gate import Gate, SendCheck
from include.hubspot_sync.errors import LeaseLostError
from tests.support.virtual_time import VirtualLoop

LEASE_S = 3.0
WAIT_S = 2.0


class ScriptedStore:
    """Reserves a time in two seconds, then admits; the answer to that comes late."""

    def __init__(self, admits_after_s: Iterable[float] = ()) -> None:
        self._admits_after_s = iter(admits_after_s)
        self.reserved = 0
        self.calls = 0

    async def run(self, work: Callable[[Any], Any]) -> Any:
        # the gate admits with a partial that names the usage, and reserves with a plain function
        if not hasattr(work, "keywords"):
            self.reserved += 1
            return WAIT_S
        self.calls += work.keywords["usage"].calls  # type: ignore[attr-defined]
        await asyncio.sleep(next(self._admits_after_s, 0))
        return True


def wait(store: ScriptedStore, oversleeps_s: Iterable[float] = (), check: SendCheck | None = None) -> float:
    """Return when the request may leave."""
    late = iter(oversleeps_s)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds + next(late, 0.0))

    loop = VirtualLoop()
    gate = Gate(store, portal_id=1, run_id=1, shard=0, share=0.9, sleep=sleep)  # type: ignore[arg-type]
    try:
        loop.run_until_complete(gate.wait(is_write=True, check=check))
        return loop.time()
    finally:
        loop.close()


CHECK = SendCheck(lambda _transaction: None, LEASE_S)


def test_answer_within_the_lease_lets_the_request_go():
    store = ScriptedStore([LEASE_S - 1])

    wait(store, check=CHECK)

    assert store.reserved == 1


def test_check_that_is_answered_after_the_lease_is_asked_again():
    store = ScriptedStore([LEASE_S, LEASE_S + 1, 0])

    assert wait(store, check=CHECK) == 3 * WAIT_S + 2 * LEASE_S + 1
    assert store.reserved == 3
    assert store.calls == 1


def test_request_does_not_leave_when_every_check_is_answered_too_late():
    with pytest.raises(
        LeaseLostError, match=r"mysql answered 5 checks .* too late, the last after 4 s, while one holds for 3 s"
    ):
        wait(ScriptedStore([LEASE_S + 1] * 9), check=CHECK)


def test_late_answer_matters_to_writes_only():
    wait(ScriptedStore([LEASE_S + 1]))


def test_sender_that_comes_too_late_takes_another_time():
    store = ScriptedStore()

    assert wait(store, [0.5]) == WAIT_S + 0.5 + WAIT_S
    assert store.reserved == 2


def test_sender_that_is_a_little_late_keeps_its_time():
    store = ScriptedStore()

    assert wait(store, [0.05]) == WAIT_S + 0.05
    assert store.reserved == 1


def test_sender_that_is_always_late_gets_on_at_last():
    store = ScriptedStore()

    wait(store, [0.5] * 100)

    assert store.reserved == 6
