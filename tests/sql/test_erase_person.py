"""The whole erasure on a real MySQL and an S3, with a portal that answers as a test wants."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from moto import mock_aws

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.protocol import Account, AnswerHead, ReadAnswer, Verdict
from include.hubspot_sync.engine.erase import ATTEMPTS, EraseWork, erase
from include.hubspot_sync.errors import AuthError, ConfigError, LockHeldError, TransientError
from include.hubspot_sync.records import StoredRecord, record_key
from include.hubspot_sync.source.landing import Landing, LandingKeys, client_config
from include.hubspot_sync.store.connection import Database
from tests.support.rows import PORTAL, SourceRow, open_run
from tests.support.table_texts import tables_with
from tests.support.whole_runs import whole_run
from tests.unit.source.test_erasure import land
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

NAME, KEY = "Zerachiel", "zerachiel-f"
ROWS: list[SourceRow] = [(1880, NAME, "F", 7), (1880, "Anna", "F", 3)]
CONTENT = f"YearOfBirth,Name,Sex,Number\n1880,{NAME},F,7\n1880,Anna,F,3\n".encode()
GONE = AnswerHead(Verdict.SETTLED, status=204)


@dataclass
class Portal:
    """Contacts by key; `deletions` answers in front of the ones that delete."""

    portal_id: int = PORTAL
    contacts: dict[str, StoredRecord] = field(default_factory=dict)
    deletions: list[AnswerHead] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    keeps: bool = False

    async def account(self) -> Account:
        return Account(self.portal_id, "UTC")

    async def read(self, key_texts: list[str]) -> ReadAnswer:
        found = {key: self.contacts[key] for key in key_texts if key in self.contacts}
        return ReadAnswer(Verdict.SETTLED, status=200, found=found, missing=frozenset(key_texts) - set(found))

    async def erase(self, hubspot_id: int) -> AnswerHead:
        if self.deletions:
            return self.deletions.pop(0)
        self.erased.append(hubspot_id)
        if not self.keeps:
            self.contacts = {key: one for key, one in self.contacts.items() if one.hubspot_id != hubspot_id}
        return GONE

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Portal]:
        yield self


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Landing]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    import boto3

    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", config=client_config())
        client.create_bucket(Bucket="landing")
        client.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
        landing = Landing(client, "landing")
        land(landing, tmp_path, 1, CONTENT)
        yield landing


@pytest.fixture
def portal() -> Portal:
    return Portal(contacts={KEY: StoredRecord(KEY, 501, {}), "anna-f": StoredRecord("anna-f", 502, {})})


@pytest.fixture
def order(
    database: Database, definition: SyncDefinition, landing: Landing, portal: Portal, tmp_path: Path
) -> Callable[[], dict[str, int]]:
    """Erase the person, without waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    work = EraseWork(definition, database, landing, portal.open, tmp_path, "ann", "ticket 17", sleep)
    return partial(erase, work, KEY)


def test_person_leaves_portal_bucket_and_tables(
    order: Callable[[], dict[str, int]],
    database: Database,
    schema: MysqlAddress,
    definition: SyncDefinition,
    landing: Landing,
    portal: Portal,
    tmp_path: Path,
):
    whole_run(database, definition, tmp_path, "d:1", 1, ROWS)
    portal.deletions = [AnswerHead(Verdict.RETRY, status=503)]

    found = order()

    # the present contact, and the one that the run wrote to
    assert (found["contacts"], found["landed_files"], found["landed_lines"], found["ledger"]) == (2, 1, 1, 1)
    assert 501 in portal.erased
    assert set(portal.contacts) == {"anna-f"}
    manifest = landing.read_manifest(LandingKeys.of(definition.source.dataset, 1, definition.source.file).manifest)
    assert manifest is not None
    landing.fetch_to_file(manifest, tmp_path / "fetched.csv")
    assert (tmp_path / "fetched.csv").read_bytes() == b"YearOfBirth,Name,Sex,Number\n1880,Anna,F,3\n"
    assert tables_with(schema, NAME, KEY) == set()
    connection = schema.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT actor, action, target, detail FROM audit_event")
        ((actor, action, target, detail),) = cursor.fetchall()
    connection.close()
    assert (actor, action, target) == ("ann", "erase", record_key(KEY).hex())
    assert json.loads(detail)["found"] == found

    again = order()
    assert {name for name, count in again.items() if count} == set()


def fails_and_keeps_the_suppression(
    order: Callable[[], dict[str, int]], schema: MysqlAddress, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        order()
    # no audit of an erasure that did not happen, and no later file brings the person in
    connection = schema.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM audit_event), record_key FROM suppressed_key")
        assert list(cursor.fetchall()) == [(0, record_key(KEY))]
    connection.close()


def test_contact_with_merged_ones_is_left_to_a_person(order, schema: MysqlAddress, portal: Portal):
    portal.contacts[KEY] = StoredRecord(KEY, 501, {}, merged=True)

    fails_and_keeps_the_suppression(order, schema, ConfigError, "contact 501 holds other contacts")
    assert portal.erased == []


def test_contact_that_is_still_found_is_no_success(order, schema: MysqlAddress, portal: Portal):
    portal.keeps = True

    fails_and_keeps_the_suppression(order, schema, TransientError, "still has the contact")


def test_hubspot_that_does_not_answer_ends_the_erasure(order, schema: MysqlAddress, portal: Portal):
    portal.deletions = [AnswerHead(Verdict.RETRY, status=503, message="hubspot is in trouble")] * ATTEMPTS

    fails_and_keeps_the_suppression(order, schema, TransientError, "hubspot is in trouble")
    assert (len(portal.deletions), portal.erased) == (0, [])


def test_refusal_is_not_repeated(order, schema: MysqlAddress, portal: Portal):
    portal.deletions = [AnswerHead(Verdict.STOP, status=403, message="no right")] * 2

    fails_and_keeps_the_suppression(order, schema, ConfigError, "no right")
    assert len(portal.deletions) == 1


def test_run_that_is_under_way_is_waited_for(
    order, database: Database, schema: MysqlAddress, definition, portal: Portal
):
    open_run(database, definition, "d:1")

    fails_and_keeps_the_suppression(order, schema, LockHeldError, "may still write to hubspot")
    assert portal.erased == []


def test_token_of_another_portal_is_refused(
    database: Database, definition: SyncDefinition, landing: Landing, portal: Portal, tmp_path: Path
):
    destination = definition.destination.model_copy(update={"portal_id": PORTAL + 1})
    other = definition.model_copy(update={"destination": destination})

    with pytest.raises(AuthError, match="belongs to portal"):
        erase(EraseWork(other, database, landing, portal.open, tmp_path, "ann", "ticket 17"), KEY)

    assert portal.erased == []
