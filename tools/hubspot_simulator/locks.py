"""Record locks: the same contact in two requests at once, and too many rows per second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from tools.hubspot_simulator.answers import ApiError
from tools.hubspot_simulator.clock import Clock
from tools.hubspot_simulator.settings import Settings


@dataclass(slots=True)
class Hold:
    """The locks of one request."""

    keys: tuple[Hashable, ...]
    released: asyncio.Event = field(default_factory=asyncio.Event)


class RecordLocks:
    """Who writes which contact right now."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._holders: dict[Hashable, Hold] = {}
        self._locked_until: dict[Hashable, float] = {}
        self._all_locked_until = 0.0
        self._recent: deque[tuple[float, int]] = deque()

    async def acquire(self, keys: Iterable[Hashable], rows: int) -> Hold:
        """Take the locks of a request; a request without keys only reads and is never refused.

        Raises:
            ApiError: 423 or 409, another request holds one of them.
        """
        hold = Hold(tuple(keys))
        if hold.keys:
            self._refuse_overload(rows)
        if self._settings.concurrent_write == "serialize":
            await self._wait(hold)
        else:
            self._refuse_collision(hold)
        self._holders.update(dict.fromkeys(hold.keys, hold))
        return hold

    def release(self, hold: Hold) -> None:
        """Give the locks back."""
        for key in hold.keys:
            if self._holders.get(key) is hold:
                del self._holders[key]
        hold.released.set()

    def reset(self) -> None:
        """Forget locks that outlast their request."""
        self._locked_until.clear()
        self._all_locked_until = 0.0
        self._recent.clear()

    async def _wait(self, hold: Hold) -> None:
        while True:
            other = next((self._holders[k] for k in hold.keys if k in self._holders), None)
            if other is None:
                return
            await other.released.wait()

    def _refuse_collision(self, hold: Hold) -> None:
        now = self._clock.mono_ms()
        if any(key in self._holders for key in hold.keys):
            until = now + self._settings.lock_ms
            self._locked_until.update({key: until for key in hold.keys if key in self._holders})
            raise self._refusal()
        if self._locked_until:
            late = [key for key in hold.keys if self._locked_until.get(key, now) > now]
            if late:
                raise self._refusal()
            for key in hold.keys:
                self._locked_until.pop(key, None)

    def _refuse_overload(self, rows: int) -> None:
        limit = self._settings.locked_rows_per_s
        if limit is None:
            return
        now = self._clock.mono_ms()
        if now < self._all_locked_until:
            raise locked()
        self._recent.append((now, rows))
        while now - self._recent[0][0] >= 1000:  # noqa: PLR2004 - one second
            self._recent.popleft()
        if sum(number for _, number in self._recent) > limit:
            self._all_locked_until = now + self._settings.lock_ms
            raise locked()

    def _refusal(self) -> ApiError:
        if self._settings.concurrent_write == "409":
            return ApiError(409, "CONFLICT", "The object is being changed by another request")
        return locked()


def locked() -> ApiError:
    """Return a 423."""
    return ApiError(423, "LOCKED", "The record is locked; wait at least 2 seconds and try again")
