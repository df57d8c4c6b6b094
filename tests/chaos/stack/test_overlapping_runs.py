"""Scheduled, manual and backfill runs at the same time, with Airflow's limits as shipped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.stack.airflow_stack import AirflowStack, open_airflow_stack
from tools.chaos.place import WITHOUT_AIRFLOW
from tools.chaos.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

PAST = ("2026-01-05T00:00:00Z", "2026-01-05T00:01:00Z")
"""Two dates of a DAG that runs every minute."""


@pytest.fixture
def minutely_stack(tmp_path: Path) -> Iterator[AirflowStack]:
    delivery = {"batch_size": 10, "request_timeout_s": 3}
    with open_airflow_stack(tmp_path, 3000, delivery, schedule="* * * * *") as stack:
        stack.place.start(WITHOUT_AIRFLOW)
        stack.publish()
        stack.place.start()
        yield stack


def test_scheduled_manual_and_backfill_runs_write_one_after_the_other(minutely_stack: AirflowStack):
    view = minutely_stack.view
    wait_until(lambda: bool(view.run_ids("scheduled")), limit_s=90, what="the first scheduled run")
    scheduled = view.run_ids("scheduled")[0]
    minutely_stack.wait_for_shards(scheduled)

    minutely_stack.publish()
    manual = minutely_stack.trigger()
    minutely_stack.backfill(*PAST)
    wait_until(lambda: len(view.run_ids("backfill")) == len(PAST), limit_s=60, what="the runs of the backfill")
    backfills = view.run_ids("backfill")

    runs = [scheduled, manual, *backfills]
    for run in runs:
        minutely_stack.wait_for_success(run)
    assert {minutely_stack.summary(run)["state"] for run in runs} <= {"success", "superseded"}
    assert any(view.tries(run, "preflight") > 1 for run in backfills), "no run of the backfill met the lock"
    written = minutely_stack.tables.rows(
        "SELECT dag_run_key, first_claim_at, last_delivered_at FROM sync_run "
        "WHERE last_delivered_at IS NOT NULL ORDER BY first_claim_at"
    )
    assert len(written) > 1, "only one run had something to write"
    for earlier, later in itertools.pairwise(written):
        assert earlier["last_delivered_at"] < later["first_claim_at"], (earlier, later)
    assert minutely_stack.portal_equals_source()
