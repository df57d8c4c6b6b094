"""Ten minutes without one part, with every time as shipped: the run that was under way ends well by itself.

Each takes a quarter of an hour; `make chaos-long` runs them.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.chaos.stack.airflow_stack import open_airflow_stack
from tools.chaos.waiting import pause
from tools.local_stack.console import console

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(2400)]

OUTAGE_S = 600.0
CONTACTS = 3000
SMALL_BATCHES = {"batch_size": 10}
LONGEST_RECOVERY_S = 900.0
"""The longest delay between two tries is 300 s; a try that begins in the last second of the outage waits that long."""


@pytest.mark.parametrize("part", ["hubspot", "api-server", "mysql"])
def test_ten_minutes_without_one_part_fail_no_run(part: str, tmp_path: Path):
    with open_airflow_stack(tmp_path, CONTACTS, SMALL_BATCHES) as stack:
        stack.place.start()
        stack.publish()
        run = stack.trigger()
        stack.wait_for_shards(run)

        stack.place.kill(part)
        pause(OUTAGE_S)
        assert stack.view.run_state(run) == "running"
        stack.place.ensure(part)

        back_at = time.monotonic()
        stack.wait_for_success(run, limit_s=LONGEST_RECOVERY_S)
        seconds = time.monotonic() - back_at
        console.print(f"\n{part} was away for {OUTAGE_S:.0f} s; the run ended {seconds:.0f} s after its return")
        summary = stack.summary(run)
        assert summary["created"] == summary["verified"] == summary["records"] == CONTACTS
        assert stack.portal_equals_source()
