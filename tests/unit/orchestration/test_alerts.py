"""What the callbacks and `finish` tell PagerDuty, and that none of them ever fails."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from include.hubspot_sync.config import SYNCS_DIR, load_definition
from include.hubspot_sync.errors import AuthError, ConfigError, QuotaExhaustedError
from include.hubspot_sync.observe.incident import Condition, Incident, RunFacts
from include.hubspot_sync.orchestration import alerts
from include.hubspot_sync.orchestration.alerts import PagerDutyNotifier, environment_name, report_end
from include.hubspot_sync.orchestration.pagerduty_hook import PagerDutyHook, event_url
from include.hubspot_sync.orchestration.task_errors import reports_errors
from tests.unit.source.scripted_server import Answer, Script, json_answer, scripted_server

DEFINITION = load_definition(SYNCS_DIR / "baby_names.yaml")
KEY = "0123456789abcdef0123456789abcdef"
ACCEPTED = json_answer({"status": "success"}, 202)
FAILING = Incident(Condition.RUNS_FAIL, "baby_names", "production").dedup_key
LATE = Incident(Condition.RUN_LATE, "baby_names", "production").dedup_key
FACTS = RunFacts(DEFINITION.dag_id, "manual__1", run_id=42)


@pytest.fixture
def server() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let Airflow have the connection with these fields; without any it has none."""

    def make(**fields: Any) -> None:
        def find(cls: type, conn_id: str) -> Connection:
            if not fields:
                raise AirflowNotFoundException(conn_id)
            return Connection(conn_id=conn_id, conn_type="http", **fields)

        async def find_async(cls: type, conn_id: str) -> Connection:
            return find(cls, conn_id)

        monkeypatch.setattr(PagerDutyHook, "get_connection", classmethod(find))
        monkeypatch.setattr(PagerDutyHook, "aget_connection", classmethod(find_async))

    return make


@pytest.fixture(autouse=True)
def _production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUBSPOT_SYNC_ENVIRONMENT", raising=False)


class Instance:
    """A task instance as a callback sees it."""

    task_id, map_index, try_number, dag_id, run_id = "deliver", 2, 10, DEFINITION.dag_id, "manual__1"

    def __init__(self, **states: str) -> None:
        self.states = states

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        assert (dag_id, run_ids) == (self.dag_id, [self.run_id])
        return {self.run_id: self.states}


def task_context(instance: Any, error: BaseException | None = None, **conf: str) -> dict[str, Any]:
    run = SimpleNamespace(run_id="manual__1", conf=conf)
    return {"ti": instance, "dag_run": run, "run_id": "manual__1", "exception": error}


def told(server: Script) -> list[tuple[str, str]]:
    return [(asked.json["event_action"], asked.json["dedup_key"]) for asked in server.asked]


def test_failed_task_raises_an_incident(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY, extra=json.dumps({"runbook_url": "https://runbook.example.org"}))
    server.will(ACCEPTED)

    PagerDutyNotifier.of(DEFINITION, "task")(task_context(Instance(deliver_2="running"), AuthError("Ann's token")))

    (asked,) = server.asked
    assert told(server) == [("trigger", FAILING)]
    assert asked.json["payload"]["summary"] == "a run of baby_names failed in deliver: AuthError"
    assert asked.json["payload"]["custom_details"]["shard"] == 2
    assert asked.json["links"][-1]["href"] == "https://runbook.example.org/docs/operations.md#hubspotsyncrunsfail"
    assert "Ann" not in str(asked.json)


def test_task_that_fails_after_another_costs_no_time(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY)

    PagerDutyNotifier.of(DEFINITION, "task")(task_context(Instance(deliver_1="failed", deliver_2="running")))

    assert told(server) == []


@pytest.mark.parametrize(
    "states", [{"deliver_2": "failed"}, {"deliver_1": "up_for_retry", "stage": "success"}], ids=["own", "not-failed"]
)
def test_only_another_failed_task_has_raised_the_alarm(
    server: Script, connect: Callable[..., None], states: dict[str, str]
):
    connect(host=server.url, password=KEY)
    server.will(ACCEPTED)

    PagerDutyNotifier.of(DEFINITION, "task")(task_context(Instance(**states)))

    assert told(server) == [("trigger", FAILING)]


def test_callback_of_a_killed_task_runs_where_no_states_are_known(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY)
    server.will(ACCEPTED)
    instance = SimpleNamespace(task_id="stage", map_index=-1, try_number=1, dag_id="d", run_id="r")

    PagerDutyNotifier.of(DEFINITION, "task")(task_context(instance))

    assert told(server) == [("trigger", FAILING)]


def test_callback_of_the_dag_manages_with_the_least_that_airflow_gives(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY)
    server.will(ACCEPTED)

    PagerDutyNotifier.of(DEFINITION, "dag")({"dag": None, "run_id": "manual__1", "reason": "task_failure"})

    assert told(server) == [("trigger", FAILING)]
    assert str(server.asked[0].json["links"][0]["href"]).endswith("/runs/manual__1")


def test_deadline_has_an_incident_of_its_own(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY)
    server.will(ACCEPTED)

    async def as_the_triggerer_does() -> None:
        context = {"dag_run": {"dag_run_id": "manual__1", "conf": {}}, "deadline": {}}
        await PagerDutyNotifier(context=context, **alerts.notifier_arguments(DEFINITION, "deadline"))

    asyncio.run(as_the_triggerer_does())

    assert told(server) == [("trigger", LATE)]
    assert str(server.asked[0].json["links"][0]["href"]).endswith("/runs/manual__1")


