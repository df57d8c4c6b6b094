"""Duplicate rows and colliding keys: found by hash, proven exactly, taken out of the clean file.

Hashes are compared first, so a file without duplicates is never read again. Hash hits are proven on the rows
themselves, in portions of the hash range so that memory stays bounded even when every row is there twice.
"""

from __future__ import annotations

import enum
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from include.hubspot_sync.source.clean_rows import CleanRows, RowShape
from include.hubspot_sync.source.fields import quote_field, split_fields
from include.hubspot_sync.source.notes import Note, Reason
from include.hubspot_sync.source.rejects import Rejects
from include.hubspot_sync.source.values import Problem

if TYPE_CHECKING:
    from array import array

    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.int64]

PORTION_ROWS = 150_000
"""Suspected rows that are held in memory at a time: about 35 MB."""


class Fate(enum.IntEnum):
    """What becomes of a clean row."""

    KEEP = 0
    DROP = 1
    DUPLICATE_KEY = 2
    KEY_COLLISION = 3


_PROBLEMS = {
    Fate.DUPLICATE_KEY: Problem(Reason.DUPLICATE_KEY, "another line has the same unique columns with other values"),
    Fate.KEY_COLLISION: Problem(Reason.KEY_COLLISION, "another record, written differently, has the same key text"),
}


@dataclass(frozen=True, slots=True)
class CleanRow:
    """A row as it stands in the clean file."""

    line_no: int
    key: bytes
    values: tuple[bytes, ...]

    @classmethod
    def parse(cls, record: bytes) -> CleanRow:
        """Read back what `CleanRows` wrote."""
        line = record.removesuffix(b"\n")
        fields = cast("list[bytes]", split_fields(line)) if b'"' in line else line.split(b",")
        return cls(int(fields[0]), fields[1], tuple(fields[2:]))


def settle_duplicates(rows: CleanRows, clean_path: Path, rejects: Rejects, notes: Counter[Note]) -> int:
    """Drop exact duplicates, quarantine contradictions and collisions; return the number of distinct records left.

    Raises:
        SourceDataError: more lines are refused than allowed.
    """
    import numpy as np

    unique, grain, key = (
        np.frombuffer(hashes, dtype=np.int64) for hashes in (rows.hashes.unique, rows.hashes.grain, rows.hashes.key)
    )
    repeated = _repeated(unique)
    distinct = _count_distinct(grain)
    collided = unique[:0]
    if not rows.shape.key_follows_grain or _count_distinct(key) != distinct:
        collided = _ambiguous(key, grain)
    if not len(repeated) and not len(collided):
        return distinct
    fates = bytearray(rows.count)
    for portion in _portions(unique, repeated):
        for suspected in _same_hash(clean_path, portion, rows.hashes.unique):
            _judge_duplicates(suspected, rows.shape, fates)
    for portion in _portions(key, collided):
        for suspected in _same_hash(clean_path, portion, rows.hashes.key):
            _judge_collisions(suspected, rows.shape, fates)
    _rewrite(rows, clean_path, fates, rejects, notes)
    return _count_distinct(grain[np.frombuffer(fates, dtype=np.uint8) == Fate.KEEP])


def _repeated(hashes: Hashes) -> Hashes:
    """Return the hashes that occur more than once, sorted."""
    import numpy as np

    ordered = np.sort(hashes)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _count_distinct(hashes: Hashes) -> int:
    import numpy as np

    ordered = np.sort(hashes)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + bool(len(ordered))


def _ambiguous(keys: Hashes, grains: Hashes) -> Hashes:
    """Return the key hashes that stand for more than one record, sorted."""
    import numpy as np

    order = np.argsort(keys)
    key, grain = keys[order], grains[order]
    return np.unique(key[1:][(key[1:] == key[:-1]) & (grain[1:] != grain[:-1])])


