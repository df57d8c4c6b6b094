"""Everything around the sync breaks once: one task fails with one plain line, and nothing is half done."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from include.hubspot_sync.config import SYNCS_DIR, load_definitions
from include.hubspot_sync.errors import ConfigError
from tests.support.airflow_runs import DAGS, SMALL_CONTACTS, SMALL_ROWS, Result, SyncStack, expected_contacts, mapped
from tests.support.outcomes import without_class
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.revision import next_version
from tools.local_stack.ports import any_free_port

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_waits")]

HEADER = "YearOfBirth,Name,Sex,Number\n"
FILE = "babyNamesUSYOB-full.csv"
WRONG_SECRET = "pat-na1-wrong-and-very-secret"
SECRETS = ("pat-sim-", "KGAT_", WRONG_SECRET)
ORDER = ("preflight", "land", "stage", "compute_delta", "deliver", "finish")


@pytest.fixture(scope="module")
def source_file(small_source_file: Path) -> Path:
    return small_source_file


@pytest.fixture
def kaggle_url(small_kaggle_url: str) -> str:
    return small_kaggle_url


def reconnect(stack: SyncStack, name: str, **changes: Any) -> None:
    """Change fields of an Airflow connection for this test."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    connection = json.loads(os.environ[variable])
    stack.monkeypatch.setenv(variable, json.dumps(connection | changes))


def reconnect_s3(stack: SyncStack, **extra: Any) -> None:
    """Change keys of the extra of the connection `aws`."""
    before = json.loads(os.environ["AIRFLOW_CONN_AWS"])["extra"]
    reconnect(stack, "aws", extra=before | extra)


def offer(stack: SyncStack, content: str) -> None:
    """Let Kaggle offer this file as its newest version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_text(content, encoding="utf-8")
        stack.new_version(path=path)


def with_bad_lines(source: Path, every: int) -> str:
    """Return the file with a word as the number in every n-th row."""
    header, *rows = source.read_text(encoding="utf-8").splitlines()
    for index in range(every - 1, len(rows), every):
        rows[index] = rows[index].rpartition(",")[0] + ",many"
    return "\n".join([header, *rows, ""])


def without_sex(source: Path) -> str:
    lines = [line.split(",") for line in source.read_text(encoding="utf-8").splitlines()]
    return "".join(f"{year},{name},{number}\n" for year, name, _, number in lines)


def wrong_hubspot_token(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "hubspot", password=WRONG_SECRET)


def hubspot_token_without_schema_scopes(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "hubspot", password="pat-sim-no-schema-scopes")


def no_hubspot_token(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "hubspot", password="")


def hubspot_down(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "hubspot", host=f"http://127.0.0.1:{any_free_port()}")


def kaggle_refuses_the_token(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "kaggle", password=WRONG_SECRET)


def kaggle_down(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "kaggle", host=f"http://127.0.0.1:{any_free_port()}")


def kaggle_shows_a_web_page(stack: SyncStack, source: Path) -> None:
    httpx.post(f"{stack.kaggle_url}/__sim", json={"fault": "html200"}).raise_for_status()


def html_as_the_file(stack: SyncStack, source: Path) -> None:
    offer(stack, "<!doctype html><html><body>Sign in</body></html>\n")


def empty_file(stack: SyncStack, source: Path) -> None:
    offer(stack, "")


def header_only(stack: SyncStack, source: Path) -> None:
    offer(stack, HEADER)


def missing_column(stack: SyncStack, source: Path) -> None:
    offer(stack, without_sex(source))


def one_line_in_ten_wrong(stack: SyncStack, source: Path) -> None:
    offer(stack, with_bad_lines(source, every=10))


def s3_down(stack: SyncStack, source: Path) -> None:
    reconnect_s3(stack, endpoint_url=f"http://127.0.0.1:{any_free_port()}")


def bucket_missing(stack: SyncStack, source: Path) -> None:
    reconnect_s3(stack, service_config={"s3": {"bucket_name": "nobody-made-this-bucket"}})


def bucket_not_named(stack: SyncStack, source: Path) -> None:
    reconnect_s3(stack, service_config={})


def mysql_down(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "mysql", port=any_free_port())


def wrong_mysql_password(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "mysql", password=WRONG_SECRET)


def mysql_schema_missing(stack: SyncStack, source: Path) -> None:
    reconnect(stack, "mysql", schema=f"{stack.schema.database}_not_there")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is wrong, and what the operator must be told."""

    arrange: Callable[[SyncStack, Path], None]
    task: str
    """The task that fails."""
    words: tuple[str, ...]
    """What is wrong, where, and what to do: parts of the line in the log."""
    is_retried: bool = False
    """Whether the next try may succeed without anybody's help."""


