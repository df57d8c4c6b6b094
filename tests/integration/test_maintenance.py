"""The maintenance DAG in real Airflow (`dag.test`) on a real MySQL server."""

from __future__ import annotations

import json
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.store.connection import Database
from tests.support.airflow_runs import airflow_connections
from tests.support.rows import SourceRow
from tests.support.whole_runs import whole_run
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.integration

DAGS = Path(__file__).parents[2] / "dags"
ENDS = "SELECT chore, successes, failures FROM chore"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def run_dag(airflow_database: None, schema: MysqlAddress, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the DAG to its end; of the connections only `mysql` leads anywhere."""
    from airflow.dag_processing.dagbag import DagBag

    connections = airflow_connections(schema, hubspot_url=NOWHERE, kaggle_url=NOWHERE, s3_url=NOWHERE, bucket="none")
    for name, content in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(content))

    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dag = DagBag(dag_folder=str(DAGS), known_pools={"hubspot_api", "default_pool"}).dags["sync_maintenance"]
            for task in dag.tasks:
                task.retries = 0
            return dag.test()

    return run


def result_of(dag_run: Any) -> Any:
    """Return what the task left in XCom."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.scalars(XComModel.get_many(run_id=dag_run.run_id, task_ids="purge_baby_names")).all()
        assert [row.key for row in found] == ["return_value"]
        return XComModel.deserialize_value(found[0])


def execute(schema: MysqlAddress, sql: str) -> list[tuple[Any, ...]]:
    with closing(schema.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        rows = list(cursor.fetchall())
        connection.commit()
        return rows


def test_dag_removes_the_rows_of_old_runs_and_returns_counts_only(
    run_dag: Any, schema: MysqlAddress, database: Database, definition: SyncDefinition, tmp_path: Path
):
    kept = definition.retention.keep_runs
    for births in range(1, kept + 3):
        rows: list[SourceRow] = [(1900, name, "F", births) for name in ("Ada", "Bea", "Cleo")]
        whole_run(database, definition, tmp_path, f"run {births}", births, rows)
    execute(schema, "UPDATE sync_run SET finished_at = NOW(6) - INTERVAL 31 DAY")
    execute(schema, "UPDATE batch SET updated_at = NOW(6) - INTERVAL 31 DAY")

    dag_run = run_dag()

    assert str(dag_run.state) == "success"
    removed = {"runs": 2, "outbox": 6, "snapshot": 0, "batch": 4, "run_plan": 2, "rejected_record": 0}
    assert result_of(dag_run) == removed
    assert execute(schema, "SELECT COUNT(DISTINCT run_id), COUNT(*) FROM outbox") == [(kept, 3 * kept)]
    assert execute(schema, ENDS) == [("maintenance", 1, 0)]


def test_task_fails_with_the_cause_when_mysql_is_not_migrated(run_dag: Any, schema: MysqlAddress):
    execute(schema, "DROP TABLE rejected_record")

    dag_run = run_dag()

    assert str(dag_run.state) == "failed"
    assert execute(schema, ENDS) == [("maintenance", 0, 1)]
