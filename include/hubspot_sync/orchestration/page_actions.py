"""What the page does in Airflow for the user who asks: start a replay, tell when the next run is due."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Collection
from datetime import UTC

from airflow.api.common.trigger_dag import trigger_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select

from include.hubspot_sync.observe.page_html import NextRun
from include.hubspot_sync.observe.record_pages import ReplayRequest
from include.hubspot_sync.records import RunMode

FORM_LIFETIME_S = 7_200
"""For how long a form that was shown may be sent."""


class ActionRefusedError(Exception):
    """Airflow would not start the run; the message says why and what to do."""


def _signature(user_id: str, dag_id: str, valid_until_s: int) -> str:
    # the key signs Airflow's own sessions too, so the purpose is part of what is signed
    key = conf.get_mandatory_value("api", "secret_key").encode()
    parts = ("hubspot-sync form", user_id, dag_id, str(valid_until_s))
    text = "".join(f"{len(part.encode())}:{part};" for part in parts)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def form_token(user_id: str, dag_id: str, clock: Callable[[], float] = time.time) -> str:
    """Return what a form must bring back, which nobody can make for another user or DAG.

    Airflow checks no such thing for a plugin, and its cookie comes along with a form of any page of the same site.
    """
    valid_until_s = int(clock()) + FORM_LIFETIME_S
    return f"{valid_until_s}.{_signature(user_id, dag_id, valid_until_s)}"


def is_form_token(token: str, user_id: str, dag_id: str, clock: Callable[[], float] = time.time) -> bool:
    """Tell whether a token was made for this user and DAG, and is not too old."""
    valid_until, _, signature = token.partition(".")
    # as many digits as a time has: a number of any length would be a way to keep the server busy
    if not (valid_until.isascii() and valid_until.isdigit() and len(valid_until) <= 12):  # noqa: PLR2004
        return False
    expected = _signature(user_id, dag_id, int(valid_until))
    return hmac.compare_digest(signature.encode(), expected.encode()) and clock() < int(valid_until)


def start_replay(dag_id: str, user_name: str, wanted: ReplayRequest) -> str:
    """Start a run that sends refused records again, in the name of a user; return Airflow's id of the run.

    Raises:
        ActionRefusedError: the DAG is paused, gone or cannot be imported.
    """
    with create_session() as session:
        dag = session.get(DagModel, dag_id)
        if dag is None or dag.is_stale or dag.has_import_errors:
            raise ActionRefusedError(f"airflow cannot run the DAG {dag_id} at present: look at its import errors")
        if dag.is_paused:
            raise ActionRefusedError(f"the DAG {dag_id} is paused: unpause it in Airflow, then start the replay again")
    parameters = {
        "mode": str(RunMode.REPLAY),
        "replay_run": wanted.run_id,
        "replay_reason": wanted.reason,
        "replay_key": wanted.key_text,
    }
    dag_run = trigger_dag(
        dag_id,
        triggered_by=DagRunTriggeredByType.UI,
        triggering_user_name=user_name,
        conf={name: value for name, value in parameters.items() if value},
    )
    if dag_run is None:
        raise ActionRefusedError(f"airflow started no run of the DAG {dag_id}: trigger it in Airflow")
    return str(dag_run.run_id)


def next_runs(dag_ids: Collection[str]) -> dict[str, NextRun]:
    """Return when Airflow starts the DAGs by itself; one that it does not know is missing."""
    columns = (DagModel.dag_id, DagModel.next_dagrun_create_after, DagModel.is_paused)
    with create_session() as session:
        rows = session.execute(select(*columns).where(DagModel.dag_id.in_(dag_ids))).all()
    return {
        dag_id: NextRun(at.astimezone(UTC).replace(tzinfo=None) if at else None, is_paused=bool(is_paused))
        for dag_id, at, is_paused in rows
    }