CASES = (
    Case(wrong_hubspot_token, "preflight", ("hubspot", "401", "token of connection hubspot")),
    Case(no_hubspot_token, "preflight", ("connection hubspot has no password", "put the HubSpot token there")),
    Case(
        hubspot_token_without_schema_scopes,
        "preflight",
        ("baby_name_key", "are missing", "crm.schemas.contacts.write", "extend the token"),
    ),
    Case(
        hubspot_down,
        "preflight",
        ("hubspot cannot be reached", "check the host of connection hubspot"),
        is_retried=True,
    ),
    Case(mysql_down, "preflight", ("mysql is not available (200", "connection mysql (127.0.0.1:"), is_retried=True),
    Case(
        wrong_mysql_password,
        "preflight",
        ("mysql error 1045 at connection mysql (127.0.0.1:", "login and password of the connection"),
    ),
    Case(mysql_schema_missing, "preflight", ("mysql error 1049", "create it and run the migration")),
    Case(kaggle_refuses_the_token, "land", ("kaggle answered 401", "connection kaggle", "put a valid token")),
    Case(kaggle_down, "land", ("connection kaggle", "check network and host"), is_retried=True),
    Case(kaggle_shows_a_web_page, "land", ("HTML instead of CSV", "check the kaggle credentials"), is_retried=True),
    Case(s3_down, "land", ("http://127.0.0.1:", "connection aws", "check address and network"), is_retried=True),
    Case(bucket_missing, "land", ("s3://nobody-made-this-bucket", "connection aws", "bucket")),
    Case(bucket_not_named, "land", ("connection aws names no bucket", "service_config.s3.bucket_name")),
    Case(html_as_the_file, "land", ("HTML instead of CSV", "check")),
    Case(empty_file, "land", (FILE, "empty", "check")),
    Case(header_only, "land", (FILE, "there are no rows", "check the dataset")),
    Case(missing_column, "land", (FILE, "line 1", "the column Sex is missing", "fix the file")),
    Case(
        one_line_in_ten_wrong,
        "stage",
        ("60 of 600 lines are wrong", "0.1%", "line 11, column Number", "approve_guards"),
    ),
)


def error_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    texts = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    return [text for text in texts if text.startswith("error: ")]


def assert_only_this_task_failed(result: Result, task: str) -> None:
    """The tasks before it are done, those after it never ran; `finish` closes the run as failed."""
    position = ORDER.index(task)
    expected = dict.fromkeys(ORDER[:position], "success")
    expected |= {task: "failed", "finish": "failed"}
    expected |= dict.fromkeys(ORDER[position + 1 : -1], "upstream_failed")
    assert (result.state, result.tasks) == ("failed", expected)


def assert_nothing_half_done(stack: SyncStack) -> None:
    """A run that failed before its first delivery leaves no data, no lock and no request that writes."""
    for table in ("staging_baby_names", "snapshot", "outbox", "batch", "ledger"):
        assert stack.query(f"SELECT COUNT(*) FROM {table}") == [(0,)], table  # noqa: S608
    assert stack.query("SELECT holder FROM run_lock WHERE holder IS NOT NULL") == []
    assert stack.query("SELECT state FROM sync_run WHERE state <> 'failed'") == []
    assert stack.stats()["write_calls"] == 0
    assert stack.contacts() == {}


def assert_no_secret(stack: SyncStack, text: str) -> None:
    for secret in (*SECRETS, stack.schema.password):
        assert secret not in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.arrange.__name__)
def test_one_task_fails_with_one_plain_line(
    case: Case,
    stack: SyncStack,
    source_file: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):
    case.arrange(stack, source_file)

    result = stack.run()

    assert_only_this_task_failed(result, case.task)
    first, *others = error_lines(caplog)
    for words in case.words:
        assert words in first
    assert "\n" not in first
    output = "".join(capfd.readouterr())
    fails_at_once = f"AirflowFailException: {without_class(first)}" in output
    assert fails_at_once is not case.is_retried
    assert len(others) == 1, "`finish` says that the run failed, and nobody else says anything"
    if case.task != "preflight":
        reason = without_class(first)
        assert others[0].endswith(f"; {reason}"), "`finish` repeats the cause"
        assert stack.query("SELECT reason_text FROM sync_run") == [(reason,)]
    assert_nothing_half_done(stack)
    assert_no_secret(stack, caplog.text + output)


def test_run_works_again_once_the_cause_is_gone(stack: SyncStack, source_file: Path):
    offer(stack, HEADER)
    assert stack.run().state == "failed"
    stack.new_version(path=source_file)

    result = stack.run()

    assert result.state == "success"
    assert mapped(stack.contacts()) == expected_contacts(source_file)


def test_unknown_run_parameter_is_refused_with_the_known_ones(stack: SyncStack, caplog: pytest.LogCaptureFixture):
    result = stack.run(aprove_guards="typo")

    assert_only_this_task_failed(result, "preflight")
    assert error_lines(caplog)[0] == (
        "error: ConfigError: unknown run parameters: aprove_guards; did you mean approve_guards?; the known ones are "
        "allow_older_version, approve_guards, "
        "dataset_version, max_first_year, max_total_births, min_first_year, min_total_births, mode, "
        "plan_run_id, read_back, record_limit, replay_key, replay_reason, replay_run"
    )
    assert_nothing_half_done(stack)


