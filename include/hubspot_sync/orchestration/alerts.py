"""Raise and close incidents in PagerDuty; nothing here ever fails or holds up a run.

A run may lose ten seconds to a PagerDuty that does not answer. A failed task takes `TASK_S` of them, once, because the
tasks that fail after it find that the alarm is raised; `finish` takes `FINISH_S`. What comes after a run, or beside it,
may take `OUTSIDE_S`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.configuration import conf

from include.hubspot_sync.observe.incident import (
    Addresses,
    Condition,
    Incident,
    RunFacts,
    error_name,
    resolve_event,
    trigger_event,
)
from include.hubspot_sync.orchestration.pagerduty_hook import Pager, PagerDutyHook
from include.hubspot_sync.records import RunMode

if TYPE_CHECKING:
    from include.hubspot_sync.config import SyncDefinition

log = logging.getLogger(__name__)

TASK_S, FINISH_S, OUTSIDE_S = 3.0, 5.0, 10.0
ENVIRONMENT_VARIABLE = "HUBSPOT_SYNC_ENVIRONMENT"
DEFAULT_ENVIRONMENT = "production"
_ENVIRONMENT = re.compile(r"[A-Za-z0-9_-]{1,32}")
_FAILED = "failed"


def environment_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of this deployment; one that could not be a label in Prometheus is not used."""
    name = environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if name and not _ENVIRONMENT.fullmatch(name):
        log.warning("%s is no name of letters, digits, - and _: using %s", ENVIRONMENT_VARIABLE, DEFAULT_ENVIRONMENT)
    return name if _ENVIRONMENT.fullmatch(name) else DEFAULT_ENVIRONMENT


def raise_incident(pager: Pager, incident: Incident, facts: RunFacts, *, limit_s: float) -> None:
    """Open an incident, or add to the one that is open."""
    from include.hubspot_sync.observe.pagerduty import send_event

    addresses = Addresses(conf.get("api", "base_url", fallback="http://localhost:8080/"), pager.runbook_url)
    event = trigger_event(incident, facts, addresses, datetime.now(tz=UTC))
    send_event(pager.receiver, event, limit_s=limit_s)


def close_incidents(pager: Pager, incidents: Sequence[Incident], *, limit_s: float) -> None:
    """Close incidents, as far as they are open."""
    from include.hubspot_sync.observe.pagerduty import send_event

    for incident in incidents:
        send_event(pager.receiver, resolve_event(incident), limit_s=limit_s / len(incidents))


