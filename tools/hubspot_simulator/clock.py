"""Time: a real clock, and a virtual one that only sleeps and `/__sim/clock/advance` move."""

from __future__ import annotations

import asyncio
import functools
import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Protocol

VIRTUAL_START_MS = 1_795_000_000_000
"""First moment of a virtual clock: 2026-11-18 11:06:40 UTC."""


class Clock(Protocol):
    """What the simulator needs to know about time."""

    def now_ms(self) -> int:
        """Return the wall clock in ms since 1970 (UTC)."""

    def mono_ms(self) -> float:
        """Return a clock that never jumps, in ms."""

    async def sleep(self, ms: float) -> None:
        """Wait."""

    def call_later(self, ms: float, callback: Callable[[], None]) -> None:
        """Run something later."""


class RealClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return the wall clock in ms since 1970 (UTC)."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> float:
        """Return the monotonic clock in ms."""
        return time.monotonic_ns() / 1_000_000

    async def sleep(self, ms: float) -> None:
        """Wait for real."""
        if ms > 0:
            await asyncio.sleep(ms / 1000)

    def call_later(self, ms: float, callback: Callable[[], None]) -> None:
        """Run something on the event loop later."""
        asyncio.get_running_loop().call_later(ms / 1000, callback)


class VirtualClock:
    """A false clock: a sleep takes no time but moves it on."""

    def __init__(self, start_ms: float = VIRTUAL_START_MS) -> None:
        self._now = float(start_ms)
        self._order = count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []

    def now_ms(self) -> int:
        """Return the false wall clock."""
        return int(self._now)

    def mono_ms(self) -> float:
        """Return the same false clock."""
        return self._now

    async def sleep(self, ms: float) -> None:
        """Let others run once, then move the clock to the end of the sleep."""
        until = self._now + ms
        await asyncio.sleep(0)
        self._move_to(until)

    def call_later(self, ms: float, callback: Callable[[], None]) -> None:
        """Run something when the clock passes that moment."""
        heapq.heappush(self._timers, (self._now + ms, next(self._order), callback))

    def advance(self, ms: float) -> None:
        """Move the clock on and run what became due, in order."""
        self._move_to(self._now + ms)

    def _move_to(self, moment: float) -> None:
        while self._timers and self._timers[0][0] <= moment:
            due, _, callback = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            callback()
        self._now = max(self._now, moment)


@functools.lru_cache(maxsize=4096)
def iso(ms: int) -> str:
    """Return ISO-8601 with milliseconds and Z."""
    moment = datetime.fromtimestamp(ms // 1000, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
