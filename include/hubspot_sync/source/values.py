"""The rules for one value: from the text in the file to the value that is stored, or the reason why not."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from include.hubspot_sync.config import Column, ColumnType
from include.hubspot_sync.source.notes import Note, Reason

MAX_FIELD_BYTES = 1 << 16
"""A longer field is refused before its value is looked at."""

_INTEGER = re.compile(r"(-?)0*([0-9]+?)(?:\.0+)?", re.ASCII)
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORMULA_START = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a value is refused."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class ValueRules:
    """One column with its limits worked out."""

    column: Column
    max_value: int
    """Largest integer today; the definition may say `current_year`."""

    @classmethod
    def of(cls, column: Column, current_year: int) -> ValueRules:
        """Resolve the limits of a column."""
        return cls(column, current_year if column.max == "current_year" else int(column.max))

    def read(self, field: bytes, notes: Counter[Note]) -> str | Problem:
        """Return the stored value of a field, or why it is refused; count what was normalised."""
        try:
            raw = field.decode()
        except UnicodeDecodeError as error:
            return Problem(Reason.NOT_UTF8, f"byte {field[error.start]:#04x} is not valid UTF-8")
        return _unprintable(raw) or self._read_text(raw, notes)

    def _read_text(self, raw: str, notes: Counter[Note]) -> str | Problem:
        text = raw.strip()
        notes[Note.TRIMMED] += text != raw
        if not text:
            return Problem(Reason.EMPTY, "the value is empty")
        match self.column.type:
            case ColumnType.INTEGER:
                return self._integer(text, notes)
            case ColumnType.CHOICE:
                return self._choice(text, notes)
            case ColumnType.TEXT:
                return self._text(text, notes)

    def _integer(self, text: str, notes: Counter[Note]) -> str | Problem:
        match = _INTEGER.fullmatch(text)
        if match is None:
            return Problem(Reason.NOT_AN_INTEGER, f"{shown(text)} is not a whole number")
        value = match[1] + match[2] if match[2] != "0" else "0"
        # the length first: int() of a very long number is slow, and refused by Python beyond 4,300 digits
        if len(value) > len(str(self.max_value)) + 1 or not self.in_range(int(value)):
            allowed = f"{self.column.min} to {self.max_value}"
            return Problem(Reason.OUT_OF_RANGE, f"{shown(text)} is not in {allowed}")
        notes[Note.INTEGER_FORM] += value != text
        return value

    def in_range(self, value: int) -> bool:
        """Return whether an integer lies within the column's limits."""
        return self.column.min <= value <= self.max_value

    def _choice(self, text: str, notes: Counter[Note]) -> str | Problem:
        value = self.column.choices.get(text)
        if value is None:
            allowed = ", ".join(sorted(set(self.column.choices.values())))
            return Problem(Reason.NOT_A_CHOICE, f"{shown(text)} is none of {allowed}")
        notes[Note.CHOICE_MAPPED] += value != text
        return value

    def _text(self, text: str, notes: Counter[Note]) -> str | Problem:
        value = unicodedata.normalize("NFC", text)
        if len(value) > self.column.max_length:
            return Problem(Reason.TOO_LONG, f"{len(value)} characters, at most {self.column.max_length}")
        if value.startswith(_FORMULA_START):
            return Problem(Reason.FORMULA_START, f"{shown(value)} starts like a spreadsheet formula")
        if any(character.isdigit() for character in value):
            return Problem(Reason.HAS_DIGIT, f"{shown(value)} contains a digit")
        notes[Note.NFC] += value != text
        return value


def _unprintable(text: str) -> Problem | None:
    """Find characters that nobody sees; a line break inside quotes is allowed."""
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if character in _BIDI:
            return Problem(Reason.BIDI_CONTROL, f"U+{ord(character):04X} changes the direction of text")
        category = unicodedata.category(character)
        if category == "Cf":
            return Problem(Reason.INVISIBLE_CHARACTER, f"U+{ord(character):04X} is invisible")
        if category == "Cc" and character != "\n":
            return Problem(Reason.CONTROL_CHARACTER, f"U+{ord(character):04X} is a control character")
    return None


def shown(text: str, limit: int = 40) -> str:
    """Return a value cut and escaped for a message."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return ascii(cut)
