"""Who shows no certificate of its own is not talked to, and MySQL is never talked to in plain text by mistake."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.observe.pagerduty import Receiver, send_event
from include.hubspot_sync.orchestration import mysql_hook
from include.hubspot_sync.orchestration.kaggle_hook import KaggleHook
from include.hubspot_sync.orchestration.s3_landing import open_landing
from include.hubspot_sync.orchestration.tasks import _warn_of_unknown_server
from include.hubspot_sync.orchestration.wiring import open_database
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.migrate import migrate
from tests.support.certificates import Issued, https_server, issue
from tests.support.mysql_server import TestServer, private_server
from tools.local_stack import processes
from tools.local_stack.mysql_binary import Flavour

pytestmark = pytest.mark.integration

DEFINITION = load_definitions()["baby_names"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Issued]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = issue(folder, "authority")
    return {
        "authority": authority,
        "stranger": issue(folder, "stranger"),
        "right": issue(folder, "right", "127.0.0.1", "localhost", by=authority),
        "wrong-host": issue(folder, "wrong-host", "mysql.example", by=authority),
        "self-signed": issue(folder, "self-signed", "127.0.0.1", "localhost"),
    }


@contextlib.contextmanager
def mysql_with(folder: Path, *options: str) -> Iterator[TestServer]:
    server = replace(private_server(folder), options=options)
    try:
        server.start()
        yield TestServer(server.address, server)
    finally:
        processes.stop(processes.all_of(server.owner))


@pytest.fixture(scope="module", params=["right", "wrong-host", "self-signed"])
def encrypted(
    request: pytest.FixtureRequest, certificates: dict[str, Issued], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, TestServer]]:
    """A server that shows this certificate."""
    shown = certificates[request.param]
    options = (f"--ssl-cert={shown.pem}", f"--ssl-key={shown.key_pem}")
    with mysql_with(tmp_path_factory.mktemp("mysql"), *options) as server:
        yield request.param, server


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A server that has no TLS."""
    folder = tmp_path_factory.mktemp("mysql")
    is_mysql = private_server(folder).binary.flavour is Flavour.MYSQL
    with mysql_with(folder, "--tls-version=" if is_mysql else "--skip-ssl") as server:
        yield server


def connect_with(monkeypatch: pytest.MonkeyPatch, server: TestServer, **extra: Any) -> None:
    """Set the connection `mysql`; the host counts as another machine."""
    address = server.address
    monkeypatch.setattr(mysql_hook, "_LOOPBACK", frozenset())
    content = {"conn_type": "mysql", "host": address.host, "port": address.port, "login": address.user,
               "password": address.password, "schema": address.database, "extra": extra}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_MYSQL", json.dumps(content))


def cipher() -> str:
    """Open the store as a task does, and ask how it is encrypted."""

    def look(transaction: Transaction) -> str:
        return str(transaction.rows("server/show_tls.sql")[0]["value"])

    with open_database(DEFINITION, attempts=1) as database:
        return database.run(look)


def test_only_the_right_certificate_is_accepted(
    encrypted: tuple[str, TestServer], certificates: dict[str, Issued], monkeypatch: pytest.MonkeyPatch
):
    shown, server = encrypted
    authority = certificates["authority"].pem
    connect_with(monkeypatch, server, ssl_mode="VERIFY_IDENTITY", ssl={"ca": str(authority)})

    if shown == "right":
        assert cipher().startswith("TLS_")
        return
    with pytest.raises(ConfigError, match="mysql error 2026 at connection mysql"):
        cipher()


@pytest.mark.parametrize("extra", [{}, {"ssl_mode": "PREFERRED"}, {"ssl_mode": "REQUIRED"}], ids=str)
def test_plain_text_to_another_machine_is_refused(
    plain: TestServer, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str]
):
    connect_with(monkeypatch, plain, **extra)

    with pytest.raises(ConfigError, match=r"connection to connection mysql .* is not encrypted"):
        cipher()


def test_tls_that_was_asked_for_on_this_machine_is_proved_too(plain: TestServer, monkeypatch: pytest.MonkeyPatch):
    connect_with(monkeypatch, plain, ssl_mode="REQUIRED")
    monkeypatch.setattr(mysql_hook, "_LOOPBACK", frozenset({"127.0.0.1"}))

    with pytest.raises(ConfigError, match="is not encrypted"):
        cipher()