@pytest.mark.parametrize("scope", ["task", "dag"])
def test_dry_run_wakes_nobody(server: Script, connect: Callable[..., None], scope: str):
    connect(host=server.url, password=KEY)

    PagerDutyNotifier.of(DEFINITION, scope)(task_context(Instance(), mode="plan_only"))

    assert told(server) == []


def test_good_run_closes_what_is_open(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY)
    server.will(ACCEPTED, ACCEPTED)

    report_end(DEFINITION, FACTS, state="success")

    assert sorted(told(server)) == sorted([("resolve", FAILING), ("resolve", LATE)])


def test_failed_run_raises_and_a_superseded_one_says_nothing(server: Script, connect: Callable[..., None]):
    connect(host=server.url, password=KEY)
    server.will(ACCEPTED)

    report_end(DEFINITION, FACTS, state="superseded")
    assert told(server) == []

    report_end(DEFINITION, FACTS, state="failed")
    assert told(server) == [("trigger", FAILING)]


def test_without_the_connection_there_are_no_alerts_which_finish_says_once(
    connect: Callable[..., None], caplog: pytest.LogCaptureFixture
):
    connect()

    with caplog.at_level(logging.INFO):
        PagerDutyNotifier.of(DEFINITION, "task")(task_context(Instance()))
        PagerDutyNotifier.of(DEFINITION, "dag")(task_context(Instance()))
        report_end(DEFINITION, FACTS, state="failed")

    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["no alerts are sent: airflow has no connection pagerduty"]


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"password": ""}, "connection pagerduty has no password"),
        ({"password": "two words"}, "odd characters"),
        ({"password": KEY, "host": "http://events.pagerduty.com"}, "needs https"),
        ({"password": KEY, "extra": "{"}, "extra is no json"),
        ({"password": KEY, "extra": '{"runbook_url": "docs"}'}, "runbook_url"),
    ],
    ids=["no-key", "odd-key", "plain-http", "broken-extra", "runbook"],
)
def test_wrong_connection_is_a_line_in_the_log_and_no_error(
    connect: Callable[..., None], caplog: pytest.LogCaptureFixture, fields: dict[str, str], part: str
):
    connect(**fields)

    PagerDutyNotifier.of(DEFINITION, "task")(task_context(Instance()))
    report_end(DEFINITION, FACTS, state="success")

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert all(line.startswith("no alert was sent: ") and part in line for line in lines)
    assert fields.get("password", "")[:3] == "" or fields["password"] not in caplog.text


def test_exception_of_others_is_named_by_its_class_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def explode(cls: type, conn_id: str) -> Connection:
        raise RuntimeError(f"backend says {KEY}")

    monkeypatch.setattr(PagerDutyHook, "get_connection", classmethod(explode))

    report_end(DEFINITION, FACTS, state="failed")

    assert [record.getMessage() for record in caplog.records] == ["no alert was sent: RuntimeError"]


def test_unreachable_pagerduty_takes_less_than_ten_seconds_of_a_run():
    # a failed task once, then `finish`
    assert alerts.TASK_S + alerts.FINISH_S < 10
    assert alerts.OUTSIDE_S <= 10


def test_two_resolves_share_the_time_of_finish(
    server: Script, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    from include.hubspot_sync.observe import pagerduty

    limits: list[float] = []
    monkeypatch.setattr(pagerduty, "send_event", lambda receiver, event, *, limit_s: limits.append(limit_s))
    connect(host=server.url, password=KEY)

    report_end(DEFINITION, FACTS, state="success")

    assert sum(limits) == alerts.FINISH_S


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("", None, "https://events.pagerduty.com/v2/enqueue"),
        ("events.eu.pagerduty.com", None, "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://events.pagerduty.com/v2/enqueue", None, "https://events.pagerduty.com/v2/enqueue"),
        ("http://127.0.0.1", 8080, "http://127.0.0.1:8080/v2/enqueue"),
        ("http://[::1]:81/", None, "http://[::1]:81/v2/enqueue"),
        ("http://localhost:82", 83, "http://localhost:82/v2/enqueue"),
    ],
)
def test_endpoint_is_the_connections_own(host: str, port: int | None, url: str):
    assert event_url(host, port, where="connection pagerduty") == url


@pytest.mark.parametrize(
    "host",
    [
        "http://events.pagerduty.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.org",
        "ftp://127.0.0.1",
        "https://user:secret@events.pagerduty.com",
        "https://events.pagerduty.com/other",
        "https://events.pagerduty.com?key=secret",
        "https://",
        "https://host:port",
    ],
)
def test_key_is_sent_by_https_or_to_this_machine_only(host: str):
    with pytest.raises(ConfigError) as caught:
        event_url(host, where="connection pagerduty")

    assert str(caught.value).startswith("connection pagerduty: ")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "name"),
    [("", "production"), (" staging ", "staging"), ('a"b', "production"), ("x" * 33, "production")],
)
def test_environment_is_a_plain_name(value: str, name: str):
    assert environment_name({"HUBSPOT_SYNC_ENVIRONMENT": value}) == name


def test_error_of_ours_is_found_behind_the_one_of_airflow(server: Script, connect: Callable[..., None]):
    from airflow.sdk.exceptions import AirflowFailException

    connect(host=server.url, password=KEY)
    server.will(Answer(500), ACCEPTED)

    @reports_errors
    def body() -> None:
        raise QuotaExhaustedError("used up")

    with pytest.raises(AirflowFailException) as caught:
        body()
    PagerDutyNotifier.of(DEFINITION, "task")(task_context(Instance(), caught.value))

    assert server.asked[-1].json["payload"]["custom_details"]["error"] == "QuotaExhaustedError"
