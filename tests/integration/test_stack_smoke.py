"""The commands of the README on a copy of the checkout: real scheduler, real pool, real REST API."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from tests.support.checkout import Checkout, result_of
from tests.support.samples import scrape
from tools.local_stack.mysql import parse_url

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    yield checkout
    checkout.stack("down")


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
    samples = scrape(f"http://127.0.0.1:{addresses['ports']['metrics']}")
    assert samples("success_total", mode="incremental") == samples.plain("airflow_up") == 1
    assert samples("verified_total") == 2_000

    again = checkout.stack("run")

    assert again.returncode == 0
    result = result_of(again)
    assert (result["created"], result["updated"], result["archived"], result["write_calls"]) == (0, 0, 0, 0)
    assert result["unchanged"] == 2_000
    assert httpx.get(f"{addresses['hubspot_url']}/__sim/stats").json()["write_calls"] == stats["write_calls"]
    assert_nothing_listens_to_the_network(addresses)
    assert_tasks_start_quickly(checkout)

    checkout.stack("run", CONF='{"approve_guards": "to see who is written down"}')

    assert audited(addresses["mysql_url"]) == [("admin", "approve_guards")]

    assert_refused_runs_offer_no_file(checkout, addresses)

    assert_rejected_line_is_shown(checkout)

    assert checkout.stack("down").returncode == 0
    assert [name for name, pid in addresses["pids"].items() if is_alive(pid)] == []


def assert_tasks_start_quickly(checkout: Checkout) -> None:
    """The scheduler has imported what its forks need, and no task stores more than one result: each is a call."""
    local = checkout.folder / ".local"
    assert "modules for tasks" in (local / "logs" / "scheduler.log").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(f"file:{local / 'airflow' / 'airflow.db'}?mode=ro", uri=True)) as database:
        stored = database.execute(
            "SELECT task_id, key, COUNT(*) FROM xcom GROUP BY 1, 2 HAVING key NOT IN ('return_value', 'skipmixin_key')"
        )
        assert stored.fetchall() == []


def version_of(addresses: dict[str, Any]) -> int:
    return httpx.get(f"{addresses['kaggle_url']}/__sim/state").json()["current_version"]


def assert_refused_runs_offer_no_file(checkout: Checkout, addresses: dict[str, Any]) -> None:
    version = version_of(addresses)
    file = checkout.folder / "mine.csv"
    file.write_text("YearOfBirth,Name,Sex,Number\n1990,Mary,F,10\n", encoding="utf-8")

    unknown = checkout.stack("run", CONF='{"mod": "incremental"}', FILE=str(file))
    unplanned = checkout.stack("run", CONF='{"plan_run_id": 9999}', FILE=str(file))

    assert (unknown.returncode, unplanned.returncode) == (1, 1)
    assert "error: ConfigError: unknown run parameters: mod; did you mean mode?" in unknown.stderr
    assert result_of(unknown)["state"] == result_of(unplanned)["state"] == "failed"
    *_, error, section, offered, _ = unplanned.stdout.splitlines()
    assert error.startswith("error: ConfigError: plan_run_id 9999: ")
    assert error.endswith("(task preflight try 1)")
    assert section.strip() == "what to do: docs/operations.md#configerror"
    assert "FILE is no longer offered" in offered
    assert "quarantined lines" not in unplanned.stdout, "no table of zeros"
    assert version_of(addresses) == version


def assert_rejected_line_is_shown(checkout: Checkout) -> None:
    rows = ["YearOfBirth,Name,Sex,Number", "1990,Mary,F,10", "1990,John,M,many"]
    file = checkout.folder / "rejected.csv"
    file.write_text("\n".join([*rows, ""]), encoding="utf-8")

    run = checkout.stack("run", MODE="plan_only", FILE=str(file))

    result = result_of(run)
    assert (run.returncode, result["quarantined_lines"]) == (0, 1)
    assert result["planned_calls"] > 0
    assert "  1 line: not_an_integer; e.g. line 3 of raw/" in run.stdout
    assert f"/hubspot-sync/dags/baby_names_to_hubspot/rejects?run={result['run_id']} " in run.stdout


def audited(mysql_url: str) -> list[tuple]:
    connection = parse_url(mysql_url).connect()
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT actor, action FROM audit_event")
        return list(cursor.fetchall())


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
