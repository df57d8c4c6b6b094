"""The metrics exporter as a process of its own: `python -m include.hubspot_sync.orchestration.metrics_exporter`.

It needs no Airflow and imports none. The environment says where things are:

- `HUBSPOT_SYNC_MYSQL_URL`: as for the migration; a user that may SELECT is enough.
- `HUBSPOT_SYNC_METRICS_HOST`, `HUBSPOT_SYNC_METRICS_PORT`: where to listen, 127.0.0.1 and 9464 by default.
- `HUBSPOT_SYNC_AIRFLOW_URL`: Airflow's API server, whose health is shown as well; empty leaves it out.
- `HUBSPOT_SYNC_SCHEDULE`: `off` as for the DAGs, so that nobody waits for runs that nothing starts.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from signal import SIGTERM, signal
from typing import Any

from prometheus_client.core import Metric

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.errors import ConfigError, StoreUnavailableError, SyncError
from include.hubspot_sync.observe.airflow_health import ask_airflow
from include.hubspot_sync.observe.exporter import Expected, SyncCollector, open_server
from include.hubspot_sync.observe.metrics import read_metrics
from include.hubspot_sync.records import Chore
from include.hubspot_sync.store.connection import Database, Transaction, connect
from include.hubspot_sync.store.migrate import connection_arguments

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9464
CONNECT_TIMEOUT_S = 2
STATEMENT_TIMEOUT_S = 3
READ_TIMEOUT_S = 5.0
"""After this time no further statement begins: a scrape has to end within the 10 s that Prometheus waits."""
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class ExporterSettings:
    """What the environment says."""

    mysql_url: str
    host: str
    port: int
    airflow_url: str
    is_scheduled: bool

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ExporterSettings:
        """Read the variables.

        Raises:
            ConfigError: one is missing or senseless.
        """
        port = environ.get("HUBSPOT_SYNC_METRICS_PORT") or str(DEFAULT_PORT)
        if not (port.isascii() and port.isdigit() and int(port) in _PORTS):
            raise ConfigError(f"HUBSPOT_SYNC_METRICS_PORT is no TCP port: {port[:20]!r}; set a number from 1 to 65535")
        return cls(
            mysql_url=environ.get("HUBSPOT_SYNC_MYSQL_URL", ""),
            host=environ.get("HUBSPOT_SYNC_METRICS_HOST") or DEFAULT_HOST,
            port=int(port),
            airflow_url=environ.get("HUBSPOT_SYNC_AIRFLOW_URL", ""),
            is_scheduled=environ.get("HUBSPOT_SYNC_SCHEDULE") != "off",
        )


class TimedReader:
    """Runs statements of one transaction until the time is up."""

    def __init__(self, transaction: Transaction, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._transaction = transaction
        self._clock = clock
        self._ends_at = clock() + READ_TIMEOUT_S

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows by column name.

        Raises:
            StoreUnavailableError: the time for all statements together is used up.
        """
        if self._clock() > self._ends_at:
            raise StoreUnavailableError(f"mysql took longer than {READ_TIMEOUT_S:g} s before {name}: look for its load")
        return self._transaction.rows(name)


def open_reader(mysql_url: str, syncs: Collection[str]) -> Callable[[], list[Metric]]:
    """Return a function that connects, reads everything without the right to write, and disconnects.

    Raises:
        ConfigError: the address is incomplete.
    """
    arguments = connection_arguments(mysql_url) | {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": STATEMENT_TIMEOUT_S,
        "write_timeout": STATEMENT_TIMEOUT_S,
        "local_infile": 0,
    }
    where = f"{arguments['host']}, schema {arguments['database']}"

    def look(transaction: Transaction) -> list[Metric]:
        transaction.execute("page/set_read_only.sql")
        return list(read_metrics(TimedReader(transaction), syncs))

    def read() -> list[Metric]:
        # connected anew each time: a server that came back is seen at once
        with contextlib.closing(Database(lambda: connect(arguments), where=where, attempts=1)) as database:
            return database.run(look)

    return read


def build_collector(settings: ExporterSettings, definitions: Mapping[str, SyncDefinition]) -> SyncCollector:
    """Return the collector of these syncs.

    Raises:
        ConfigError: the address of MySQL is incomplete.
    """
    return SyncCollector(
        open_reader(settings.mysql_url, tuple(definitions)),
        expected={name: _expected(settings, definition) for name, definition in definitions.items()},
        airflow=partial(ask_airflow, settings.airflow_url) if settings.airflow_url else None,
    )


def _expected(settings: ExporterSettings, definition: SyncDefinition) -> Expected:
    chores = {Chore.MAINTENANCE: True, Chore.PROBE: definition.probe is not None}
    return Expected(
        is_scheduled=settings.is_scheduled and definition.schedule is not None,
        run_s=definition.expected_s,
        chores={str(chore): settings.is_scheduled and has_dag for chore, has_dag in chores.items()},
    )


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = ExporterSettings.read(os.environ)
        server = open_server(build_collector(settings, load_definitions()), settings.host, settings.port)
    except (SyncError, OSError) as error:
        # an address that is taken or unknown is a wrong setting too
        name = type(error).__name__ if isinstance(error, SyncError) else ConfigError.__name__
        print(f"error: {name}: {error}", file=sys.stderr)  # noqa: T201  a command line program speaks
        return 1
    # shutdown() waits for the loop, which this thread is busy with
    signal(SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    logging.getLogger(__name__).info("metrics at http://%s:%d/metrics", settings.host, settings.port)
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
