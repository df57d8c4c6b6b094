"""How a task process ends: never after the process that watches it, and in good order when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
"""Option of Linux' prctl(2): the signal that this process gets when its parent ends."""


def end_with_supervisor() -> None:
    """Let the kernel kill this process at the moment its parent ends, however that happens.

    Airflow does not: the task process of a killed supervisor runs on to its natural end (measured on 3.3.2: 480 s) and
    writes beside the next try. Leases and fences make that harmless; this makes it rare. Systems other than Linux have
    no such call, and there the leases alone protect.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


@contextlib.contextmanager
def when_told_to_end(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in the running event loop at a SIGTERM, as an evicted pod gets it half a minute before it is killed.

    Airflow 3.3.2 hands the signal to the operator's `on_kill`, which functions do not have: the task would go on until
    it is killed with requests under way. Signals reach the main thread only; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def end_in_good_order() -> None:
        log.warning("told to end (SIGTERM): finishing what is under way")
        stop()

    before = signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(end_in_good_order))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
