"""Prometheus, Alertmanager and their tools as programs of a test."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from include.hubspot_sync.observe import metrics
from include.hubspot_sync.observe.exporter import SyncCollector
from tests.support.servers import server_process
from tools.local_stack.ports import LOOPBACK, any_free_port

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "hubspot_sync.json"
RULES = MONITORING / "prometheus" / "rules.yaml"
RULE_TESTS = tuple(sorted((MONITORING / "prometheus").glob("*.test.yaml")))
REQUIRED = "HUBSPOT_SYNC_PROMETHEUS"
"""Set to `required`, a missing program fails the test instead of skipping it."""


def program(name: str) -> str:
    """Return the path of a program of Debian's packages prometheus and prometheus-alertmanager."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed: apt-get install prometheus prometheus-alertmanager"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def run_tool(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool or amtool to its end."""
    name, *arguments = command
    return subprocess.run(
        [program(str(name)), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def read_rules(path: Path = RULES) -> list[dict[str, Any]]:
    """Return every rule, alerts and recorded ones."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def known_metrics() -> set[str]:
    """Return every name that the exporter shows, without the ends of counters and histograms."""
    known = {metric.name for metric in metrics.read_metrics(_Empty(), ["a"])}
    known |= {metric.name for metric in SyncCollector(list, expected={}, airflow=None).collect()}
    return known | {f"{metrics.PREFIX}_airflow_up", f"{metrics.PREFIX}_airflow_heartbeat_timestamp_seconds"}


def named_metrics(expressions: Iterable[str]) -> set[str]:
    """Return the names of the exporter's metrics in expressions, without the ends of counters and histograms."""
    named = {name for text in expressions for name in re.findall(rf"\b{metrics.PREFIX}_\w+", text)}
    return {re.sub(r"_(total|bucket)$", "", name) for name in named}


class _Empty:
    def rows(self, name: str) -> list[dict[str, Any]]:
        return []


def read_alerts() -> dict[str, dict[str, Any]]:
    """Return alert → rule."""
    return {rule["alert"]: rule for rule in read_rules() if "alert" in rule}


@contextlib.contextmanager
def prometheus(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """Run a Prometheus with this configuration; yields its address."""
    folder.mkdir()
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = any_free_port()
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yaml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={LOOPBACK}:{port}"]
    # what fires before Alertmanager is found would be sent again only after a minute
    command += ["--rules.alert.resend-delay=1s"]
    url = f"http://{LOOPBACK}:{port}"
    with server_process(command, {}, lambda: f"{url}/health", folder / "log"):
        yield url


@contextlib.contextmanager
def alertmanager(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """Run an Alertmanager with this configuration; yields its address."""
    folder.mkdir()
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = any_free_port()
    command = [program("prometheus-alertmanager"), f"--config.file={folder / 'alertmanager.yaml'}"]
    command += [f"--storage.path={folder / 'data'}", f"--web.listen-address={LOOPBACK}:{port}"]
    # without it a cluster port is opened on every address of the machine
    command += ["--cluster.listen-address="]
    url = f"http://{LOOPBACK}:{port}"
    with server_process(command, {}, lambda: f"{url}/health", folder / "log"):
        yield url


def dashboard_expressions() -> dict[str, str]:
    """Return panel and query → expression of the dashboard, with its variables filled in as Grafana does."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return {
        f"{panel['title']}, {target['refId']}": target["expr"].replace("$sync", ".+").replace("$__rate_interval", "1m")
        for panel in panels
        for target in panel.get("targets", ())
    }


def query(url: str, expression: str) -> list[dict[str, Any]]:
    """Return the series that an expression gives now."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}, trust_env=False)
    body = answer.json()
    assert body["status"] == "success", f"{expression}: {body}"
    return body["data"]["result"]
