"""Typed comparison of what was wanted with what HubSpot returned."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from include.hubspot_sync.config import PropertyType

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)


def differing_properties(
    wanted: Mapping[str, str], stored: Mapping[str, str], types: Mapping[str, PropertyType]
) -> tuple[str, ...]:
    """Return the names of the wanted properties that HubSpot holds differently, sorted.

    Properties that only HubSpot has are none of our business.

    Raises:
        KeyError: a wanted property has no type.
    """
    return tuple(
        name for name, value in sorted(wanted.items()) if not is_same_value(value, stored.get(name), types[name])
    )


def is_same_value(wanted: str, stored: str | None, kind: PropertyType) -> bool:
    """Compare numbers as numbers, everything else exactly; nothing stored equals the empty text."""
    held = stored or ""
    if wanted == held:
        return True
    if kind is not PropertyType.NUMBER:
        return False
    wanted_number, held_number = _number(wanted), _number(held)
    return wanted_number is not None and wanted_number == held_number


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None
