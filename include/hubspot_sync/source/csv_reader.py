"""Validates a source file line by line and writes the clean file for LOAD DATA.

One bad line costs one line, with its number and reason; a file of the wrong kind stops before anything is loaded.
Plain lines take the fast path (`line_pattern.py`) in blocks; all others are judged one by one (`line_classifier.py`).

Clean file: `line_no,key_text,<columns in definition order>`, LF, UTF-8, no header, quotes where needed.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from include.hubspot_sync.config import Record, Source
from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.source.clean_rows import CleanRows, RowShape
from include.hubspot_sync.source.disk_errors import disk_errors_named
from include.hubspot_sync.source.duplicates import clean_rows_of, settle_duplicates
from include.hubspot_sync.source.header import read_header
from include.hubspot_sync.source.line_blocks import Block, LineBlocks, open_regular_file
from include.hubspot_sync.source.notes import Note
from include.hubspot_sync.source.rejects import RejectCallback, Rejects
from include.hubspot_sync.source.row_reader import RowReader, RowSinks
from include.hubspot_sync.source.values import ValueRules

MAX_REJECTS = 10_000
"""Default for the number of refused lines that stops the validation."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What the validation found; it describes the clean file."""

    rows: int
    """Rows in the clean file."""
    source_rows: int
    """Data lines of the source: `rows` + `rejected_lines` + dropped exact duplicates."""
    sums: Mapping[str, int]
    """Sum of each integer column over the clean file."""
    distinct_records: int
    """Distinct grain values in the clean file, withheld records included."""
    rejected_lines: int
    withheld_keys: frozenset[str]
    """Keys of records with at least one quarantined line."""
    unreadable_key_lines: int
    """Quarantined lines whose record is not known; with any of them nothing may be archived."""
    sha256: str
    """Hex digest of the source file."""
    size_bytes: int
    """Size of the source file."""
    notes: Mapping[Note, int]
    """How often what was normalised."""


def utc_today() -> date:
    """Return the date that `current_year` follows."""
    return datetime.now(tz=UTC).date()


def validate_file(  # noqa: PLR0913 - where from, what, where to, and three settings by name
    path: Path,
    source: Source,
    record: Record,
    clean_path: Path,
    reject: RejectCallback,
    *,
    max_rejects: int = MAX_REJECTS,
    expected_bytes: int | None = None,
    today: Callable[[], date] = utc_today,
) -> FileCheck:
    """Check every line of a file, write the good rows to `clean_path` and hand on the others.

    Args:
        path: the source file, unpacked.
        source: columns and limits.
        record: grain and key.
        clean_path: file to write; it is removed when the validation fails.
        reject: called with each refused line; lines refused as duplicates come last.
        max_rejects: more refused lines than this stop the validation.
        expected_bytes: size that the file must have, when it is known.
        today: gives the date for `current_year`.

    Raises:
        SourceDataError: the file must not be loaded; says line, reason and what to do.
    """
    rules = tuple(ValueRules.of(column, today().year) for column in source.columns)
    rejects = Rejects(reject, max_rejects, source.file)
    notes: Counter[Note] = Counter()
    with _removed_on_failure(clean_path), disk_errors_named(clean_path, source.file):
        with open_regular_file(path, source.file) as stream, clean_path.open("wb", 1 << 18) as output:
            sinks = RowSinks(CleanRows(output, RowShape.of(source, record)), rejects, notes)
            blocks = LineBlocks(stream, source.file, notes)
            with _collector_paused():
                reader = _read(blocks, source, rules, sinks)
        found = _Found(source, blocks, reader, sinks)
        found.check_whole(expected_bytes)
        distinct = settle_duplicates(sinks.rows, clean_path, rejects, notes)
    return found.result(distinct)


def check_beginning(path: Path, source: Source) -> None:
    """Refuse at a glance what is no such file at all, before it is kept as a version of the dataset.

    Raises:
        SourceDataError: it is no text, its header lacks a column, or no row follows.
    """
    notes: Counter[Note] = Counter()
    with open_regular_file(path, source.file) as stream:
        blocks = iter(LineBlocks(stream, source.file, notes))
        header, _, rest = next(blocks).content.partition(b"\n")
        read_header(header, source, notes)
        if not rest and next(blocks, None) is None:
            raise _no_rows(source.file, "there are no rows")


