"""A page of a search, read into keys by record id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.hubspot_sync.destination.hubspot.batch_result import record_id
from include.hubspot_sync.destination.hubspot.error_body import as_mapping
from include.hubspot_sync.destination.hubspot.exchange import Exchange, answered_head, failed_head
from include.hubspot_sync.destination.protocol import Reason, SearchAnswer, Verdict, head_values

if TYPE_CHECKING:
    from include.hubspot_sync.destination.hubspot.payload import JsonObject

PAGE_SIZE = 200
"""Results of one search; HubSpot gives no more."""


def search_body(key_property: str, after_id: int, up_to_id: int | None) -> JsonObject:
    """Build a search for contacts with a key above a record id, and not above another.

    Paging by id instead of `after`, because a search ends at 10,000 results.
    """
    filters = [
        {"propertyName": key_property, "operator": "HAS_PROPERTY"},
        {"propertyName": "hs_object_id", "operator": "GT", "value": str(after_id)},
    ]
    if up_to_id is not None:
        filters.append({"propertyName": "hs_object_id", "operator": "LTE", "value": str(up_to_id)})
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": [key_property],
        "limit": PAGE_SIZE,
    }


def search_answer(exchange: Exchange, *, key_property: str, connection_id: str) -> SearchAnswer:
    """Turn what came back for a search into keys, or a verdict.

    A page without total, or a result without id or key, would end the search early or let the next page begin at the
    wrong place: it is asked for again.
    """
    if not exchange.is_success:
        return SearchAnswer(**head_values(failed_head(exchange, connection_id=connection_id)))
    results = as_mapping(exchange.body).get("results")
    total = as_mapping(exchange.body).get("total")
    if not isinstance(results, list) or not isinstance(total, int):
        return _retry(exchange, Reason.NOT_JSON)
    if not results and total:
        return _retry(exchange, Reason.EMPTY_ANSWER)
    key_texts: dict[int, str] = {}
    for result in map(as_mapping, results):
        hubspot_id = record_id(result.get("id"))
        key_text = as_mapping(result.get("properties")).get(key_property)
        if hubspot_id is None or not isinstance(key_text, str) or not key_text:
            return _retry(exchange, Reason.FOREIGN_RESULT)
        key_texts[hubspot_id] = key_text
    head = answered_head(exchange, Verdict.SETTLED)
    return SearchAnswer(**head_values(head), key_texts=key_texts, is_last=len(results) >= total)


def _retry(exchange: Exchange, reason: Reason) -> SearchAnswer:
    message = f"the answer to a search cannot be used ({reason}); search again"
    return SearchAnswer(**head_values(answered_head(exchange, Verdict.RETRY, reason=reason, message=message)))
