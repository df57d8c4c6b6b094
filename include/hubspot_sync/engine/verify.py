"""Compare what HubSpot holds with what it should hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.hubspot_sync.config import PropertyType, SyncDefinition
from include.hubspot_sync.destination.hubspot.compare import differing_properties
from include.hubspot_sync.destination.protocol import ReadAnswer
from include.hubspot_sync.records import Change, Operation, StoredRecord


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a read-back shows about some changes."""

    equal: Mapping[int, int | None]
    """`seq` → HubSpot id of changes that are in place."""
    different: Mapping[int, str]
    """`seq` → reason of changes that are not."""
    unread: frozenset[int]
    """`seq` of changes that the answer says nothing about."""


def property_types(definition: SyncDefinition) -> dict[str, PropertyType]:
    """Return the type of each mapped property, for typed comparison."""
    return {prop.name: prop.type for prop in definition.destination.properties}


def compare(changes: Sequence[Change], answer: ReadAnswer, types: Mapping[str, PropertyType]) -> Comparison:
    """Judge each change by what was read for its key."""
    equal: dict[int, int | None] = {}
    different: dict[int, str] = {}
    unread: set[int] = set()
    for change in changes:
        stored = answer.found.get(change.key_text)
        if stored is None and change.key_text not in answer.missing:
            unread.add(change.seq)
        elif reason := _difference(change, stored, types):
            different[change.seq] = reason
        else:
            equal[change.seq] = stored.hubspot_id if stored else None
    return Comparison(equal, different, frozenset(unread))


def _difference(change: Change, stored: StoredRecord | None, types: Mapping[str, PropertyType]) -> str:
    """Return why HubSpot does not hold the change, empty when it does."""
    if change.operation is Operation.ARCHIVE:
        return "still_active" if stored else ""
    if stored is None:
        return "not_found"
    names = differing_properties(change.properties, stored.properties, types)
    return f"differs: {','.join(names)}" if names else ""
