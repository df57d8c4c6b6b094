"""Requests that pass no gate, on a real server: every one counts, also of a try that opens no run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import MySQLdb
import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.engine.answer_tally import AnswerTally
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.preflight import PreflightWork, preflight
from include.hubspot_sync.errors import AuthError, RateLimitedError, TransientError
from include.hubspot_sync.orchestration.metrics_exporter import open_reader
from include.hubspot_sync.records import RunMode
from include.hubspot_sync.store import lock, pacing, runs
from include.hubspot_sync.store.connection import Database, Transaction
from tests.support.rows import PORTAL
from tests.support.samples import Samples
from tests.unit.destination.hubspot_answers import Handler, client_for, json_response
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

SCOPES = ["crm.objects.contacts.read", "crm.objects.contacts.write", "crm.schemas.contacts.write"]
TOKEN_INFO = {"hubId": PORTAL, "scopes": SCOPES}
ACCOUNT = {"portalId": PORTAL, "timeZone": "UTC"}


def portal(**answers: httpx.Response) -> Handler:
    """Answer `token` and `account` well unless told otherwise, and `rest` for everything else."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/oauth/"):
            return answers.get("token", json_response(200, TOKEN_INFO))
        if request.url.path.endswith("/details"):
            return answers.get("account", json_response(200, ACCOUNT))
        return answers.get("rest", json_response(503, {}))

    return handle


@pytest.fixture
def attempt(connect: Callable[[], MySQLdb.connections.Connection], definition: SyncDefinition) -> Callable[..., None]:
    """Run one try of `preflight` of the same DAG run against a portal."""

    async def work(handler: Handler, options: dict[str, Callable[[], str]]) -> None:
        tally = AnswerTally()
        store = AsyncStore(Database(connect, attempts=1))
        try:
            async with client_for(handler, hear=tally.hear, **options) as client:
                await preflight(
                    PreflightWork(
                        definition=definition,
                        store=store,
                        destination=client,
                        dag_run_key="dag:run",
                        mode=RunMode.INCREMENTAL,
                        tally=tally,
                    )
                )
        finally:
            store.close()

    return lambda handler, **options: asyncio.run(work(handler, options))


@pytest.fixture
def read(schema: MysqlAddress) -> Callable[[], Samples]:
    reader = open_reader(schema.url, ["baby_names"])
    return lambda: Samples.of(reader())


def answers(samples: Samples) -> dict[str, float]:
    """Return status → answers, those that came."""
    name = "hubspot_sync_api_answers_total"
    found = {dict(labels)["status"]: value for (one, labels), value in samples.values.items() if one == name}
    return {status: count for status, count in found.items() if count}


def test_requests_of_tries_without_a_run_row_count_for_the_sync_and_then_for_the_run(
    attempt: Callable[..., None], read: Callable[[], Samples], database: Database
):
    with pytest.raises(TransientError):
        attempt(portal(token=json_response(502, {})))
    with pytest.raises(RateLimitedError):
        attempt(portal(account=json_response(429, {"policyName": "TEN_SECONDLY_ROLLING"})))
    early = read()
    with pytest.raises(TransientError):
        attempt(portal(rest=json_response(503, {})))
    samples = read()

    assert answers(early) == {"2xx": 2, "502": 1, "429": 1}
    assert (early("api_requests_total", kind="read"), early("rate_limit_hits_total")) == (4, 1)
    # the third try opened the run and asked for properties
    assert answers(samples) == {"2xx": 4, "502": 1, "429": 1, "503": 1}
    assert samples("api_requests_total", kind="read") == samples("api_latency_seconds_count") == 7
    run = database.run(lambda t: runs.get_run(t, "dag:run"))
    usage = database.run(lambda t: pacing.total_usage(t, run.run_id))
    assert (usage.calls, usage.write_calls, usage.http_429) == (7, 0, 1)


def test_requests_of_a_try_that_finds_the_lock_taken_count_too(
    attempt: Callable[..., None], read: Callable[[], Samples], database: Database
):
    def hold(transaction: Transaction) -> None:
        other = runs.open_run(transaction, "dag:other", "baby_names", PORTAL, RunMode.INCREMENTAL)
        lock.take_lock(transaction, other, lease_s=900, drain_s=1)

    database.run(hold)

    with pytest.raises(TransientError, match="lock"):
        attempt(portal())

    assert answers(read()) == {"2xx": 2}


def test_request_that_was_never_sent_does_not_count(attempt: Callable[..., None], read: Callable[[], Samples]):
    def no_token() -> str:
        raise AuthError("connection hubspot has no password")

    # HubSpot is asked for the token's rights without one, and nothing else leaves
    with pytest.raises(AuthError):
        attempt(portal(), token=no_token)

    assert answers(read()) == {}
