"""Plan, look, apply: the real DAG against real servers; a plan that no longer fits sends nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow_runs import SMALL_CONTACTS, Result, SyncStack, expected_contacts, mapped
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.revision import next_version

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_waits")]


@pytest.fixture(scope="module")
def source_file(small_source_file: Path) -> Path:
    return small_source_file


@pytest.fixture
def kaggle_url(small_kaggle_url: str) -> str:
    return small_kaggle_url


@pytest.fixture
def revised(stack: SyncStack, source_file: Path, tmp_path: Path) -> Path:
    """A loaded portal, and a new version: 4 new contacts, 10 with other values, 2 removed."""
    assert stack.run().summary["created"] == SMALL_CONTACTS
    return offer(stack, source_file, tmp_path, seed=5)


def offer(stack: SyncStack, base: Path, folder: Path, *, seed: int, **shares: float) -> Path:
    path = folder / f"version-{seed}.csv"
    shares = shares or {"new": 0.02, "changed": 0.05, "removed": 0.01}
    write_csv(next_version(read_csv(base), seed, **shares), path)
    stack.new_version(path=path)
    return path


def look(stack: SyncStack, **params: Any) -> int:
    """Make a plan and send nothing."""
    before = stack.stats()["write_calls"]
    result = stack.run(mode="plan_only", **params)
    assert (result.state, stack.stats()["write_calls"]) == ("success", before)
    return result.summary["run_id"]


def plan_of(stack: SyncStack, run_id: int) -> dict[str, Any]:
    ((text,),) = stack.query("SELECT plan FROM run_plan WHERE run_id = %s", (run_id,))
    return json.loads(text)


def changes_of(stack: SyncStack, run_id: int, states: tuple[str, ...]) -> set[tuple[str, str]]:
    rows = stack.query("SELECT operation, key_text FROM outbox WHERE run_id = %s AND state IN %s", (run_id, states))
    return set(rows)


def refused(stack: SyncStack, task: str, **params: Any) -> Result:
    """Apply a plan that must not be applied: the task fails and nothing is written."""
    before = stack.stats()["write_calls"]
    result = stack.run(**params)
    assert (result.state, result.tasks[task]) == ("failed", "failed")
    assert stack.stats()["write_calls"] == before
    return result


def test_plan_is_made_looked_at_and_applied_exactly(stack: SyncStack, revised: Path):
    plan_id = look(stack)

    summary = stack.run(plan_run_id=plan_id).summary

    assert summary["state"] == "success"
    assert (summary["created"], summary["updated"], summary["archived"]) == (4, 10, 2)
    assert changes_of(stack, summary["run_id"], ("verified",)) == changes_of(stack, plan_id, ("superseded",))
    assert mapped(stack.contacts()) == expected_contacts(revised)
    plan, applied = plan_of(stack, plan_id), plan_of(stack, summary["run_id"])
    assert plan["changes"] == {"create": 4, "update": 10, "archive": 2}
    assert plan["basis"] == applied["basis"]
    # one upsert and its read-back; the look-up of the archived ones, their archive and its proof
    assert (plan["cost"]["write_calls"], plan["cost"]["read_calls"], summary["planned_calls"]) == (2, 3, 5)
    ((calls, writes),) = stack.query(
        "SELECT SUM(calls), SUM(write_calls) FROM api_usage WHERE run_id = %s AND shard >= 0", (summary["run_id"],)
    )
    assert (int(calls), int(writes)) == (5, 2)
    assert summary["plan_page"] == f"/hubspot-sync/dags/baby_names_to_hubspot/runs/{summary['run_id']}/plan"
    assert stack.query("SELECT detail FROM audit_event WHERE action = 'apply_plan'")[0][0] == json.dumps(
        {"reason": f"plan of run {plan_id}"}
    )

    again = refused(stack, "compute_delta", plan_run_id=plan_id)
    assert "moved on: the ledger" in again.summary["message"]
    stack.query("UPDATE sync_run SET sync_name = 'other' WHERE run_id = %s", (plan_id,))
    ((before,),) = stack.query("SELECT COUNT(*) FROM sync_run")
    # of another sync, of nobody, and with parameters that contradict it: before a run is opened
    refused(stack, "preflight", plan_run_id=plan_id)
    refused(stack, "preflight", plan_run_id=9_999)
    refused(stack, "preflight", plan_run_id=plan_id, mode="plan_only")
    refused(stack, "preflight", plan_run_id=plan_id, record_limit=3)
    assert stack.query("SELECT COUNT(*) FROM sync_run") == [(before,)]


def test_new_version_refuses_the_plan_of_the_old_one_unless_that_is_named(
    stack: SyncStack, revised: Path, source_file: Path, tmp_path: Path
):
    plan_id = look(stack)
    version = plan_of(stack, plan_id)["basis"]["source_version"]
    offer(stack, source_file, tmp_path, seed=6)

    result = refused(stack, "land", plan_run_id=plan_id)

    assert f"moved on: the source (version {version} of" in result.summary["message"]
    named = stack.run(plan_run_id=plan_id, dataset_version=version).summary
    assert (named["state"], named["updated"]) == ("success", 10)
    assert mapped(stack.contacts()) == expected_contacts(revised)


def test_run_that_changed_the_ledger_refuses_the_plan_and_leaves_its_own(stack: SyncStack, revised: Path):
    plan_id = look(stack)
    trial = stack.run(record_limit=3).summary["run_id"]

    result = refused(stack, "compute_delta", plan_run_id=plan_id)

    message = result.summary["message"]
    assert f"the plan of run {plan_id} cannot be applied, moved on: the ledger" in message
    assert f"run {trial} has planned since; changes then: create 4, update 10, archive 2, now: " in message
    ((refused_run,),) = stack.query("SELECT run_id FROM run_plan WHERE applies_run_id = %s", (plan_id,))
    assert sum(plan_of(stack, refused_run)["changes"].values()) == 16 - 3


def test_request_whose_answer_was_lost_after_the_plan_is_seen(stack: SyncStack, revised: Path):
    """The run that applies settles what is in doubt first, as always; what it finds is a ledger that moved on."""
    plan_id = look(stack)
    stack.kill_at_settle()
    assert stack.run().state == "failed"
    stack.let_drain()

    result = refused(stack, "compute_delta", plan_run_id=plan_id)

    assert "moved on: the ledger" in result.summary["message"]


def test_broken_file_is_planned_with_its_guards_and_stops_a_run_that_would_send_it(
    stack: SyncStack, source_file: Path, tmp_path: Path
):
    stack.run()
    broken = offer(stack, source_file, tmp_path, seed=7, removed=0.3)

    planned = stack.run(mode="plan_only").summary
    stopped = refused(stack, "stage")

    assert planned["state"] == "success"
    assert planned["planned_archive"] == 60
    assert planned["note"].startswith("guards stop this plan: the file shrank from ")
    guards = {trip["guard"] for trip in plan_of(stack, planned["run_id"])["trips"]}
    assert guards == {"min_row_share", "min_record_share", "max_archive_share"}
    assert "the file shrank" in stopped.summary["message"]

    approved = stack.run(plan_run_id=planned["run_id"], approve_guards="it is right").summary
    assert (approved["state"], approved["archived"]) == ("success", 60)
    assert mapped(stack.contacts()) == expected_contacts(broken)
