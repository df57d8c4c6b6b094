"""Makes the next version of a dataset: contacts come, change and go, as between real vintages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tools.kaggle_simulator.dataset import Dataset, arrange
from tools.kaggle_simulator.draws import Draws
from tools.kaggle_simulator.generator import SMALLEST_NUMBER
from tools.kaggle_simulator.names import make_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_LARGEST_REVISION = 9
_COMMON = 1_000
"""Births from which a revision lowers a number; below it is raised, so that none falls under 5."""


class _Rows(NamedTuple):
    contact: Ints
    year: Ints
    number: Ints


def contacts_for(share: float, contact_count: int) -> int:
    """Return how many contacts a share is, rounded half up.

    Raises:
        ValueError: the share is below 0 or above 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share {share} is not between 0 and 1")
    return int(share * contact_count + 0.5)


def _joined(*parts: _Rows) -> _Rows:
    import numpy as np

    return _Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _revise(rows: _Rows, changed: Ints, draws: Draws) -> _Rows:
    """Change the births of one row of every changed contact, and give every third one a later year.

    Both changes move the contact's total, so its record differs and not just the order of its rows.
    """
    import numpy as np

    order = np.argsort(rows.contact, kind="stable")
    sorted_contacts = rows.contact[order]
    start = np.searchsorted(sorted_contacts, changed)
    end = np.searchsorted(sorted_contacts, changed, side="right")
    chosen = order[start + draws.below(end - start)]
    delta = 1 + draws.below(np.full(changed.size, _LARGEST_REVISION))
    number = rows.number.copy()
    number[chosen] += np.where(number[chosen] >= _COMMON, -delta, delta)
    last = rows.year[order[end - 1]]  # rows arrive sorted by year
    grows = (np.arange(changed.size) % 3 == 0) & (last < rows.year.max(initial=0))
    number[chosen[grows]] = rows.number[chosen[grows]]
    later = _Rows(changed[grows], last[grows] + 1, SMALLEST_NUMBER + delta[grows])
    return _joined(_Rows(rows.contact, rows.year, number), later)


def _new_rows(first_id: int, count: int, years: tuple[int, int], draws: Draws) -> _Rows:
    """Return one to three recent years for each new contact, births few."""
    import numpy as np

    first_year, last_year = years
    sex = draws.below(np.full(count, 2))
    span = 1 + draws.below(np.full(count, min(3, last_year - first_year + 1)))
    owner = np.repeat(np.arange(count), span)
    back = np.arange(owner.size) - (np.cumsum(span) - span)[owner]
    unit = draws.units(owner.size)
    births = SMALLEST_NUMBER + np.floor(60 * unit * unit * unit).astype(np.int64)
    return _Rows((first_id + owner) * 2 + sex[owner], last_year - back, births)


def next_version(
    previous: Dataset, seed: int, *, new: float = 0.0, changed: float = 0.0, removed: float = 0.0
) -> Dataset:
    """Return another version of the dataset; the shares are of its contacts.

    New contacts have names that `previous` does not know, changed ones have other total births,
    removed ones have no row left. All others keep exactly their rows.

    Raises:
        ValueError: a share is not between 0 and 1, or more contacts change or leave than there are.
    """
    import numpy as np

    draws = Draws(seed, 4)
    ids = previous.contact_ids().astype(np.int64)
    new_count, changed_count, removed_count = (contacts_for(share, ids.size) for share in (new, changed, removed))
    if changed_count + removed_count > ids.size:
        raise ValueError(f"changed {changed} and removed {removed} are more than all contacts")
    shuffled = ids[draws.permutation(ids.size)]
    leaves = np.zeros(previous.names.size * 2, dtype=bool)
    leaves[shuffled[:removed_count]] = True
    stay = ~leaves[previous.contact]
    columns = (previous.contact, previous.year, previous.number)
    rows = _Rows(*(column[stay].astype(np.int64) for column in columns))
    rows = _revise(rows, np.sort(shuffled[removed_count : removed_count + changed_count]), draws)
    fresh = make_names(new_count, draws, previous.names)
    years = (int(previous.year.min(initial=9999)), int(previous.year.max(initial=0)))
    added = _new_rows(previous.names.size, new_count, years, draws)
    return arrange(np.concatenate([previous.names, fresh]), *_joined(rows, added))
