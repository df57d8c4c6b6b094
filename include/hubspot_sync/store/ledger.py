"""The ledger: what HubSpot is known to hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from include.hubspot_sync.records import HASH_VERSION, StoredRecord, record_key, row_hash
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.runs import Run

FIRST_KEY = bytes(16)


@dataclass(frozen=True, slots=True)
class UnsettledKey:
    """A key whose state in HubSpot has to be read."""

    record_key: bytes
    key_text: str


def is_empty(transaction: Transaction, sync_name: str) -> bool:
    """Tell whether nothing at all is known about HubSpot: a first load, or a lost ledger."""
    return not transaction.rows("ledger/count_ledger.sql", {"sync_name": sync_name})[0]["row_count"]


def adopt_snapshot(transaction: Transaction, run: Run) -> int:
    """Put every key of the snapshot in doubt, so that all are read before they are compared."""
    return transaction.execute(
        "ledger/adopt_snapshot.sql", {"sync_name": run.sync_name, "run_id": run.run_id, "epoch": run.epoch}
    )


def doubt_strays(transaction: Transaction, run: Run, key_texts: Sequence[str]) -> None:
    """Put keys that the portal holds in doubt, unless the ledger knows them as active."""
    common = {"sync_name": run.sync_name, "run_id": run.run_id, "epoch": run.epoch}
    rows = [common | {"record_key": record_key(key_text), "key_text": key_text} for key_text in key_texts]
    transaction.execute_many("ledger/doubt_stray.sql", sorted(rows, key=itemgetter("record_key")))


def id_parts(transaction: Transaction, sync_name: str, parts: int) -> list[int]:
    """Return the last HubSpot id of each of so many parts of the known contacts; none when none is known."""
    rows = transaction.rows("ledger/select_id_parts.sql", {"sync_name": sync_name, "parts": parts})
    return [int(row["last_id"]) for row in rows]


def unsettled_keys(transaction: Transaction, sync_name: str, *, after: bytes, page_size: int) -> list[UnsettledKey]:
    """Return the next uncertain or unverified keys in key order."""
    params = {"sync_name": sync_name, "after_key": after, "page_size": page_size}
    return [
        UnsettledKey(row["record_key"], row["key_text"])
        for row in transaction.rows("ledger/select_unsettled.sql", params)
    ]


def settle_keys(transaction: Transaction, run: Run, *, found: Sequence[StoredRecord], missing: Sequence[str]) -> None:
    """Store what a read-back found, so that the delta compares with what HubSpot really holds.

    Args:
        transaction: Open transaction.
        run: The reading run.
        found: Contacts by key, with every mapped property in canonical text.
        missing: Key texts that HubSpot does not hold.
    """
    common = {"sync_name": run.sync_name, "run_id": run.run_id, "epoch": run.epoch}
    if found:
        rows = [common | _found_params(record) for record in sorted(found, key=lambda item: record_key(item.key_text))]
        transaction.execute_many("ledger/settle_found.sql", rows)
    if missing:
        keys = sorted(record_key(key_text) for key_text in missing)
        transaction.execute("ledger/settle_missing.sql", common | {"record_keys": keys})


def _found_params(record: StoredRecord) -> dict[str, object]:
    properties = dict(record.properties)
    return {
        "record_key": record_key(record.key_text),
        "key_text": record.key_text,
        "row_hash": row_hash(properties),
        "hash_version": HASH_VERSION,
        "properties": json.dumps(properties, ensure_ascii=False, sort_keys=True),
        "hubspot_id": record.hubspot_id,
    }
