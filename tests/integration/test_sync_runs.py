"""Whole runs of the real DAG: first load, nothing new, changes, removal, clears, crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.airflow_runs import SyncStack, expected_contacts, mapped

pytestmark = pytest.mark.integration


def test_first_load_creates_and_verifies_every_record(stack: SyncStack, source_file: Path):
    result = stack.run()

    assert result.state == "success"
    assert mapped(stack.contacts()) == expected_contacts(source_file)
    summary = result.summary
    assert summary["created"] == summary["records"] == summary["verified"] == 2_500
    assert summary["source_rows"] == 7_500
    for name in ("updated", "archived", "unchanged", "open", "rejected", "quarantined", "mismatched", "http_429"):
        assert summary[name] == 0, name
    assert len([name for name in result.tasks if name.startswith("deliver[")]) == 5


def test_summary_counts_the_requests_that_the_portal_saw(stack: SyncStack):
    result = stack.run()

    stats = stack.stats()
    assert result.summary["api_calls"] == stats["requests"]
    assert result.summary["write_calls"] == stats["write_calls"] == 25
