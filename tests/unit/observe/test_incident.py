from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from include.hubspot_sync.config import INCLUDE_DIR
from include.hubspot_sync.errors import AuthError, GuardError, SyncError
from include.hubspot_sync.observe.incident import (
    Addresses,
    Condition,
    Incident,
    RunFacts,
    error_name,
    resolve_event,
    trigger_event,
)

MONITORING = INCLUDE_DIR.parent / "deploy" / "monitoring"
INCIDENT = Incident(Condition.RUNS_FAIL, "baby_names", "production")
ADDRESSES = Addresses("https://airflow.example.org/", "https://runbook.example.org/")
FACTS = RunFacts(
    "names_to_hubspot",
    "manual__2026-01-01T00:00:00+00:00",
    run_id=42,
    tasks=("deliver",),
    map_index=3,
    try_number=10,
    error="GuardError",
    counts={"open": 7, "mismatched": 0},
)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_key_is_that_of_alertmanagers_group():
    # as alertmanager writes it: the route, then the labels by which the route groups
    group = '{}:{alertname="HubspotSyncRunsFail", environment="production", sync="baby_names"}'

    assert INCIDENT.dedup_key == hashlib.sha256(group.encode()).hexdigest()


def test_alertmanager_groups_by_the_labels_that_the_key_is_made_of():
    config = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yaml").read_text(encoding="utf-8"))
    prometheus = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))

    assert sorted(config["route"]["group_by"]) == ["alertname", "environment", "sync"]
    assert "match" not in config["route"]
    assert prometheus["global"]["external_labels"] == {"environment": "production"}


@pytest.mark.parametrize("condition", Condition)
def test_condition_is_an_alert_of_prometheus_with_the_same_severity(condition: Condition):
    rules = yaml.safe_load((MONITORING / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    (rule,) = [rule for rule in rules if rule.get("alert") == condition]

    payload = trigger_event(replace(INCIDENT, condition=condition), FACTS, ADDRESSES, AT)["payload"]

    assert payload["severity"] == rule["labels"]["severity"]
    assert payload["group"] == rule["labels"]["service"]
    assert payload["custom_details"]["runbook"] == rule["annotations"]["runbook"]


def test_key_differs_by_condition_sync_and_environment_and_by_nothing_else():
    others = [
        replace(INCIDENT, condition=Condition.RUN_LATE),
        replace(INCIDENT, sync_name="pet_names"),
        replace(INCIDENT, environment="staging"),
    ]
    events = [trigger_event(INCIDENT, facts, ADDRESSES, AT) for facts in (FACTS, RunFacts("names_to_hubspot"))]

    assert len({INCIDENT.dedup_key, *(other.dedup_key for other in others)}) == 4
    assert {event["dedup_key"] for event in (*events, resolve_event(INCIDENT))} == {INCIDENT.dedup_key}


def test_event_says_what_failed_where_and_what_to_open():
    event = trigger_event(INCIDENT, FACTS, ADDRESSES, AT)

    assert event["payload"] == {
        "summary": "run 42 of baby_names failed in deliver: GuardError",
        "source": "airflow/production/names_to_hubspot",
        "severity": "error",
        "component": "baby_names",
        "group": "hubspot-sync",
        "class": "HubspotSyncRunsFail",
        "timestamp": "2026-01-02T03:04:05+00:00",
        "custom_details": {
            "run_id": 42,
            "failed_tasks": "deliver",
            "shard": 3,
            "try": 10,
            "error": "GuardError",
            "meaning": "A plausibility guard stopped the run before any write.",
            "open": 7,
            "mismatched": 0,
            "environment": "production",
            "runbook": "docs/operations.md#hubspotsyncrunsfail",
        },
    }
    assert [link["href"] for link in event["links"]] == [
        "https://airflow.example.org/dags/names_to_hubspot/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00",
        "https://airflow.example.org/hubspot-sync/dags/names_to_hubspot/runs/42",
        "https://runbook.example.org/docs/operations.md#hubspotsyncrunsfail",
    ]


def test_event_of_a_run_of_which_little_is_known_still_leads_to_the_dag():
    late = replace(INCIDENT, condition=Condition.RUN_LATE)

    event = trigger_event(late, RunFacts("names_to_hubspot"), Addresses("http://127.0.0.1:8080"), AT)

    assert event["payload"]["summary"] == "a run of baby_names is not over in time"
    assert [link["href"] for link in event["links"]] == [
        "http://127.0.0.1:8080/dags/names_to_hubspot",
        "http://127.0.0.1:8080/hubspot-sync/dags/names_to_hubspot",
    ]


def test_event_of_a_task_that_failed_leads_to_the_page_of_its_run():
    event = trigger_event(INCIDENT, replace(FACTS, run_id=None), ADDRESSES, AT)

    assert event["links"][1]["href"] == (
        "https://airflow.example.org/hubspot-sync/dags/names_to_hubspot"
        "/started/manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize("text", ["Ann Example", "ann@example.org", "pat-eu1 secret", "KeyError: 'Ann'"])
def test_text_in_the_place_of_a_class_name_is_left_out(text: str):
    event = trigger_event(INCIDENT, replace(FACTS, error=text), ADDRESSES, AT)

    assert text not in str(event)


def test_many_failed_tasks_do_not_make_the_summary_too_long():
    facts = replace(FACTS, tasks=tuple(f"task_{number}" for number in range(500)))

    assert len(trigger_event(INCIDENT, facts, ADDRESSES, AT)["payload"]["summary"]) == 1024


def wrapped(inner: BaseException) -> BaseException:
    try:
        try:
            raise inner
        except type(inner) as error:
            raise RuntimeError(str(error)) from None
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (None, ""),
        (AuthError("x"), "AuthError"),
        (wrapped(GuardError("x")), "GuardError"),
        (wrapped(KeyError("Ann")), "RuntimeError"),
        (ValueError("Ann"), "ValueError"),
    ],
    ids=["none", "ours", "ours-in-airflows", "two-foreign-ones", "foreign"],
)
def test_error_is_named_by_our_class_where_there_is_one(error: BaseException | None, name: str):
    assert error_name(error) == name


def test_every_error_of_ours_has_a_meaning_to_send():
    def classes(kind: type[SyncError]) -> set[type[SyncError]]:
        return {kind}.union(*(classes(below) for below in kind.__subclasses__()))

    for kind in classes(SyncError):
        if kind.__module__.endswith("hubspot_sync.errors"):
            facts = replace(FACTS, error=kind.__name__)
            assert trigger_event(INCIDENT, facts, ADDRESSES, AT)["payload"]["custom_details"]["meaning"]
