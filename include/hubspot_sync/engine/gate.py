"""The gate: every request of every worker, task and run of a portal passes here, at the portal's pace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from include.hubspot_sync.destination.hubspot.rate_limit import WINDOW_MS, pause_after, send_interval_us
from include.hubspot_sync.destination.protocol import AnswerHead, RateHeaders
from include.hubspot_sync.engine.answer_tally import AnswerTally
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.errors import LeaseLostError, QuotaExhaustedError, StoreUnavailableError, SyncError
from include.hubspot_sync.records import HeardAnswer, Phase
from include.hubspot_sync.store import api_answers, pacing
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.pacing import GateState, Pace, Usage

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[object]]
OUTSIDE_SHARDS = -1
_ROOM_FOR_JITTER = 4
_LATE_S = 0.1
"""A sender that comes so much later takes another time: several that were held up would arrive together, and did so 191
times in a window of 190 on a machine without CPU to spare."""
_MISSED_AT_MOST = 5
"""Then it sends all the same: a worker that is always late must get on."""
_LATE_CHECKS_AT_MOST = 5
"""Then the batch is left to the next try: a server that is always slower than a lease lets nothing be proven."""
_LEAST_SHARE = 0.05
"""What is taken of the limit even when others seem to use it all."""
_ROOMY_SHARE = 0.75
"""With this share of the window free, nobody has to be looked for."""
_NEARLY_FULL = 2
"""Requests left at which each answer costs a sending time; our pace alone leaves one more."""
_NOISE_SHARE = 0.02
"""Our own count, even within each second, is off by less than this share of a limit."""
_SAME_PACE = 0.02
_DAILY_STEP = 0.002
"""Share of the day after which its rest is kept again."""


def pace_for(window_limit: int, share: float, window_ms: int = WINDOW_MS, others: float = 0.0) -> Pace:
    """Return the pace that uses this share of a limit, less what others use, and never exceeds it in any window.

    A window holds at most `1 + window / interval + burst` sends. What the share leaves free is room for jitter between
    send and arrival: 0.2 s of it bring four more sends into a window of 190. A burst of three left too little of that
    room and cost one 429 in a run on a loaded machine.
    """
    ours = max(share * window_limit - others, _LEAST_SHARE * window_limit)
    interval_us = send_interval_us(window_limit, window_ms, ours / window_limit)
    spare = window_limit - window_ms * 1000 // interval_us - 1
    burst = 1 if spare >= _ROOM_FOR_JITTER else 0
    return Pace(interval_us=interval_us, burst_us=burst * interval_us, window_limit=window_limit)


@dataclass(frozen=True, slots=True)
class SendCheck:
    """What has to be true immediately before a request leaves."""

    prove: Callable[[Transaction], None]
    """Raises LeaseLostError when the request must not leave."""
    holds_s: float
    """For how long the request may leave after it was asked: MySQL counts from when it worked on the question."""


class Gate:
    """Paces and counts the requests of one task."""

    def __init__(  # noqa: PLR0913  where, for whom, how fast and what is heard, by name
        self,
        store: AsyncStore,
        *,
        portal_id: int,
        run_id: int,
        shard: int,
        share: float,
        daily_reserve: float = 0.0,
        tally: AnswerTally | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Pace the requests of a task.

        Args:
            store: Where the shared pacing row lies.
            portal_id: Whose limit it is.
            run_id: For whom the requests count.
            shard: Likewise; `OUTSIDE_SHARDS` for the tasks around the shards.
            share: Share of the portal's burst limit to use.
            daily_reserve: Share of the account's day that is left to others.
            tally: Where the client leaves the answers that it heard.
            sleep: How to wait.
        """
        self._store = store
        self._portal_id = portal_id
        self._run_id = run_id
        self._shard = shard
        self._share = share
        self._daily_reserve = daily_reserve
        self._kept_daily: int | None = None
        self._tally = tally or AnswerTally()
        self._sleep = sleep
        self._pace: Pace | None = None
        self._others = 0.0

    async def wait(self, *, is_write: bool, check: SendCheck | None = None) -> None:
        """Wait for the next sending time and check that the request may go; it counts from here on.

        Raises:
            QuotaExhaustedError: what is left of the day is reserved for others.
            LeaseLostError: from `check`, or MySQL answered it too late again and again.
        """
        clock = asyncio.get_running_loop().time
        waited_s = 0.0
        missed = 0
        late_checks = 0
        while True:
            wait_s = await self._store.run(lambda transaction: pacing.reserve_send(transaction, self._portal_id))
            due = clock() + wait_s
            with spent_on(Phase.LIMIT_WAIT):
                await self._sleep(wait_s)
            waited_s += wait_s
            if clock() - due > _LATE_S and missed < _MISSED_AT_MOST:
                missed += 1
                continue
            # it is one request, however often its check is asked
            calls = int(late_checks == 0)
            usage = Usage(calls=calls, write_calls=calls * int(is_write), wait_ms=round(waited_s * 1000))
            asked_at = clock()
            if await self._store.run(partial(self._admit, usage=usage, check=check)):
                answer_s = clock() - asked_at
                if check is None or answer_s < check.holds_s:
                    return
                late_checks += 1
                waited_s = 0.0
                _refuse_endless_checks(late_checks, answer_s, check.holds_s)

    def _admit(self, transaction: Transaction, usage: Usage, check: SendCheck | None) -> bool:
        """Count the request, unless somebody closed the gate while we waited."""
        state = pacing.gate_state(transaction, self._portal_id)
        if state.pause_s > 0:
            return False
        self._refuse_reserve(state)
        if check is not None:
            check.prove(transaction)
        pacing.add_usage(transaction, self._run_id, self._shard, usage)
        pacing.count_request(transaction, self._portal_id)
        return True

    def _refuse_reserve(self, state: GateState) -> None:
        if state.daily_limit is None or state.daily_remaining is None:
            return
        reserve = self._daily_reserve * state.daily_limit
        if state.daily_remaining < reserve:
            raise QuotaExhaustedError(
                f"{state.daily_remaining} of {state.daily_limit} daily requests are left and {reserve:.0f} are "
                "reserved for others: the next run continues"
            )

    async def report(self, answer: AnswerHead) -> None:
        """Learn from an answer: limits from its headers, a pause for everybody from a refusal."""
        pause_s = pause_after(answer)
        if pause_s > 0:
            pause_s += random.uniform(0, 0.1)  # noqa: S311  jitter, no secret
            log.warning("gate closed pause_s=%.1f reason=%s status=%s", pause_s, answer.reason, answer.status)
        with self._tally.handed_over() as heard:
            await self._store.run(lambda transaction: self._learn(transaction, heard, pause_s, answer))

    async def keep_answers(self) -> None:
        """Store what the client heard and no answer after it has taken along; never raises for a figure."""
        with contextlib.suppress(SyncError), self._tally.handed_over() as heard:
            if heard:
                await self._store.run(
                    lambda transaction: api_answers.count_answers(transaction, self._run_id, self._shard, heard)
                )

    def _learn(
        self, transaction: Transaction, heard: Sequence[HeardAnswer], pause_s: float, answer: AnswerHead
    ) -> None:
        rate = answer.rate
        api_answers.count_answers(transaction, self._run_id, self._shard, heard)
        if pause_s > 0:
            pacing.pause_sending(transaction, self._portal_id, pause_s)
        if rate is None:
            return
        if pace := self._new_pace(transaction, rate, answer.latency_ms):
            pacing.adopt_limits(
                transaction, self._portal_id, pace, daily_limit=rate.daily, daily_remaining=rate.daily_remaining
            )
            self._pace = pace
        if rate.remaining is not None and rate.remaining <= _NEARLY_FULL:
            pacing.delay_sending(transaction, self._portal_id)
        if (
            rate.daily is not None
            and rate.daily_remaining is not None
            and self._is_news(rate.daily, rate.daily_remaining)
        ):
            pacing.keep_daily(transaction, self._portal_id, rate.daily, rate.daily_remaining)
            self._kept_daily = rate.daily_remaining

    def _is_news(self, daily: int, remaining: int) -> bool:
        """Tell whether the rest of the day has to be kept: after each step, and near the reserve every time."""
        step = _DAILY_STEP * daily
        is_near = remaining < self._daily_reserve * daily + step
        return is_near or self._kept_daily is None or abs(self._kept_daily - remaining) >= step

    def _new_pace(self, transaction: Transaction, rate: RateHeaders, answer_ms: int) -> Pace | None:
        """Return the pace that the headers ask for, None while it is the one we have."""
        if not rate.max:
            return None
        window_ms = rate.interval_ms or WINDOW_MS
        self._watch_others(transaction, rate.max, rate.remaining, window_ms, answer_ms)
        pace = pace_for(rate.max, self._share, window_ms, self._others)
        if self._pace and pace.window_limit == self._pace.window_limit and _is_close(pace, self._pace):
            return None
        return pace

    def _watch_others(
        self, transaction: Transaction, limit: int, remaining: int | None, window_ms: int, answer_ms: int
    ) -> None:
        """Learn how much of the window other programs with the same credential use.

        What was in the window when the request arrived and was not ours was theirs. Without room for it, their requests
        and ours would be refused in turn. While most of the window is free it does not matter.
        """
        if remaining is None or (remaining > _ROOMY_SHARE * limit and not self._others):
            return
        ours = pacing.requests_in_window(
            transaction, self._portal_id, window_s=window_ms / 1000, age_s=answer_ms / 1000
        )
        seen = limit - remaining - ours
        seen = seen if seen > _NOISE_SHARE * limit else 0.0
        self._others = seen if not self._others or not seen else (self._others + seen) / 2


def _refuse_endless_checks(late_checks: int, answer_s: float, holds_s: float) -> None:
    """A check that was answered too late proves nothing, so it is asked again, a few times."""
    if late_checks >= _LATE_CHECKS_AT_MOST:
        raise LeaseLostError(
            f"mysql answered {late_checks} checks before a request too late, the last after {answer_s:.0f} s, "
            f"while one holds for {holds_s:.0f} s; nothing was sent, the next try sends it"
        )


@contextlib.asynccontextmanager
async def answers_kept(gate: Gate) -> AsyncIterator[None]:
    """Store at the end of a task, however it ends, what was heard and not stored, unless MySQL is why it ends."""
    try:
        yield
    except StoreUnavailableError:
        raise
    except BaseException:
        await gate.keep_answers()
        raise
    await gate.keep_answers()


def _is_close(pace: Pace, other: Pace) -> bool:
    return abs(pace.interval_us - other.interval_us) <= _SAME_PACE * other.interval_us