def test_the_programs_prove_it_as_well(plain: TestServer):
    with pytest.raises(ConfigError, match="is not encrypted"):
        migrate(f"{plain.address.url}?ssl_mode=REQUIRED", [DEFINITION])


def test_encryption_without_a_name_is_warned_of(plain: TestServer, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    connect_with(monkeypatch, plain, ssl_mode="VERIFY_IDENTITY")
    _warn_of_unknown_server("mysql")
    assert caplog.messages == []

    connect_with(monkeypatch, plain, ssl_mode="REQUIRED")
    _warn_of_unknown_server("mysql")

    assert "does not check whose server" in caplog.text


def ask_hubspot(url: str) -> None:
    async def ask() -> None:
        settings = ClientSettings.from_definition(DEFINITION, trace_prefix="t")
        async with HubSpotClient.connect(url, lambda: "pat-canary-token", settings) as client:
            await client.account()

    asyncio.run(ask())


def ask_kaggle(url: str) -> None:
    os.environ["AIRFLOW_CONN_KAGGLE"] = json.dumps({"conn_type": "http", "host": url, "password": "kaggle-canary"})
    KaggleHook().open_client(DEFINITION).get_dataset_version()


def ask_s3(url: str) -> None:
    extra = {"endpoint_url": url, "region_name": "eu-central-1", "service_config": {"s3": {"bucket_name": "landing"}}}
    os.environ["AIRFLOW_CONN_AWS"] = json.dumps(
        {"conn_type": "aws", "login": "a", "password": "aws-canary", "extra": extra}
    )
    open_landing(DEFINITION).read_manifest("raw/some/manifest.json")


ASKING = [ask_hubspot, ask_kaggle, ask_s3]


@pytest.fixture
def _no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAGGLE", "AWS"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "")


@pytest.mark.usefixtures("_no_connections")
@pytest.mark.parametrize("ask", ASKING, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("shown", ["wrong-host", "self-signed"])
def test_an_endpoint_with_another_certificate_gets_nothing(
    certificates: dict[str, Issued], monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], None], shown: str
):
    trust(monkeypatch, certificates["authority"].pem)
    with https_server(certificates[shown]) as (url, asked), pytest.raises(ConfigError, match="certificate"):
        ask(url)

    assert asked == []


@pytest.mark.usefixtures("_no_connections")
@pytest.mark.parametrize("ask", ASKING, ids=lambda ask: ask.__name__)
def test_an_endpoint_with_the_right_certificate_is_asked(
    certificates: dict[str, Issued], monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], None]
):
    trust(monkeypatch, certificates["authority"].pem)
    with https_server(certificates["right"]) as (url, asked), contextlib.suppress(Exception):
        ask(url)

    assert asked


def trust(monkeypatch: pytest.MonkeyPatch, authority: Path) -> None:
    """Let every client trust this authority alone, as workers behind a signing proxy do."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority))
    # for an address of this machine httpx asks no variable
    monkeypatch.setattr("certifi.where", lambda: str(authority))


@pytest.mark.parametrize("shown", ["wrong-host", "self-signed"])
def test_pagerduty_with_another_certificate_gets_nothing(
    certificates: dict[str, Issued], monkeypatch: pytest.MonkeyPatch, shown: str
):
    trust(monkeypatch, certificates["authority"].pem)
    event = {"event_action": "resolve", "dedup_key": "k"}
    with https_server(certificates[shown]) as (url, asked):
        outcome = send_event(Receiver(f"{url}/v2/enqueue", "pagerduty-canary"), event, limit_s=2)

    assert (outcome.is_accepted, outcome.error, asked) == (False, "ConnectError", [])


@pytest.mark.usefixtures("_no_connections")
def test_certificate_checks_of_s3_cannot_be_switched_off(monkeypatch: pytest.MonkeyPatch):
    extra = {"verify": False, "endpoint_url": "https://s3.example", "region_name": "eu-central-1",
             "service_config": {"s3": {"bucket_name": "landing"}}}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps({"conn_type": "aws", "extra": extra}))

    with pytest.raises(ConfigError, match="switches certificate checks off"):
        open_landing(DEFINITION)
