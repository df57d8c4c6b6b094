"""Run the real DAG with `dag.test()` and look at what it did."""

from __future__ import annotations

import csv
import gzip
import json
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local_stack.mysql import MysqlAddress

DAG_ID = "baby_names_to_hubspot"
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

    def run(self, **conf: Any) -> Result:
        """Run the DAG to its end."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dag_run = load_dag().test(run_conf=conf or None)
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
            lines = self.hubspot(f"contacts?limit=10000&after={after}").text.splitlines()
            if not lines:
                return contacts
            for line in lines:
                contact = json.loads(line)
                after = contact["id"]
                if contact["archived"]:
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

    def kaggle_requests(self) -> list[dict[str, Any]]:
        return httpx.get(f"{self.kaggle_url}/__sim/requests").json()


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
