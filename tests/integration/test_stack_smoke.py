"""The commands of the README on a copy of the checkout: real scheduler, real pool, real REST API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
PARTS = ("dags", "include", "plugins", "tools", "airflow_settings.yaml")
FAST = {"HUBSPOT_SIM_LATENCY": "fast", "HUBSPOT_SIM_BURST_OVERRIDE": "1900", "KAGGLE_SIM_PROFILE": "small"}


class Checkout:
    """A copy of the product with a stack of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / part)

    def stack(self, verb: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return subprocess.run(
            [sys.executable, "-m", "tools.local_stack", verb],
            cwd=self.folder,
            env={**kept, **FAST, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def addresses(self) -> dict[str, Any]:
        return json.loads((self.folder / ".local" / "stack.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    yield checkout
    checkout.stack("down")


def result_of(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    lines = [line for line in finished.stdout.splitlines() if line.startswith("RESULT ")]
    assert len(lines) == 1, finished.stdout + finished.stderr
    assert finished.stdout.rstrip().endswith(lines[0])
    return json.loads(lines[0].removeprefix("RESULT "))


def test_demo_then_run_then_down(checkout: Checkout):
    demo = checkout.stack("demo")

    result = result_of(demo)
    assert demo.returncode == 0
    assert result["state"] == "success"
    assert result["created"] == result["records"] == result["verified"] == 2_000
    addresses = checkout.addresses()
    stats = httpx.get(f"{addresses['hubspot_url']}/__sim/stats").json()
    assert stats["live_contacts"] == 2_000
    assert result["api_calls"] == stats["requests"]

    again = checkout.stack("run")

    assert again.returncode == 0
    result = result_of(again)
    assert (result["created"], result["updated"], result["archived"], result["write_calls"]) == (0, 0, 0, 0)
    assert result["unchanged"] == 2_000
    assert httpx.get(f"{addresses['hubspot_url']}/__sim/stats").json()["write_calls"] == stats["write_calls"]
    assert_nothing_listens_to_the_network(addresses)

    unknown = checkout.stack("run", CONF='{"mod": "incremental"}')

    assert unknown.returncode != 0
    assert result_of(unknown)["state"] == "failed"
    assert "unknown run parameters: mod" in unknown.stdout + unknown.stderr

    assert checkout.stack("down").returncode == 0
    assert [name for name, pid in addresses["pids"].items() if is_alive(pid)] == []


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits for its parent's attention does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_nothing_listens_to_the_network(addresses: dict[str, Any]) -> None:
    parents = [psutil.Process(pid) for pid in addresses["pids"].values()]
    family = [*parents, *(child for parent in parents for child in parent.children(recursive=True))]
    listening = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::1"}
