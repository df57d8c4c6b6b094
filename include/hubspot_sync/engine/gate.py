"""The gate: every request of every worker, task and run of a portal passes here, at the portal's pace."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

from include.hubspot_sync.destination.hubspot.rate_limit import WINDOW_MS, pause_after, send_interval_us
from include.hubspot_sync.destination.protocol import AnswerHead, RateHeaders
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.records import Phase
from include.hubspot_sync.store import pacing
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.pacing import Pace, Usage

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[object]]
OUTSIDE_SHARDS = -1
_TOO_MANY_REQUESTS = 429
_ROOM_FOR_JITTER = 4


def pace_for(window_limit: int, share: float, window_ms: int = WINDOW_MS) -> Pace:
    """Return the pace that uses this share of a limit and never exceeds it in any window.

    A window holds at most `1 + window / interval + burst` sends. What the share leaves free is room for jitter between
    send and arrival: 0.2 s of it bring four more sends into a window of 190. A burst of three left too little of that
    room and cost one 429 in a run on a loaded machine.
    """
    interval_us = send_interval_us(window_limit, window_ms, share)
    spare = window_limit - window_ms * 1000 // interval_us - 1
    burst = 1 if spare >= _ROOM_FOR_JITTER else 0
    return Pace(interval_us=interval_us, burst_us=burst * interval_us, window_limit=window_limit)


class Gate:
    """Paces and counts the requests of one task."""

    def __init__(
        self, store: AsyncStore, *, portal_id: int, run_id: int, shard: int, share: float, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._store = store
        self._portal_id = portal_id
        self._run_id = run_id
        self._shard = shard
        self._share = share
        self._sleep = sleep
        self._pace: Pace | None = None

    async def wait(self, *, is_write: bool) -> None:
        """Wait for the next sending time; the request counts from here on."""
        waited_s = 0.0
        while True:
            wait_s = await self._store.run(lambda transaction: pacing.reserve_send(transaction, self._portal_id))
            with spent_on(Phase.LIMIT_WAIT):
                await self._sleep(wait_s)
            waited_s += wait_s
            usage = Usage(calls=1, write_calls=int(is_write), wait_ms=round(waited_s * 1000))
            if await self._store.run(partial(self._admit, usage=usage)):
                return

    def _admit(self, transaction: Transaction, usage: Usage) -> bool:
        """Count the request, unless somebody closed the gate while we waited."""
        if pacing.pause_left(transaction, self._portal_id) > 0:
            return False
        pacing.add_usage(transaction, self._run_id, self._shard, usage)
        return True

    async def report(self, answer: AnswerHead) -> None:
        """Learn from an answer: limits from its headers, a pause for everybody from a refusal."""
        pause_s = pause_after(answer)
        pace = self._new_pace(answer.rate)
        refused = answer.status == _TOO_MANY_REQUESTS
        if pause_s > 0:
            pause_s += random.uniform(0, 0.1)  # noqa: S311  jitter, no secret
            log.warning("gate closed pause_s=%.1f reason=%s status=%s", pause_s, answer.reason, answer.status)
        usage = Usage(http_429=int(refused), answer_ms=answer.latency_ms)
        await self._store.run(lambda transaction: self._learn(transaction, usage, pause_s, pace, answer.rate))

    def _new_pace(self, rate: RateHeaders | None) -> Pace | None:
        if rate is None or not rate.max or (self._pace and self._pace.window_limit == rate.max):
            return None
        self._pace = pace_for(rate.max, self._share, rate.interval_ms or WINDOW_MS)
        return self._pace

    def _learn(
        self, transaction: Transaction, usage: Usage, pause_s: float, pace: Pace | None, rate: RateHeaders | None
    ) -> None:
        pacing.add_usage(transaction, self._run_id, self._shard, usage)
        if pause_s > 0:
            pacing.pause_sending(transaction, self._portal_id, pause_s)
        if pace and rate:
            pacing.adopt_limits(
                transaction, self._portal_id, pace, daily_limit=rate.daily, daily_remaining=rate.daily_remaining
            )
