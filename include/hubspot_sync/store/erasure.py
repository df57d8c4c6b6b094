"""Erase one person from every table, and keep the hash of the key, so that no later file brings the person back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.errors import LockHeldError
from include.hubspot_sync.records import record_key
from include.hubspot_sync.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be erased from a sync."""

    sync_name: str
    key_text: str

    @property
    def key_hash(self) -> bytes:
        """Return the 16 bytes that stay in `suppressed_key`."""
        return record_key(self.key_text)

    @property
    def params(self) -> dict[str, object]:
        """Return what most statements ask for."""
        return {"sync_name": self.sync_name, "record_key": self.key_hash}


def suppress(transaction: Transaction, person: Person) -> None:
    """Leave the person's lines out of every later file."""
    transaction.execute("erasure/insert_suppressed_key.sql", person.params)


def suppressed_keys(transaction: Transaction, sync_name: str) -> frozenset[bytes]:
    """Return the hashes of all who were erased."""
    rows = transaction.rows("erasure/select_suppressed_keys.sql", {"sync_name": sync_name})
    return frozenset(bytes(row["record_key"]) for row in rows)


def drop_suppressed_lines(transaction: Transaction, definition: SyncDefinition, run_id: int) -> int:
    """Take the lines of erased people out of the staged file; return how many they were."""
    params = {"run_id": run_id, "sync_name": definition.name}
    slots = {"staging_table": definition.staging_table}
    return transaction.execute("erasure/delete_suppressed_lines.sql", params, slots)


def hold_lock_row(transaction: Transaction, sync_name: str, portal_id: int, *, drain_s: float) -> None:
    """Keep every run from taking the run lock until the end of the transaction.

    The erasure is no run. It holds the row itself: a program that dies lets go of it at once, and a run that wants the
    lock meanwhile waits for it like for a busy database.

    Raises:
        LockHeldError: a run is under way, or its requests may still arrive.
    """
    params = {"portal_id": portal_id, "sync_name": sync_name, "drain_s": drain_s}
    transaction.execute("lock/insert_lock.sql", params)
    lock = transaction.rows("lock/select_lock.sql", params)[0]
    wait_s = float(lock["wait_s"])
    if wait_s > 0:
        who = f"run {lock['holder']}" if lock["holder"] else "the last run"
        raise LockHeldError(
            f"{who} of sync {sync_name} may still write to hubspot: erase again when it is over, in {wait_s:.0f} s "
            "at the latest",
            wait_s=wait_s,
        )


def known_contacts(transaction: Transaction, person: Person) -> frozenset[int]:
    """Return the ids of the contacts that runs wrote for the person."""
    rows = transaction.rows("erasure/select_known_contacts.sql", person.params)
    return frozenset(int(row["hubspot_id"]) for row in rows)


def erase_rows(transaction: Transaction, person: Person, definition: SyncDefinition) -> Mapping[str, int]:
    """Remove the person from every table; return how many rows held the person, by table."""
    params = person.params
    staging = definition.staging_table
    transaction.execute("erasure/discount_records.sql", params)
    return {
        "ledger": transaction.execute("erasure/delete_ledger_entry.sql", params),
        "snapshot": transaction.execute("erasure/delete_snapshot_records.sql", params),
        "outbox": transaction.execute("erasure/delete_changes.sql", params)
        + transaction.execute("erasure/blank_open_changes.sql", params),
        staging: transaction.execute(
            "erasure/delete_staged_lines.sql", {"key_text": person.key_text}, {"staging_table": staging}
        ),
        "rejected_record": transaction.execute("erasure/delete_rejects.sql", params),
        "run_plan": _erase_samples(transaction, person),
    }


def _erase_samples(transaction: Transaction, person: Person) -> int:
    changed = 0
    for row in transaction.rows("erasure/select_plan_samples.sql", {"sync_name": person.sync_name}):
        samples = json.loads(row["samples"])
        left = [sample for sample in samples if sample["key_text"] != person.key_text]
        if len(left) < len(samples):
            params = {"run_id": row["run_id"], "samples": json.dumps(left)}
            changed += transaction.execute("erasure/update_plan_samples.sql", params)
    return changed


def audit(transaction: Transaction, person: Person, *, actor: str, reason: str, found: Mapping[str, int]) -> None:
    """Write down that somebody erased somebody: the hash of the key, never the key."""
    params = {
        "actor": actor[:250],
        "action": "erase",
        "sync_name": person.sync_name,
        "run_id": None,
        "target": person.key_hash.hex(),
        "detail": json.dumps({"reason": reason, "found": dict(found)}),
    }
    transaction.execute("runs/insert_audit_event.sql", params)
