"""The alert rules: promtool's own tests, what those cover, and what every alert must have."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import (
    MONITORING,
    RULE_TESTS,
    RULES,
    known_metrics,
    named_metrics,
    read_alerts,
    read_rules,
    run_tool,
)
from tests.unit.test_docs import anchors

ROOT = Path(__file__).parents[2]
ALERTS = read_alerts()
SEVERITIES = {"critical", "error", "warning", "info"}
"""Those that PagerDuty knows."""
WATCHDOG = "HubspotSyncWatchdog"
NEVER = "vector(0) > 1"
ALWAYS = 'label_replace(vector(1), "sync", "z", "", "")'

each_alert = pytest.mark.parametrize("alert", ALERTS)


def alertmanager_config() -> dict[str, Any]:
    return yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yaml").read_text(encoding="utf-8"))


def test_rules_and_configurations_are_valid():
    for command in (
        ("promtool", "check", "rules", RULES),
        ("promtool", "check", "config", MONITORING / "prometheus" / "prometheus.yaml"),
        ("promtool", "check", "config", MONITORING / "prometheus" / "compose.yaml"),
        ("amtool", "check-config", MONITORING / "alertmanager" / "alertmanager.yaml"),
    ):
        done = run_tool(*command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_fire_and_stay_quiet_as_their_tests_say():
    done = run_tool("promtool", "test", "rules", *RULE_TESTS)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("expression", "exempt"), [(NEVER, set()), (ALWAYS, {WATCHDOG})], ids=["never", "always"])
def test_tests_of_the_rules_notice_alerts_that_never_or_always_fire(expression: str, exempt: set[str], tmp_path: Path):
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        if "alert" in rule:
            rule["expr"] = expression
    (tmp_path / RULES.name).write_text(yaml.safe_dump(rules), encoding="utf-8")
    for path in RULE_TESTS:
        shutil.copy(path, tmp_path)

    done = run_tool("promtool", "test", "rules", *(path.name for path in RULE_TESTS), cwd=tmp_path)

    assert done.returncode == 1
    assert [alert for alert in set(ALERTS) - exempt if alert[:-4] not in done.stdout + done.stderr] == []


@each_alert
def test_alert_has_severity_summary_and_a_section_in_the_runbook(alert: str):
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in SEVERITIES | ({"none"} if alert == WATCHDOG else set())
    assert set(rule["annotations"]) == {"summary", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == alert.lower()
    assert anchor in anchors(ROOT / page), f"{page} has no section {alert}"


@each_alert
def test_runbook_section_says_meaning_check_and_fix(alert: str):
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = re.search(rf"^### {alert}\n(.*?)(?=^##|\Z)", text, flags=re.MULTILINE | re.DOTALL)

    assert section, alert
    assert [word for word in ("**Means**", "**Check**", "**Fix**") if word not in section[1]] == []


def test_runbook_has_no_section_of_an_alert_that_is_gone():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^### (HubspotSync\w+)$", text, flags=re.MULTILINE)) == set(ALERTS)


@each_alert
def test_alert_goes_to_pagerduty_and_the_watchdog_to_the_heartbeat_service(alert: str):
    config = f"--config.file={MONITORING / 'alertmanager' / 'alertmanager.yaml'}"
    labels = {"alertname": alert, "sync": "a", **ALERTS[alert]["labels"]}

    done = run_tool("amtool", "config", "routes", "test", config, *(f"{name}={labels[name]}" for name in labels))

    assert done.stdout.strip() == ("heartbeat" if alert == WATCHDOG else "pagerduty"), done.stderr


def test_muted_and_muting_alerts_exist_and_the_dead_man_is_never_muted():
    for rule in alertmanager_config()["inhibit_rules"]:
        (source,), (target,) = rule["source_matchers"], rule["target_matchers"]
        assert source.removeprefix("alertname=").strip('"') in ALERTS
        pattern = target.removeprefix("alertname=").removeprefix("alertname=~").lstrip("~").strip('"')
        muted = {alert for alert in ALERTS if re.fullmatch(pattern, alert)}
        assert muted
        assert not muted & {"HubspotSyncNoRunFinished", "HubspotSyncDatabaseDown", WATCHDOG}


def test_incidents_are_closed_again_and_the_key_is_in_no_file_of_ours():
    receivers = {receiver["name"]: receiver for receiver in alertmanager_config()["receivers"]}
    (pagerduty,) = receivers["pagerduty"]["pagerduty_configs"]

    assert pagerduty["send_resolved"] is True
    assert "routing_key" not in pagerduty
    assert pagerduty["routing_key_file"].startswith("/etc/")


def test_rules_name_only_metrics_of_the_exporter():
    named = named_metrics(rule["expr"] for rule in read_rules())

    assert len(named) > 10
    assert named <= known_metrics()
