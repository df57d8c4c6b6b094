"""The lease check before a send: an answer of MySQL that came too late says nothing about the lease any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.hubspot_sync.config import ReadBack
from include.hubspot_sync.engine.deliver import ShardDelivery, ShardWork
from include.hubspot_sync.errors import LeaseLostError
from include.hubspot_sync.store.outbox import Batch, Claim, Writer
from tests.support.virtual_time import VirtualLoop

LEASE_S = 30.0
WRITER = Writer(7, "baby_names", 1, 1, 1, 0, "deliver[0] try 1", LEASE_S, 10, ReadBack.FULL)
CLAIM = Claim(Batch(3, "upsert", 1, 2, 2), fence=1, changes=(), doubtful=frozenset())


class SlowStore:
    """Extends every lease and answers late, as a server behind a stalled connection does."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def run(self, _work: Any) -> None:
        await asyncio.sleep(self.seconds)


def check(answer_after_s: float) -> None:
    nothing: Any = None
    work = ShardWork(SlowStore(answer_after_s), nothing, nothing, WRITER, nothing, {}, 1, 900)  # type: ignore[arg-type]
    loop = VirtualLoop()
    try:
        loop.run_until_complete(ShardDelivery(work)._check_lease(CLAIM))
    finally:
        loop.close()


def test_answer_within_the_lease_lets_the_request_go():
    check(LEASE_S - 1)


def test_answer_after_the_lease_stops_the_request():
    with pytest.raises(
        LeaseLostError, match="mysql took 31 s to extend the lease of batch 3 of run 7, which lasts 30 s"
    ):
        check(LEASE_S + 1)
