"""Airflow's own metrics: what a real Airflow sends with the settings of docker-compose.yaml, and what becomes of it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import MONITORING

ROOT = Path(__file__).parents[2]
MAPPING: dict[str, Any] = yaml.safe_load((MONITORING / "statsd" / "mapping.yaml").read_text(encoding="utf-8"))
*NAMED, LAST = MAPPING["mappings"]
KINDS = {"counter": "counter", "gauge": "gauge", "timer": "observer"}
LINE_TYPES = {"c": "counter", "g": "gauge", "ms": "observer"}
SEND = """
from airflow.sdk.observability import stats
stats.incr("ti.finish", tags={"dag_id": "d", "task_id": "t", "state": "success", "run_id": "r"})
stats.timing("dagrun.duration.failed", 1500.0, tags={"dag_id": "d"})
stats.gauge("pool.open_slots", 3, tags={"pool_name": "hubspot_api"})
stats.gauge("dag_processing.last_num_of_db_queries.some_file", 3)
"""


def airflow_settings() -> dict[str, str]:
    text = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
    settings: dict[str, str] = yaml.safe_load(text)["x-airflow-environment"]
    return {name: value for name, value in settings.items() if name.startswith("AIRFLOW__METRICS__")}


def registry() -> dict[str, str]:
    """Return name → kind of every metric that this Airflow knows."""
    found = find_spec("airflow")
    assert found is not None
    assert found.origin is not None
    page = Path(found.origin).parent / "_shared/observability/metrics/metrics_template.yaml"
    return {metric["name"]: metric["type"] for metric in yaml.safe_load(page.read_text(encoding="utf-8"))["metrics"]}


def translate(line: str) -> str | None:
    """Return name and labels under which statsd_exporter shows a line; None when it is dropped."""
    found = re.fullmatch(r"(?P<name>[^,:]+)(?P<tags>(?:,[^:]+)?):[^|]+\|(?P<type>\w+)", line)
    assert found, line
    kind = LINE_TYPES[found["type"]]
    rule = next((r for r in NAMED if (r["match"], r["match_metric_type"]) == (found["name"], kind)), None)
    if rule is None:
        return None
    tags = dict(tag.split("=") for tag in found["tags"].split(",") if tag) | rule.get("labels", {})
    return f"{rule['name']} {sorted(tags.items())}"


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """What a process with Airflow sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environ |= airflow_settings() | {
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(listener.getsockname()[1]),
        }
        subprocess.run([sys.executable, "-c", SEND], env=environ, check=True, capture_output=True, timeout=120)
        arrived: list[str] = []
        while not any("some_file" in line for line in arrived):
            arrived += listener.recv(65_535).decode().splitlines()
        return arrived


def test_airflow_sends_its_metrics_with_tags_and_the_mapping_names_them(lines: list[str]):
    shown = [text for text in map(translate, lines) if text]

    # the id of a run would be a new series each time; a second form of each name is not sent
    assert shown == [
        "airflow_task_tries_ended_total [('dag_id', 'd'), ('state', 'success'), ('task_id', 't')]",
        "airflow_dag_run_seconds [('dag_id', 'd'), ('outcome', 'failed')]",
        "airflow_pool_open_slots [('pool_name', 'hubspot_api')]",
    ]


def test_mapping_names_only_metrics_that_this_airflow_has():
    known = {f"airflow.{name}": KINDS[kind] for name, kind in registry().items()}

    assert {rule["match"]: rule["match_metric_type"] for rule in NAMED}.items() <= known.items()


def test_names_tell_kind_and_unit_and_the_rest_is_dropped():
    for rule in NAMED:
        assert rule["name"].startswith("airflow_")
        assert rule["name"].endswith("_total") == (rule["match_metric_type"] == "counter")
        assert rule["name"].endswith("_seconds") or rule["match_metric_type"] != "observer"
    assert (LAST["action"], LAST["match"], LAST["match_type"]) == ("drop", ".", "regex")


def test_statsd_is_off_unless_it_is_asked_for_and_goes_to_its_exporter():
    settings = airflow_settings()

    assert settings["AIRFLOW__METRICS__STATSD_ON"] == "${AIRFLOW_STATSD_ON:-False}"
    assert (settings["AIRFLOW__METRICS__STATSD_HOST"], settings["AIRFLOW__METRICS__STATSD_PORT"]) == (
        "statsd-exporter",
        "9125",
    )
