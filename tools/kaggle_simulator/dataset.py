"""A dataset in memory: arrays instead of rows, so that two million rows take some 50 MB."""

from __future__ import annotations

import gzip
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

HEADER = b"YearOfBirth,Name,Sex,Number\n"
FIRST_YEAR = 1880
LAST_YEAR = 2023
_SEXES = (b"F", b"M")
_NUMBER_BITS, _NAME_BITS, _MAX_YEARS = 31, 24, 256
_ROWS_PER_CHUNK = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Rows in the order of the real file: year, sex (F first), number falling, name rising."""

    names: NDArray[np.bytes_]
    """Different names in ascending order."""
    contact: NDArray[np.int32]
    """Contact of each row: twice the position of its name, plus 1 for M."""
    year: NDArray[np.int32]
    """Year of birth of each row."""
    number: NDArray[np.int32]
    """Births of each row."""

    @property
    def row_count(self) -> int:
        """Return the number of data rows."""
        return int(self.contact.size)

    @property
    def contact_count(self) -> int:
        """Return the number of different (Name, Sex)."""
        return int(self.contact_ids().size)

    def contact_ids(self) -> NDArray[np.int32]:
        """Return the contacts that have a row, ascending."""
        import numpy as np

        return np.unique(self.contact)


def arrange(
    names: NDArray[np.bytes_],
    contact: NDArray[np.int64],
    year: NDArray[np.int64],
    number: NDArray[np.int64],
) -> Dataset:
    """Bring names and rows into the order of the real file.

    Raises:
        ValueError: there are more names, years or births than the sort key has room for.
    """
    import numpy as np

    order = np.argsort(names, kind="stable")
    rank = np.empty(names.size, dtype=np.int64)
    rank[order] = np.arange(names.size)
    contact = rank[contact >> 1] * 2 + (contact & 1)
    span = year - (int(year.min()) if year.size else 0)
    too_wide = (span >= _MAX_YEARS).any() or (number >> _NUMBER_BITS).any()
    if too_wide or names.size >= 1 << _NAME_BITS:
        raise ValueError("dataset is too large: at most 16 M names, 256 years and 2^31 births")
    # one 64-bit key is several times faster to sort than four columns with text
    key = (span << 1 | (contact & 1)) << _NUMBER_BITS | ((1 << _NUMBER_BITS) - 1 - number)
    key_with_name = key.astype(np.uint64) << np.uint64(_NAME_BITS) | (contact >> 1).astype(np.uint64)
    row_order = np.argsort(key_with_name)
    return Dataset(
        names=names[order],
        contact=contact[row_order].astype(np.int32),
        year=year[row_order].astype(np.int32),
        number=number[row_order].astype(np.int32),
    )


def csv_chunks(dataset: Dataset) -> Iterator[bytes]:
    """Yield the CSV file in pieces of about 2 MB."""
    yield HEADER
    for start in range(0, dataset.row_count, _ROWS_PER_CHUNK):
        rows = slice(start, start + _ROWS_PER_CHUNK)
        contact = dataset.contact[rows]
        yield b"".join(
            b"%d,%s,%s,%d\n" % (year, name, _SEXES[sex], number)
            for year, name, sex, number in zip(
                dataset.year[rows].tolist(),
                dataset.names[contact >> 1].tolist(),
                (contact & 1).tolist(),
                dataset.number[rows].tolist(),
                strict=True,
            )
        )


@contextmanager
def open_plain(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading; a name that ends in .gz is unpacked on the way."""
    with path.open("rb") as raw:
        if path.suffix != ".gz":
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield cast("IO[bytes]", unpacked)


def write_csv(dataset: Dataset, path: Path) -> None:
    """Write the CSV file; a name that ends in .gz is packed, with the same bytes every time."""
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            raw.writelines(csv_chunks(dataset))
            return
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
            packed.writelines(csv_chunks(dataset))


def read_csv(path: Path) -> Dataset:
    """Read a clean CSV or CSV.gz file.

    Raises:
        ValueError: the header or a line is not as expected; names file and line.
    """
    import numpy as np

    ids: dict[bytes, int] = {}
    contact, year, number = array("i"), array("i"), array("i")
    with open_plain(path) as file:
        if file.readline() != HEADER:
            raise ValueError(f"{path.name} line 1: the header is not {HEADER.decode().strip()}")
        for line_no, line in enumerate(file, start=2):
            try:
                born, name, sex, births = line.rstrip(b"\n").split(b",")
                contact.append(ids.setdefault(name, len(ids)) * 2 + _SEXES.index(sex))
                year.append(int(born))
                number.append(int(births))
            except (ValueError, OverflowError) as error:
                where = f"{path.name} line {line_no}"
                raise ValueError(f"{where}: not a year, name, sex and number") from error
    columns = [np.array(column, dtype=np.int64) for column in (contact, year, number)]
    return arrange(np.array(list(ids) or [b""], dtype=np.bytes_), *columns)
