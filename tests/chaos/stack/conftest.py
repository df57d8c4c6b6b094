"""One stack with Airflow's scheduler for the tests of this folder that need it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.stack.airflow_stack import AirflowStack
from tools.chaos.place import make_place
from tools.chaos.source import Source

CONTACTS = 3000
DELIVERY = {"batch_size": 10, "request_timeout_s": 3, "lease_s": 9}
"""Some 100 changed batches in five shards: a run delivers for ten seconds and more, and what a killed try had in flight
is free after 12 s."""
KNOBS = {"KAGGLE_SIM_PROFILE": "small", "HUBSPOT_SIM_SEARCH_LAG_MS": "0"}


@pytest.fixture(scope="module")
def airflow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    folder = tmp_path_factory.mktemp("place")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    place = make_place(folder, {**environ, **KNOBS}, DELIVERY)
    allow_runs_to_overlap(folder)
    try:
        place.start()
        yield AirflowStack(place, Source(random.Random(1), folder, CONTACTS))  # noqa: S311  any dataset will do
    finally:
        place.down()


def allow_runs_to_overlap(folder: Path) -> None:
    """Take away Airflow's own limit, which backfills pass by: what is left is the run lock."""
    path = folder / "include" / "hubspot_sync" / "orchestration" / "sync_dag.py"
    content = path.read_text(encoding="utf-8")
    assert "max_active_runs=1" in content
    path.write_text(content.replace("max_active_runs=1", "max_active_runs=4"), encoding="utf-8")
