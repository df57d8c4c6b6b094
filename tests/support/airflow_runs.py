"""Run the real DAG with `dag.test()` and look at what it did."""

from __future__ import annotations

import csv
import gzip
import json
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local_stack.mysql import MysqlAddress

DAG_ID = "baby_names_to_hubspot"
SMALL_ROWS, SMALL_CONTACTS = 600, 200
"""Size of the file for runs that end early."""
MAPPED = (
    "baby_name_key",
    "firstname",
    "baby_sex",
    "total_births",
    "first_year",
    "last_year",
    "peak_year",
    "peak_births",
)
DAGS = Path(__file__).parent.parent.parent / "dags"


def load_dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS), known_pools={"hubspot_api", "default_pool"})
    assert bag.import_errors == {}
    dag = bag.dags[DAG_ID]
    for task in dag.tasks:
        # a failure must show at once; the retries themselves are seen on the real scheduler
        task.retries = 0
    return dag


@dataclass
class Result:
    """What a DAG run did."""

    state: str
    tasks: dict[str, str]
    summary: dict[str, Any]
    dag_run: Any = field(repr=False)


@dataclass
class SyncStack:
    """One portal, dataset, bucket and schema."""

    schema: MysqlAddress
    hubspot_url: str
    kaggle_url: str
    monkeypatch: pytest.MonkeyPatch
    _after_run: Callable[[], None] = lambda: None

    def run(self, **conf: Any) -> Result:
        """Run the DAG to its end."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                dag_run = load_dag().test(run_conf=conf or None)
            finally:
                self._after_run()
            return self._result(dag_run)

    def _result(self, dag_run: Any) -> Result:
        tasks = {}
        for instance in dag_run.get_task_instances():
            name = instance.task_id if instance.map_index < 0 else f"{instance.task_id}[{instance.map_index}]"
            tasks[name] = str(instance.state)
        rows = self.query("SELECT summary FROM sync_run WHERE dag_run_key = %s", (f"{DAG_ID}:{dag_run.run_id}",))
        summary = json.loads(rows[0][0]) if rows and rows[0][0] else {}
        return Result(str(dag_run.state), tasks, summary, dag_run)

    def query(self, sql: str, params: tuple = ()) -> list[tuple]:
        connection = self.schema.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                rows = list(cursor.fetchall())
            connection.commit()
            return rows
        finally:
            connection.close()

    def hubspot(self, path: str, body: Any | None = None) -> Any:
        """Call the simulator's inspection API."""
        url = f"{self.hubspot_url}/__sim/{path}"
        answer = httpx.get(url) if body is None else httpx.post(url, json=body)
        answer.raise_for_status()
        return answer

    def stats(self) -> dict[str, Any]:
        return self.hubspot("stats").json()

    def contacts(self) -> dict[str, dict[str, str]]:
        """Return the portal's living contacts by key; a key that exists twice fails."""
        contacts: dict[str, dict[str, str]] = {}
        after = "0"
        while True:
            # a name may hold U+2028, at which splitlines() would cut
            lines = self.hubspot(f"contacts?limit=10000&after={after}").text.strip("\n").split("\n")
            lines = [line for line in lines if line]
            if not lines:
                return contacts
            for line in lines:
                contact = json.loads(line)
                after = contact["id"]
                if contact["archived"] or contact["mergedInto"]:
                    continue
                key = contact["properties"]["baby_name_key"]
                assert key not in contacts, f"two contacts for {key}"
                contacts[key] = contact["properties"]

    def new_version(self, **order: Any) -> dict[str, Any]:
        """Let Kaggle offer another version: `path=`, or shares `new=`, `changed=`, `removed=`."""
        body = {name: str(value) if isinstance(value, Path) else value for name, value in order.items()}
        answer = httpx.post(f"{self.kaggle_url}/__sim/versions", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def offer_version(self, version: int) -> None:
        """Let Kaggle go up or down to a version that it knows."""
        httpx.post(f"{self.kaggle_url}/__sim", json={"version": version}).raise_for_status()

    def kaggle_requests(self) -> list[dict[str, Any]]:
        """Return what Kaggle was asked, the storage apart."""
        requests = httpx.get(f"{self.kaggle_url}/__sim/requests").json()["requests"]
        return [request for request in requests if f":{request['port']}" in self.kaggle_url]

    def rerun(self, result: Result, task_id: str, map_index: int = -1) -> dict[str, str]:
        """Clear one task instance of an old run, as the UI does, and run it again; return its state."""
        from airflow.models.taskinstance import clear_task_instances
        from airflow.sdk.definitions.dag import _run_task
        from airflow.utils.session import create_session

        dag = load_dag()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with create_session() as session:
                instance = result.dag_run.get_task_instance(task_id, map_index=map_index, session=session)
                clear_task_instances([instance], session)
            with create_session() as session:
                instance = result.dag_run.get_task_instance(task_id, map_index=map_index, session=session)
                session.expunge(instance)
            task = dag.task_dict[task_id]
            instance.task = task
            try:
                _run_task(ti=instance, task=task)
            except Exception as error:  # noqa: BLE001  the state says what happened; the text helps the reader
                print(f"{task_id}: {error}")  # noqa: T201
            with create_session() as session:
                again = result.dag_run.get_task_instance(task_id, map_index=map_index, session=session)
                name = task_id if map_index < 0 else f"{task_id}[{map_index}]"
                return {name: str(again.state)}

    def rerun_finish(self, result: Result) -> dict[str, Any]:
        """Clear `finish` of an old run, run it, and return the new summary."""
        self.rerun(result, "finish")
        return self._result(result.dag_run).summary

    def kill_at_settle(self) -> None:
        """Let the next run die after its requests were sent and before their answers are stored."""
        from include.hubspot_sync.store import outbox

        def die(*arguments: Any) -> None:
            raise RuntimeError("killed between send and settle")

        settle = outbox.settle_batch
        self.monkeypatch.setattr(outbox, "settle_batch", die)
        self._after_run = lambda: self.monkeypatch.setattr(outbox, "settle_batch", settle)

    def let_drain(self) -> None:
        """Pretend that the leases and the requests of earlier runs ended a minute ago."""
        self.query("UPDATE batch SET lease_until = NOW(6) - INTERVAL 60 SECOND WHERE lease_until IS NOT NULL")
        self.query("UPDATE run_lock SET not_before = NULL")


def airflow_connections(
    schema: MysqlAddress, *, hubspot_url: str, kaggle_url: str, s3_url: str, bucket: str
) -> dict[str, dict[str, Any]]:
    """Return the Airflow connections of a test, by id."""
    return {
        "mysql": {
            "conn_type": "mysql",
            "host": schema.host,
            "port": schema.port,
            "login": schema.user,
            "password": schema.password,
            "schema": schema.database,
            "extra": {"charset": "utf8mb4"},
        },
        "hubspot": {"conn_type": "http", "host": hubspot_url, "password": "pat-sim-full-access"},
        "kaggle": {"conn_type": "http", "host": kaggle_url, "password": "KGAT_kaggle_simulator_token"},
        "aws": {
            "conn_type": "aws",
            "login": "test",
            "password": "test",
            "extra": {
                "endpoint_url": s3_url,
                "region_name": "us-east-1",
                "config_kwargs": {"s3": {"addressing_style": "path"}},
                "service_config": {"s3": {"bucket_name": bucket}},
            },
        },
    }


def expected_contacts(path: Path) -> dict[str, dict[str, str]]:
    """Aggregate a source file in plain Python, sharing nothing with the product."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    years: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for row in csv.DictReader(content.decode().splitlines()):
        years[row["Name"], row["Sex"]][int(row["YearOfBirth"])] = int(row["Number"])
    contacts = {}
    for (name, sex), births in years.items():
        peak = max(births.values())
        key = f"{name}-{sex}".lower()
        contacts[key] = {
            "baby_name_key": key,
            "firstname": name,
            "baby_sex": sex,
            "total_births": str(sum(births.values())),
            "first_year": str(min(births)),
            "last_year": str(max(births)),
            "peak_year": str(min(year for year, count in births.items() if count == peak)),
            "peak_births": str(peak),
        }
    return contacts


def mapped(contacts: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Leave only what the sync writes."""
    return {key: {name: contact.get(name, "") for name in MAPPED} for key, contact in contacts.items()}
