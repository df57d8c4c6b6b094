"""The text that identifies a record, computed here and nowhere else."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from include.hubspot_sync.config import Record, Source

MAX_KEY_CHARS = 320
"""Width of `key_text` in the staging table."""


@dataclass(frozen=True, slots=True)
class KeyRecipe:
    """How the key text is made from the stored values of a row."""

    positions: tuple[int, ...]
    """Index of each key column among the definition's columns, in the order of the template."""
    template: str
    """The key with one `%s` per column."""

    @classmethod
    def of(cls, source: Source, record: Record) -> KeyRecipe:
        """Read the template of a definition."""
        names = [column.name for column in source.columns]
        parts = list(string.Formatter().parse(record.key))
        template = "".join(literal.replace("%", "%%") + ("%s" if field else "") for literal, field, _, _ in parts)
        return cls(tuple(names.index(field) for _, field, _, _ in parts if field), template)

    def text(self, values: Sequence[str]) -> str:
        """Return the key text of a row; the values stand in definition order."""
        return fold_key(self.template % tuple(values[position] for position in self.positions))


def fold_key(text: str) -> str:
    """Return the text in NFC and without case, the same in every locale; different letters stay different."""
    folded = "".join(map(_fold_letter, unicodedata.normalize("NFC", text)))
    # folding may take a composed letter apart, as with the Turkish capital dotted I
    return unicodedata.normalize("NFC", folded)


def _fold_letter(letter: str) -> str:
    # a letter that folds into several, as the German sharp s does, would make two names one
    folded = letter.casefold()
    return folded if len(folded) == 1 else letter.lower()
