"""The one setting by which a deployment lets plain http leave the machine."""

from __future__ import annotations

import pytest
from airflow.sdk import Connection

from include.hubspot_sync.config import SYNCS_DIR, load_definition
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
from include.hubspot_sync.orchestration.kaggle_hook import KaggleHook
from include.hubspot_sync.orchestration.trusted_hosts import VARIABLE, trusted_hosts

DEFINITION = load_definition(SYNCS_DIR / "baby_names.yaml")


def open_hubspot() -> str:
    client = HubSpotHook().open_client(DEFINITION, trace_prefix="t", max_in_flight=1)
    return client._base_url


def open_kaggle() -> str:
    return KaggleHook().open_client(DEFINITION).base_url


OPENERS = [(HubSpotHook, open_hubspot), (KaggleHook, open_kaggle)]
either_hook = pytest.mark.parametrize(("hook", "open_client"), OPENERS, ids=["hubspot", "kaggle"])


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    """Address that both connections name: plain http to another machine."""
    connection = Connection(conn_id="any", conn_type="http", host="http://simulator:41820", password="token")
    for hook, _ in OPENERS:
        monkeypatch.setattr(hook, "get_connection", classmethod(lambda cls, conn_id: connection))
    return connection.host


@either_hook
def test_plain_http_reaches_a_trusted_host(hook, open_client, address, monkeypatch):
    monkeypatch.setenv(VARIABLE, "other, Simulator")

    assert open_client() == address


@either_hook
@pytest.mark.parametrize("hosts", [None, "", "other", "simulator.example"])
def test_plain_http_reaches_no_other_host(hook, open_client, address, hosts, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    if hosts is not None:
        monkeypatch.setenv(VARIABLE, hosts)

    with pytest.raises(ConfigError):
        open_client()


def test_names_are_separated_by_commas_and_compared_in_lower_case():
    assert trusted_hosts({VARIABLE: " Hubspot-Simulator ,kaggle,, 10.0.0.7 "}) == {
        "hubspot-simulator",
        "kaggle",
        "10.0.0.7",
    }


def test_nothing_is_trusted_by_default():
    assert trusted_hosts({}) == frozenset()


@pytest.mark.parametrize("entry", ["*", "*.internal", "http://simulator", "simulator:41820", "a b", "-x", "user@host"])
def test_anything_but_a_host_name_is_refused(entry):
    with pytest.raises(ConfigError, match="is no host name; give names without scheme"):
        trusted_hosts({VARIABLE: f"good,{entry}"})


def test_token_for_a_trusted_host_does_not_go_through_a_proxy(address, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv(VARIABLE, "simulator")

    client = HubSpotHook().open_client(DEFINITION, trace_prefix="t", max_in_flight=1)

    assert client._http.trust_env is False
