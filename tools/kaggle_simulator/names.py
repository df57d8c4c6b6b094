"""First names: well-known ones, awkward ones, and as many made-up ones as needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tools.kaggle_simulator.draws import Draws

AWKWARD = ("True", "Nil", "Na", "Nan", "No", "Infinity")
"""Real names that careless readers turn into booleans, nulls and floats."""

WELL_KNOWN_F = [
    "Mary",
    "Linda",
    "Patricia",
    "Jennifer",
    "Elizabeth",
    "Barbara",
    "Susan",
    "Jessica",
    "Anna",
    "Margaret",
    "Helen",
    "Ruth",
    "Dorothy",
    "Emma",
    "Leslie",
    "Ashley",
]
WELL_KNOWN_M = [
    "James",
    "John",
    "Robert",
    "Michael",
    "William",
    "David",
    "Richard",
    "Joseph",
    "Thomas",
    "Charles",
    "Daniel",
    "Matthew",
    "Anthony",
    "Jordan",
    "Jose",
    "Jordanchristoph",
]
WELL_KNOWN = tuple(
    known for pair in zip(WELL_KNOWN_F, WELL_KNOWN_M, strict=True) for known in zip(pair, "FM", strict=True)
)
"""Name and the sex for which it is popular, the most popular first."""

FIXED = (*AWKWARD, *(name for name, _ in WELL_KNOWN))
"""Names that every dataset holds, in this order."""

_CONSONANTS = b"bcdfghjklmnprstvwyz"
_VOWELS = b"aeiou"
_ENDINGS = b"\0nlrshtmdx"
_SYLLABLES = len(_CONSONANTS) * len(_VOWELS)
_WIDTH = 15
_SHARES = {1: 0.001, 2: 0.3, 4: 0.16, 5: 0.04, 6: 0.008, 7: 0.001}
"""Syllables → share of the names; three syllables take the rest."""
_FLOOD = 3
_MAX_STEP = 1 << 40
"""Keeps the product of step and position inside 64 bits."""


def _capacity(syllables: int) -> int:
    return int(_SYLLABLES**syllables) * len(_ENDINGS)


def _spell(index: NDArray[np.uint64], syllables: int) -> NDArray[np.bytes_]:
    """Turn numbers below the capacity into names; different numbers give different names."""
    import numpy as np

    letters = np.zeros((index.size, _WIDTH), dtype=np.uint8)
    consonants, vowels, endings = (np.frombuffer(group, dtype=np.uint8) for group in (_CONSONANTS, _VOWELS, _ENDINGS))
    rest, ending = np.divmod(index, np.uint64(len(_ENDINGS)))
    for place in range(syllables):
        rest, vowel = np.divmod(rest, np.uint64(len(_VOWELS)))
        rest, consonant = np.divmod(rest, np.uint64(len(_CONSONANTS)))
        letters[:, 2 * place] = consonants[consonant]
        letters[:, 2 * place + 1] = vowels[vowel]
    letters[:, 2 * syllables] = endings[ending] if 2 * syllables < _WIDTH else 0
    letters[:, 0] -= ord("a") - ord("A")
    return letters.view(f"S{_WIDTH}")[:, 0]


def _spread(count: int, syllables: int, draws: Draws) -> NDArray[np.bytes_]:
    """Return different names with this many syllables, spread over all that are possible."""
    import numpy as np

    capacity = _capacity(syllables)
    step = min(int(capacity * 0.618), _MAX_STEP) + int(draws.raw(1)[0] % 1000)
    while math.gcd(step, capacity) != 1:
        step += 1
    start = int(draws.raw(1)[0] % capacity)
    positions = np.arange(count, dtype=np.uint64) * np.uint64(step) + np.uint64(start)
    return _spell(positions % np.uint64(capacity), syllables)


def _candidates(count: int, draws: Draws) -> NDArray[np.bytes_]:
    """Return different names of all lengths in random order."""
    import numpy as np

    counts = {syllables: min(int(share * count), _capacity(syllables) // 2) for syllables, share in _SHARES.items()}
    counts[_FLOOD] = count - sum(counts.values())
    if counts[_FLOOD] > _capacity(_FLOOD):
        raise ValueError(f"{count} names are too many; use at most {_capacity(_FLOOD)}")
    parts = [_spread(number, syllables, draws) for syllables, number in counts.items()]
    return np.concatenate(parts)[draws.permutation(count)]


def make_names(count: int, draws: Draws, taken: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    """Return `count` different names, none of which is among `taken` (sorted)."""
    import numpy as np

    wanted = count + len(FIXED)
    while True:
        names = _candidates(wanted, draws)
        nearest = np.minimum(np.searchsorted(taken, names), taken.size - 1)
        fresh = names[taken[nearest] != names]
        if fresh.size >= count:
            return np.asarray(fresh[:count])
        wanted *= 2
