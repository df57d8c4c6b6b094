"""Joins the lines of a quoted value that holds line breaks, and never lets an open quote swallow the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.fields import Malformed, split_fields
from include.hubspot_sync.source.notes import Note
from include.hubspot_sync.source.values import MAX_FIELD_BYTES

Fields = list[bytes] | Malformed
RecordCallback = Callable[[int, bytes, Fields], None]


@dataclass(slots=True)
class RecordAssembler:
    """Turns single lines into records; a record has the number of its first line."""

    name: str
    pattern: re.Pattern[bytes]
    """Matches a plain line: such a line inside quotes shows that the quote was never closed."""
    take_record: RecordCallback
    notes: Counter[Note]
    _lines: list[bytes] = field(default_factory=list)
    _first_line: int = 0
    _size_bytes: int = 0
    _quotes: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether a quoted value goes on in the next line."""
        return bool(self._lines)

    def take(self, line_no: int, line: bytes) -> None:
        """Take one line, given without its line end.

        Raises:
            SourceDataError: a quote is not closed.
        """
        if self._lines:
            self._continue(line)
        elif not line.strip():
            self.notes[Note.BLANK_LINES] += 1
        else:
            fields = split_fields(line)
            if fields is Malformed.OPEN_QUOTE:
                self._open(line_no, line)
            else:
                self.take_record(line_no, line, fields)

    def take_unterminated(self, line_no: int, line: bytes, field_count: int) -> None:
        """Take the last line of a file that does not end with a line end.

        Raises:
            SourceDataError: the line is not complete, so the file was cut.
        """
        if not self._lines:
            fields = split_fields(line)
            is_cut = isinstance(fields, Malformed) or len(fields) < field_count or not fields[-1]
            if is_cut and line.strip():
                raise SourceDataError(
                    f"{self.name} line {line_no}: the last line is cut and has no line end: "
                    "the file is not complete, download it again"
                )
        self.notes[Note.NO_FINAL_NEWLINE] = 1
        self.take(line_no, line)

    def finish(self) -> None:
        """Raise when the file ended inside quotes.

        Raises:
            SourceDataError: it did.
        """
        if self._lines:
            self._refuse_open_quote()

    def _open(self, line_no: int, line: bytes) -> None:
        if len(line) > MAX_FIELD_BYTES:
            self._first_line = line_no
            self._refuse_open_quote()
        self._first_line, self._lines = line_no, [line]
        self._size_bytes, self._quotes = len(line), line.count(b'"')

    def _continue(self, line: bytes) -> None:
        self._lines.append(line)
        self._size_bytes += len(line) + 1
        self._quotes += line.count(b'"')
        if self._is_plain(line) or self._size_bytes > MAX_FIELD_BYTES:
            self._refuse_open_quote()
        # a value stays open as long as its quotes are odd in number: splitting after each line would take for ever
        if self._quotes % 2 or b'"' not in line:
            return
        record = b"\n".join(self._lines)
        fields = split_fields(record)
        # the last line would be a plain one without its quote: then the first quote is the mistake
        if isinstance(fields, Malformed) or self._is_plain(line.replace(b'"', b"")):
            self._refuse_open_quote()
        self._lines = []
        self.take_record(self._first_line, record, fields)

    def _is_plain(self, line: bytes) -> bool:
        return self.pattern.fullmatch(line + b"\n") is not None

    def _refuse_open_quote(self) -> NoReturn:
        raise SourceDataError(
            f'{self.name} line {self._first_line}: a quote (") is opened and not closed: close it or remove it'
        )
