from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from airflow.sdk import Connection
from requests import PreparedRequest, Request, Session

from include.hubspot_sync.config import SYNCS_DIR, load_definition
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.kaggle_hook import KaggleHook
from include.hubspot_sync.source.http_exchange import Timeouts

TOKEN = {"password": "KGAT_token"}
LEGACY = {"login": "ann", "password": "key"}
DEFINITION = load_definition(SYNCS_DIR / "baby_names.yaml")


@pytest.fixture
def hook_of(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Make a hook whose connection has the given fields."""

    def make(**fields: object) -> KaggleHook:
        extra = fields.pop("extra", None)
        connection = Connection(
            conn_id="kaggle", conn_type="http", extra=json.dumps(extra) if extra else None, **fields
        )
        monkeypatch.setattr(KaggleHook, "get_connection", classmethod(lambda cls, conn_id: connection))
        return KaggleHook()

    return make


def prepared(session: Session, url: str = "https://api.kaggle.com/x") -> PreparedRequest:
    with session:
        return session.prepare_request(Request("POST", url))


def test_making_a_hook_reads_no_connection(monkeypatch: pytest.MonkeyPatch):
    def fail(cls, conn_id):
        raise AssertionError("the connection was read")

    monkeypatch.setattr(KaggleHook, "get_connection", classmethod(fail))

    assert KaggleHook("other").kaggle_conn_id == "other"


def test_empty_connection_means_kaggle_itself_without_credentials(hook_of, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password canary-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    hook = hook_of()

    client = hook.open_client(DEFINITION)

    assert client.base_url == "https://api.kaggle.com"
    assert client.dataset == DEFINITION.source.dataset
    assert client.max_file_bytes == DEFINITION.source.max_file_bytes
    assert "Authorization" not in prepared(client.session_factory()).headers


def test_password_alone_is_a_bearer_token(hook_of):
    client = hook_of(**{**TOKEN, "password": " KGAT_token\n"}).open_client(DEFINITION)

    assert prepared(client.session_factory()).headers["Authorization"] == "Bearer KGAT_token"


def test_login_and_password_are_basic_credentials(hook_of):
    client = hook_of(**LEGACY).open_client(DEFINITION)

    assert prepared(client.session_factory()).headers["Authorization"] == "Basic YW5uOmtleQ=="


def test_login_without_password_is_refused(hook_of):
    client = hook_of(login="ann").open_client(DEFINITION)

    with pytest.raises(ConfigError, match="kaggle has a login but no password"):
        client.session_factory()


@pytest.mark.parametrize("credentials", [TOKEN, LEGACY], ids=["token", "legacy"])
def test_storage_session_carries_no_credentials(hook_of, credentials):
    client = hook_of(**credentials).open_client(DEFINITION)

    assert "Authorization" not in prepared(client.storage_session_factory()).headers


def test_extra_never_becomes_a_header(hook_of):
    extra = {"api_key": "canary", "timeout": 7, "proxies": {"https": "http://proxy:1"}, "X-Odd": "canary"}
    client = hook_of(**TOKEN, extra=extra).open_client(DEFINITION)

    session = client.session_factory()
    request = prepared(session)

    assert set(request.headers) == {*Session().headers, "Authorization", "Content-Length"}
    assert "canary" not in str(request.headers)
    assert session.proxies == {"https": "http://proxy:1"}


def test_extra_timeout_is_the_read_timeout(hook_of):
    client = hook_of(extra={"timeout": "7"}).open_client(DEFINITION)

    assert client.timeouts == Timeouts(read_s=7.0)


@pytest.mark.parametrize("value", [0, -1, "soon", 9999, [5]])
def test_unusable_timeout_is_refused(hook_of, value):
    hook = hook_of(extra={"timeout": value})

    with pytest.raises(ConfigError, match="no usable `timeout`"):
        hook.open_client(DEFINITION)


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "api.kaggle.com"}, "https://api.kaggle.com"),
        ({"host": "api.kaggle.com", "schema": "https", "port": 8443}, "https://api.kaggle.com:8443"),
        ({"host": "http://127.0.0.1", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "localhost", "schema": "http", "port": 8080}, "http://localhost:8080"),
    ],
    ids=["host", "host-and-port", "url-and-port", "scheme-apart"],
)
def test_address_of_the_connection_is_used(hook_of, fields, address):
    assert hook_of(**fields).open_client(DEFINITION).base_url == address


@pytest.mark.parametrize(
    "fields",
    [{"host": "http://api.kaggle.com"}, {"host": "api.kaggle.com", "schema": "http"}, {"host": "ftp://127.0.0.1"}],
    ids=["url", "scheme-apart", "ftp"],
)
def test_plain_http_is_refused_outside_loopback(hook_of, fields):
    hook = hook_of(**fields)

    with pytest.raises(ConfigError, match="connection kaggle must give an https address"):
        hook.open_client(DEFINITION)


@pytest.mark.parametrize("value", [False, "false"])
def test_certificate_checks_cannot_be_switched_off(hook_of, value):
    client = hook_of(extra={"verify": value}).open_client(DEFINITION)

    with pytest.raises(ConfigError, match="switches certificate checks off"):
        client.session_factory()


@pytest.mark.parametrize(
    ("fields", "verify"),
    [
        ({}, True),
        ({"extra": {"verify": "/etc/ca.pem"}}, "/etc/ca.pem"),
        ({"host": "http://127.0.0.1:1", "extra": {"verify": False}}, False),
    ],
    ids=["default", "ca-bundle", "loopback"],
)
def test_certificates_are_verified(hook_of, fields, verify):
    client = hook_of(**fields).open_client(DEFINITION)

    assert client.session_factory().verify == verify
    assert client.storage_session_factory().verify == verify


def test_run_of_the_http_hook_is_not_available(hook_of):
    with pytest.raises(NotImplementedError, match="open_client"):
        hook_of().run("x")


def test_connection_from_the_environment_is_found(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KAGGLE", '{"conn_type": "http", "host": "http://127.0.0.1:9", "password": "t"}')

    client = KaggleHook().open_client(DEFINITION)

    assert client.base_url == "http://127.0.0.1:9"
    assert prepared(client.session_factory()).headers["Authorization"] == "Bearer t"
