"""What PagerDuty is told: which incident an event belongs to, and what the event says of a run.

An event holds ids, class names and numbers, and no text that a person, a file or a service wrote: such a text may hold
a name, an address or a token. The words for people are in the log of the task and in the runbook, to which links lead.
"""

from __future__ import annotations

import enum
import hashlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from include.hubspot_sync import errors

SERVICE = "hubspot-sync"
RUNBOOK = "docs/operations.md"
_NAME = re.compile(r"[A-Za-z_]\w{0,63}")
_LONGEST_SUMMARY = 1024
"""Characters that the Events API v2 takes: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/"""


class Condition(enum.StrEnum):
    """What is wrong, by the name of the alert in `deploy/monitoring/prometheus/rules.yaml` that says the same."""

    RUNS_FAIL = "HubspotSyncRunsFail"
    RUN_LATE = "HubspotSyncRunLate"


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that is wrong at one sync in one environment, however often it is reported and by whom."""

    condition: Condition
    sync_name: str
    environment: str

    @property
    def dedup_key(self) -> str:
        """Return the key that Alertmanager makes for the same alert, so that both report one incident.

        It is the SHA-256 of its group key: the route's matchers, then the labels of `group_by` in the order of their
        names (alertmanager, `dispatch/dispatch.go` and `notify/util.go`). No run id: the next run that fails for the
        same reason adds to the same incident.
        """
        labels = {"alertname": self.condition, "environment": self.environment, "sync": self.sync_name}
        text = ", ".join(f'{name}="{labels[name]}"' for name in sorted(labels))
        return hashlib.sha256(f"{{}}:{{{text}}}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run where the alert is raised; every value may be missing."""

    dag_id: str
    dag_run_id: str = ""
    run_id: int | None = None
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that failed."""
    map_index: int = -1
    try_number: int = 0
    error: str = ""
    """Name of the error's class."""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a person finds more."""

    airflow: str
    """Address of Airflow's UI."""
    runbook: str = ""
    """Address of the folder that holds `docs`; empty: no link to the runbook."""


def error_name(error: BaseException | None) -> str:
    """Return the class that says what happened; Airflow gets ours wrapped in one of its own."""
    if error is None:
        return ""
    for found in (error, error.__cause__, error.__context__):
        if isinstance(found, errors.SyncError):
            return type(found).__name__
    return type(error).__name__


def summary_of(condition: Condition, sync_name: str, facts: RunFacts) -> str:
    """Say in one line what is wrong."""
    if condition is Condition.RUN_LATE:
        text = f"a run of {sync_name} is not over in time"
    else:
        run = f"run {facts.run_id}" if facts.run_id is not None else "a run"
        where = f" in {', '.join(facts.tasks)}" if facts.tasks else ""
        text = f"{run} of {sync_name} failed{where}"
    name = _class_name(facts.error)
    return (f"{text}: {name}" if name else text)[:_LONGEST_SUMMARY]


def trigger_event(incident: Incident, facts: RunFacts, addresses: Addresses, at: datetime) -> dict[str, object]:
    """Return the event that opens the incident or adds to it, without the routing key."""
    condition = incident.condition
    runbook = f"{RUNBOOK}#{condition.lower()}"
    page = f"{addresses.airflow.rstrip('/')}/hubspot-sync/dags/{facts.dag_id}"
    return {
        "event_action": "trigger",
        "dedup_key": incident.dedup_key,
        "client": SERVICE,
        "client_url": page,
        "payload": {
            "summary": summary_of(condition, incident.sync_name, facts),
            "source": f"airflow/{incident.environment}/{facts.dag_id}",
            # that of the alert with the same name, so that the incident does not change with who tells of it
            "severity": "error",
            "component": incident.sync_name,
            "group": SERVICE,
            "class": str(condition),
            "timestamp": at.isoformat(),
            "custom_details": _details(facts) | {"environment": incident.environment, "runbook": runbook},
        },
        "links": _links(facts, addresses, page, runbook),
    }


def resolve_event(incident: Incident) -> dict[str, object]:
    """Return the event that closes the incident; PagerDuty accepts it also when there is none."""
    return {"event_action": "resolve", "dedup_key": incident.dedup_key}


def _details(facts: RunFacts) -> dict[str, object]:
    name = _class_name(facts.error)
    details: dict[str, object] = {
        "run_id": facts.run_id,
        "failed_tasks": ", ".join(facts.tasks),
        "shard": facts.map_index if facts.map_index >= 0 else None,
        "try": facts.try_number or None,
        "error": name,
        "meaning": _meaning(name),
        **{count: int(number) for count, number in facts.counts.items()},
    }
    return {key: value for key, value in details.items() if value not in (None, "")}


def _class_name(text: str) -> str:
    return text if _NAME.fullmatch(text) else ""


def _meaning(name: str) -> str:
    """Return the first line of the error's documentation: a text of ours, unlike its message."""
    kind = getattr(errors, name, None)
    return (inspect.getdoc(kind) or "").partition("\n")[0] if inspect.isclass(kind) else ""


def _place_on_page(facts: RunFacts) -> str:
    """Return the path of the run; a task that failed knows only Airflow's id, and the page leads on from it."""
    if facts.run_id is not None:
        return f"/runs/{facts.run_id}"
    return f"/started/{quote(facts.dag_run_id, safe='')}" if facts.dag_run_id else ""


def _links(facts: RunFacts, addresses: Addresses, page: str, runbook: str) -> list[dict[str, str]]:
    dag = f"{addresses.airflow.rstrip('/')}/dags/{facts.dag_id}"
    run = f"{dag}/runs/{quote(facts.dag_run_id, safe='')}" if facts.dag_run_id else dag
    links = [
        {"href": run, "text": "Run in Airflow"},
        {"href": f"{page}{_place_on_page(facts)}", "text": "Progress and rejects"},
    ]
    if addresses.runbook:
        links.append({"href": f"{addresses.runbook.rstrip('/')}/{runbook}", "text": "Runbook"})
    return links
