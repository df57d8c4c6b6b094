"""Look whether Kaggle offers a version that no run has taken: one question, nothing is downloaded."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from include.hubspot_sync.source.kaggle import KaggleClient
from include.hubspot_sync.source.kaggle_answers import DatasetVersion
from include.hubspot_sync.store import dataset_versions
from include.hubspot_sync.store.connection import Database, Transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProbeWork:
    """The collaborators of a probe."""

    sync_name: str
    database: Database
    kaggle: KaggleClient


def find_new_version(work: ProbeWork) -> DatasetVersion | None:
    """Return the version that is ready and that no run has taken yet, None when there is none.

    A run that took it and failed does not count as none: a person has been told, and more runs would fail the same way.

    Raises:
        SyncError: Kaggle or MySQL cannot be used.
    """
    version = work.kaggle.get_dataset_version()
    if not version.is_ready:
        log.info("version is not ready yet version=%d status=%s", version.version, version.status)
        return None

    def is_taken(transaction: Transaction) -> bool:
        dataset_versions.note_version(transaction, work.sync_name, version.version, version.last_updated)
        return dataset_versions.is_taken(transaction, work.sync_name, version.version, version.last_updated)

    taken = work.database.run(is_taken)
    log.info("kaggle offers version=%d taken=%s", version.version, taken)
    return None if taken else version