def test_choice_of_refused_records_without_replay_is_refused(stack: SyncStack, caplog: pytest.LogCaptureFixture):
    result = stack.run(replay_key="mary-f")

    assert_only_this_task_failed(result, "preflight")
    assert "set mode to replay as well" in error_lines(caplog)[0]
    assert_nothing_half_done(stack)


def test_finish_names_the_task_that_failed_and_not_those_behind_it(stack: SyncStack, caplog: pytest.LogCaptureFixture):
    offer(stack, HEADER)

    result = stack.run()

    assert "tasks failed: land (" in result.summary["message"]
    assert "error: IncompleteRunError: tasks failed: land (" in error_lines(caplog)[-1]


def test_unknown_yaml_key_is_an_import_error_that_names_the_nearest_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from airflow.dag_processing.dagbag import DagBag

    content = yaml.safe_load((SYNCS_DIR / "baby_names.yaml").read_text(encoding="utf-8"))
    content["delivery"] = {"btach_size": 50}
    (tmp_path / "baby_names.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    expected = "baby_names.yaml: unknown key delivery.btach_size; did you mean batch_size?"
    with pytest.raises(ConfigError) as caught:
        load_definitions(tmp_path)
    assert str(caught.value) == expected

    monkeypatch.setattr(load_definitions, "__defaults__", (tmp_path,))
    bag = DagBag(dag_folder=str(DAGS), known_pools={"hubspot_api", "default_pool"})

    assert "baby_names_to_hubspot" not in bag.dags
    assert [text for text in bag.import_errors.values() if expected in text]


def test_shrunk_file_stops_before_any_write_until_somebody_approves(
    stack: SyncStack, source_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert stack.run().state == "success"
    contacts, writes = stack.contacts(), stack.stats()["write_calls"]
    kept = stack.query("SELECT * FROM staging_baby_names ORDER BY line_no")
    half = tmp_path / "half.csv"
    write_csv(next_version(read_csv(source_file), 3, removed=0.5), half)
    rows = read_csv(half).row_count
    stack.new_version(path=half)

    stopped = stack.run()

    assert_only_this_task_failed(stopped, "stage")
    line = error_lines(caplog)[0]
    for words in (f"from {SMALL_ROWS} to {rows} rows", "guards.min_row_share 0.9", "run parameter approve_guards"):
        assert words in line
    assert (stack.contacts(), stack.stats()["write_calls"]) == (contacts, writes)
    assert stack.query("SELECT * FROM staging_baby_names ORDER BY line_no") == kept
    assert stack.query("SELECT COUNT(*) FROM outbox WHERE run_id = %s", (stopped.summary["run_id"],)) == [(0,)]
    assert stack.query("SELECT COUNT(*) FROM audit_event") == [(0,)]

    approved = stack.run(approve_guards="the source really dropped half of the names")

    assert approved.state == "success"
    assert approved.summary["archived"] == SMALL_CONTACTS // 2
    assert mapped(stack.contacts()) == expected_contacts(half)
    ((action, actor, run_id, detail),) = stack.query("SELECT action, actor, run_id, detail FROM audit_event")
    assert (action, run_id) == ("approve_guards", approved.summary["run_id"])
    assert actor == "dag_test", "the user who triggered the run, as `dag.test` names itself"
    assert json.loads(detail) == {"reason": "the source really dropped half of the names"}


def with_one_bad_line(source: Path) -> tuple[str, str]:
    """Return the file with a word as the number in line 101, and the key of that line's record."""
    header, *rows = source.read_text(encoding="utf-8").splitlines()
    year, name, sex, _ = rows[99].split(",")
    rows[99] = f"{year},{name},{sex},many"
    return "\n".join([header, *rows, ""]), f"{name}-{sex}".lower()


def test_contact_of_a_bad_line_keeps_what_it_has(stack: SyncStack, source_file: Path):
    stack.run()
    before, writes = stack.contacts(), stack.stats()["write_calls"]
    content, _ = with_one_bad_line(source_file)
    offer(stack, content)

    result = stack.run()

    assert result.state == "success"
    summary = result.summary
    assert (summary["quarantined"], summary["unchanged"], summary["archived"]) == (1, SMALL_CONTACTS - 1, 0)
    assert (stack.contacts(), stack.stats()["write_calls"]) == (before, writes)


def test_single_bad_line_costs_its_record_and_nothing_else(stack: SyncStack, source_file: Path):
    content, withheld = with_one_bad_line(source_file)
    offer(stack, content)

    result = stack.run()

    assert result.state == "success"
    summary = result.summary
    assert (summary["quarantined"], summary["quarantined_lines"]) == (1, 1)
    assert (summary["records"], summary["created"]) == (SMALL_CONTACTS, SMALL_CONTACTS - 1)
    expected = expected_contacts(source_file)
    del expected[withheld]
    assert mapped(stack.contacts()) == expected
    ((file, line_no, column, reason, text),) = stack.query(
        "SELECT source_file, line_no, column_name, reason, reason_text FROM rejected_record"
    )
    assert file.endswith(FILE)
    assert (line_no, column) == (101, "Number")
    assert reason
    assert "many" in text
