"""The slow path: judges one record that the fast pattern did not take, and finds the exact reason."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from include.hubspot_sync.config import Source
from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.fields import Malformed
from include.hubspot_sync.source.header import MAX_COLUMNS, Layout, fold_name
from include.hubspot_sync.source.key_text import MAX_KEY_CHARS, KeyRecipe
from include.hubspot_sync.source.notes import Note, Reason
from include.hubspot_sync.source.values import MAX_FIELD_BYTES, Problem, ValueRules

# Single letters of Latin-1 or cp1252 between ASCII; invalid UTF-8 of other origin looks otherwise.
_LATIN1_LETTERS = re.compile(rb"(?:[\x00-\x7f]|[\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xc0-\xd6\xd8-\xf6\xf8-\xfd])*")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record that is stored."""

    key_text: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is quarantined."""

    column: str
    problem: Problem
    key_text: str | None


@dataclass(slots=True)
class EncodingEvidence:
    """What the records outside ASCII say about the encoding of the file."""

    utf8_records: int = 0
    foreign_records: int = 0
    """Invalid UTF-8 that cannot be Latin-1 either."""
    latin1_records: int = 0
    first_latin1: str = ""
    """Line and byte of the first Latin-1 letter."""

    def note_invalid(self, record: bytes, line_no: int, start: int) -> None:
        """Remember one record that is not UTF-8."""
        if not _LATIN1_LETTERS.fullmatch(record):
            self.foreign_records += 1
            return
        if not self.latin1_records:
            self.first_latin1 = f"line {line_no} byte {start + 1}"
        self.latin1_records += 1

    def refuse_latin1(self, name: str) -> None:
        """Raise when the whole file is Latin-1 rather than UTF-8 with some damaged lines.

        Raises:
            SourceDataError: it is.
        """
        if self.latin1_records and not self.utf8_records and not self.foreign_records:
            raise SourceDataError(
                f"{name} {self.first_latin1}: the file is not UTF-8, it looks like Latin-1 "
                f"({self.latin1_records} such lines seen): save it as UTF-8"
            )


@dataclass(slots=True)
class LineClassifier:
    """Judges single records of one file."""

    source: Source
    layout: Layout
    rules: tuple[ValueRules, ...]
    key: KeyRecipe
    notes: Counter[Note]
    encoding: EncodingEvidence = field(default_factory=EncodingEvidence)

    def judge(self, record: bytes, fields: list[bytes] | Malformed, line_no: int) -> Accepted | Refused:
        """Return the stored values of a record, or why it is quarantined.

        Raises:
            SourceDataError: it has an absurd number of fields, so the file is no CSV of this kind.
        """
        self._note_encoding(record, line_no)
        if isinstance(fields, Malformed):
            return _whole_line(Reason.STRAY_QUOTE, "a quote stands inside a field or text after it")
        if len(fields) > MAX_COLUMNS:
            raise SourceDataError(
                f"{self.source.file} line {line_no}: {len(fields)} fields, expected "
                f"{self.layout.field_count}: the file is damaged or no CSV"
            )
        if len(fields) != self.layout.field_count:
            return self._wrong_count(record, fields)
        if self._is_header(fields):
            return _whole_line(Reason.REPEATED_HEADER, "the header line is there again")
        return self._judge_values(fields)

    def _note_encoding(self, record: bytes, line_no: int) -> None:
        if record.isascii():
            return
        try:
            record.decode()
        except UnicodeDecodeError as error:
            self.encoding.note_invalid(record, line_no, error.start)
        else:
            self.encoding.utf8_records += 1

    def _wrong_count(self, record: bytes, fields: list[bytes]) -> Refused:
        if record.lstrip().startswith(b"#"):
            return _whole_line(Reason.COMMENT, "a comment line")
        reason = Reason.SHORT_ROW if len(fields) < self.layout.field_count else Reason.LONG_ROW
        return _whole_line(reason, f"{len(fields)} fields, expected {self.layout.field_count}")

    def _is_header(self, fields: list[bytes]) -> bool:
        return all(
            fold_name(cell.decode(errors="replace")) == name
            for cell, name in zip(fields, self.layout.names, strict=True)
        )

    def _judge_values(self, fields: list[bytes]) -> Accepted | Refused:
        if any(len(cell) > MAX_FIELD_BYTES for cell in fields):
            return _whole_line(Reason.FIELD_TOO_LARGE, f"a field has over {MAX_FIELD_BYTES} bytes")
        notes: Counter[Note] = Counter()
        values = [
            rule.read(fields[position], notes) for rule, position in zip(self.rules, self.layout.positions, strict=True)
        ]
        key_text = self._key_text(values)
        for rule, value in zip(self.rules, values, strict=True):
            if isinstance(value, Problem):
                return Refused(rule.column.header, value, key_text)
        if key_text is None:
            return _whole_line(Reason.KEY_TOO_LONG, f"the key has over {MAX_KEY_CHARS} characters")
        self.notes.update(notes)
        return Accepted(key_text, tuple(str(value) for value in values))

    def _key_text(self, values: list[str | Problem]) -> str | None:
        """Return the key when every column that it is made of can be trusted."""
        if any(isinstance(values[position], Problem) for position in self.key.positions):
            return None
        text = self.key.text([str(value) for value in values])
        return text if len(text) <= MAX_KEY_CHARS else None


def _whole_line(reason: Reason, text: str) -> Refused:
    return Refused("", Problem(reason, text), None)
