"""From an event of EventBridge to a DAG run.

`detail` of the event may hold `conf`, the run parameters, and `reason`, which becomes the note of the run. The id of
the event is in the id of the run: EventBridge may deliver an event more than once, and Airflow then answers 409.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from early_run.airflow import Airflow, AirflowBehindUrl, AirflowError, ManagedAirflow

_CREATED = frozenset({200, 201})
_EXISTS = 409


class EventError(Exception):
    """The event cannot start a run; repeating it would not help."""


log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


def handle(event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Start a run; AWS calls this.

    Raises:
        AirflowError: Airflow did not start one. AWS repeats the call, then keeps the event in the queue.
        EventError: the event has no id, or parameters that are none.
    """
    return start(connect(os.environ), os.environ["DAG_ID"], event)


def connect(environ: Mapping[str, str]) -> Airflow:
    """Return the Airflow that the settings name."""
    import boto3

    if environment := environ.get("MWAA_ENVIRONMENT"):
        return ManagedAirflow(boto3.client("mwaa"), environment)
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=environ["LOGIN_SECRET_ID"])
    login = json.loads(secret["SecretString"])
    return AirflowBehindUrl(environ["AIRFLOW_URL"], login["username"], login["password"])


def start(airflow: Airflow, dag_id: str, event: Mapping[str, Any]) -> dict[str, str]:
    """Ask for the run that belongs to this event."""
    body = run_of(event)
    status = airflow.start_run(dag_id, body)
    if status not in {*_CREATED, _EXISTS}:
        raise AirflowError(
            f"airflow answers {status} to a run of {dag_id}: 401 and 403: rights of the user, 404: name of the dag, "
            "422: run parameters of the event"
        )
    outcome = "exists" if status == _EXISTS else "started"
    log.info("early run %s dag_id=%s dag_run_id=%s", outcome, dag_id, body["dag_run_id"])
    return {"dag_run_id": body["dag_run_id"], "outcome": outcome}


def run_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that asks Airflow for the run of an event."""
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    conf, reason = detail.get("conf", {}), detail.get("reason")
    if not isinstance(conf, Mapping):
        raise EventError("detail.conf of the event is no object: put the run parameters there")
    if not isinstance(event_id := event.get("id"), str) or not event_id:
        raise EventError("the event has no id: it does not come from eventbridge")
    note = reason if isinstance(reason, str) else f"early run asked for by {event.get('source', 'an event')}"
    return {"dag_run_id": f"early__{event_id}", "logical_date": None, "conf": dict(conf), "note": note[:1000]}