def _portions(hashes: Hashes, suspected: Hashes) -> Iterator[bytes]:
    """Yield, portion by portion, one byte per row: 1 for the suspected rows of that portion."""
    import numpy as np

    if not len(suspected):
        return
    place = np.searchsorted(suspected, hashes).astype(np.int32)
    np.minimum(place, len(suspected) - 1, out=place)
    mask = suspected[place] == hashes
    count = int(np.count_nonzero(mask)) // PORTION_ROWS + 1
    for portion in range(count):
        # rows with one hash have one place, so they stay together
        yield (mask & (place % count == portion)).tobytes()


def _records(clean_path: Path) -> Iterator[bytes]:
    """Yield the records of the clean file; a quoted value may hold line breaks."""
    with clean_path.open("rb") as stream:
        for line in stream:
            record = line
            while b'"' in record and record.count(b'"') % 2:
                record += next(stream)
            yield record


def clean_rows_of(clean_path: Path) -> Iterator[CleanRow]:
    """Yield every row of a clean file."""
    return map(CleanRow.parse, _records(clean_path))


def _same_hash(clean_path: Path, portion: bytes, hashes: array[int]) -> Iterator[list[tuple[int, CleanRow]]]:
    """Yield groups of suspected rows with one hash, each row with its index."""
    groups: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for index, record in itertools.compress(enumerate(_records(clean_path)), portion):
        groups[hashes[index]].append((index, record))
    for group in groups.values():
        yield [(index, CleanRow.parse(record)) for index, record in group]


def _pick(values: Sequence[bytes], positions: Sequence[int]) -> tuple[bytes, ...]:
    return tuple(values[position] for position in positions)


def _judge_duplicates(suspected: list[tuple[int, CleanRow]], shape: RowShape, fates: bytearray) -> None:
    """Keep the first of equal rows; refuse all rows that contradict each other."""
    groups: defaultdict[tuple[bytes, ...], list[tuple[int, CleanRow]]] = defaultdict(list)
    for index, row in suspected:
        groups[_pick(row.values, shape.unique)].append((index, row))
    for group in groups.values():
        is_equal = all(row.values == group[0][1].values for _, row in group)
        for index, _ in group[1:]:
            fates[index] = Fate.DROP if is_equal else Fate.DUPLICATE_KEY
        if not is_equal:
            fates[group[0][0]] = Fate.DUPLICATE_KEY


def _judge_collisions(suspected: list[tuple[int, CleanRow]], shape: RowShape, fates: bytearray) -> None:
    """Refuse all rows of a key text that stands for more than one record."""
    groups: defaultdict[bytes, list[tuple[int, CleanRow]]] = defaultdict(list)
    for index, row in suspected:
        groups[row.key].append((index, row))
    for group in groups.values():
        grains = {_pick(row.values, shape.grain) for _, row in group}
        for index, _ in group if len(grains) > 1 else ():
            if fates[index] == Fate.KEEP:
                fates[index] = Fate.KEY_COLLISION


def _rewrite(rows: CleanRows, clean_path: Path, fates: bytearray, rejects: Rejects, notes: Counter[Note]) -> None:
    """Write the clean file again without the rows that do not stay."""
    kept_path = clean_path.with_name(f"{clean_path.name}.kept")
    try:
        with kept_path.open("wb") as kept:
            for record, fate in zip(_records(clean_path), fates, strict=True):
                if fate == Fate.KEEP:
                    kept.write(record)
                else:
                    _remove(record, Fate(fate), rows, rejects, notes)
        kept_path.replace(clean_path)
    finally:
        kept_path.unlink(missing_ok=True)


def _remove(record: bytes, fate: Fate, rows: CleanRows, rejects: Rejects, notes: Counter[Note]) -> None:
    row = CleanRow.parse(record)
    rows.forget(row.values)
    if fate is Fate.DROP:
        notes[Note.DUPLICATE_ROWS] += 1
        return
    raw = b",".join(map(quote_field, row.values))
    rejects.add(row.line_no, "", _PROBLEMS[fate], raw=raw, key_text=row.key.decode())
