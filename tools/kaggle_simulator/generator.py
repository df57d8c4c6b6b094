"""Makes a dataset of any size: exact row and contact counts, the same bytes for the same seed."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.kaggle_simulator.dataset import FIRST_YEAR, LAST_YEAR, Dataset, arrange
from tools.kaggle_simulator.draws import Draws
from tools.kaggle_simulator.names import AWKWARD, FIXED, WELL_KNOWN, make_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

YEARS = LAST_YEAR - FIRST_YEAR + 1
SMALLEST_NUMBER = 5
"""The source leaves out counts below 5."""
_LARGEST_NUMBER = 99_693
"""Linda, F, 1947: the largest count in the real data."""
_FEMALE_SHARE = 0.6
_EVEN_SHARE = 0.3
"""Contacts whose first year is equally likely everywhere; the others tend to the later years."""
_MIN_CONTACTS = 100


class Profile(enum.StrEnum):
    """A named size."""

    BENCHMARK = "benchmark"
    FULL = "full"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows and how many different (Name, Sex)."""

    rows: int
    contacts: int

    def __post_init__(self) -> None:
        if self.contacts < _MIN_CONTACTS:
            raise ValueError(f"{self.contacts} contacts are too few; use at least {_MIN_CONTACTS}")
        if not self.contacts <= self.rows <= YEARS * self.contacts:
            raise ValueError(
                f"{self.rows} rows do not fit {self.contacts} contacts; use {self.contacts} to {YEARS * self.contacts}"
            )


SIZES = {
    Profile.BENCHMARK: Size(rows=208_050, contacts=69_350),
    Profile.FULL: Size(rows=1_900_000, contacts=105_000),
    Profile.SMALL: Size(rows=6_000, contacts=2_000),
}


def _falling(count: int, bend: float) -> Floats:
    """Return a hyperbola that falls from 1 to 0: few ranks high, most of them low."""
    import numpy as np

    place = (np.arange(count) + 0.5) / count
    return np.asarray(bend * (1 - place) / (bend + place))


def _years_per_rank(size: Size) -> Ints:
    """Spread the rows over the ranks: one or more each, never two for one year."""
    import numpy as np

    def years(bend: float) -> Ints:
        return 1 + np.floor((YEARS - 1) * _falling(size.contacts, bend)).astype(int)

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if years(middle).sum() <= size.rows else (low, middle)
    spread = years(low) if low else np.ones(size.contacts, dtype=np.int64)
    room = YEARS - spread
    left = size.rows - int(spread.sum())
    return np.asarray(spread + np.clip(left - (np.cumsum(room) - room), 0, room))


def _all_names(count: int, draws: Draws) -> NDArray[np.bytes_]:
    """Return different names, those of `FIXED` first."""
    import numpy as np

    fixed = np.array(FIXED, dtype=np.bytes_)[:count]
    return np.concatenate([fixed, make_names(count - fixed.size, draws, np.sort(fixed))])


def _contacts_by_rank(size: Size, draws: Draws) -> Ints:
    """Return the contacts, the most popular first; one name in nine exists for both sexes."""
    import numpy as np

    both = size.contacts // 10
    name_count = size.contacts - both
    sex = (draws.units(name_count) >= _FEMALE_SHARE).astype(np.int64)
    popular = np.arange(len(AWKWARD), len(FIXED))
    sex[popular] = [known_sex == "M" for _, known_sex in WELL_KNOWN]
    first = np.arange(name_count) * 2 + sex
    others = np.arange(len(FIXED), name_count)
    order = np.concatenate([np.arange(len(FIXED)), others[draws.permutation(others.size)]])
    second = first[order[:both]] ^ 1
    rest = np.concatenate([np.delete(first, popular), second])
    return np.asarray(np.concatenate([first[popular], rest[draws.permutation(rest.size)]]))


def _first_years(years: Ints, step: Ints, draws: Draws) -> Ints:
    """Choose the first year of each rank; later ones are likelier, as names became more diverse."""
    import numpy as np

    room = YEARS - ((years - 1) * step + 1)
    later, other, mix = (draws.units(years.size) for _ in range(3))
    later = np.where(mix < _EVEN_SHARE, later, np.maximum(later, other))
    return FIRST_YEAR + np.floor(later * (room + 1)).astype(int)


def _numbers(rank: Ints, share: Floats, years: Ints, draws: Draws) -> Ints:
    """Return the births of each row: a wave over the years, its height by the rank of the contact.

    Args:
        rank: rank of each row's contact.
        share: place of each row in its contact's years, 0 to 1.
        years: number of years of each rank.
        draws: source of randomness.
    """
    import numpy as np

    fame = _falling(years.size, 0.004)
    height = (_LARGEST_NUMBER + 1) * fame * fame
    peak = draws.units(years.size)
    width = 0.1 + 0.4 * draws.units(years.size)
    distance = (share - peak[rank]) / width[rank]
    noise = 0.9 + 0.2 * draws.units(rank.size)
    births = SMALLEST_NUMBER + np.floor(height[rank] / (1 + distance * distance) * noise)
    return np.asarray(np.minimum(births, _LARGEST_NUMBER), dtype=np.int64)


def make_dataset(*, rows: int, contacts: int, seed: int) -> Dataset:
    """Make a dataset of exactly this size; the same seed gives the same rows.

    Raises:
        ValueError: the counts do not fit each other.
    """
    import numpy as np

    size = Size(rows=rows, contacts=contacts)
    names = _all_names(contacts - contacts // 10, Draws(seed, 1))
    by_rank = _contacts_by_rank(size, Draws(seed, 2))
    draws = Draws(seed, 3)
    years = _years_per_rank(size)
    # names of few years often skip some: every second or third year, where there is room
    step = 1 + draws.below(np.where(years <= YEARS // 3, 3, 1))
    first = _first_years(years, step, draws)
    rank = np.repeat(np.arange(contacts), years)
    place: Ints = np.arange(rows) - (np.cumsum(years) - years)[rank]
    number = _numbers(rank, place / np.maximum(years - 1, 1)[rank], years, draws)
    year: Ints = first[rank] + place * step[rank]
    return arrange(names, by_rank[rank], year, number)


def make_profile(profile: Profile, seed: int) -> Dataset:
    """Make the dataset of a named size."""
    size = SIZES[profile]
    return make_dataset(rows=size.rows, contacts=size.contacts, seed=seed)
