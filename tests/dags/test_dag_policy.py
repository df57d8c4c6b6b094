"""What every DAG must have, and that reading one costs nothing: no network, no database, no heavy import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.hubspot_sync.config import SYNCS_DIR, load_definition, load_definitions
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.probe_dag import build_probe_dag
from include.hubspot_sync.orchestration.sync_dag import build_sync_dag, version_asset

ROOT = Path(__file__).parent.parent.parent
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
SETTINGS = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text(encoding="utf-8"))
POOLS = {pool["pool_name"] for pool in SETTINGS["airflow"]["pools"]} | {"default_pool"}
MIN_RETRIES = 5
MIN_SPAN_S = 600
"""Retries must bridge a restart of a database or ten minutes without network."""
HEAVY = frozenset({"pandas", "numpy", "boto3", "botocore", "httpx", "MySQLdb", "requests", "tools"})


def load_bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "dags"), known_pools=POOLS)


@pytest.fixture(scope="module")
def bag() -> Any:
    return load_bag()


def tasks_of(bag: Any) -> list[Any]:
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    assert tasks
    return tasks


def test_every_file_is_read_without_an_error(bag: Any):
    assert bag.import_errors == {}


def test_every_definition_has_its_dag(bag: Any):
    expected = {definition.dag_id for definition in load_definitions().values()}
    assert expected
    assert expected <= set(bag.dags)


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.name)
def test_every_file_gives_a_dag_and_is_not_skipped(bag: Any, file: Path):
    # Airflow passes over files that lack one of these two words, and says nothing
    content = file.read_text(encoding="utf-8").lower()
    assert "dag" in content
    assert "airflow" in content
    assert [dag.dag_id for dag in bag.dags.values() if Path(dag.fileloc) == file]


def test_every_dag_has_the_agreed_settings(bag: Any):
    for dag in bag.dags.values():
        assert dag.doc_md, dag.dag_id
        assert dag.description, dag.dag_id
        assert dag.tags, dag.dag_id
        assert dag.catchup is False, dag.dag_id
        assert dag.max_active_runs == 1, dag.dag_id
        assert dag.start_date.tzinfo is not None, dag.dag_id


def test_manual_of_the_sync_names_its_tasks_and_parameters(bag: Any):
    dag = bag.dags["baby_names_to_hubspot"]
    words = set(re.findall(r"`([^`]+)`", dag.doc_md))
    assert set(dag.task_ids) <= words
    assert set(dag.params) <= words


def test_trigger_form_can_be_sent_as_it_opens(bag: Any):
    """The form of Airflow 3.3.2 sends nothing while a parameter whose type lacks null has an empty value."""
    for dag in bag.dags.values():
        for name in dag.params:
            param = dag.params.get_param(name)
            assert param.value not in (None, "") or "null" in param.schema["type"], f"{dag.dag_id}.{name}"


def test_trigger_form_begins_with_what_is_needed_most(bag: Any):
    params = bag.dags["baby_names_to_hubspot"].params
    unfolded = [name for name in params if "section" not in params.get_param(name).schema]

    assert [*params][:3] == unfolded == ["mode", "plan_run_id", "approve_guards"]


def test_every_task_is_retried_long_enough(bag: Any):
    for task in tasks_of(bag):
        name = f"{task.dag_id}.{task.task_id}"
        assert task.retries >= MIN_RETRIES, name
        assert task.retry_delay.total_seconds() > 0, name
        assert float(task.retry_exponential_backoff) > 1, name
        assert task.max_retry_delay.total_seconds() > 0, name
        assert sum(planned_delays_s(task)) > MIN_SPAN_S, name
        assert task.execution_timeout is not None, name


def planned_delays_s(task: Any) -> list[float]:
    """Return the waits between the tries: the first one, multiplied each time, up to the longest."""
    first, longest = task.retry_delay.total_seconds(), task.max_retry_delay.total_seconds()
    factor = float(task.retry_exponential_backoff)
    return [min(first * factor**retry, longest) for retry in range(task.retries)]


def test_run_lock_outlasts_the_wait_between_two_tries(bag: Any):
    for definition in load_definitions().values():
        for task in bag.dags[definition.dag_id].tasks:
            assert max(planned_delays_s(task)) < definition.delivery.run_lease_s, task.task_id


def test_delays_grow_up_to_the_longest(bag: Any):
    delays = planned_delays_s(bag.dags["baby_names_to_hubspot"].task_dict["deliver"])
    assert all(earlier <= later for earlier, later in pairwise(delays))
    assert delays[0] <= 10, "a short trouble must not cost more than seconds"


def test_every_pool_exists(bag: Any):
    assert {task.pool for task in tasks_of(bag)} <= POOLS


def test_only_delivery_takes_slots_of_the_hubspot_pool(bag: Any):
    for definition in load_definitions().values():
        in_pool = {task.task_id for task in bag.dags[definition.dag_id].tasks if task.pool == definition.delivery.pool}
        assert in_pool == {"deliver"}


def test_delivery_is_mapped_and_its_instances_have_names(bag: Any):
    deliver = bag.dags["baby_names_to_hubspot"].task_dict["deliver"]
    assert deliver.is_mapped
    assert "label" in deliver.partial_kwargs["map_index_template"]


def test_finish_runs_whatever_happened_before(bag: Any):
    finish = bag.dags["baby_names_to_hubspot"].task_dict["finish"]
    assert finish.trigger_rule == "all_done"
    assert finish.downstream_task_ids == set()


READER = """
import json, runpy, sys, airflow.sdk
events = []
watched = {"socket.connect", "socket.getaddrinfo", "sqlite3.connect"}
sys.addaudithook(lambda event, details: events.append(event) if event in watched else None)
before = set(sys.modules)
try:
    runpy.run_path(sys.argv[1])
