"""The header line: which field of the file is which column of the definition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NoReturn

from include.hubspot_sync.config import Source
from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.fields import Malformed, split_fields
from include.hubspot_sync.source.notes import Note
from include.hubspot_sync.source.values import shown

MAX_COLUMNS = 1000
_OTHER_DELIMITERS = {";": "semicolon", "\t": "tab", "|": "pipe"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the definition's columns are in the file."""

    names: tuple[str, ...]
    """Folded names of the file's columns."""
    positions: tuple[int, ...]
    """Field index of each column, in definition order."""

    @property
    def field_count(self) -> int:
        """Return how many fields every line must have."""
        return len(self.names)


def fold_name(name: str) -> str:
    """Return a column name without case and outer blanks."""
    return name.strip().casefold()


def read_header(line: bytes, source: Source, notes: Counter[Note]) -> Layout:
    """Match the header line with the definition.

    Raises:
        SourceDataError: a column is missing or there twice, the delimiter is another one, or there is no header.
    """
    fields = split_fields(line)
    if isinstance(fields, Malformed):
        _refuse(source, "the header has an unclosed or stray quote")
    if len(fields) > MAX_COLUMNS:
        _refuse(source, f"the header has {len(fields)} columns, at most {MAX_COLUMNS} are allowed")
    try:
        given = [field.decode() for field in fields]
    except UnicodeDecodeError:
        _refuse(source, "the header is not UTF-8")
    layout = _match(given, source)
    _note_differences(given, layout, source, notes)
    return layout


def _match(given: list[str], source: Source) -> Layout:
    names = tuple(fold_name(name) for name in given)
    wanted = [fold_name(column.header) for column in source.columns]
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice is not None:
        _refuse(source, f"the column {given[names.index(twice)].strip()} is there twice")
    missing = [column.header for column in source.columns if fold_name(column.header) not in names]
    if missing:
        _refuse(source, _explain_missing(given, missing, source))
    return Layout(names, tuple(names.index(name) for name in wanted))


def _explain_missing(given: list[str], missing: list[str], source: Source) -> str:
    """Say what is wrong with a header that lacks a column."""
    line = ",".join(given)
    for delimiter, name in _OTHER_DELIMITERS.items():
        if delimiter in line and fold_name(missing[0]) in map(fold_name, line.split(delimiter)):
            return f"the delimiter is a {name}, not a comma: export the file with commas"
    if len(missing) == len(source.columns):
        return f"the header is missing, the first line is {shown(line)}"
    return f"the column {', '.join(missing)} is missing, the file has {shown(line, 200)}"


def _note_differences(given: list[str], layout: Layout, source: Source, notes: Counter[Note]) -> None:
    headers = [column.header for column in source.columns]
    notes[Note.EXTRA_COLUMNS] += layout.field_count - len(headers)
    notes[Note.HEADER_REORDERED] += list(layout.positions) != sorted(layout.positions)
    used = [given[position] for position in layout.positions]
    notes[Note.HEADER_SPELLING] += sum(name != header for name, header in zip(used, headers, strict=True))


def _refuse(source: Source, what: str) -> NoReturn:
    expected = ",".join(column.header for column in source.columns)
    raise SourceDataError(f"{source.file} line 1: {what}; expected {expected}: fix the file or the sync definition")
