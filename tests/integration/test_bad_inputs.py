"""The catalogue of bad input, as far as it is about systems: real servers, the real DAG."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.store.migrate import migrate
from tests.support.airflow_runs import (
    SMALL_CONTACTS,
    SyncStack,
    airflow_connections,
    expected_contacts,
    mapped,
)
from tests.support.bad_files import CONTENT
from tests.support.bad_inputs import InDag, OnServers, Quarantines, Reads, examples_of
from tests.support.bad_systems import Bench, offer, with_most_values_changed
from tests.support.mysql_server import TestServer
from tests.support.outcomes import Outcome, without_class
from tests.unit.source.reader_support import Reading, read
from tools.local_stack.mysql import MysqlAddress

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_waits")]

IN_DAG = examples_of(InDag)
ON_SERVERS = examples_of(OnServers)
FIRST_RUNS = {name: example for name, example in ON_SERVERS.items() if example.is_first_run}
OTHERS = {name: example for name, example in ON_SERVERS.items() if not example.is_first_run}
KNOBS = {"contact_limit": 15_000_000, "custom_property_limit": 1_000}


@pytest.fixture(scope="module")
def source_file(small_source_file: Path) -> Path:
    return small_source_file


@pytest.fixture
def kaggle_url(small_kaggle_url: str) -> str:
    return small_kaggle_url


@pytest.fixture(scope="module")
def schemas(mysql: TestServer, definition: SyncDefinition) -> Iterator[dict[bool, MysqlAddress]]:
    """One schema before and one after a first load; runs that stop before any write leave them as they are."""
    with mysql.fresh_database() as fresh, mysql.fresh_database() as loaded:
        for address in (fresh, loaded):
            migrate(address.url, [definition])
        yield {False: fresh, True: loaded}


@pytest.fixture
def clean_portal(hubspot_url: str) -> Iterator[str]:
    """A portal without contacts, properties, faults and changed limits."""
    for method, path, body in (("DELETE", "faults", None), ("POST", "reset", {}), ("POST", "config", KNOBS)):
        httpx.request(method, f"{hubspot_url}/__sim/{path}", json=body).raise_for_status()
    yield hubspot_url
    httpx.delete(f"{hubspot_url}/__sim/faults").raise_for_status()
    httpx.post(f"{hubspot_url}/__sim/config", json=KNOBS).raise_for_status()


@pytest.fixture
def shared_stack(
    example: InDag | OnServers,
    airflow_database: None,
    schemas: dict[bool, MysqlAddress],
    clean_portal: str,
    kaggle_url: str,
    s3_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> SyncStack:
    """Servers in a state that examples share; those that need an accepted run find one."""
    schema, bucket = schemas[example.after_load], f"bad-inputs-{'loaded' if example.after_load else 'fresh'}"
    httpx.put(f"{s3_url}/{bucket}").raise_for_status()
    connections = airflow_connections(
        schema, hubspot_url=clean_portal, kaggle_url=kaggle_url, s3_url=s3_url, bucket=bucket
    )
    for name, content in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(content))
    stack = SyncStack(schema, clean_portal, kaggle_url, monkeypatch)
    if example.after_load and stack.query("SELECT COUNT(*) FROM sync_run WHERE is_accepted = 1") == [(0,)]:
        assert stack.run().state == "success"
    return stack


@pytest.fixture
def bench(shared_stack: SyncStack, source_file: Path, tmp_path: Path) -> Bench:
    return Bench(shared_stack, source_file, tmp_path)


@pytest.mark.parametrize("example", IN_DAG.values(), ids=list(IN_DAG))
def test_one_task_fails_with_one_plain_line_and_nothing_is_written(
    example: InDag, bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    example.arrange(bench)
    writes = bench.stack.stats()["write_calls"]
    planned = bench.stack.query("SELECT COUNT(*) FROM outbox")
    caplog.clear()
    capfd.readouterr()

    result = bench.stack.run()

    assert result.state == "failed"
    assert result.tasks[example.task] == "failed"
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    first = next(line for line in lines if line.startswith("error: "))
    for words in example.words:
        assert words in first
    assert "\n" not in first
    fails_at_once = f"AirflowFailException: {without_class(first)}" in "".join(capfd.readouterr())
    assert (Outcome.STOP if fails_at_once else Outcome.RETRY) is example.outcome
    assert bench.stack.stats()["write_calls"] == writes
    assert bench.stack.query("SELECT COUNT(*) FROM outbox") == planned
    assert bench.stack.query("SELECT holder FROM run_lock WHERE holder IS NOT NULL") == []


def assert_outcome(example: OnServers, bench: Bench) -> None:
    seen = example.act(bench)

    assert seen.outcome is example.outcome, seen.text
    for words in example.words:
        assert words in seen.text


@pytest.mark.parametrize("example", OTHERS.values(), ids=list(OTHERS))
def test_servers_have_their_outcome(example: OnServers, bench: Bench):
    assert_outcome(example, bench)


@pytest.mark.parametrize("example", FIRST_RUNS.values(), ids=list(FIRST_RUNS))
def test_trouble_in_mid_run_has_its_outcome(
    example: OnServers, clean_portal: str, stack: SyncStack, source_file: Path, tmp_path: Path
):
    assert_outcome(example, Bench(stack, source_file, tmp_path))


def lines_of_the_table() -> bytes:
    """Put every line that costs itself at most, or is taken, into one file below one good row."""
    contents = [example.content for example in examples_of(Quarantines, Reads).values()]
    return CONTENT + b"".join(content.removeprefix(CONTENT) for content in contents if content.startswith(CONTENT))


def names_by_key(reading: Reading) -> dict[str, set[str]]:
    """Return the names of the clean file by key, those of withheld records apart."""
    found: dict[str, set[str]] = {}
    for _, key, _, name, _, _ in csv.reader(io.StringIO(reading.clean.decode(), newline="")):
        if key not in reading.check.withheld_keys:
            found.setdefault(key, set()).add(name)
    return found


def test_lines_of_the_table_reach_table_and_portal_as_they_were_judged(
    clean_portal: str, stack: SyncStack, source_file: Path, tmp_path: Path
):
    content = lines_of_the_table()
    judged = read(content, tmp_path)
    names = names_by_key(judged)
    assert len(judged.rejected) > 50
    assert {"<script>", "'; DROP TABLE", "{{ var.value.x }}", "True"} <= set().union(*names.values())
    offer(Bench(stack, source_file, tmp_path), content)

    result = stack.run(approve_guards="all of these lines are wrong on purpose")

    assert result.state == "success"
    kept = stack.query("SELECT source_file, line_no, column_name, reason, reason_text FROM rejected_record")
    assert sorted(row[1:] for row in kept) == sorted(
        (line.line_no, line.column, line.reason, line.reason_text) for line in judged.rejected
    )
    assert all(row[0].endswith("/babyNamesUSYOB-full.csv") for row in kept)
    held = {key: contact["firstname"] for key, contact in stack.contacts().items()}
    assert held.keys() == names.keys()
    assert all(held[key] in spellings for key, spellings in names.items())


def test_approved_change_of_most_contacts_is_sent_and_audited(
    clean_portal: str, stack: SyncStack, source_file: Path, tmp_path: Path
):
    assert stack.run().state == "success"
    with_most_values_changed(Bench(stack, source_file, tmp_path))
    assert stack.run().state == "failed"

    approved = stack.run(approve_guards="the bureau counted anew")

    assert (approved.state, approved.summary["updated"]) == ("success", SMALL_CONTACTS)
    assert mapped(stack.contacts()) == expected_contacts(tmp_path / "babyNamesUSYOB-full.csv")
    ((action, run_id, detail),) = stack.query("SELECT action, run_id, detail FROM audit_event")
    assert (action, run_id) == ("approve_guards", approved.summary["run_id"])
    assert json.loads(detail) == {"reason": "the bureau counted anew"}
