from __future__ import annotations

import pytest

from include.hubspot_sync.errors import ConfigError, SourceDataError
from include.hubspot_sync.source.redirects import check_base_url, check_redirect, is_loopback, is_loopback_url

REAL = "https://api.kaggle.com"
LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "location",
    [
        "https://storage.googleapis.com/kaggle-data-sets/1/x.csv?X-Goog-Signature=1",
        "https://kaggle.com/x",
        "https://www.kaggleusercontent.com:443/x",
        "/relative?x=1",
    ],
)
def test_kaggle_storage_may_be_followed(location: str):
    assert check_redirect(location, asked=REAL).startswith("https://")


@pytest.mark.parametrize(
    "location",
    [
        "http://storage.googleapis.com/x",
        "https://evil.example/x",
        "https://googleapis.com.evil.example/x",
        "https://evilgoogleapis.com/x",
        "https://storage.googleapis.com@evil.example/x",
        "https://user:pass@storage.googleapis.com/x",
        "https://evil.example\\@storage.googleapis.com/x",
        "https://storage.googleapis.com:8443/x",
        "https://storage.googleapis.com:99999/x",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://2130706433/x",
        "http://0x7f000001/x",
        "//evil.example/x",
        "file:///etc/passwd",
        "ftp://storage.googleapis.com/x",
        "https://storage.googleapis.com /x",
        "https://storage.googleapis.com\n.evil.example/x",
        "https://st\u043erage.googleapis.com/x",
        "https://[::1",
    ],
)
def test_hostile_redirect_is_refused(location: str):
    with pytest.raises(SourceDataError, match="no kaggle storage host: refused") as caught:
        check_redirect(location, asked=REAL)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/x", "http://localhost:9/x", "http://[::1]:9/x", "/x"])
def test_simulator_may_redirect_on_loopback(location: str):
    assert check_redirect(location, asked=LOCAL).startswith("http://")


def test_simulator_may_not_redirect_elsewhere():
    with pytest.raises(SourceDataError):
        check_redirect("http://10.0.0.1/x", asked=LOCAL)


@pytest.mark.parametrize(
    "url", ["https://api.kaggle.com/", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"]
)
def test_usable_address_is_kept_without_its_final_slash(url: str):
    assert check_base_url(url, "kaggle") == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.kaggle.com",
        "http://kaggle",
        "api.kaggle.com",
        "https://a b",
        "https://u:p@host",
        "",
        "http://127.0.0.2.example",
    ],
)
def test_unusable_address_names_the_connection(url: str):
    with pytest.raises(ConfigError, match="connection kaggle must give an https address"):
        check_base_url(url, "kaggle")


def test_loopback_is_told_by_number_or_name():
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("10.0.0.1", "localhost.evil.example", "", "0.0.0.0")] == [False] * 4  # noqa: S104
    assert is_loopback_url("http://127.0.0.1:1/x")
    assert not is_loopback_url("nonsense")


def test_trusted_host_may_speak_plain_http():
    assert check_base_url("http://kaggle:1/", "kaggle", extra_hosts={"kaggle"}) == "http://kaggle:1"


def test_trusted_hosts_may_redirect_to_each_other():
    location = "http://storage:2/x"

    assert check_redirect(location, asked="http://kaggle:1", extra_hosts={"kaggle", "storage"}) == location


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("http://storage:2/x", REAL),
        ("http://storage:2/x", LOCAL),
        ("http://127.0.0.1:2/x", "http://storage:1"),
        ("http://other:2/x", "http://storage:1"),
        ("ftp://storage/x", "http://storage:1"),
    ],
    ids=["from-kaggle", "from-loopback", "to-loopback", "to-another", "other-scheme"],
)
def test_trust_does_not_reach_further(location: str, asked: str):
    with pytest.raises(SourceDataError, match="no kaggle storage host: refused"):
        check_redirect(location, asked=asked, extra_hosts={"storage"})