finally:
    print("FOUND", json.dumps([sorted(set(sys.modules) - before), sorted(sys.modules), events]))
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one DAG file did in a process that had only Airflow's SDK."""

    new_modules: frozenset[str]
    modules: frozenset[str]
    connections: tuple[str, ...]


def read_in_a_process_of_its_own(file: Path) -> Reading:
    command = [sys.executable, "-c", READER, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stderr
    new, everything, events = json.loads(lines[0].removeprefix("FOUND "))
    return Reading(packages(new), packages(everything), tuple(events))


def packages(modules: list[str]) -> frozenset[str]:
    return frozenset(name.split(".")[0] for name in modules)


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.name)
def test_reading_a_dag_file_connects_to_nothing_and_imports_nothing_heavy(file: Path):
    reading = read_in_a_process_of_its_own(file)

    assert reading.connections == ()
    assert not HEAVY & reading.new_modules
    assert "include" in reading.new_modules


def test_a_dag_file_that_connects_and_imports_is_found_out(tmp_path: Path):
    file = tmp_path / "greedy.py"
    file.write_text(
        "import boto3, contextlib, socket, sqlite3\n"
        "sqlite3.connect(':memory:').close()\n"
        "with contextlib.suppress(OSError):\n"
        "    socket.create_connection(('127.0.0.1', 9))\n",
        encoding="utf-8",
    )

    reading = read_in_a_process_of_its_own(file)

    assert {"sqlite3.connect", "socket.connect"} <= set(reading.connections)
    assert "boto3" in reading.new_modules


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The definitions, and a second one made from the first by changing its values only."""
    original = (SYNCS_DIR / "baby_names.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(original)
    content |= {"name": "pet_names", "dag_id": "pet_names_to_hubspot", "schedule": "0 3 * * 1", "probe": None}
    content["destination"]["key_property"] = "pet_name_key"
    (tmp_path / "baby_names.yaml").write_text(original, encoding="utf-8")
    (tmp_path / "pet_names.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path


def test_second_definition_gives_a_second_dag_without_any_python(folder: Path):
    definitions = load_definitions(folder)

    first, second = (build_sync_dag(definition, "manual") for definition in definitions.values())

    assert (first.dag_id, second.dag_id) == ("baby_names_to_hubspot", "pet_names_to_hubspot")
    assert (first.timetable.timetable.expression, second.schedule) == ("0 0 * * *", "0 3 * * 1")
    assert second.task_ids == first.task_ids
    tables = [definition.staging_table for definition in definitions.values()]
    assert tables == ["staging_baby_names", "staging_pet_names"]
    assert definitions["pet_names"].destination.key_property == "pet_name_key"


def test_dag_file_turns_every_definition_of_the_folder_into_a_dag(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load_definitions, "__defaults__", (folder,))

    bag = load_bag()

    assert bag.import_errors == {}
    assert {"baby_names_to_hubspot", "pet_names_to_hubspot"} <= set(bag.dags)


def test_two_definitions_must_not_share_a_dag_id(folder: Path):
    text = (folder / "pet_names.yaml").read_text(encoding="utf-8").replace("pet_names_to", "baby_names_to")
    (folder / "pet_names.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"pet_names\.yaml: name or dag_id is taken by the sync baby_names"):
        load_definitions(folder)


def test_schedule_can_be_switched_off_for_a_local_stack(monkeypatch: pytest.MonkeyPatch):
    definition = load_definition(SYNCS_DIR / "baby_names.yaml")
    monkeypatch.setenv("HUBSPOT_SYNC_SCHEDULE", "off")
    assert build_sync_dag(definition, "manual").schedule is None
    monkeypatch.delenv("HUBSPOT_SYNC_SCHEDULE")
    assert build_sync_dag(definition, "manual").timetable.timetable.expression == "0 0 * * *"
    assert build_probe_dag(definition, "manual").schedule == "@hourly"


def test_sync_without_a_time_of_its_own_waits_for_the_probe():
    definition = load_definition(SYNCS_DIR / "baby_names.yaml").model_copy(update={"schedule": None})

    dag = build_sync_dag(definition, "manual")
    probe = build_probe_dag(definition, "manual")

    assert dag.schedule == [version_asset(definition)] == probe.task_dict["ask_kaggle"].outlets


def test_probe_is_switched_off_with_every_other_schedule(monkeypatch: pytest.MonkeyPatch):
    definition = load_definition(SYNCS_DIR / "baby_names.yaml")
    monkeypatch.setenv("HUBSPOT_SYNC_SCHEDULE", "off")

    assert build_probe_dag(definition, "manual").schedule is None


@pytest.mark.parametrize(("switch", "queue"), [("per_sync", "baby_names"), ("", "default")])
def test_tasks_of_a_sync_go_to_its_queue_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, switch: str, queue: str
):
    monkeypatch.setenv("HUBSPOT_SYNC_QUEUES", switch)

    dag = build_sync_dag(load_definition(SYNCS_DIR / "baby_names.yaml"), "manual")

    assert {task.queue for task in dag.tasks} == {queue}
