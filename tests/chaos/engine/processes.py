"""Task processes in one event loop: they run, stop for good or for a while, and wake as zombies."""

from __future__ import annotations

import asyncio
import contextvars
import enum
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

CURRENT: contextvars.ContextVar[Process] = contextvars.ContextVar("process")
"""The process that the running code belongs to."""


class Point(enum.StrEnum):
    """Where a process can be stopped: between two of these nothing can be seen from outside."""

    TRANSACTION = "transaction"
    READ = "read"
    WRITE = "write"
    """Between the lease check and the send."""


@dataclass(slots=True)
class Stop:
    """What happens to the process that comes to a certain point."""

    after: int
    """How many points, of all processes together, are passed before."""
    seconds: float
    """How long it stands still; 0: it never goes on."""
    process: str = ""
    """Only processes whose name ends like this are meant, and only their points count; empty: whichever comes there."""
    since: Point | None = None
    """Counting begins at the first point of this kind."""


@dataclass(eq=False)
class Process:
    """One try of one task."""

    name: str
    table: ProcessTable
    task: asyncio.Task[Any] | None = None
    is_dead: bool = False
    stopped_until: float = 0.0
    order: tuple[int, int] = (0, 0)
    """Epoch and source version of the run it works for."""
    was_lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Airflow has noticed that it is gone, or has not heard of it for too long."""

    @property
    def is_running(self) -> bool:
        """Tell whether it will ever do anything again."""
        return not self.is_dead and self.task is not None and not self.task.done()

    def kill(self) -> None:
        """It never goes on from the point where it is; what it sent is on its way."""
        self.is_dead = True
        asyncio.get_running_loop().call_later(KILL_NOTICED_S, self.was_lost.set)

    async def reach(self, point: Point) -> None:
        """Stand still here as long as the process is stopped, for ever when it is dead."""
        loop = asyncio.get_running_loop()
        self.table.passed(self, point)
        while self.is_dead or self.stopped_until > loop.time():
            if self.is_dead:
                await loop.create_future()
            await asyncio.sleep(self.stopped_until - loop.time())


KILL_NOTICED_S = 5.0
HEARTBEAT_TIMEOUT_S = 60.0
LONGEST_GAP_S = 2.9
"""A process that stops between check and send for longer than the lease is beyond what the rules can promise."""


@dataclass
class ProcessTable:
    """All processes of a sequence."""

    processes: list[Process] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    longest_gap_s: float = LONGEST_GAP_S
    paused: int = 0

    def start(self, name: str, body: Callable[[Process], Coroutine[Any, Any, object]]) -> Process:
        """Start a process."""
        process = Process(name, self)
        self.processes.append(process)

        async def run() -> object:
            CURRENT.set(process)
            return await body(process)

        process.task = asyncio.get_running_loop().create_task(run(), name=name)
        return process

    def passed(self, process: Process, point: Point) -> None:
        """Count a point and carry out the stop that waits for it."""
        if process.is_dead:
            return
        meant = [stop for stop in self.stops if process.name.endswith(stop.process)]
        for stop in meant:
            if stop.since not in {None, point}:
                continue
            stop.since = None
            if stop.after > 0:
                stop.after -= 1
            else:
                self.stops.remove(stop)
                self._carry_out(stop, process, point)

    def _carry_out(self, stop: Stop, process: Process, point: Point) -> None:
        if not stop.seconds:
            process.kill()
            return
        self.paused += 1
        loop = asyncio.get_running_loop()
        seconds = min(stop.seconds, self.longest_gap_s) if point is Point.WRITE else stop.seconds
        process.stopped_until = max(process.stopped_until, loop.time() + seconds)
        if seconds > HEARTBEAT_TIMEOUT_S:
            loop.call_later(HEARTBEAT_TIMEOUT_S, process.was_lost.set)

    @property
    def running(self) -> list[Process]:
        """Return the processes that are not at their end."""
        return [process for process in self.processes if process.is_running]
