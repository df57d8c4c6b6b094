"""The exporter: `/metrics` for Prometheus and `/healthz` for whoever keeps the process alive; nothing else is answered.

It stands outside Airflow, so that it still tells when no run finishes. Whatever is away, it answers 200 in time: values
that could not be read are missing, and `hubspot_sync_database_up` is 0.
"""

from __future__ import annotations

import logging
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from include.hubspot_sync.observe.airflow_health import AirflowHealth
from include.hubspot_sync.observe.metrics import Values, gauge

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

KEPT_S = 5.0
"""For how long an answer stands: several scrapers, or an impatient one, cost the database no more than one."""
SOCKET_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a sync, as its definition says."""

    is_scheduled: bool
    """Whether runs start by themselves."""
    run_s: float
    """How long a run may take, in seconds."""
    chores: Mapping[str, bool] = field(default_factory=dict)
    """Work beside the runs → whether it starts by itself."""


class SyncCollector(Collector):
    """Collects the metrics of all syncs, one reader at a time."""

    def __init__(
        self,
        read: Callable[[], list[Metric]],
        *,
        expected: Mapping[str, Expected],
        airflow: Callable[[], AirflowHealth] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Collect with `read`; nothing is read yet.

        Args:
            read: Reads every metric from MySQL within some seconds, or raises.
            expected: Sync → what is expected of it.
            airflow: Asks Airflow how it is; None when nobody said where it is.
            clock: Seconds since 1970.
        """
        self._read = read
        self._expected = expected
        self._airflow = airflow
        self._clock = clock
        self._started_at = clock()
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._kept_at = float("-inf")
        self._was_up = True

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not read the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        with self._lock:
            if not 0 <= self._clock() - self._kept_at < KEPT_S:
                self._kept = [*self._own(), *self._of_airflow(), *self._of_database()]
                self._kept_at = self._clock()
            yield from self._kept

    def _own(self) -> Iterator[Metric]:
        yield gauge("exporter_start_timestamp_seconds", "When this process started.", (), {(): self._started_at})
        scheduled: Values = {(sync,): float(one.is_scheduled) for sync, one in self._expected.items()}
        yield gauge("is_scheduled", "Whether runs start by themselves.", ("sync",), scheduled)
        run_s: Values = {(sync,): one.run_s for sync, one in self._expected.items()}
        yield gauge("expected_run_seconds", "How long a run may take.", ("sync",), run_s)
        chores: Values = {
            (sync, chore): float(is_scheduled)
            for sync, one in self._expected.items()
            for chore, is_scheduled in one.chores.items()
        }
        yield gauge("chore_is_scheduled", "Whether work beside the runs starts by itself.", ("sync", "chore"), chores)

    def _of_airflow(self) -> Iterator[Metric]:
        if self._airflow is None:
            return
        health = self._airflow()
        yield gauge("airflow_up", "Whether Airflow's API answers.", (), {(): float(health.is_up)})
        yield gauge(
            "airflow_heartbeat_timestamp_seconds",
            "Last heartbeat of a component of Airflow, as its API says.",
            ("component",),
            {(component,): moment for component, moment in health.heartbeats.items()},
        )

    def _of_database(self) -> list[Metric]:
        began = time.monotonic()
        try:
            metrics = self._read()
        except Exception as error:  # noqa: BLE001  a defect or an unknown driver error must not hide the rest behind a 500
            self._say(is_up=False, text=f"{type(error).__name__}: {error}")
            metrics = []
        else:
            self._say(is_up=True)
        up = gauge("database_up", "Whether the metrics could be read from MySQL.", (), {(): float(self._was_up)})
        took: Values = {(): time.monotonic() - began}
        return [up, gauge("read_seconds", "How long reading from MySQL took.", (), took), *metrics]

    def _say(self, *, is_up: bool, text: str = "") -> None:
        """Log a change, not every scrape of an outage."""
        if self._was_up and not is_up:
            log.error("metrics cannot be read: %s", text)
        elif is_up and not self._was_up:
            log.info("metrics can be read again")
        self._was_up = is_up


def build_app(collector: Collector) -> WSGIApplication:
    """Return the application: metrics, health, and 404 or 405 for everything else."""
    registry = CollectorRegistry()
    registry.register(collector)
    metrics: WSGIApplication = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, is_read = environ.get("PATH_INFO"), environ.get("REQUEST_METHOD") == "GET"
        if path == "/metrics" and is_read:
            return metrics(environ, start_response)
        found = "200 OK" if path == "/healthz" else "404 Not Found"
        status = found if is_read else "405 Method Not Allowed"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [status.encode() + b"\n"]

    return answer


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # as the base class does it, without looking up the machine's name, which may take seconds
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = SOCKET_TIMEOUT_S

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, *_: object) -> None:
        """Say nothing: a scrape every few seconds is no news."""


def open_server(collector: Collector, host: str, port: int) -> WSGIServer:
    """Return a server that listens already; `serve_forever` answers.

    Raises:
        OSError: the address is taken or not of this machine.
    """
    return make_server(host, port, build_app(collector), server_class=_Server, handler_class=_Handler)
