"""Make the DAG that asks Kaggle for a new version more often than the sync runs."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Asset, task

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.orchestration.process_end import end_with_supervisor
from include.hubspot_sync.orchestration.sync_dag import SCHEDULE_SWITCH, START_DATE, version_asset


def build_probe_dag(definition: SyncDefinition, manual: str | None) -> DAG:
    """Return the DAG that tells the sync of a new version. Nothing is imported, read or connected."""
    asset: Asset = version_asset(definition)
    name = definition.name
    with DAG(
        dag_id=f"{name}_probe",
        description=f"Ask Kaggle for a new version and start {definition.dag_id} when there is one.",
        doc_md=manual,
        schedule=None if os.environ.get(SCHEDULE_SWITCH) == "off" else definition.probe,
        start_date=START_DATE,
        catchup=False,
        max_active_runs=1,
        tags=[*definition.tags, "probe"],
        default_args={
            "retries": 5,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "execution_timeout": timedelta(minutes=10),
        },
    ) as dag:

        @task(outlets=[asset])
        def ask_kaggle() -> int:
            end_with_supervisor()
            from include.hubspot_sync.orchestration.probe import run_probe

            return run_probe(name)

        ask_kaggle()
    return dag
