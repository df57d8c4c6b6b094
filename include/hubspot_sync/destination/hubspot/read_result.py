"""Accounting of a batch read: found and missing by name, everything else unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.hubspot_sync.destination.hubspot.batch_result import (
    UnusableAnswerError,
    batch_body,
    batch_entries,
    record_id,
)
from include.hubspot_sync.destination.hubspot.error_body import as_mapping, read_error
from include.hubspot_sync.destination.hubspot.exchange import (
    Exchange,
    answered_head,
    failed_head,
)
from include.hubspot_sync.destination.hubspot.payload import MERGED_PROPERTY
from include.hubspot_sync.destination.protocol import ReadAnswer, Reason, Verdict, head_values
from include.hubspot_sync.records import StoredRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NOT_FOUND = frozenset({"OBJECT_NOT_FOUND"})


def read_answer(exchange: Exchange, key_texts: Sequence[str], *, key_property: str, connection_id: str) -> ReadAnswer:
    """Turn what came back for a read into contacts, missing keys, or a verdict for all.

    Reading again is harmless, so an answer that names nothing at all is simply retried.
    """
    if not exchange.is_success:
        return ReadAnswer(**head_values(failed_head(exchange, connection_id=connection_id)))
    try:
        body = batch_body(exchange)
        found, doubtful = _found(batch_entries(body, "results"), key_property)
        missing = _missing(batch_entries(body, "errors"))
    except UnusableAnswerError as error:
        return _retry(exchange, error.reason)
    # named twice, or both as found and as missing: neither counts
    doubtful |= found.keys() & missing
    asked = set(key_texts) - doubtful
    ours = {key: record for key, record in found.items() if key in asked}
    gone = frozenset(missing & asked)
    if not ours and not gone:
        return _retry(exchange, Reason.FOREIGN_RESULT if found else Reason.EMPTY_ANSWER)
    reason = Reason.NOT_NAMED if len(ours) + len(gone) < len(key_texts) else ""
    head = answered_head(exchange, Verdict.SETTLED, reason=reason)
    return ReadAnswer(**head_values(head), found=ours, missing=gone)


def _retry(exchange: Exchange, reason: Reason) -> ReadAnswer:
    message = f"the answer to a read names none of its keys ({reason}); read again"
    head = answered_head(exchange, Verdict.RETRY, reason=reason, message=message)
    return ReadAnswer(**head_values(head))


def _found(results: Iterable[object], key_property: str) -> tuple[dict[str, StoredRecord], set[str]]:
    """Return the contacts by key, and the keys that several different contacts claim."""
    found: dict[str, StoredRecord] = {}
    doubtful: set[str] = set()
    for entry in results:
        record = _stored_record(as_mapping(entry), key_property)
        if record is None:
            continue
        if found.setdefault(record.key_text, record).hubspot_id != record.hubspot_id:
            doubtful.add(record.key_text)
    return found, doubtful


def _stored_record(result: Mapping[str, object], key_property: str) -> StoredRecord | None:
    hubspot_id = record_id(result.get("id"))
    properties = {name: _property_text(value) for name, value in as_mapping(result.get("properties")).items()}
    key_text = properties.get(key_property, "")
    # an archived contact does not hold the record any more
    if hubspot_id is None or not key_text or result.get("archived") is True:
        return None
    merged = bool(properties.get(MERGED_PROPERTY))
    return StoredRecord(key_text, hubspot_id, properties, merged=merged)


def _property_text(value: object) -> str:
    """Return a property as text: null is the empty text, what is no text keeps its JSON form."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _missing(errors: Iterable[object]) -> set[str]:
    facts = (read_error(entry) for entry in errors)
    return {key for item in facts if item.category in _NOT_FOUND for key in item.ids}
