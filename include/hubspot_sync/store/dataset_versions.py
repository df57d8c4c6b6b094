"""The versions of a dataset that Kaggle was seen to offer."""

from __future__ import annotations

from include.hubspot_sync.store.connection import Transaction


def note_version(transaction: Transaction, sync_name: str, version: int, last_updated: str) -> None:
    """Remember since when a version has been there: how old it gets before HubSpot has it is measured from here."""
    params = {"sync_name": sync_name, "version": version, "last_updated": last_updated[:40]}
    transaction.execute("versions/insert_dataset_version.sql", params)


def is_taken(transaction: Transaction, sync_name: str, version: int, last_updated: str) -> bool:
    """Tell whether a run has taken this version or a newer one; whether it ended well is its own affair."""
    params = {"sync_name": sync_name, "version": version, "last_updated": last_updated}
    return bool(transaction.rows("versions/select_taken.sql", params)[0]["is_taken"])
