"""The fast path: one compiled pattern that only a faultless, plain ASCII line matches."""

from __future__ import annotations

import re

from include.hubspot_sync.config import Column, ColumnType
from include.hubspot_sync.source.fields import quote_field
from include.hubspot_sync.source.header import Layout
from include.hubspot_sync.source.values import ValueRules

# What the value rules may have to judge or change, and what would need quotes in the clean file, does not match:
# outer blanks, formula starts, digits, quotes, commas, backslashes, control and non-ASCII characters, a bare NULL.
_TEXT = rb'(?![ =+\-@]|NULL,|NULL\n)([^\x00-\x1f",0-9\\\x7f-\xff]{1,%d})(?<! )'
_IGNORED = rb'[^"\n,]*'
_NEVER = rb"((?!))"

NEVER_MATCHES = re.compile(_NEVER)
"""For definitions whose lines all have to be judged."""


def compile_line_pattern(layout: Layout, rules: tuple[ValueRules, ...]) -> re.Pattern[bytes]:
    """Return the pattern of one whole line with its LF; one group per known column, in the order of the file.

    Integers still have to be compared with their limits.
    """
    by_position = dict(zip(layout.positions, rules, strict=True))
    fields = (_field(by_position[index]) if index in by_position else _IGNORED for index in range(layout.field_count))
    return re.compile(rb"^" + b",".join(fields) + rb"\n", re.MULTILINE)


def _field(rules: ValueRules) -> bytes:
    match rules.column.type:
        case ColumnType.INTEGER:
            return _integer(rules)
        case ColumnType.CHOICE:
            return _choice(rules.column)
        case ColumnType.TEXT:
            return _TEXT % rules.column.max_length


def _integer(rules: ValueRules) -> bytes:
    more_digits = len(str(max(abs(rules.column.min), abs(rules.max_value)))) - 1
    sign = b"-?" if rules.column.min < 0 else b""
    return rb"(0|%b[1-9][0-9]{0,%d})" % (sign, more_digits)


def _choice(column: Column) -> bytes:
    plain = [
        text.encode()
        for text, value in column.choices.items()
        if text == value and text.isascii() and text == text.strip()
    ]
    plain = [text for text in plain if quote_field(text) == text]
    return b"(" + b"|".join(map(re.escape, plain)) + b")" if plain else _NEVER
