"""The gate against the simulator's exact window: several workers of two runs, in a time that takes no time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient
from include.hubspot_sync.destination.protocol import AnswerHead
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.gate import Gate, Sleep, pace_for
from include.hubspot_sync.errors import QuotaExhaustedError
from include.hubspot_sync.store import pacing
from include.hubspot_sync.store.connection import Transaction
from tests.support.simulated_portal import create_properties
from tests.support.virtual_time import ClockedDatabase, LoopClock, VirtualLoop
from tools.hubspot_simulator.application import Application
from tools.hubspot_simulator.faults import FaultEngine
from tools.hubspot_simulator.inspection import build_inspection
from tools.hubspot_simulator.settings import Settings
from tools.hubspot_simulator.world import FULL_ACCESS, open_portal

pytestmark = pytest.mark.sql

T = TypeVar("T")
PORTAL = 4711004
LIMIT = 190
SHARE = 0.974
WINDOW_S = 10.0
WORKERS = 20
HTTP_429 = 429


class InlineStore(AsyncStore):
    """The store without a thread: its transactions take no time."""

    def __init__(self, database: ClockedDatabase) -> None:
        self._inline = database

    async def run(self, work: Callable[[Transaction], T]) -> T:
        return self._inline.run(work)

    def close(self) -> None:
        """There is nothing of its own to close."""


@dataclass
class Traffic:
    """Two runs that send as fast as the gate lets them, and what became of their requests."""

    connect: Callable[[], Any]
    definition: SyncDefinition
    knobs: dict[str, Any]
    sleep: Sleep = asyncio.sleep
    sent_at: list[float] = field(default_factory=list)
    accepted_at: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused_at: list[float] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """Why a worker could not go on."""

    def __post_init__(self) -> None:
        self.settings = Settings()
        self.change(**self.knobs)
        self.loop = VirtualLoop()
        self.portal = open_portal(self.settings, LoopClock(self.loop))
        self.faults = FaultEngine(self.portal)
        self.application = Application(self.portal, self.faults, build_inspection(self.portal, self.faults))
        self.database = ClockedDatabase(self.connect, self.loop.time)
        self.loop.run_until_complete(create_properties(self.application, self.definition))
        self.database.run(lambda transaction: pacing.open_pacing(transaction, PORTAL, pace_for(100, SHARE)))

    def change(self, **knobs: Any) -> None:
        """Turn the simulator's knobs."""
        self.settings.change(knobs)

    def wait(self, seconds: float) -> None:
        """Let the others send alone."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def send_for(self, seconds: float, *, daily_reserve: float = 0.0) -> None:
        """Let all workers send for so long."""
        self.loop.run_until_complete(self._all(self.loop.time() + seconds, daily_reserve))

    async def _all(self, end: float, daily_reserve: float) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                store = InlineStore(self.database)
                gate = Gate(
                    store,
                    portal_id=PORTAL,
                    run_id=number % 2,
                    shard=number,
                    share=SHARE,
                    daily_reserve=daily_reserve,
                    sleep=self.sleep,
                )
                group.create_task(self._work(gate, end))

    async def _work(self, gate: Gate, end: float) -> None:
        transport = httpx.ASGITransport(self.application)
        settings = ClientSettings.from_definition(self.definition, trace_prefix="test")
        async with httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport, timeout=None) as http:  # noqa: S113
            client = HubSpotClient(http, lambda: FULL_ACCESS, settings)
            while self.loop.time() < end:
                try:
                    await gate.wait(is_write=False)
                except QuotaExhaustedError as error:
                    self.stopped.append(str(error))
                    return
                self.sent_at.append(self.loop.time())
                answer: AnswerHead = await client.read(["ada-f"])
                self._note(answer)
                await gate.report(answer)

    def _note(self, answer: AnswerHead) -> None:
        self.statuses[answer.status or 0] += 1
        moments = self.refused_at if answer.status == HTTP_429 else self.accepted_at
        moments.append(self.loop.time())

    def accepted_between(self, begin: float, end: float) -> int:
        return sum(begin <= moment < end for moment in self.accepted_at)

    @property
    def busiest_window(self) -> int:
        """Requests that arrived in any 10 s, as the simulator counted them."""
        return int(self.portal.statistics.counters.max_arrivals_in_any_10s_window)

    def close(self) -> None:
        self.loop.close()
        self.database.close()
        self.portal.store.close()


@pytest.fixture
def traffic(connect: Callable[[], Any], definition: SyncDefinition) -> Iterator[Callable[..., Traffic]]:
    with contextlib.ExitStack() as stack:

        def make(**knobs: Any) -> Traffic:
            made = Traffic(connect, definition, {"burst_override": LIMIT, **knobs})
            stack.callback(made.close)
            return made

        yield make


def test_two_runs_share_the_limit_and_never_exceed_it(traffic: Callable[..., Traffic]):
    calm = traffic()

    calm.send_for(60)

    assert HTTP_429 not in calm.statuses
    assert calm.accepted_between(20, 60) >= 0.95 * LIMIT * 4
    assert calm.busiest_window <= LIMIT


def test_workers_without_cpu_to_spare_do_not_exceed_the_limit(traffic: Callable[..., Traffic]):
    """All stand still together for a third of a second, again and again, and would then send at once."""
    starved = traffic()

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        now = starved.loop.time()
        await asyncio.sleep(max(0.0, now // 2 * 2 + 0.35 - now))

    starved.sleep = sleep
    starved.send_for(60)

    assert HTTP_429 not in starved.statuses
    assert starved.busiest_window <= LIMIT


@pytest.mark.parametrize("others_per_s", [1, 5, 9])
def test_room_is_left_for_others_who_use_the_same_credential(traffic: Callable[..., Traffic], others_per_s: int):
    shared = traffic(background_own_rps=others_per_s)
    shared.wait(15)

    shared.send_for(60)

    assert HTTP_429 not in shared.statuses
    left = LIMIT - others_per_s * WINDOW_S
    assert shared.accepted_between(30, 70) >= 0.9 * left * 4


def test_whole_limit_is_used_again_when_the_others_stop(traffic: Callable[..., Traffic]):
    shared = traffic(background_own_rps=9)
    shared.wait(15)
    shared.send_for(30)
    shared.change(background_own_rps=0)
    now = shared.loop.time()

    shared.send_for(40)

    assert shared.accepted_between(now + 15, now + 35) >= 0.95 * LIMIT * 2


def test_others_who_begin_in_the_middle_of_a_run_are_refused_nothing_for_long(traffic: Callable[..., Traffic]):
    """The window is full of our own requests when they begin: whoever comes next is refused."""
    shared = traffic()
    shared.send_for(30)
    shared.change(background_own_rps=5)
    now = shared.loop.time()

    shared.send_for(60)

    assert [moment - now for moment in shared.refused_at if moment > now + 3 * WINDOW_S] == []
    assert shared.accepted_between(now + 30, now + 60) >= 0.9 * (LIMIT - 50) * 3


def test_full_pace_is_back_within_a_window_after_a_storm_of_refusals(traffic: Callable[..., Traffic]):
    stormy = traffic()
    stormy.send_for(20)
    storm = stormy.faults.add({"match": {}, "phase": "pre", "action": {"type": "429"}})[0]
    stormy.send_for(25)
    stormy.faults.remove(storm)
    stormy.send_for(40)

    assert len(stormy.refused_at) > 1
    back_at = stormy.refused_at[-1] + WINDOW_S + 0.1
    assert sum(back_at <= moment < back_at + WINDOW_S for moment in stormy.sent_at) >= 0.95 * LIMIT


def test_reserve_of_the_day_is_left_to_others(traffic: Callable[..., Traffic]):
    """Other apps use the account's day as well: the run stops before nothing is left of it."""
    daily, reserve = 2_000, 0.25
    tight = traffic(daily_override=daily, background_other_rps=10)

    tight.send_for(300, daily_reserve=reserve)

    assert len(tight.stopped) == WORKERS
    assert "daily requests are left and 500 are reserved for others: the next run continues" in tight.stopped[0]
    # what was under way when the reserve was reached still went
    assert reserve * daily - 2 * WORKERS <= daily - tight.portal.limiter.daily.used <= reserve * daily
