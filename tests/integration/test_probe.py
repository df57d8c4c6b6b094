"""The probe on a real scheduler: a new version starts the sync at once, an old one starts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.stack.airflow_stack import AirflowStack, open_airflow_stack
from tools.chaos.place import WITHOUT_AIRFLOW
from tools.chaos.waiting import pause, wait_until
from tools.local_stack.services import DAG_ID

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ONCE_A_YEAR = "0 0 1 1 *"
PROBE = "baby_names_probe"


@pytest.fixture
def yearly_stack(tmp_path: Path) -> Iterator[AirflowStack]:
    with open_airflow_stack(tmp_path, 200, {}, schedule=ONCE_A_YEAR) as stack:
        stack.place.start(WITHOUT_AIRFLOW)
        stack.publish()
        stack.place.start()
        wait_until(lambda: stack.place.parts.api.has_dag(PROBE), limit_s=60, what="the DAG of the probe")
        yield stack


def probe(stack: AirflowStack) -> None:
    run = stack.place.parts.api.trigger(PROBE, {}).dag_run_id
    rest(stack)
    assert stack.place.parts.api.dag_run(PROBE, run).state == "success"


def rest(stack: AirflowStack) -> None:
    """Wait until nothing runs, and what ended has started what it starts."""
    pause(1)
    wait_until(stack.view.is_quiet, limit_s=120, what="the end of every run")
    pause(1)
    wait_until(stack.view.is_quiet, limit_s=120, what="the end of every run")


def test_new_version_starts_the_sync_and_only_once(yearly_stack: AirflowStack):
    started = partial(yearly_stack.view.run_ids, "asset_triggered")
    # Airflow makes up for the last date of every schedule when it first sees it: those runs take the first version
    for dag_id in (DAG_ID, PROBE):
        made_up = partial(yearly_stack.view.run_ids, "scheduled", dag_id)
        wait_until(lambda made_up=made_up: bool(made_up()), limit_s=120, what=f"the first scheduled run of {dag_id}")
    rest(yearly_stack)
    before = started()
    yearly_stack.publish()

    probe(yearly_stack)

    (run,) = [run for run in started() if run not in before]
    assert yearly_stack.view.run_state(run) == "success"
    assert yearly_stack.summary(run)["updated"] > 0
    assert yearly_stack.portal_equals_source()

    probe(yearly_stack)

    assert started() == [*before, run]
