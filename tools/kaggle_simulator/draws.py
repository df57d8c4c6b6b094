"""Random numbers that are the same on every machine and with every numpy version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Draws:
    """One stream of random numbers.

    Only the raw output of PCG64 is used, which numpy promises never to change; its distributions
    and transcendental functions may differ between versions and processors.
    """

    def __init__(self, seed: int, stream: int) -> None:
        import numpy as np

        if seed < 0:
            raise ValueError(f"seed {seed} is negative; use 0 or more")
        self._bits = np.random.PCG64([seed, stream])

    def raw(self, count: int) -> NDArray[np.uint64]:
        """Return 64-bit integers."""
        import numpy as np

        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def units(self, count: int) -> NDArray[np.float64]:
        """Return numbers in [0, 1)."""
        import numpy as np

        return (self.raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one integer in [0, bound) for every bound."""
        import numpy as np

        return np.asarray(self.units(bounds.size) * bounds, dtype=np.int64)

    def permutation(self, count: int) -> NDArray[np.int64]:
        """Return the integers 0 … count - 1 in random order."""
        import numpy as np

        return np.argsort(self.raw(count), kind="stable")
