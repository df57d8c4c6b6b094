"""The good rows: written to the clean file for LOAD DATA, summed up, and hashed for the duplicate check."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from include.hubspot_sync.config import ColumnType, Record, Source
from include.hubspot_sync.source.fields import quote_field
from include.hubspot_sync.source.key_text import MAX_KEY_CHARS, KeyRecipe

Values = Sequence[bytes]
"""The stored values of a row as UTF-8, in definition order."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """Which columns of a definition play which part, by index."""

    key: KeyRecipe
    unique: tuple[int, ...]
    grain: tuple[int, ...]
    integers: tuple[int, ...]
    column_count: int
    key_follows_grain: bool
    """True when rows of one record always have the same key text."""

    @classmethod
    def of(cls, source: Source, record: Record) -> RowShape:
        """Work out the shape of a definition's rows."""
        names = [column.name for column in source.columns]
        return cls(
            key=KeyRecipe.of(source, record),
            unique=tuple(names.index(name) for name in source.unique),
            grain=tuple(names.index(name) for name in record.grain),
            integers=tuple(index for index, column in enumerate(source.columns) if column.type is ColumnType.INTEGER),
            column_count=len(names),
            key_follows_grain=set(record.key_columns) <= set(record.grain),
        )


@dataclass(slots=True)
class RowHashes:
    """Three 64-bit hashes per clean row, in the order of the clean file; 24 bytes per row."""

    unique: array[int] = field(default_factory=lambda: array("q"))
    grain: array[int] = field(default_factory=lambda: array("q"))
    key: array[int] = field(default_factory=lambda: array("q"))


@dataclass(slots=True)
class CleanRows:
    """Collects the good rows of one file."""

    output: BinaryIO
    shape: RowShape
    count: int = 0
    sums: list[int] = field(default_factory=list)
    """One sum per integer column, in the order of `shape.integers`."""
    hashes: RowHashes = field(default_factory=RowHashes)
    _key_format: bytes = b""
    _line_format: bytes = b""

    def __post_init__(self) -> None:
        self.sums = [0] * len(self.shape.integers)
        self._key_format = self.shape.key.template.lower().encode().replace(b"%s", b"%b")
        self._line_format = b"%d," + b",".join([b"%b"] * (self.shape.column_count + 1)) + b"\n"

    def fits_columns(self, max_lengths: Sequence[int]) -> bool:
        """Return whether `add_columns` may be used: every key is short and plain enough, whatever the values."""
        template = self.shape.key.template
        longest = len(template) + sum(max_lengths[position] for position in self.shape.key.positions)
        return longest <= MAX_KEY_CHARS and template.isascii() and quote_field(self._key_format) == self._key_format

    def add_columns(
        self, first_line: int, columns: Sequence[Sequence[bytes]], numbers: Sequence[Sequence[int]]
    ) -> None:
        """Add rows of consecutive lines, column by column; plain ASCII values that need no quotes.

        Args:
            first_line: line number of the first row.
            columns: the values of each column, in definition order.
            numbers: the values of each integer column as numbers.
        """
        shape = self.shape
        parts = zip(*(columns[position] for position in shape.key.positions), strict=True)
        # ASCII: lower() is all that NFC and case folding do
        keys = list(map(bytes.lower, map(self._key_format.__mod__, parts)))
        self.hashes.unique.extend(map(hash, zip(*(columns[i] for i in shape.unique), strict=True)))
        self.hashes.grain.extend(map(hash, zip(*(columns[i] for i in shape.grain), strict=True)))
        self.hashes.key.extend(map(hash, keys))
        lines = range(first_line, first_line + len(keys))
        rows = zip(lines, keys, *columns, strict=True)
        self.output.write(b"".join(map(self._line_format.__mod__, rows)))
        self.count += len(keys)
        for index, values in enumerate(numbers):
            self.sums[index] += sum(values)

    def add(self, line_no: int, key: bytes, values: Values) -> None:
        """Add one row with any values."""
        shape = self.shape
        self.hashes.unique.append(hash(tuple(values[i] for i in shape.unique)))
        self.hashes.grain.append(hash(tuple(values[i] for i in shape.grain)))
        self.hashes.key.append(hash(key))
        cells = [quote_field(cell) for cell in (key, *values)]
        self.output.write(self._line_format % (line_no, *cells))
        self.count += 1
        for index, position in enumerate(shape.integers):
            self.sums[index] += int(values[position])

    def forget(self, values: Values) -> None:
        """Take one row out of count and sums; `duplicates.py` takes it out of the file."""
        self.count -= 1
        for index, position in enumerate(self.shape.integers):
            self.sums[index] -= int(values[position])