class PagerDutyNotifier(BaseNotifier):
    """Tell PagerDuty of a failed task (`scope` task), a failed run (dag) or a run that is late (deadline)."""

    def __init__(
        self, *, sync_name: str, dag_id: str, conn_id: str, scope: str, context: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(context=context)
        self.sync_name = sync_name
        self.dag_id = dag_id
        self.conn_id = conn_id
        self.scope = scope

    @classmethod
    def of(cls, definition: SyncDefinition, scope: str) -> PagerDutyNotifier:
        """Return the notifier of a sync."""
        return cls(context=None, **notifier_arguments(definition, scope))

    def notify(self, context: Mapping[str, Any]) -> None:
        """Send the alert of a callback; never raises."""
        try:
            if self._is_due(context) and (pager := PagerDutyHook(self.conn_id).find_pager()):
                limit_s = TASK_S if self.scope == "task" else OUTSIDE_S
                raise_incident(pager, self._incident(), self._facts(context), limit_s=limit_s)
        except Exception as error:  # noqa: BLE001  an alert that cannot be sent must not change what happens to the run
            log.warning("no alert was sent: %s", _reason(error))

    async def async_notify(self, context: Mapping[str, Any]) -> None:
        """Send the alert of a deadline; never raises."""
        try:
            if self._is_due(context) and (pager := await PagerDutyHook(self.conn_id).find_pager_async()):
                facts = self._facts(context)
                await asyncio.to_thread(raise_incident, pager, self._incident(), facts, limit_s=OUTSIDE_S)
        except Exception as error:  # noqa: BLE001  as above
            log.warning("no alert was sent: %s", _reason(error))

    def _incident(self) -> Incident:
        condition = Condition.RUN_LATE if self.scope == "deadline" else Condition.RUNS_FAIL
        return Incident(condition, self.sync_name, environment_name())

    def _is_due(self, context: Mapping[str, Any]) -> bool:
        """A dry run is watched by who started it; one alarm of a run is enough."""
        if _mode(context) == RunMode.PLAN_ONLY:
            return False
        return self.scope != "task" or not _others_failed(context.get("ti"))

    def _facts(self, context: Mapping[str, Any]) -> RunFacts:
        dag_run_id = _dag_run_id(context)
        if self.scope != "task":
            return RunFacts(self.dag_id, dag_run_id)
        instance = context["ti"]
        return RunFacts(
            self.dag_id,
            dag_run_id,
            tasks=(instance.task_id,),
            map_index=_number(instance.map_index, -1),
            try_number=_number(instance.try_number, 0),
            error=error_name(_exception(context)),
        )


def notifier_arguments(definition: SyncDefinition, scope: str) -> dict[str, str]:
    """Return what a notifier needs, as plain texts, which Airflow can store."""
    return {
        "sync_name": definition.name,
        "dag_id": definition.dag_id,
        "conn_id": definition.connections.pagerduty,
        "scope": scope,
    }


def report_end(definition: SyncDefinition, facts: RunFacts, *, state: str) -> None:
    """Tell PagerDuty how a run ended: a failed one raises an incident, a good one closes what is open. Never raises.

    Args:
        definition: The run's sync.
        facts: What `finish` knows of the run.
        state: success, failed or superseded.
    """
    try:
        pager = PagerDutyHook(definition.connections.pagerduty).find_pager()
        if pager is None:
            log.info("no alerts are sent: airflow has no connection %s", definition.connections.pagerduty)
            return
        name, environment = definition.name, environment_name()
        if state == _FAILED:
            incident = Incident(Condition.RUNS_FAIL, name, environment)
            raise_incident(pager, incident, facts, limit_s=FINISH_S)
        elif state == "success":
            close_incidents(pager, [Incident(which, name, environment) for which in Condition], limit_s=FINISH_S)
    except Exception as error:  # noqa: BLE001  as above
        log.warning("no alert was sent: %s", _reason(error))


def _reason(error: Exception) -> str:
    """Our own messages hold no secret; those of others might."""
    from include.hubspot_sync.errors import SyncError

    return str(error) if isinstance(error, SyncError) else type(error).__name__


def _others_failed(instance: Any) -> bool:
    """Tell whether another task of the run failed before, whose callback has raised the alarm."""
    try:
        states = instance.get_task_states(dag_id=instance.dag_id, run_ids=[instance.run_id])
    except Exception:  # noqa: BLE001  the callback may run where nobody answers that; then it is sent once more
        return False
    own = instance.task_id if _number(instance.map_index, -1) < 0 else f"{instance.task_id}_{instance.map_index}"
    found = states.get(instance.run_id, {})
    return any(str(state) == _FAILED for name, state in found.items() if name != own)


def _mode(context: Mapping[str, Any]) -> str:
    conf_of_run = _of(context.get("dag_run"), "conf") or {}
    return str(conf_of_run.get("mode", ""))


def _dag_run_id(context: Mapping[str, Any]) -> str:
    run = context.get("dag_run")
    return str(context.get("run_id") or _of(run, "run_id") or _of(run, "dag_run_id") or "")


def _of(thing: Any, name: str) -> Any:
    """Airflow hands over a run as an object in tasks and as a mapping in the triggerer."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) else default


def _exception(context: Mapping[str, Any]) -> BaseException | None:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else None
