"""Splits one CSV record into its fields, strictly, and quotes fields for the clean file."""

from __future__ import annotations

import enum
import re

# A quoted field with doubled quotes, or a bare one that does not begin with a quote.
_FIELD = re.compile(rb'(?:"([^"]*(?:""[^"]*)*)"|([^",][^,]*)?)(,|\Z)')
_NEEDS_QUOTES = re.compile(rb'[,"\\\n\r]|\A(?:NULL)\Z')


class Malformed(enum.Enum):
    """Why a record cannot be split."""

    OPEN_QUOTE = enum.auto()
    """A quoted field is not closed: the record may go on in the next line."""
    STRAY_QUOTE = enum.auto()
    """A quote inside a bare field, or text after a closing quote."""


def split_fields(record: bytes) -> list[bytes] | Malformed:
    """Return the fields of one record given without its line end."""
    fields: list[bytes] = []
    position = 0
    while True:
        match = _FIELD.match(record, position)
        if match is None:
            return _explain(record, position)
        quoted, bare, end = match.groups()
        if bare is not None and b'"' in bare:
            return Malformed.STRAY_QUOTE
        fields.append(bare or b"" if quoted is None else quoted.replace(b'""', b'"'))
        if not end:
            return fields
        position = match.end()


def _explain(record: bytes, position: int) -> Malformed:
    """Without doubled quotes, a closing quote is left over only when text follows it."""
    rest = record[position + 1 :].replace(b'""', b"")
    return Malformed.STRAY_QUOTE if b'"' in rest else Malformed.OPEN_QUOTE


def quote_field(value: bytes) -> bytes:
    """Return the field as `load_staging.sql` reads it back; a bare NULL would become SQL NULL."""
    if _NEEDS_QUOTES.search(value):
        return b'"' + value.replace(b'"', b'""') + b'"'
    return value
