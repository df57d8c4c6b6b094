"""The snapshot: one hashed record per contact, built in SQL from the staging rows."""

from __future__ import annotations

from dataclasses import dataclass

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.records import HASH_VERSION
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.statements import statement


@dataclass(frozen=True, slots=True)
class SnapshotCount:
    """Records of a run."""

    records: int
    """To be kept equal in HubSpot."""
    withheld: int
    """Neither sent nor archived, because a line of theirs is quarantined."""


def _slots(definition: SyncDefinition) -> dict[str, str]:
    """Return the expressions of the definition's properties, in the order of the hashing recipe."""
    names = definition.property_names
    hashed = [f"'{len(name)}:{name};', OCTET_LENGTH(k.{name}), ':', k.{name}, ';'" for name in names]
    return {
        "record_select": statement(definition.record.select),
        "value_parts": ", ".join(
            f"COALESCE(CAST(r.{name} AS CHAR CHARACTER SET utf8mb4), '') AS {name}" for name in names
        ),
        "hash_parts": ", ".join([f"'v{HASH_VERSION};'", *hashed]),
        "json_parts": ", ".join(f"'{name}', k.{name}" for name in names),
    }


def build_snapshot(
    transaction: Transaction, definition: SyncDefinition, run_id: int, keep_run_id: int
) -> SnapshotCount:
    """Build the snapshot of a run anew and forget older ones, except the one to keep for comparison."""
    params = {"run_id": run_id, "sync_name": definition.name, "keep_run_id": keep_run_id}
    transaction.widen_sorts()
    transaction.execute("snapshot/delete_snapshot.sql", params)
    transaction.execute("snapshot/insert_snapshot.sql", params, _slots(definition))
    counts = transaction.rows("snapshot/count_snapshot.sql", params)[0]
    return SnapshotCount(records=int(counts["record_count"]), withheld=int(counts["withheld_count"]))
