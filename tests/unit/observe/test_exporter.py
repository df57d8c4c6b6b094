"""The exporter as Prometheus sees it: always an answer, in time, with nothing stale in it."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from prometheus_client.core import Metric

from include.hubspot_sync.errors import StoreUnavailableError
from include.hubspot_sync.observe import exporter
from include.hubspot_sync.observe.airflow_health import AirflowHealth, ask_airflow
from include.hubspot_sync.observe.exporter import Expected, SyncCollector, open_server
from include.hubspot_sync.observe.metrics import gauge
from include.hubspot_sync.orchestration import metrics_exporter
from include.hubspot_sync.orchestration.metrics_exporter import ExporterSettings, build_collector
from tests.support.samples import Samples, scrape
from tools.local_stack.ports import any_free_port

EXPECTED = {"baby_names": Expected(is_scheduled=True, run_s=600, chores={"maintenance": True, "probe": False})}
DEPTH = gauge("queue_depth", "Depth.", ("sync",), {("baby_names",): 3.0})
HEALTHY = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-03-01T00:00:00.500000+00:00"},
    "dag_processor": {"status": "unhealthy", "latest_dag_processor_heartbeat": None},
    "triggerer": None,
}


class Database:
    """Answers, or raises what it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.reads = 0

    def read(self) -> list[Metric]:
        self.reads += 1
        if self.error:
            raise self.error
        return [DEPTH]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def mysql() -> Database:
    return Database()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collect(mysql: Database, clock: Clock) -> Callable[[], Samples]:
    collector = SyncCollector(mysql.read, expected=EXPECTED, clock=clock)

    def collect() -> Samples:
        clock.now += exporter.KEPT_S
        return Samples.of(collector.collect())

    return collect


@pytest.fixture
def url(mysql: Database) -> Iterator[str]:
    with open_server(SyncCollector(mysql.read, expected=EXPECTED), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_scrape_shows_the_database_and_the_exporter(url: str):
    samples = scrape(url)

    assert samples("queue_depth") == 3
    assert samples.plain("database_up") == 1
    assert samples("is_scheduled") == 1
    assert samples("expected_run_seconds") == 600
    chores = [samples("chore_is_scheduled", chore=chore) for chore in ("maintenance", "probe")]
    assert chores == [1, 0]
    assert samples.plain("exporter_start_timestamp_seconds") > 0


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("mysql is away"), KeyError("a defect")], ids=["away", "defect"]
)
def test_database_that_is_away_is_said_with_an_answer_200_and_nothing_stale(
    collect: Callable[[], Samples], mysql: Database, url: str, error: Exception
):
    mysql.error = error
    over_http = scrape(url)
    before = collect()
    mysql.error = None
    back = collect()
    mysql.error = error
    again = collect()

    for samples in (over_http, before, again):
        assert samples.plain("database_up") == 0
        assert samples("is_scheduled") == 1
        assert not samples.has("queue_depth")
    assert (back.plain("database_up"), back("queue_depth")) == (1, 3)


def test_outage_is_logged_once_and_so_is_its_end(
    collect: Callable[[], Samples], mysql: Database, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger=exporter.__name__)
    for error in (StoreUnavailableError("mysql is away"),) * 3 + (None,) * 3:
        mysql.error = error
        collect()

    assert [record.getMessage() for record in caplog.records] == [
        "metrics cannot be read: StoreUnavailableError: mysql is away",
        "metrics can be read again",
    ]


def test_second_scrape_at_once_costs_the_database_nothing(mysql: Database, clock: Clock):
    collector = SyncCollector(mysql.read, expected={}, clock=clock)
    reads = []
    for seconds in (0, exporter.KEPT_S - 1, 1, -100):
        clock.now += seconds
        list(collector.collect())
        reads.append(mysql.reads)

    # a clock that was set back must not keep old values for ever
    assert reads == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/healthz", 405),
    ],
)
def test_only_two_addresses_are_read(url: str, method: str, path: str, status: int):
    assert httpx.request(method, url + path, trust_env=False).status_code == status


