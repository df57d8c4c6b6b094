"""Read SQL files by name, once, and remember which ones ran."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from include.hubspot_sync.config import SQL_DIR

_COMMENT = re.compile(r"^\s*--[^\n]*\n", re.MULTILINE)
_SLOT = re.compile(r"\{([a-z_]+)\}")

executed: set[str] = set()
"""Names of the statements that were read for execution in this process; a test compares them with the files."""


@cache
def _text(name: str) -> str:
    return _COMMENT.sub("", (SQL_DIR / name).read_text(encoding="utf-8")).strip()


def statement(name: str, slots: Mapping[str, str] | None = None) -> str:
    """Return a statement of `include/sql`, its `{slots}` filled.

    Slots are for identifiers and expressions made of names that the sync definition has validated; values are bound.

    Args:
        name: Path below `include/sql`, e.g. `batch/claim_batch.sql`.
        slots: Text for each `{slot}` of the file.
    """
    executed.add(name)
    if not slots:
        return _text(name)
    return _SLOT.sub(lambda match: slots[match.group(1)], _text(name))
