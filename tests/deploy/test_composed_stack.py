"""The product as docker-compose.yaml ships it: really built, started, used, stopped and started again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.deploy.composed_stack import ComposedStack

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1800)]

CONTACTS = 2_000
AIRFLOW_SERVICES = ("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
STATS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:41820/__sim/stats').read().decode())"


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposedStack]:
    stack = ComposedStack.plan()
    stack.build()
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def first_run(stack: ComposedStack) -> dict:
    return stack.run_dag()


def test_first_run_delivers_and_verifies_every_record(stack, first_run):
    stats = json.loads(stack.execute("hubspot-simulator", "python", "-c", STATS))

    assert first_run["state"] == "success"
    assert first_run["created"] == first_run["records"] == first_run["verified"] == CONTACTS
    assert stats["live_contacts"] == CONTACTS


def test_every_component_of_airflow_reports_a_heartbeat(stack, first_run):
    assert stack.health() == dict.fromkeys(("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy")


def test_only_airflow_is_reachable_and_only_from_this_machine(stack, first_run):
    ports = [stack.inspect(container)["NetworkSettings"]["Ports"] or {} for container in stack.containers()]
    published = [binding for port in ports for bindings in port.values() for binding in bindings or ()]

    assert published == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]


@pytest.mark.parametrize("service", [*AIRFLOW_SERVICES, "hubspot-simulator", "kaggle-simulator", "s3"])
def test_our_containers_cannot_change_their_root_and_are_not_root(stack, first_run, service):
    probe = "id -u; touch /opt/x 2>&1; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status"

    user, touched, *status = stack.execute(service, "bash", "-c", probe).splitlines()

    assert user in ("50000", "10001")
    assert "Read-only file system" in touched
    assert [line.split()[1] for line in status] == ["0000000000000000", "1"]


def test_image_holds_neither_tools_nor_compiler_nor_secrets(stack, first_run):
    image = stack.environ["HUBSPOT_SYNC_IMAGE"]
    probe = "ls /opt/airflow; command -v gcc cc make; find / -xdev -name '*_simulator' 2>/dev/null; true"

    listing = stack.run("docker", "run", "--rm", image, "bash", "-c", probe).split()
    history = stack.run("docker", "history", "--no-trunc", image) + stack.run("docker", "inspect", image)

    assert listing == ["airflow.cfg", "dags", "include", "logs", "plugins"]
    assert [name for name, value in stack.secrets.items() if value in history] == []


def test_signals_reach_airflow_through_an_init_process(stack, first_run):
    assert "init" in stack.execute("airflow-scheduler", "cat", "/proc/1/comm")


def test_data_outlives_the_containers(stack, first_run):
    stack.compose("down", "--timeout", "20")
    stack.up()

    again = stack.run_dag()

    assert again["run_id"] == first_run["run_id"] + 1
    assert again["unchanged"] == CONTACTS
    assert again["write_calls"] == 0
