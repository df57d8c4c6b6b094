"""Time that takes no time: an event loop, a simulator's clock and a database that follow the same false clock."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from include.hubspot_sync.store.connection import Database, Transaction

T = TypeVar("T")

START = datetime(2026, 11, 18, 11, 0, tzinfo=UTC).timestamp()
"""First moment of a false clock."""
_MICROSECOND = 1e-6


class NothingLeftToDoError(RuntimeError):
    """Everybody waits and no timer will wake anybody."""


class _JumpingSelector(selectors.SelectSelector):
    """Moves the loop's clock on instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeftToDoError("everybody waits and there is no timer")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when there is nothing to do until then."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the false seconds since the loop was made."""
        return self._jumping.now


class LoopClock:
    """The simulator's clock on the loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def now_ms(self) -> int:
        """Return the false wall clock."""
        return int((START + self.loop.time()) * 1000)

    def mono_ms(self) -> float:
        """Return the same clock since the loop was made."""
        return self.loop.time() * 1000

    async def sleep(self, ms: float) -> None:
        """Wait on the loop."""
        await asyncio.sleep(ms / 1000)

    def call_later(self, ms: float, callback: Callable[[], None]) -> None:
        """Run something on the loop later."""
        self.loop.call_later(ms / 1000, callback)


class ClockedDatabase(Database):
    """A database whose sessions take NOW() from a false clock. No two transactions have the same time."""

    def __init__(self, connect: Callable[[], object], now: Callable[[], float], *, attempts: int = 6) -> None:
        super().__init__(connect, attempts=attempts)
        self._now = now
        self._last = 0.0
        self._retrying.sleep = lambda _: None

    def forget_time(self) -> None:
        """Begin anew with a clock that was set back."""
        self._last = 0.0

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, with NOW() standing still at the false time."""

        def timed(transaction: Transaction) -> T:
            self._last = max(START + self._now(), self._last + _MICROSECOND)
            with transaction._connection.cursor() as cursor:
                cursor.execute(f"SET timestamp = {self._last:.6f}")
            return work(transaction)

        return super().run(timed)
