"""Alerts of real runs on a real scheduler: what PagerDuty is told, and what a run loses when it cannot be told.

The stand-in for PagerDuty keeps incidents as PagerDuty does: by their dedup key.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from include.hubspot_sync.observe.incident import Condition, Incident
from tests.chaos.stack.airflow_stack import AirflowStack, open_airflow_stack
from tests.support.airflow_runs import SyncStack
from tests.support.outside_world import ROUTING_KEY
from tests.support.servers import server_process
from tools.chaos.place import WITHOUT_AIRFLOW
from tools.chaos.source import expected_contacts
from tools.chaos.waiting import wait_until
from tools.local_stack.mysql import parse_url
from tools.local_stack.ports import any_free_port
from tools.local_stack.services import DAG_ID

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FAILING = Incident(Condition.RUNS_FAIL, "baby_names", "local")
LATE = Incident(Condition.RUN_LATE, "baby_names", "local")
CANARY = "Canary Person canary@example.org"
MOST_LOST_S = 10


@pytest.fixture
def pagerduty(tmp_path: Path) -> Iterator[str]:
    port = any_free_port()
    command = [sys.executable, "-m", "tests.support.outside_world", str(port)]
    with server_process(command, {}, lambda: f"http://127.0.0.1:{port}/health", tmp_path / "outside.log") as url:
        yield url


@pytest.fixture
def airflow(tmp_path: Path, pagerduty: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStack]:
    monkeypatch.setenv("HUBSPOT_SYNC_PAGERDUTY_URL", pagerduty)
    monkeypatch.setenv("HUBSPOT_SYNC_PAGERDUTY_KEY", ROUTING_KEY)
    folder = tmp_path / "place"
    folder.mkdir()
    with open_airflow_stack(folder, 200, {"retries": 1, "retry_delay_s": 0.1, "max_attempts": 1}) as stack:
        stack.place.start(WITHOUT_AIRFLOW)
        stack.publish()
        stack.place.start()
        yield stack


def told(url: str, incident: Incident) -> list[dict[str, Any]]:
    events = httpx.get(f"{url}/events", trust_env=False).json()
    return [event for event in events if event["dedup_key"] == incident.dedup_key]


def actions(url: str, incident: Incident) -> set[str]:
    return {event["event_action"] for event in told(url, incident)}


def incident_of(url: str, incident: Incident) -> dict[str, int]:
    return httpx.get(f"{url}/incidents", trust_env=False).json().get(incident.dedup_key, {})


def run_to_end(stack: AirflowStack, **conf: str) -> tuple[str, str]:
    """Return the run and how it ended."""
    run = stack.trigger(**conf)
    wait_until(lambda: stack.view.run_state(run) in ("success", "failed"), limit_s=120, what=f"the end of {run}")
    return run, stack.view.run_state(run)


def task_logs(stack: AirflowStack, run: str) -> str:
    folder = stack.place.layout.airflow_home / "logs" / f"dag_id={DAG_ID}" / f"run_id={run}"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.log")))


def private_texts(stack: AirflowStack) -> set[str]:
    """Return what no alert may hold: every secret of the stack, the names of contacts, what a person typed."""
    place = stack.place
    secrets = {place.stack.hubspot_token, place.stack.kaggle_token, place.stack.airflow_password}
    secrets |= {str(value) for value in asdict(place.parts.secrets).values()}
    names = {contact["firstname"] for contact in expected_contacts(stack.file).values()}
    return {text for text in secrets | names | {*CANARY.split(), parse_url(place.stack.mysql_url).password} if text}


def test_failed_run_makes_one_incident_which_the_next_good_run_closes(airflow: AirflowStack, pagerduty: str):
    airflow.place.kill("hubspot")
    failed, state = run_to_end(airflow, approve_guards=CANARY)
    assert state == "failed"
    # the failed task after its last try, `finish`, the dag processor
    wait_until(lambda: len(told(pagerduty, FAILING)) >= 3, limit_s=120, what="all callbacks of the run")
    assert incident_of(pagerduty, FAILING) == {"open": 1, "closed": 0}
    by_task, by_finish, _ = told(pagerduty, FAILING)[:3]
    assert by_task["payload"]["summary"] == "a run of baby_names failed in preflight: TransientError"
    assert by_task["payload"]["custom_details"]["try"] == 2
    assert by_finish["payload"]["custom_details"]["failed_tasks"] == "preflight"
    assert task_logs(airflow, failed).count("pagerduty event accepted action=trigger") == 2

    airflow.place.ensure("hubspot")
    airflow.clear(failed)
    wait_until(lambda: airflow.view.run_state(failed) == "success", limit_s=120, what="the end of the cleared run")
    assert incident_of(pagerduty, FAILING) == {"open": 0, "closed": 1}
    check_late_run(airflow, pagerduty)
    check_events(airflow, pagerduty)


def check_late_run(airflow: AirflowStack, pagerduty: str) -> None:
    """A run that is late raises an incident of its own."""
    definition = airflow.place.layout.root / "include" / "syncs" / "baby_names.yaml"
    content = yaml.safe_load(definition.read_text(encoding="utf-8")) | {"deadline_s": 1}
    definition.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def is_late() -> bool:
        """A run has a deadline once the DAG was read anew."""
        run_to_end(airflow)
        return "trigger" in actions(pagerduty, LATE)

    wait_until(is_late, limit_s=120, what="the alert of the deadline")


def check_events(airflow: AirflowStack, pagerduty: str) -> None:
    """Every event is one that PagerDuty takes, and holds nothing that must stay here."""
    events = httpx.get(f"{pagerduty}/events", trust_env=False).json()
    assert [event["problems"] for event in events] == [[]] * len(events)
    sent = json.dumps([event | {"routing_key": ""} for event in events])
    assert {text for text in private_texts(airflow) if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", sent)} == set()
    assert ROUTING_KEY not in sent


@pytest.fixture
def silent_url() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_pagerduty_that_does_not_answer_changes_no_run_and_costs_it_seconds(
    stack: SyncStack, silent_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("AIRFLOW_CONN_PAGERDUTY", json.dumps({"host": silent_url, "password": ROUTING_KEY}))

    assert stack.run().state == "success"
    spent = seconds_spent(caplog)
    assert len(spent) == 2  # one resolve for each condition
    assert sum(spent) < MOST_LOST_S

    caplog.clear()
    connection = {"conn_type": "http", "host": stack.hubspot_url, "password": "pat-of-nobody"}
    monkeypatch.setenv("AIRFLOW_CONN_HUBSPOT", json.dumps(connection))
    result = stack.run()
    assert (result.state, result.tasks["preflight"], result.tasks["finish"]) == ("failed", "failed", "failed")
    spent = seconds_spent(caplog)
    assert len(spent) == 2  # the task and `finish`
    assert sum(spent) < MOST_LOST_S

    caplog.clear()
    assert stack.run(mode="plan_only").state == "failed"
    assert "pagerduty" not in caplog.text


def seconds_spent(caplog: pytest.LogCaptureFixture) -> list[float]:
    """Return how long each attempt to tell PagerDuty held up the run."""
    return [float(found) for found in re.findall(r"pagerduty event not sent [^\n]*seconds=([\d.]+)", caplog.text)]
