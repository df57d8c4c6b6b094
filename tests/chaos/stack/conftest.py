"""One stack with Airflow's scheduler for the tests of this folder that need it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.stack.airflow_stack import AirflowStack, open_airflow_stack

CONTACTS = 3000
DELIVERY = {"batch_size": 10, "request_timeout_s": 3}
"""Some 100 changed batches in five shards: a run delivers for ten seconds and more, and what a killed try had in flight
is free after 12 s."""


@pytest.fixture(scope="module")
def airflow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    folder = tmp_path_factory.mktemp("place")
    with open_airflow_stack(folder, CONTACTS, DELIVERY) as stack:
        allow_runs_to_overlap(folder)
        stack.place.start()
        yield stack


def allow_runs_to_overlap(folder: Path) -> None:
    """Take away Airflow's own limit, which backfills pass by: what is left is the run lock."""
    path = folder / "include" / "hubspot_sync" / "orchestration" / "sync_dag.py"
    content = path.read_text(encoding="utf-8")
    assert "max_active_runs=1" in content
    path.write_text(content.replace("max_active_runs=1", "max_active_runs=4"), encoding="utf-8")
