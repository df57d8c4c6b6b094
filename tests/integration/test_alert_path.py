"""From a row in MySQL to an incident and back: exporter, Prometheus, Alertmanager, a stand-in for PagerDuty.

The rules are those of the repository; two changes only save time: no `for`, and 20 s for windows of five minutes.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import MySQLdb
import pytest
import yaml

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.observe import exporter
from include.hubspot_sync.observe.incident import Condition, Incident
from include.hubspot_sync.records import Chore, HeardAnswer, Phase, RunState
from include.hubspot_sync.store import api_answers, chores, delta, lock, pacing, phases, rejects, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.rejects import RejectedChange
from include.hubspot_sync.store.runs import Run
from tests.support.outside_world import ROUTING_KEY
from tests.support.prometheus import (
    MONITORING,
    RULES,
    alertmanager,
    dashboard_expressions,
    prometheus,
    query,
    read_rules,
)
from tests.support.rows import PORTAL, open_run, stage
from tests.support.samples import scrape
from tests.support.servers import server_process
from tools.chaos.proxy import Proxy
from tools.local_stack.mysql import MysqlAddress
from tools.local_stack.ports import any_free_port

pytestmark = pytest.mark.integration

WAIT_S = 60
DEAD_MAN, FAILING, DEEP, LIMITED, DOWN, LATE, PROBE, MAINTENANCE = (
    "HubspotSyncNoRunFinished",
    "HubspotSyncRunsFail",
    "HubspotSyncQueueDeep",
    "HubspotSyncRateLimited",
    "HubspotSyncDatabaseDown",
    "HubspotSyncRunLate",
    "HubspotSyncProbeFails",
    "HubspotSyncMaintenanceFails",
)


@dataclass(frozen=True)
class Alarm:
    """The whole way of an alert."""

    exporter_url: str
    prometheus_url: str
    outside_url: str
    mysql: Proxy
    """Stands between the exporter and MySQL."""

    def events(self, alert: str) -> list[dict[str, Any]]:
        events = httpx.get(f"{self.outside_url}/events", trust_env=False).json()
        return [event for event in events if event["payload"]["class"] == alert]

    def actions(self, alert: str) -> list[str]:
        """Return what PagerDuty was told, without repetitions."""
        actions = [event["event_action"] for event in self.events(alert)]
        return [action for number, action in enumerate(actions) if actions[:number][-1:] != [action]]

    def await_action(self, alert: str, action: str) -> None:
        """Wait until this is the last that PagerDuty was told of an alert.

        On a busy machine a scrape may come too late, which is an outage for a moment: what came before does not matter.
        """
        deadline = time.monotonic() + WAIT_S
        while self.actions(alert)[-1:] != [action]:
            assert time.monotonic() < deadline, (alert, self.actions(alert), query(self.prometheus_url, "ALERTS"))
            time.sleep(0.2)  # noqa: TID251  real processes pass it on


def hasty_rules() -> dict[str, Any]:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
            rule["expr"] = rule["expr"].replace("[5m]", "[20s]")
    return rules


def hasty_alertmanager(folder: Path, outside_url: str) -> dict[str, Any]:
    config = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yaml").read_text(encoding="utf-8"))
    (folder / "key").write_text(f"{ROUTING_KEY}\n", encoding="utf-8")
    config["global"]["pagerduty_url"] = f"{outside_url}/v2/enqueue"
    config["receivers"][0]["pagerduty_configs"][0]["routing_key_file"] = str(folder / "key")
    config["receivers"][1]["webhook_configs"] = [{"url": f"{outside_url}/heartbeat"}]
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    return config


@pytest.fixture
def alarm(schema: MysqlAddress, tmp_path: Path) -> Iterator[Alarm]:
    with ExitStack() as stack:
        port = any_free_port()
        outside = stack.enter_context(
            server_process(
                [sys.executable, "-m", "tests.support.outside_world", str(port)],
                {},
                lambda: f"http://127.0.0.1:{port}/health",
                tmp_path / "outside.log",
            )
        )
        mysql = Proxy(schema.port)
        mysql.start()
        stack.callback(mysql.stop)
        metrics_port = any_free_port()
        metrics = f"http://127.0.0.1:{metrics_port}"
        environ = {
            "HUBSPOT_SYNC_MYSQL_URL": replace(schema, port=mysql.port).url,
            "HUBSPOT_SYNC_METRICS_PORT": str(metrics_port),
            "HUBSPOT_SYNC_AIRFLOW_URL": outside,
            "HUBSPOT_SYNC_SCHEDULE": "",
        }
        command = [sys.executable, "-m", "include.hubspot_sync.orchestration.metrics_exporter"]
        stack.enter_context(server_process(command, environ, lambda: f"{metrics}/health", tmp_path / "exporter.log"))
        manager = stack.enter_context(alertmanager(tmp_path / "alertmanager", hasty_alertmanager(tmp_path, outside)))
        rules = tmp_path / "rules.yaml"
        rules.write_text(yaml.safe_dump(hasty_rules()), encoding="utf-8")
        config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))
        config["global"] |= {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(rules)]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [manager.removeprefix("http://")]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{metrics_port}"]
        yield Alarm(metrics, stack.enter_context(prometheus(tmp_path / "prometheus", config)), outside, mysql)


@pytest.fixture
def execute(connect: Callable[[], MySQLdb.connections.Connection]) -> Callable[[str], None]:
    def run(statement: str) -> None:
        with closing(connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            connection.commit()

    return run


def work(transaction: Transaction, run: Run) -> None:
    """What a shard leaves behind that sent 50 requests: some refused, one without an answer, a record rejected."""
    pacing.add_usage(transaction, run.run_id, 0, pacing.Usage(calls=50, write_calls=20, wait_ms=3000))
    statuses = [*(200,) * 44, *(429,) * 5, None]
    heard = [HeardAnswer(status, 20 * number) for number, status in enumerate(statuses)]
    api_answers.count_answers(transaction, run.run_id, 0, heard)
    phases.add_phases(transaction, run.dag_run_key, 0, {Phase.DELIVER: 1.5}, elapsed_s=2)
    refused = RejectedChange(1, "name1-f", "INVALID_OPTION", "no such option", "corr-1")
    rejects.insert_rejected_changes(transaction, run.run_id, run.sync_name, [refused])
    for is_good in (True, False):
        count_ends(transaction, is_good=is_good)


def count_ends(transaction: Transaction, *, is_good: bool) -> None:
    """Let every chore end."""
    for chore in Chore:
        chores.count_end(transaction, "baby_names", chore, is_good=is_good)


def close(database: Database, run: Run, state: RunState) -> None:
    is_accepted = state is RunState.DONE
    database.run(lambda t: runs.close_run(t, run.run_id, state, {"created": 1}, text="", is_accepted=is_accepted))
    database.run(lambda t: lock.release_lock(t, run, drain_s=0))


def test_dead_man_and_failing_chores_open_one_incident_each_and_the_next_good_end_closes_it(
    alarm: Alarm, database: Database, definition: SyncDefinition, execute: Callable[[str], None]
):
    close(database, open_run(database, definition, "dag:old"), RunState.DONE)
    execute("UPDATE run_end SET started_at = NOW(6) - INTERVAL 28 HOUR, ended_at = NOW(6) - INTERVAL 27 HOUR")
    for is_good in (True, False):
        database.run(partial(count_ends, is_good=is_good))
    for alert in (DEAD_MAN, PROBE, MAINTENANCE):
        alarm.await_action(alert, "trigger")
    database.run(partial(count_ends, is_good=True))
    close(database, open_run(database, definition, "dag:new"), RunState.DONE)
    for alert in (DEAD_MAN, PROBE, MAINTENANCE):
        alarm.await_action(alert, "resolve")

    # no scrape that comes late shakes the dead man
    assert alarm.actions(DEAD_MAN) == ["trigger", "resolve"]
    events = alarm.events(DEAD_MAN)
    assert [event["problems"] for event in events] == [[]] * len(events)
    assert len({event["dedup_key"] for event in events}) == 1
    first = events[0]
    assert first["payload"]["severity"] == "critical"
    assert first["payload"]["component"] == "baby_names"
    assert first["payload"]["summary"].startswith("no run of baby_names has finished for 1d 3h")
    assert first["links"] == [
        {"href": "https://runbook.example.com/docs/operations.md#hubspotsyncnorunfinished", "text": "Runbook"}
    ]
    assert httpx.get(f"{alarm.outside_url}/heartbeats", trust_env=False).json()["HubspotSyncWatchdog"] > 0


def test_failures_queue_limit_late_run_and_lost_database_open_and_close(
    alarm: Alarm, database: Database, definition: SyncDefinition, execute: Callable[[str], None], tmp_path: Path
):
    run = open_run(database, definition, "dag:first")
    rows = [(1900, f"Name{number}", "F", 10) for number in range(1_001)]
    staged = stage(database, definition, run, tmp_path, rows)

    def plan(transaction: Any) -> None:
        first = delta.queue_changes(transaction, staged, batch_size=100, is_resync=False, with_archives=True)
        delta.cut_batches(transaction, staged, first_batch_no=first, shard_count=1, plan_hash=b"p" * 32)
        pacing.open_pacing(transaction, PORTAL, pacing.Pace(1, 1, 100))

    database.run(plan)
    execute("UPDATE rate_limit SET daily_limit = 1000, daily_remaining = 900")
    alarm.await_action(DEEP, "trigger")
    database.run(partial(work, run=run))
    alarm.await_action(LIMITED, "trigger")
    execute("UPDATE sync_run SET started_at = NOW(6) - INTERVAL 2 HOUR")
    alarm.await_action(LATE, "trigger")
    close(database, run, RunState.FAILED)
    alarm.await_action(FAILING, "trigger")

    check_expressions(alarm)

    later = open_run(database, definition, "dag:later")
    database.run(lambda t: delta.supersede_open(t, later))
    close(database, later, RunState.DONE)
    for alert in (DEEP, LIMITED, FAILING, LATE):
        alarm.await_action(alert, "resolve")
    # the callbacks of the DAG tell of the same incident
    for alert, condition in ((FAILING, Condition.RUNS_FAIL), (LATE, Condition.RUN_LATE)):
        own = Incident(condition, definition.name, "production")
        assert {event["dedup_key"] for event in alarm.events(alert)} == {own.dedup_key}
    check_dashboard(alarm)
    server_port, alarm.mysql.target_port = alarm.mysql.target_port, any_free_port()
    alarm.await_action(DOWN, "trigger")
    alarm.mysql.target_port = server_port
    alarm.await_action(DOWN, "resolve")


def check_dashboard(alarm: Alarm) -> None:
    """Every panel of the dashboard shows something of what happened."""
    found = {name: query(alarm.prometheus_url, text) for name, text in dashboard_expressions().items()}

    assert len(found) > 20
    # a quantile of nothing is a series too
    assert [name for name, series in found.items() if not any(one["value"][1] != "NaN" for one in series)] == []


def check_expressions(alarm: Alarm) -> None:
    """Every rule is understood by this Prometheus, and every metric that it names has series there."""
    samples = scrape(alarm.exporter_url)
    assert samples.plain("database_up") == 1
    named = set()
    for rule in read_rules():
        query(alarm.prometheus_url, rule["expr"])
        named |= set(re.findall(r"\bhubspot_sync[_:][\w:]*\w", rule["expr"]))
    # a good run is still to come
    named.remove("hubspot_sync_last_success_timestamp_seconds")
    assert len(named) > 10
    assert [name for name in sorted(named) if not query(alarm.prometheus_url, name)] == []
    assert len(samples.values) < 250
    assert exporter.KEPT_S < WAIT_S
