"""Settle what earlier runs left in doubt: read it from HubSpot before anything is compared with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial

from include.hubspot_sync.config import PropertyType
from include.hubspot_sync.destination.failure import error_from
from include.hubspot_sync.destination.protocol import Destination, ReadAnswer, Verdict
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.errors import TransientError
from include.hubspot_sync.records import StoredRecord
from include.hubspot_sync.store import ledger
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.ledger import FIRST_KEY, UnsettledKey
from include.hubspot_sync.store.lock import Turn, in_turn

log = logging.getLogger(__name__)

KEYS_PER_READ = 100
READS_AT_ONCE = 20


def canonical(record: StoredRecord, types: Mapping[str, PropertyType]) -> StoredRecord:
    """Bring a stored record's mapped properties to canonical text, so that its hash compares with the snapshot's."""
    properties = {name: _canonical_value(record.properties.get(name, ""), kind) for name, kind in types.items()}
    return replace(record, properties=properties)


def _canonical_value(text: str, kind: PropertyType) -> str:
    if kind is not PropertyType.NUMBER or not text:
        return text
    try:
        return format(Decimal(text).normalize(), "f")
    except InvalidOperation:
        return text


async def settle_unsettled_keys(
    store: AsyncStore, sender: Sender, destination: Destination, turn: Turn, types: Mapping[str, PropertyType]
) -> int:
    """Read every uncertain or unverified key and store what HubSpot really holds, within the planner's turn.

    Returns:
        How many keys were settled.

    Raises:
        TransientError: some keys could not be read, or the turn is over; the delta must not be computed.
    """
    run = turn.run
    after = FIRST_KEY
    settled = 0
    while page := await store.run(partial(_next_page, sync_name=run.sync_name, after=after)):
        parts = [page[start : start + KEYS_PER_READ] for start in range(0, len(page), KEYS_PER_READ)]
        await asyncio.gather(*(_settle(store, sender, destination, turn, types, part) for part in parts))
        settled += len(page)
        after = page[-1].record_key
    log.info("keys settled run_id=%d keys=%d", run.run_id, settled)
    return settled


def _next_page(transaction: Transaction, sync_name: str, after: bytes) -> list[UnsettledKey]:
    return ledger.unsettled_keys(transaction, sync_name, after=after, page_size=KEYS_PER_READ * READS_AT_ONCE)


async def _settle(
    store: AsyncStore,
    sender: Sender,
    destination: Destination,
    turn: Turn,
    types: Mapping[str, PropertyType],
    keys: Sequence[UnsettledKey],
) -> None:
    names = [key.key_text for key in keys]
    answer = await read_keys(sender, destination, names)
    found = [canonical(record, types) for record in answer.found.values()]
    missing = sorted(answer.missing)
    await store.run(
        in_turn(turn, lambda transaction: ledger.settle_keys(transaction, turn.run, found=found, missing=missing))
    )
    if len(found) + len(missing) < len(names):
        raise TransientError(f"hubspot's answer left out {len(names) - len(found) - len(missing)} of {len(names)} keys")


async def read_keys(sender: Sender, destination: Destination, key_texts: Sequence[str]) -> ReadAnswer:
    """Read contacts by key.

    Raises:
        SyncError: the answer is not usable after the retries.
    """
    answer = (await sender.send(lambda: destination.read(key_texts))).answer
    if answer.verdict is not Verdict.SETTLED:
        raise error_from(answer)
    return answer
