"""The arithmetic of the benchmark."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WINDOW_S = 10
_WINDOW_MS = WINDOW_S * 1000


def floor_s(requests: int, limit: int) -> float:
    """Return the seconds that this many requests take at `limit` requests per 10 s, however fast everything else is."""
    return requests * WINDOW_S / limit


def most_in_window(arrivals_ms: Sequence[int], first: int = 0) -> int:
    """Return the largest number of arrivals in any 10 s that ends with arrival number `first` or later.

    Args:
        arrivals_ms: moments in their order.
        first: place of the first arrival that is judged; earlier ones still count in its window.
    """
    window: deque[int] = deque()
    most = 0
    for place, moment in enumerate(arrivals_ms):
        window.append(moment)
        while moment - window[0] >= _WINDOW_MS:
            window.popleft()
        if place >= first:
            most = max(most, len(window))
    return most


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of several runs."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarise the values of all runs.

        Raises:
            ValueError: there is none.
        """
        ordered = sorted(values)
        if not ordered:
            raise ValueError("no run, no figure")
        return cls(statistics.median(ordered), ordered[0], ordered[-1], len(ordered))

    def text(self, digits: int = 1) -> str:
        """Return the median, with the smallest and the largest value when they differ."""
        median, least, most = (f"{value:,.{digits}f}" for value in (self.median, self.least, self.most))
        return median if least == most else f"{median} ({least} to {most})"
