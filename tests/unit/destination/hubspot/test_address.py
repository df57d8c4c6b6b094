from __future__ import annotations

import pytest

from include.hubspot_sync.destination.hubspot.address import (
    API_VERSION,
    ApiVersion,
    api_paths,
    check_base_url,
    clean_token,
)
from include.hubspot_sync.errors import AuthError, ConfigError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.hubapi.com", "https://api.hubapi.com"),
        (" https://api.hubapi.com/ ", "https://api.hubapi.com"),
        ("https://api-eu1.hubapi.com", "https://api-eu1.hubapi.com"),
        ("http://127.0.0.1:41820", "http://127.0.0.1:41820"),
        ("http://localhost:41820/", "http://localhost:41820"),
        ("http://[::1]:41820", "http://[::1]:41820"),
        ("https://127.0.0.1", "https://127.0.0.1"),
    ],
)
def test_hubspot_and_loopback_may_have_the_token(url, address):
    assert check_base_url(url, connection_id="hubspot") == address


@pytest.mark.parametrize(
    "url",
    [
        "http://api.hubapi.com",
        "https://api.hubapi.com.evil.example",
        "https://evilhubapi.com",
        "https://hubapi.example",
        "http://10.0.0.7:41820",
        "http://0.0.0.0:41820",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "api.hubapi.com",
        "https://",
        "",
        "https://api.hubapi.com/crm",
        "https://api.hubapi.com?x=1",
        "https://api.hubapi.com#x",
        "https://api.hubapi.com:port",
        "https://[::1",
        "https://user:hidden@api.hubapi.com",
        "https://127.0.0.1@evil.example",
    ],
)
def test_nobody_else_gets_the_token(url):
    with pytest.raises(ConfigError, match="connection crm") as caught:
        check_base_url(url, connection_id="crm")

    assert "hidden" not in str(caught.value)


def test_a_deployment_may_trust_one_more_host():
    trusted = {"hubspot-simulator"}

    url = check_base_url("http://hubspot-simulator:41820", connection_id="hubspot", extra_hosts=trusted)

    assert url == "http://hubspot-simulator:41820"
    with pytest.raises(ConfigError):
        check_base_url("http://other:41820", connection_id="hubspot", extra_hosts=trusted)


@pytest.mark.parametrize("raw", ["pat-na1-abc", "  pat-na1-abc\n", "\tpat-na1-abc\r\n"])
def test_white_space_around_a_token_is_removed(raw):
    assert clean_token(raw, connection_id="hubspot") == "pat-na1-abc"


@pytest.mark.parametrize("raw", ["", " \n", "pat abc", "pat\nabc", "pat\x00abc", "pät-abc"])
def test_an_odd_token_is_refused_without_showing_it(raw):
    with pytest.raises(AuthError, match="connection hubspot") as caught:
        clean_token(raw, connection_id="hubspot")

    assert "abc" not in str(caught.value)


def test_one_constant_names_the_version():
    assert API_VERSION == "2026-09"


@pytest.mark.parametrize(
    ("version", "objects", "account"),
    [
        (ApiVersion.V2026_09, "/crm/objects/2026-09/contacts", "/account-info/2026-09"),
        (ApiVersion.V2026_03, "/crm/objects/2026-03/contacts", "/account-info/2026-03"),
        (ApiVersion.V3, "/crm/v3/objects/contacts", "/account-info/v3"),
    ],
)
def test_each_version_has_its_paths(version, objects, account):
    paths = api_paths(version)

    assert (paths.objects, paths.account) == (objects, account)
    assert str(version) in paths.limits
    assert str(version) in paths.properties
