"""What a run of the real DAG writes into the logs of its tasks, and what it never writes there."""

from __future__ import annotations

import logging
import re

import pytest

from tests.support.airflow_runs import SyncStack

pytestmark = pytest.mark.integration

FIELDS = {
    "run_id",
    "shard",
    "batch_no",
    "fence",
    "rows",
    "delivered",
    "rejected",
    "http_status",
    "latency_ms",
    "correlation_id",
}


def test_log_has_a_line_for_each_batch_and_the_table_at_the_end_but_no_content(
    stack: SyncStack, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, logger="include.hubspot_sync")

    result = stack.run()

    lines = [record.getMessage() for record in caplog.records if record.name.startswith("include.hubspot_sync")]
    batches = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in lines if line.startswith("batch settled ")]
    assert [set(batch) for batch in batches] == [FIELDS] * len(batches)
    stored = stack.query("SELECT batch_no, row_count, http_status, correlation_id FROM batch ORDER BY batch_no")
    logged = sorted(
        (int(batch["batch_no"]), int(batch["delivered"]), int(batch["http_status"]), batch["correlation_id"])
        for batch in batches
    )
    assert logged == [tuple(row) for row in stored]

    head = next(number for number, line in enumerate(lines) if line.startswith("summary of run "))
    table = {line.split()[0]: line.split()[1].replace(",", "") for line in lines[head + 1 :] if line.startswith("  ")}
    assert {name: int(table[name]) for name in ("records", "created", "verified")} == {
        name: result.summary[name] for name in ("records", "created", "verified")
    }

    text = "\n".join(lines)
    people = {contact["firstname"] for contact in stack.contacts().values()} | set(stack.contacts())
    assert len(people) > 2_500
    # names of the dataset that are words of programs as well
    people -= {"True", "False", "None"}
    assert {word for word in re.findall(r"[\w-]+", text) if word in people} == set()
    assert [secret for secret in ("pat-sim-full-access", "KGAT_kaggle", stack.schema.password) if secret in text] == []
