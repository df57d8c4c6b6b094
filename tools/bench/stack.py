"""The stack that is measured: a copy of the product, brought into a defined state before each run."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tools.bench.cases import Case, PortalKnobs
from tools.bench.portal_log import PortalControl
from tools.chaos.place import Place, change_definition, make_place
from tools.chaos.waiting import wait_until
from tools.local_stack.airflow_api import BusyError, DagRun
from tools.local_stack.console import StepView
from tools.local_stack.mysql import URL_VARIABLE, MysqlAddress, parse_url
from tools.local_stack.result import Result, build_result, wall_seconds
from tools.local_stack.run_dag import StateReader
from tools.local_stack.services import DAG_ID
from tools.local_stack.steps import run_steps

POOL = "hubspot_api"
_REDIRECTING = ("HUBSPOT_SIM_", "KAGGLE_SIM_", URL_VARIABLE)
_RUN_LIMIT_S = 3600.0
_PUBLISH_LIMIT_S = 900.0
_KAGGLE_KNOBS = {"KAGGLE_SIM_PROFILE": "small"}
"""The version that Kaggle begins with is never synced: a small one is there sooner."""
_OWN_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> %s"
_SCHEMA_VERSION = "schema_version"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One DAG run and what it says about itself."""

    dag_run_id: str
    triggered: datetime
    result: Result


@dataclass
class BenchStack:
    """A stack whose state is known."""

    place: Place
    portal: PortalControl
    versions: Path
    """Folder for dataset files."""
    shipped_definition: str
    """Text of the sync definition before any case changed it."""
    _slots: int = 0

    @property
    def airflow_database(self) -> Path:
        """Return Airflow's SQLite file."""
        return self.place.layout.airflow_home / "airflow.db"

    def configure(self, case: Case) -> None:
        """Set the portal's knobs, the delivery settings and the pool for a case."""
        self.set_portal(case.portal)
        file = definition_file(self.place)
        file.write_text(self.shipped_definition, encoding="utf-8")
        change_definition(file, case.delivery)
        if case.slots != self._slots:
            self.place.parts.api.put_pool(POOL, case.slots, "slots of the benchmark")
            self._slots = case.slots

    def set_portal(self, knobs: PortalKnobs) -> None:
        """Set the portal's knobs."""
        self.portal.set_knobs(asdict(knobs))

    def empty(self) -> None:
        """Forget everything that was ever synced: all rows in MySQL, and everything in the portal."""
        empty_tables(parse_url(self.place.stack.mysql_url))
        self.portal.empty()

    def publish(self, file: Path) -> None:
        """Let Kaggle serve a file as the newest version."""
        url = f"{self.place.stack.kaggle_url}/__sim/versions"
        answer = httpx.post(url, json={"path": str(file)}, timeout=_PUBLISH_LIMIT_S, trust_env=False)
        answer.raise_for_status()

    def run(self, parameters: Mapping[str, str]) -> FinishedRun:
        """Trigger the DAG with these parameters through Airflow's API and wait for its end.

        Raises:
            StackError: Airflow refuses, or a part of the stack does not answer.
            TimeoutError: the run does not end.
        """
        triggered = datetime.now(tz=UTC)
        run = self.place.parts.api.trigger(DAG_ID, parameters)
        over = self._wait(run)
        run_id, summary = StateReader(parse_url(self.place.stack.mysql_url), run.dag_run_id).summary()
        wall_s = wall_seconds(triggered, over.end or datetime.now(tz=UTC))
        result = build_result(run_id=run_id, mode="incremental", dag_state=over.state, summary=summary, wall_s=wall_s)
        return FinishedRun(run.dag_run_id, triggered, result)

    def _wait(self, run: DagRun) -> DagRun:
        latest = run

        def is_over() -> bool:
            nonlocal latest
            with contextlib.suppress(BusyError):
                latest = self.place.parts.api.dag_run(DAG_ID, run.dag_run_id)
            return latest.is_over

        wait_until(is_over, limit_s=_RUN_LIMIT_S, what=f"the end of run {run.dag_run_id}")
        return latest


def empty_tables(address: MysqlAddress) -> None:
    """Remove every row of a schema; its version stays."""
    connection = address.connect()
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(_OWN_TABLES, (_SCHEMA_VERSION,))
        for (table,) in cursor.fetchall():
            cursor.execute(f"TRUNCATE TABLE `{table}`")


def definition_file(place: Place) -> Path:
    """Return the sync definition that the stack works with."""
    return place.layout.root / "include" / "syncs" / "baby_names.yaml"


@contextlib.contextmanager
def open_stack(environ: Mapping[str, str], *, parts: frozenset[str] = frozenset()) -> Iterator[BenchStack]:
    """Start a stack of its own on free ports; stop and remove it afterwards.

    Args:
        environ: the caller's environment.
        parts: names of the parts to start; empty: all.

    Raises:
        StackError: a part does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="hubspot-sync-bench-"))
    versions, scratch = folder / "versions", folder / "tmp"
    versions.mkdir()
    scratch.mkdir()
    # a server that the user brought is not ours to empty
    clean = {name: value for name, value in environ.items() if not name.startswith(_REDIRECTING)}
    place = make_place(folder, {**clean, **_KAGGLE_KNOBS, "TMPDIR": str(scratch)}, {})
    portal = PortalControl(place.stack.hubspot_url)
    try:
        steps = [step for step in place.parts.steps() if not parts or step.name in parts]
        with StepView("Starting the stack of the benchmark") as view:
            run_steps(steps, view, place.supervisor.cancel)
        place.stack.save(place.layout)
        yield BenchStack(place, portal, versions, definition_file(place).read_text(encoding="utf-8"))
    finally:
        portal.close()
        place.down()
        shutil.rmtree(folder, ignore_errors=True)
