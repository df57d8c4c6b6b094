"""The body of the probe: a sync's name in, the number of a new version out."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowSkipException

from include.hubspot_sync.engine.probe import ProbeWork, find_new_version
from include.hubspot_sync.orchestration.chore_end import notes_end
from include.hubspot_sync.orchestration.kaggle_hook import KaggleHook
from include.hubspot_sync.orchestration.task_errors import reports_errors
from include.hubspot_sync.orchestration.wiring import TaskIdentity, definition_of, open_database
from include.hubspot_sync.records import Chore


@reports_errors
@notes_end(Chore.PROBE)
def run_probe(sync_name: str) -> int:
    """Return the number of a version that no run has taken.

    Raises:
        AirflowSkipException: there is none; a skipped task tells nobody of anything new.
    """
    definition = definition_of(TaskIdentity(sync_name, dag_run_key="", owner="probe"))
    with open_database(definition) as database:
        kaggle = KaggleHook(definition.connections.kaggle).open_client(definition)
        version = find_new_version(ProbeWork(definition.name, database, kaggle))
    if version is None:
        raise AirflowSkipException("nothing new")
    return version.version
