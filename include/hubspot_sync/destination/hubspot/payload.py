"""Request bodies of the batch calls, checked before they leave."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from include.hubspot_sync.records import Change, Operation

MAX_INPUTS = 100
"""Inputs per batch call; HubSpot refuses more."""
MERGED_PROPERTY = "hs_merged_object_ids"
"""Names the contacts that were merged into this one."""

JsonObject = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class UpsertRequest:
    """The body of one upsert and the names by which its answer is matched."""

    changes: tuple[Change, ...]
    trace_ids: tuple[str, ...]
    """One per change, in the same order, all different."""
    key_property: str
    body: JsonObject


def upsert_request(changes: Sequence[Change], *, key_property: str, trace_prefix: str) -> UpsertRequest:
    """Build an upsert whose every input has its own trace id.

    Without them one bad record makes HubSpot refuse all of them. The ids depend only on the
    changes, so sending the same batch again sends the same bytes.

    Raises:
        ValueError: no or too many changes, a key twice, an archive, or a foreign key value.
        TypeError: a property value that is no text.
    """
    _check_count(changes)
    _check_distinct([change.key_text for change in changes])
    first = changes[0].seq
    trace_ids = tuple(f"{trace_prefix}-{first}-{index}" for index in range(len(changes)))
    inputs = [
        {
            "id": change.key_text,
            "idProperty": key_property,
            "objectWriteTraceId": trace_id,
            "properties": _properties(change, key_property),
        }
        for change, trace_id in zip(changes, trace_ids, strict=True)
    ]
    return UpsertRequest(tuple(changes), trace_ids, key_property, {"inputs": inputs})


def archive_body(hubspot_ids: Sequence[int]) -> JsonObject:
    """Build an archive by record ids.

    Raises:
        ValueError: no or too many ids, one twice, or one that is not positive.
    """
    _check_count(hubspot_ids)
    _check_distinct(hubspot_ids)
    if min(hubspot_ids) < 1:
        msg = f"{min(hubspot_ids)} is no hubspot record id"
        raise ValueError(msg)
    return {"inputs": [{"id": str(hubspot_id)} for hubspot_id in hubspot_ids]}


def read_body(key_texts: Sequence[str], *, key_property: str, property_names: Sequence[str]) -> JsonObject:
    """Build a read by key; the key is asked for too, because it names the results.

    Raises:
        ValueError: no or too many keys, one twice, or an empty one.
    """
    _check_count(key_texts)
    _check_distinct(key_texts)
    if not all(key_texts):
        msg = "a key to read is empty"
        raise ValueError(msg)
    return {
        "idProperty": key_property,
        "properties": [key_property, *property_names, MERGED_PROPERTY],
        "propertiesWithHistory": [],
        "inputs": [{"id": key_text} for key_text in key_texts],
    }


def _check_count(items: Collection[object]) -> None:
    if not 1 <= len(items) <= MAX_INPUTS:
        msg = f"a batch holds 1 to {MAX_INPUTS} inputs, not {len(items)}"
        raise ValueError(msg)


def _check_distinct(names: Collection[object]) -> None:
    # HubSpot refuses the whole batch, trace ids or not, when it names an id twice
    if len(set(names)) != len(names):
        msg = f"{len(names) - len(set(names))} inputs of the batch repeat another one"
        raise ValueError(msg)


def _properties(change: Change, key_property: str) -> dict[str, str]:
    if change.operation is Operation.ARCHIVE:
        msg = f"change {change.seq} is an archive and cannot be upserted"
        raise ValueError(msg)
    if not change.key_text or change.properties.get(key_property, change.key_text) != change.key_text:
        msg = f"change {change.seq} has no key, or another one in {key_property}"
        raise ValueError(msg)
    for name, value in change.properties.items():
        if not isinstance(value, str):
            msg = f"change {change.seq}: the value of {name} is no text"
            raise TypeError(msg)
    return {key_property: change.key_text, **change.properties}
