"""How long a request takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tools.hubspot_simulator.randomness import RequestRandom
from tools.hubspot_simulator.settings import Settings

_Z95 = 1.6448536
"""95th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Shape:
    """base + rows * per_row + lognormal(median, p95), all in ms."""

    base_ms: float = 0.0
    per_row_ms: float = 0.0
    median_ms: float = 0.0
    p95_ms: float = 0.0


_BATCH = Shape(40, 3, 220, 1150)
_SINGLE = Shape(40, 0, 40, 120)
_PROFILES = {
    "zero": (Shape(), Shape()),
    "fast": (Shape(50), Shape(50)),
    "slow": (Shape(3000), Shape(3000)),
}
_SLOW_SHARE = 0.02
_SLOW_RANGE_MS = (10_000, 25_000)
_LOAD_FREE = 20
_LOAD_STEP = 0.05
_OVERLOAD_ABOVE = 40
_OVERLOAD_P = 0.02


class Latency:
    """Draws the latency of a request from the chosen profile."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def draw_ms(self, chance: RequestRandom, *, rows: int, is_batch: bool, in_flight: int) -> float:
        """Return the latency in ms; batch calls and search have their own shape."""
        profile = self._settings.latency
        batch, single = _PROFILES.get(profile, (_BATCH, _SINGLE))
        shape = self._overridden(batch) if is_batch else single
        total = shape.base_ms + rows * shape.per_row_ms + _lognormal(shape, chance)
        if profile == "bimodal" and chance.chance("bimodal") < _SLOW_SHARE:
            return chance.stream("bimodal_ms").uniform(*_SLOW_RANGE_MS)
        if profile == "degrade":
            total *= 1 + _LOAD_STEP * max(0, in_flight - _LOAD_FREE)
        return total

    def is_overloaded(self, chance: RequestRandom, in_flight: int) -> bool:
        """Say whether the `degrade` profile answers 502 because too much is in flight."""
        if self._settings.latency != "degrade" or in_flight <= _OVERLOAD_ABOVE:
            return False
        return chance.chance("overload") < _OVERLOAD_P

    def _overridden(self, shape: Shape) -> Shape:
        knobs = {
            "base_ms": self._settings.latency_base_ms,
            "per_row_ms": self._settings.latency_per_row_ms,
            "median_ms": self._settings.latency_median_ms,
            "p95_ms": self._settings.latency_p95_ms,
        }
        return replace(shape, **{name: value for name, value in knobs.items() if value is not None})


def _lognormal(shape: Shape, chance: RequestRandom) -> float:
    if shape.median_ms <= 0:
        return 0.0
    sigma = math.log(max(1.0, shape.p95_ms / shape.median_ms)) / _Z95
    return chance.stream("latency").lognormvariate(math.log(shape.median_ms), sigma)
