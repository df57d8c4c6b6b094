"""Make the maintenance DAG: one task for each sync, next to the syncs and never in their way."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta

from airflow.sdk import DAG, task

from include.hubspot_sync.orchestration.process_end import end_with_supervisor
from include.hubspot_sync.orchestration.sync_dag import SCHEDULE_SWITCH, START_DATE

DAILY = "30 3 * * *"
"""Once a day, some hours after the syncs that run `@daily`."""


def build_maintenance_dag(sync_names: Iterable[str], manual: str | None) -> DAG:
    """Return the DAG that removes old rows. Nothing is imported, read or connected."""
    with DAG(
        dag_id="sync_maintenance",
        description="Remove rows of old runs that no sync needs any more.",
        doc_md=manual,
        schedule=None if os.environ.get(SCHEDULE_SWITCH) == "off" else DAILY,
        start_date=START_DATE,
        catchup=False,
        max_active_runs=1,
        tags=["hubspot", "maintenance"],
        default_args={
            "retries": 5,
            "retry_delay": timedelta(minutes=1),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "execution_timeout": timedelta(hours=4),
        },
    ) as dag:
        for name in sync_names:

            @task(task_id=f"purge_{name}", multiple_outputs=False)
            def purge(sync_name: str) -> dict[str, int]:
                end_with_supervisor()
                from include.hubspot_sync.orchestration.maintenance import run_purge

                return run_purge(sync_name)

            purge(name)
    return dag
