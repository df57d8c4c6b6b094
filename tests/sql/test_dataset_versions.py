"""Versions that Kaggle was seen to offer, and whether a run has taken them."""

from __future__ import annotations

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.engine.probe import ProbeWork, find_new_version
from include.hubspot_sync.source.kaggle_answers import DatasetVersion
from include.hubspot_sync.store.connection import Database
from tests.support.rows import open_run

pytestmark = pytest.mark.sql

UPDATED = "2026-01-01"
"""As `open_run` pins it."""


class Offer:
    """A Kaggle that offers one version."""

    def __init__(self, version: int, last_updated: str = UPDATED, status: str = "ready") -> None:
        self.answer = DatasetVersion(version, last_updated, None, status)

    def get_dataset_version(self) -> DatasetVersion:
        return self.answer


def probe(database: Database, offer: Offer) -> int | None:
    found = find_new_version(ProbeWork("baby_names", database, offer))  # type: ignore[arg-type]
    return found.version if found else None


def test_version_is_new_until_a_run_has_taken_it(database: Database, definition: SyncDefinition):
    assert [probe(database, Offer(3)) for _ in range(2)] == [3, 3]

    open_run(database, definition, "a run", version=3)

    assert probe(database, Offer(3)) is None
    assert probe(database, Offer(4)) == 4


def test_older_version_than_was_taken_starts_nothing(database: Database, definition: SyncDefinition):
    open_run(database, definition, "a run", version=3)

    assert probe(database, Offer(2)) is None


def test_same_number_with_another_date_is_new(database: Database, definition: SyncDefinition):
    open_run(database, definition, "a run", version=3)

    assert probe(database, Offer(3, "2026-02-02")) == 3


def test_version_that_is_not_ready_is_left_for_later(database: Database):
    assert probe(database, Offer(3, status="reprocessing")) is None


def test_moment_at_which_a_version_was_first_seen_stays(database: Database, connect):
    probe(database, Offer(3))
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("UPDATE dataset_version SET seen_at = '2026-01-01 10:00:00'")
    connection.commit()

    probe(database, Offer(3))

    cursor.execute("SELECT version, CAST(seen_at AS CHAR(19)) FROM dataset_version")
    assert cursor.fetchall() == ((3, "2026-01-01 10:00:00"),)
    connection.close()