def lines_of_key(path: Path, source: Source, record: Record, key_text: str, scratch: Path) -> frozenset[int]:
    """Return the numbers of all physical lines that belong to a record, refused and repeated ones included.

    Args:
        path: the source file, unpacked.
        source: columns and limits.
        record: grain and key.
        key_text: key of the record.
        scratch: file to write to; it is removed.

    Raises:
        SourceDataError: the file cannot be read as the definition says.
    """
    found: set[int] = set()

    def look_at(line: RejectedLine) -> None:
        if line.key_text == key_text:
            # a value of a line that is loaded holds no line end
            found.update(range(line.line_no, line.line_no + line.raw.count("\n") + 1))

    rules = tuple(ValueRules.of(column, utc_today().year) for column in source.columns)
    notes: Counter[Note] = Counter()
    try:
        with open_regular_file(path, source.file) as stream, scratch.open("wb", 1 << 18) as output:
            rows = CleanRows(output, RowShape.of(source, record))
            sinks = RowSinks(rows, Rejects(look_at, sys.maxsize, source.file), notes)
            _read(LineBlocks(stream, source.file, notes), source, rules, sinks)
        key = key_text.encode()
        found.update(row.line_no for row in clean_rows_of(scratch) if row.key == key)
    finally:
        scratch.unlink(missing_ok=True)
    return frozenset(found)


def _no_rows(name: str, what: str) -> SourceDataError:
    return SourceDataError(
        f"{name}: {what}; an empty source never means that everything was removed: check the dataset"
    )


def _read(blocks: LineBlocks, source: Source, rules: tuple[ValueRules, ...], sinks: RowSinks) -> RowReader:
    """Read the whole file; its first line is the header."""
    iterator = iter(blocks)
    first = next(iterator)
    header, _, rest = first.content.partition(b"\n")
    reader = RowReader(header, source, rules, sinks)
    if rest:
        reader.take_block(Block(first.first_line + 1, rest))
    for block in iterator:
        reader.take_block(block)
    reader.finish()
    return reader


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Rows make no reference cycles: looking for some costs 12 % of the time and frees nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _removed_on_failure(clean_path: Path) -> Iterator[None]:
    """Leave no half-written clean file behind."""
    try:
        yield
    except BaseException:
        if clean_path.is_file():
            clean_path.unlink()
        raise


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that was found in one file."""

    source: Source
    blocks: LineBlocks
    reader: RowReader
    sinks: RowSinks

    def check_whole(self, expected_bytes: int | None) -> None:
        """Judge the file as a whole.

        Raises:
            SourceDataError: it is Latin-1, cut, or holds no good row.
        """
        name, rows = self.source.file, self.reader.source_rows
        self.reader.encoding.refuse_latin1(name)
        if expected_bytes is not None and self.blocks.size_bytes != expected_bytes:
            raise SourceDataError(
                f"{name}: {self.blocks.size_bytes} bytes instead of {expected_bytes}: "
                "the file was cut or changed while it was read, land it again"
            )
        if not self.sinks.rows.count:
            raise _no_rows(name, f"none of the {rows} rows is valid" if rows else "there are no rows")

    def result(self, distinct_records: int) -> FileCheck:
        """Return the numbers that describe the clean file."""
        rows, rejects = self.sinks.rows, self.sinks.rejects
        names = [self.source.columns[index].name for index in rows.shape.integers]
        return FileCheck(
            rows=rows.count,
            source_rows=self.reader.source_rows,
            sums=dict(zip(names, rows.sums, strict=True)),
            distinct_records=distinct_records,
            rejected_lines=rejects.count,
            withheld_keys=frozenset(rejects.withheld_keys),
            unreadable_key_lines=rejects.unreadable_key_lines,
            sha256=self.blocks.sha256,
            size_bytes=self.blocks.size_bytes,
            notes={note: count for note, count in sorted(self.sinks.notes.items()) if count},
        )
