"""Runs of the real DAG on a real scheduler: start, watch, clear, kill, and what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tools.chaos.airflow_view import AirflowView, RunningTask, Shard
from tools.chaos.place import Place, make_place
from tools.chaos.portal import KEY, Portal
from tools.chaos.source import Source, expected_contacts
from tools.chaos.tables import Tables
from tools.chaos.waiting import wait_until
from tools.local_stack.airflow_api import BusyError
from tools.local_stack.mysql import parse_url
from tools.local_stack.services import DAG_ID

RUN_LIMIT_S = 300.0
_KNOBS = {"KAGGLE_SIM_PROFILE": "small", "HUBSPOT_SIM_SEARCH_LAG_MS": "0"}


@dataclass
class AirflowStack:
    """A place with Airflow, and its dataset."""

    place: Place
    source: Source
    file: Path = Path()

    @property
    def tables(self) -> Tables:
        return Tables(parse_url(self.place.stack.mysql_url))

    @property
    def view(self) -> AirflowView:
        return AirflowView(self.place.layout.airflow_home / "airflow.db", self.place.everything)

    def publish(self) -> None:
        """Let Kaggle offer the next version."""
        self.file = self.source.publish()
        url = f"{self.place.stack.kaggle_url}/__sim/versions"
        httpx.post(url, json={"path": str(self.file)}, timeout=60).raise_for_status()

    def trigger(self, **params: str) -> str:
        return self.place.parts.api.trigger(DAG_ID, params).dag_run_id

    def wait_for_success(self, run: str, limit_s: float = RUN_LIMIT_S) -> None:
        """Wait for the end of a run; any other end than success fails with the run's own words."""
        wait_until(lambda: self.view.run_state(run) in ("success", "failed"), limit_s=limit_s, what=f"the end of {run}")
        assert self.view.run_state(run) == "success", self.summary(run).get("message")

    def wait_for_shards(self, run: str) -> list[RunningTask]:
        """Wait until several shards of the run work on batches, and return them."""
        found: list[RunningTask] = []

        def are_busy() -> bool:
            names = {owner.name for owner in self.tables.busy()}
            found[:] = [task for task in self.view.running(run) if task.shard.owner in names]
            return len(found) > 1

        wait_until(are_busy, limit_s=RUN_LIMIT_S, what="shards at work")
        return found

    def shard(self, run: str, map_index: int) -> Shard:
        return next(shard for shard in self.view.shards(run) if shard.map_index == map_index)

    def clear(self, run: str, *tasks: list[Any]) -> None:
        """Clear some tasks as the UI does, with those that come after; without names the whole run."""
        api = self.place.parts.api
        if tasks:
            order = {"dag_run_id": run, "task_ids": list(tasks), "include_downstream": True}
            path = f"/dags/{DAG_ID}/clearTaskInstances"
        else:
            order, path = {}, f"/dags/{DAG_ID}/dagRuns/{run}/clear"
        api._call("POST", path, json={"dry_run": False, "only_failed": False, **order})

    def backfill(self, first: str, last: str) -> None:
        """Let Airflow make up for past dates, two runs at a time; it refuses while its SQLite is locked."""
        order = {"dag_id": DAG_ID, "from_date": first, "to_date": last, "dag_run_conf": {}, "max_active_runs": 2}

        def is_ordered() -> bool:
            with contextlib.suppress(BusyError):
                self.place.parts.api._call("POST", "/backfills", json=order)
                return True
            return False

        wait_until(is_ordered, limit_s=60, what="a backfill that Airflow accepts")

    def batches(self, run: str, *states: str) -> int:
        """Count the batches of a run, all or those in certain states."""
        rows = self.tables.rows(
            "SELECT b.state FROM batch b JOIN sync_run r USING (run_id) WHERE r.dag_run_key = %(key)s",
            {"key": f"{DAG_ID}:{run}"},
        )
        return sum(row["state"] in states for row in rows) if states else len(rows)

    def write_calls(self) -> int:
        """Return how many requests that write the portal has seen."""
        return int(self._portal_stats()["write_calls"])

    def refused_calls(self) -> int:
        """Return how many requests the portal refused as too many; they changed nothing."""
        return int(self._portal_stats()["by_status"].get("429", 0))

    def _portal_stats(self) -> dict[str, Any]:
        portal = Portal(self.place.stack.hubspot_url)
        try:
            return dict(portal.stats())
        finally:
            portal.close()

    def summary(self, run: str) -> dict[str, Any]:
        sql = "SELECT summary FROM sync_run WHERE dag_run_key = %(key)s"
        rows = self.tables.rows(sql, {"key": f"{DAG_ID}:{run}"})
        return json.loads(rows[0]["summary"] or "{}") if rows else {}

    def run_row(self, run: str) -> dict[str, Any]:
        return self.tables.rows("SELECT * FROM sync_run WHERE dag_run_key = %(key)s", {"key": f"{DAG_ID}:{run}"})[0]

    def portal_equals_source(self) -> bool:
        """Tell whether the portal holds exactly the contacts of the newest file, each once."""
        portal = Portal(self.place.stack.hubspot_url)
        living = [contact for contact in portal.contacts() if not contact.is_archived]
        portal.close()
        expected = expected_contacts(self.file)
        held = {contact.properties[KEY]: contact.properties for contact in living}
        mapped = {key: {name: held[key].get(name) for name in expected.get(key, {})} for key in held}
        return len(living) == len(held) and mapped == expected


@contextlib.contextmanager
def open_airflow_stack(
    folder: Path, contacts: int, delivery: Mapping[str, Any], *, schedule: str = ""
) -> Iterator[AirflowStack]:
    """Start a stack of its own, and stop everything of it at the end.

    Args:
        folder: An empty folder.
        contacts: Size of each version of the dataset.
        delivery: Settings of the definition that are not the shipped ones.
        schedule: When the DAG runs by itself; empty: never.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    place = make_place(folder, {**environ, **_KNOBS}, delivery, schedule=schedule)
    try:
        yield AirflowStack(place, Source(random.Random(1), folder, contacts))  # noqa: S311  any dataset will do
    finally:
        place.down()
