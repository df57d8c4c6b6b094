"""Whole runs of the real DAG: first load, nothing new, changes, removal, clears, crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.hubspot_sync.records import Phase
from tests.support.airflow_runs import SyncStack, expected_contacts, mapped
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.revision import next_version

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


def test_summary_says_where_the_time_went(stack: SyncStack):
    phases = stack.run().summary["phases"]

    assert set(phases) == {str(phase) for phase in Phase}
    assert all(seconds >= 0 for seconds in phases.values())
    assert phases["stage"] >= phases["validate"] + phases["load"] + phases["snapshot"] > 0
    assert phases["read_back"] > phases["answer_wait"] / 2 > 0

    again = stack.run().summary["phases"]
    assert set(again) == {"schedule", "preflight", "land", "limit_wait", "commit"}


def test_summary_counts_the_requests_that_the_portal_saw(stack: SyncStack):
    result = stack.run()

    stats = stack.stats()
    assert result.summary["api_calls"] == stats["requests"]
    assert result.summary["write_calls"] == stats["write_calls"] == 25


def test_unchanged_file_costs_one_kaggle_call_and_no_write(stack: SyncStack):
    stack.run()
    before = stack.stats()["write_calls"]
    asked = len(stack.kaggle_requests())

    result = stack.run()

    assert result.state == "success"
    assert stack.stats()["write_calls"] == before
    assert len(stack.kaggle_requests()) == asked + 1
    summary = result.summary
    assert summary["unchanged"] == summary["records"] == 2_500
    assert (summary["created"], summary["updated"], summary["archived"], summary["write_calls"]) == (0, 0, 0, 0)
    assert result.tasks["stage"] == "skipped"


def test_changes_and_removals_are_sent_and_nothing_else(stack: SyncStack, source_file: Path, tmp_path: Path):
    stack.run()
    before = stack.stats()
    version2 = tmp_path / "version2.csv"
    write_csv(next_version(read_csv(source_file), 5, new=0.01, changed=0.01, removed=0.004), version2)
    stack.new_version(path=version2)

    result = stack.run()

    assert result.state == "success"
    summary = result.summary
    assert (summary["created"], summary["updated"], summary["archived"]) == (25, 25, 10)
    assert summary["unchanged"] == 2_500 - 25 - 10
    assert summary["verified"] == 60
    assert mapped(stack.contacts()) == expected_contacts(version2)
    after = stack.stats()
    assert after["rows_updated"] - before["rows_updated"] == 25
    assert after["rows_unchanged"] == before["rows_unchanged"]


def test_new_version_with_the_same_bytes_sends_nothing(stack: SyncStack, source_file: Path):
    stack.run()
    before = stack.stats()["write_calls"]
    stack.new_version(path=source_file)

    result = stack.run()
    again = stack.run()

    assert (result.state, again.state) == ("success", "success")
    assert stack.stats()["write_calls"] == before
    assert again.tasks["stage"] == "skipped"


def test_poison_row_is_rejected_with_its_source_line_and_the_rest_arrives(stack: SyncStack, source_file: Path):
    poisoned = sorted(expected_contacts(source_file))[7]
    stack.hubspot(
        "faults",
        {
            "match": {"path_regex": "batch/upsert", "row": {"prop": "baby_name_key", "regex": f"^{poisoned}$"}},
            "phase": "pre",
            "action": {"type": "row_error", "category": "VALIDATION_ERROR", "error_code": "INVALID_OPTION"},
        },
    )

    result = stack.run()

    assert result.state == "success"
    assert (result.summary["created"], result.summary["rejected"]) == (2_499, 1)
    rows = stack.query("SELECT key_text, source_file, line_no, reason, correlation_id FROM rejected_record")
    assert [row[0] for row in rows] == [poisoned]
    assert rows[0][1].endswith("babyNamesUSYOB-full.csv")
    assert rows[0][2] > 1
    assert rows[0][4]

    again = stack.run()
    assert (again.summary["rejected"], again.summary["unchanged"], again.summary["write_calls"]) == (1, 2_499, 0)


def test_cleared_shard_sends_nothing_again_and_frees_the_lock(stack: SyncStack):
    first = stack.run()
    before = stack.stats()["write_calls"]

    stack.rerun(first, "deliver", map_index=2)

    assert stack.stats()["write_calls"] == before
    assert stack.query("SELECT holder FROM run_lock") == [(None,)]


def test_cleared_shard_of_a_run_that_a_newer_plan_replaced_writes_nothing(stack: SyncStack):
    first = stack.run()
    stack.new_version(seed=6, changed=0.01)
    stack.run()
    contacts = stack.contacts()
    before = stack.stats()["write_calls"]

    states = stack.rerun(first, "deliver", map_index=0)

    assert states == {"deliver[0]": "skipped"}
    assert stack.stats()["write_calls"] == before
    assert stack.contacts() == contacts


def test_cleared_shard_with_open_rows_sends_only_those(stack: SyncStack):
    stack.hubspot(
        "faults",
        {
            "match": {"path_regex": "batch/upsert"},
            "phase": "pre",
            "action": {"type": "status", "code": 403},
            "times": 1,
        },
    )
    first = stack.run()
    assert first.state == "failed"
    assert first.summary["open"] > 0
    created = first.summary["created"]

    for index in range(5):
        stack.rerun(first, "deliver", map_index=index)
    summary = stack.rerun_finish(first)

    assert summary["state"] == "success"
    assert summary["created"] == summary["verified"] == 2_500 > created
    assert stack.stats()["dup_row_writes"] == 0


def test_cleared_run_keeps_its_plan_and_repeats_nothing(stack: SyncStack):
    first = stack.run()
    before = stack.stats()["write_calls"]

    for task in ("preflight", "land", "stage", "compute_delta"):
        stack.rerun(first, task)
    summary = stack.rerun_finish(first)

    assert stack.stats()["write_calls"] == before
    assert summary["created"] == summary["records"] == summary["verified"] == 2_500
    assert summary["state"] == "success"


def test_run_killed_after_the_send_is_undone_by_a_file_that_went_back(
    stack: SyncStack, source_file: Path, tmp_path: Path
):
    stack.run()
    stack.new_version(seed=9, changed=0.004)
    stack.kill_at_settle()
    killed = stack.run()
    assert killed.state == "failed"
    assert mapped(stack.contacts()) != expected_contacts(source_file)
    stack.let_drain()

    stack.new_version(path=source_file)
    result = stack.run()

    assert result.state == "success"
    assert mapped(stack.contacts()) == expected_contacts(source_file)
    assert result.summary["updated"] == 10
    assert stack.query("SELECT COUNT(*) FROM ledger WHERE state = 'uncertain'") == [(0,)]


def test_plan_only_shows_the_changes_and_sends_nothing(stack: SyncStack):
    result = stack.run(mode="plan_only")

    assert result.state == "success"
    assert result.summary["planned_create"] == 2_500
    assert stack.stats()["write_calls"] == 0
    assert stack.run().summary["created"] == 2_500


def test_older_version_ends_superseded_before_any_write_unless_allowed(
    stack: SyncStack, source_file: Path, tmp_path: Path
):
    version2 = tmp_path / "version2.csv"
    write_csv(next_version(read_csv(source_file), 3, changed=0.01), version2)
    stack.new_version(path=version2)
    stack.run()
    before = stack.stats()["write_calls"]
    stack.offer_version(1)

    refused = stack.run()

    assert refused.state == "success"
    assert refused.summary["state"] == "superseded"
    assert "version 2 has been synced" in refused.summary["message"]
    assert stack.stats()["write_calls"] == before

    allowed = stack.run(allow_older_version="version 2 was wrong")

    assert allowed.summary["state"] == "success"
    assert allowed.summary["updated"] == 25
    assert mapped(stack.contacts()) == expected_contacts(source_file)


def test_pinned_version_is_synced_instead_of_the_newest(stack: SyncStack, source_file: Path):
    """An older one needs a reason; the next run without a pin brings the newest again."""
    stack.run()
    newest = stack.new_version(seed=6, changed=0.01)["version"]
    stack.run()
    before = stack.stats()["write_calls"]

    refused = stack.run(dataset_version=1)
    assert refused.summary["state"] == "superseded"
    assert stack.stats()["write_calls"] == before

    back = stack.run(dataset_version=1, allow_older_version="the newest one is wrong")
    assert back.summary["updated"] == 25
    assert mapped(stack.contacts()) == expected_contacts(source_file)

    missing = stack.run(dataset_version=newest + 1)
    assert (missing.state, missing.tasks["land"]) == ("failed", "failed")

    again = stack.run()
    assert again.summary["updated"] == 25


def test_trial_run_sends_a_part_and_the_next_run_the_rest(stack: SyncStack, source_file: Path):
    trial = stack.run(min_total_births=1_000, record_limit=300)

    assert trial.state == "success"
    assert trial.summary["created"] == len(stack.contacts()) <= 300
    assert all(int(contact["total_births"]) >= 1_000 for contact in stack.contacts().values())
    assert trial.summary["open"] == 2_500 - trial.summary["created"]
    assert trial.summary["note"].startswith("a limited run: ")

    rest = stack.run()

    assert rest.summary["created"] + rest.summary["unchanged"] == 2_500
    assert mapped(stack.contacts()) == expected_contacts(source_file)


def test_run_may_read_back_less_than_the_definition_says(stack: SyncStack):
    result = stack.run(read_back="none")

    assert result.state == "success"
    assert (result.summary["created"], result.summary["verified"]) == (2_500, 0)
    assert result.summary["api_calls"] - result.summary["write_calls"] < 15
    assert stack.run().summary["write_calls"] == 0
