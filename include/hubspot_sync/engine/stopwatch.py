"""Where the time of a task goes: `with spent_on(Phase.LOAD):` counts for the task that runs, wherever the code lies."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

from include.hubspot_sync.records import Phase

_RUNNING: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


class Stopwatch:
    """Seconds by phase; parts of a task that run at the same time each count in full."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seconds: defaultdict[Phase, float] = defaultdict(float)

    @property
    def seconds(self) -> Mapping[Phase, float]:
        """Return phase → seconds so far."""
        return self._seconds

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def add(self, phase: Phase, seconds: float) -> None:
        """Count time."""
        self._seconds[phase] += seconds


@contextlib.contextmanager
def running_stopwatch() -> Iterator[Stopwatch]:
    """Yield the stopwatch that `spent_on` counts for within this block, also in the coroutines that it starts."""
    stopwatch = Stopwatch()
    token = _RUNNING.set(stopwatch)
    try:
        yield stopwatch
    finally:
        _RUNNING.reset(token)


@contextlib.contextmanager
def spent_on(phase: Phase) -> Iterator[None]:
    """Count the time of this block, also when it ends with an error; without a stopwatch nothing is counted."""
    stopwatch, began = _RUNNING.get(), time.monotonic()
    try:
        yield
    finally:
        if stopwatch is not None:
            stopwatch.add(phase, time.monotonic() - began)
