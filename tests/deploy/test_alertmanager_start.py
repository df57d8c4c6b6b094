"""How docker-compose.yaml starts Alertmanager: the script of its image, run here with the program of this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.outside_world import ROUTING_KEY
from tests.support.prometheus import MONITORING, program
from tests.support.servers import server_process
from tools.local_stack.ports import LOOPBACK, any_free_port

SCRIPT = MONITORING / "alertmanager" / "start.sh"
ALERT = {"alertname": "HubspotSyncRunsFail", "sync": "baby_names", "environment": "development", "severity": "error"}
WAIT_S = 60


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """As in the container: a program `alertmanager`, a folder in memory, and no key yet."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "alertmanager").symlink_to(program("prometheus-alertmanager"))
    return {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}


@pytest.fixture
def pagerduty(tmp_path: Path) -> Iterator[str]:
    port = any_free_port()
    command = [sys.executable, "-m", "tests.support.outside_world", str(port)]
    with server_process(command, {}, lambda: f"http://{LOOPBACK}:{port}/health", tmp_path / "pagerduty.log") as url:
        yield url


@contextlib.contextmanager
def started(environ: dict[str, str], folder: Path) -> Iterator[str]:
    port = any_free_port()
    command = ["/bin/sh", str(SCRIPT), f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
    command += [f"--web.listen-address={LOOPBACK}:{port}"]
    url = f"http://{LOOPBACK}:{port}"
    with server_process(command, environ, lambda: f"{url}/health", folder / "alertmanager.log"):
        yield url


def wait_for(ask: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + WAIT_S
    while not (found := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.2)  # noqa: TID251  a real process passes it on
    return found


def get(url: str) -> list[Any]:
    return httpx.get(url, trust_env=False).json()


def post_alert(url: str) -> None:
    httpx.post(f"{url}/api/v2/alerts", json=[{"labels": ALERT}], trust_env=False).raise_for_status()


def test_with_a_key_alerts_reach_pagerduty_and_the_key_is_only_in_a_file_of_its_own(
    environ: dict[str, str], pagerduty: str, tmp_path: Path
):
    environ |= {"HUBSPOT_SYNC_PAGERDUTY_KEY": ROUTING_KEY, "HUBSPOT_SYNC_PAGERDUTY_URL": pagerduty}

    with started(environ, tmp_path) as url:
        post_alert(url)
        (event,) = wait_for(lambda: get(f"{pagerduty}/events"))

    assert (event["event_action"], event["payload"]["class"], event["routing_key"]) == (
        "trigger",
        "HubspotSyncRunsFail",
        ROUTING_KEY,
    )
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and ROUTING_KEY.encode() in path.read_bytes()]
    assert [path.name for path in holders] == ["pagerduty_key"]
    assert holders[0].stat().st_mode & 0o077 == 0


def test_without_a_key_alerts_are_seen_in_alertmanager_only(environ: dict[str, str], tmp_path: Path):
    with started(environ, tmp_path) as url:
        post_alert(url)
        (alert,) = wait_for(lambda: get(f"{url}/api/v2/alerts"))

    assert alert["receivers"] == [{"name": "nobody"}]
    assert not (tmp_path / "pagerduty_key").exists()


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("", "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com/", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("events.eu.pagerduty.com", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://events.pagerduty.com/v2/enqueue", "https://events.pagerduty.com/v2/enqueue"),
        ("http://stand-in:8000", "http://stand-in:8000/v2/enqueue"),
    ],
)
def test_address_of_pagerduty_is_that_of_the_environment(given: str, used: str, tmp_path: Path):
    config = configured(tmp_path, HUBSPOT_SYNC_PAGERDUTY_KEY="k" * 32, HUBSPOT_SYNC_PAGERDUTY_URL=given)

    assert config["global"]["pagerduty_url"] == used
    assert config["route"]["receiver"] == "pagerduty"
    (receiver,) = (one for one in config["receivers"] if one["name"] == "pagerduty")
    assert receiver["pagerduty_configs"][0]["routing_key_file"] == str(tmp_path / "pagerduty_key")


@pytest.mark.parametrize("url", ["http://events.pagerduty.com", "https://x|y", "http://127.0.0.1.example.org"])
def test_address_that_would_show_the_key_or_is_none_is_refused(url: str, tmp_path: Path):
    with pytest.raises(AssertionError, match="error: HUBSPOT_SYNC_PAGERDUTY_URL"):
        configured(tmp_path, HUBSPOT_SYNC_PAGERDUTY_KEY="k" * 32, HUBSPOT_SYNC_PAGERDUTY_URL=url)

    assert not (tmp_path / "pagerduty_key").exists()


def configured(folder: Path, **environ: str) -> dict[str, Any]:
    """Return the configuration that the script makes; the program itself only ends well."""
    (folder / "bin").mkdir()
    (folder / "bin" / "alertmanager").symlink_to("/bin/true")
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return yaml.safe_load((folder / "alertmanager.yaml").read_text(encoding="utf-8"))
