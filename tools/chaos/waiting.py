"""Waiting for what happens outside of this program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

POLL_S = 0.2


def pause(seconds: float) -> None:
    """Do nothing for a while."""
    threading.Event().wait(seconds)


def wait_until(is_true: Callable[[], bool], *, limit_s: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come true within `limit_s`.
    """
    deadline = time.monotonic() + limit_s
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit_s:g} s")
        pause(POLL_S)