def test_health_does_not_ask_the_database(url: str, mysql: Database):
    httpx.get(f"{url}/healthz", trust_env=False).raise_for_status()

    assert mysql.reads == 0


def test_silent_client_holds_up_nobody(url: str):
    host, port = url.removeprefix("http://").split(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port))):
        assert scrape(url)("queue_depth") == 3

    assert time.monotonic() - began < exporter.SOCKET_TIMEOUT_S / 2


def test_no_sample_of_airflow_without_its_address(collect: Callable[[], Samples]):
    assert not collect().has("airflow_up")


def test_heartbeats_of_airflow_are_shown(mysql: Database):
    health = AirflowHealth(is_up=True, heartbeats={"scheduler": 12.5})

    samples = Samples.of(SyncCollector(mysql.read, expected={}, airflow=lambda: health).collect())

    assert samples.plain("airflow_up") == 1
    assert samples.plain("airflow_heartbeat_timestamp_seconds", component="scheduler") == 12.5


def test_health_of_airflow_is_read_from_its_answer():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=HEALTHY)

    health = ask_airflow("http://127.0.0.1:8080/", httpx.MockTransport(answer))

    assert health == AirflowHealth(is_up=True, heartbeats={"scheduler": 1772323200.5})
    assert asked == ["http://127.0.0.1:8080/api/v2/monitor/health"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, text="starting"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"scheduler": {"latest_scheduler_heartbeat": "soon"}}),
        httpx.ConnectError("refused"),
    ],
    ids=["unhealthy", "no_json", "no_object", "no_time", "away"],
)
def test_airflow_that_does_not_say_how_it_is_counts_as_away(answer: httpx.Response | Exception):
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert ask_airflow("http://127.0.0.1:1", httpx.MockTransport(handle)) == AirflowHealth(is_up=False)


def test_exporter_listens_on_loopback_unless_told():
    settings = ExporterSettings.read({"HUBSPOT_SYNC_MYSQL_URL": "mysql://u:p@h/s"})

    assert (settings.host, settings.port, settings.is_scheduled) == ("127.0.0.1", 9464, True)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "٣"])
def test_senseless_port_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, port: str):
    monkeypatch.setenv("HUBSPOT_SYNC_METRICS_PORT", port)

    assert metrics_exporter.main() == 1

    assert capsys.readouterr().err.startswith("error: ConfigError: HUBSPOT_SYNC_METRICS_PORT is no TCP port")


def test_missing_address_of_mysql_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.delenv("HUBSPOT_SYNC_MYSQL_URL", raising=False)

    assert metrics_exporter.main() == 1

    assert capsys.readouterr().err.splitlines() == [
        "error: ConfigError: HUBSPOT_SYNC_MYSQL_URL must look like mysql://user:password@host:port/schema"
    ]


def test_sync_without_schedule_is_not_waited_for(definition):
    manual = definition.model_copy(update={"name": "manual", "schedule": None})
    definitions = {"baby_names": definition, "manual": manual}

    def scheduled(**environ: str) -> list[float]:
        settings = ExporterSettings.read({"HUBSPOT_SYNC_MYSQL_URL": "mysql://u:p@127.0.0.1:1/s", **environ})
        samples = Samples.of(build_collector(settings, definitions).collect())
        return [samples.values["hubspot_sync_is_scheduled", frozenset({("sync", name)})] for name in definitions]

    assert scheduled() == [1, 0]
    assert scheduled(HUBSPOT_SYNC_SCHEDULE="off") == [0, 0]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("is_there", [True, False], ids=["silent", "refused"])
def test_database_that_does_not_answer_costs_a_scrape_few_seconds(definition, silent_port: int, *, is_there: bool):
    port = silent_port if is_there else any_free_port()
    settings = ExporterSettings.read({"HUBSPOT_SYNC_MYSQL_URL": f"mysql://u:p@127.0.0.1:{port}/s"})
    began = time.monotonic()

    samples = Samples.of(build_collector(settings, {"baby_names": definition}).collect())

    assert samples.plain("database_up") == 0
    assert time.monotonic() - began < 8
