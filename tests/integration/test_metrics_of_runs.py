"""The exporter's numbers beside those of the engine, after real runs of the real DAG."""

from __future__ import annotations

import pytest

from include.hubspot_sync.orchestration.metrics_exporter import open_reader
from tests.support.airflow_runs import SyncStack
from tests.support.samples import Samples

pytestmark = pytest.mark.integration


def test_metrics_are_the_sums_of_what_the_runs_say_and_the_portal_saw(stack: SyncStack):
    stack.hubspot(
        "faults",
        {
            "match": {"path_regex": "batch/upsert"},
            "phase": "pre",
            "action": {"type": "status", "code": 503},
            "times": 1,
        },
    )
    first = stack.run()
    stack.let_drain()
    unchanged = stack.run()
    samples = Samples.of(open_reader(stack.schema.url, ["baby_names"])())

    assert (first.state, unchanged.state) == ("success", "success")
    assert samples("success_total", mode="incremental") == 2
    created = samples("records_total", operation="create", outcome="delivered")
    assert created == samples("verified_total") == first.summary["created"] == 2_500
    assert samples("records_total", operation="none", outcome="unchanged") == unchanged.summary["unchanged"]
    requests = [samples("api_requests_total", kind=kind) for kind in ("read", "write")]
    assert sum(requests) == stack.stats()["requests"]
    assert requests[1] == stack.stats()["write_calls"]
    assert samples("api_answers_total", status="503") == 1
    # every request is answered, those of preflight included
    answers = sum(value for (name, _), value in samples.values.items() if name == "hubspot_sync_api_answers_total")
    assert answers == samples("api_latency_seconds_count") == stack.stats()["requests"]
    assert 0 < samples("api_latency_seconds_sum") < 20 * answers
    assert samples("queue_depth") == 0
    assert samples("phase_seconds_total", phase="deliver") > 0
    assert samples("daily_quota_used") > 0
