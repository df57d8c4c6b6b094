"""The DAG that removes old rows; what every DAG must have is tested for all of them together."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.orchestration.maintenance_dag import build_maintenance_dag

DAGS = Path(__file__).parents[2] / "dags"


def test_every_sync_has_its_task():
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(dag_folder=str(DAGS), known_pools={"hubspot_api", "default_pool"}).dags["sync_maintenance"]

    assert dag.task_ids
    assert set(dag.task_ids) == {f"purge_{name}" for name in load_definitions()}


def test_tasks_of_two_syncs_do_not_wait_for_each_other():
    dag = build_maintenance_dag(["baby_names", "pet_names"], "manual")

    assert set(dag.task_ids) == {"purge_baby_names", "purge_pet_names"}
    assert all(not task.downstream_task_ids for task in dag.tasks)


def test_schedule_can_be_switched_off_for_a_local_stack(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUBSPOT_SYNC_SCHEDULE", "off")
    assert build_maintenance_dag(["baby_names"], "manual").schedule is None
    monkeypatch.delenv("HUBSPOT_SYNC_SCHEDULE")
    assert build_maintenance_dag(["baby_names"], "manual").schedule == "30 3 * * *"
