"""Faults of the whole stack: Airflow with scheduler, API server, LocalExecutor and pool."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field

import MySQLdb
import psutil
import tenacity

from tools.chaos.airflow_view import AirflowView, RunningTask
from tools.chaos.injected import Injected
from tools.chaos.invariants import Invariants
from tools.chaos.kinds import Kind
from tools.chaos.place import Place
from tools.chaos.repairs import Repairs
from tools.chaos.tables import Tables
from tools.chaos.waiting import POLL_S, pause, wait_until
from tools.local_stack import processes
from tools.local_stack.errors import StackError
from tools.local_stack.services import DAG_ID

_PARTS = {
    Kind.KILL_SCHEDULER: "scheduler",
    Kind.KILL_API_SERVER: "api-server",
    Kind.KILL_DATABASE: "mysql",
    Kind.KILL_HUBSPOT: "hubspot",
}
_OUTAGE_S = {"scheduler": (2.0, 5.0), "api-server": (2.0, 30.0), "mysql": (1.0, 15.0), "hubspot": (1.0, 15.0)}
_STOPS_S = (8.0, 45.0, 85.0)
"""Shorter than lease and drain, 13 s; longer; longer than Airflow waits for a heartbeat: two tries run at once."""
_REST_S = 120.0


@dataclass
class StackLevel:
    """Runs the DAG through Airflow and breaks its parts."""

    place: Place
    tables: Tables
    invariants: Invariants
    rng: random.Random
    name: str = "stack"
    at_start: frozenset[Kind] = frozenset()
    _repairs: Repairs = field(default_factory=Repairs)

    @property
    def view(self) -> AirflowView:
        """Return what can be seen of Airflow without its API server."""
        return AirflowView(self.place.layout.airflow_home / "airflow.db", self.place.everything)

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(StackError),
        stop=tenacity.stop_after_delay(120),
        wait=tenacity.wait_fixed(1),
        reraise=True,
    )
    def trigger(self) -> str:
        """Start a sync run and return its id."""
        return self.place.parts.api.trigger(DAG_ID, {}).dag_run_id

    def state(self, run: str) -> str:
        """Return the state of the DAG run."""
        return self.view.run_state(run)

    def inject(self, kind: Kind, run: str) -> Injected | None:
        """Break something while shards of the run deliver."""
        if not self._is_delivering(run):
            return None
        pause(self.rng.uniform(0, 3))
        if kind in _PARTS:
            return self._break(kind, _PARTS[kind], run)
        return self._hit_task(kind, run)

    def _is_delivering(self, run: str) -> bool:
        while self.state(run) not in ("success", "failed"):
            with contextlib.suppress(MySQLdb.Error):
                if self.tables.busy():
                    return True
            pause(POLL_S)
        return False

    def _break(self, kind: Kind, part: str, run: str) -> Injected:
        self._repairs.wait_for(part)
        if part == "hubspot":
            self.invariants.note_counters()
        fault = Injected(kind, self.name, is_outage=part != "scheduler", before=self._running(run))
        self.place.kill(part)
        self._repairs.repair(part, self.rng.uniform(*_OUTAGE_S[part]), lambda: self._repair(part, fault))
        return fault

    def _running(self, run: str) -> frozenset[tuple[int, str]]:
        """Return the tries of the run, whether or not they hold a batch at this moment."""
        run_ids = {owner.run_id for owner in self.tables.busy()}
        names = {shard.owner for shard in self.view.shards(run) if shard.state == "running"}
        return frozenset((run_id, name) for run_id in run_ids for name in names)

    def _repair(self, part: str, fault: Injected) -> None:
        self.place.ensure(part)
        fault.end()

    def _hit_task(self, kind: Kind, run: str) -> Injected | None:
        busy = {owner.name: owner for owner in self.tables.busy()}
        running = [task for task in self.view.running(run) if task.shard.owner in busy]
        if not running:
            return None
        victim = self.rng.choice(running)
        fault = Injected(kind, self.name, victim=busy[victim.shard.owner])
        try:
            self._signal(kind, victim, fault)
        except psutil.NoSuchProcess:
            return None
        return fault

    def _signal(self, kind: Kind, victim: RunningTask, fault: Injected) -> None:
        match kind:
            case Kind.KILL_TASK:
                victim.task.kill()
            case Kind.TERM_TASK:
                victim.task.terminate()
            case Kind.KILL_SUPERVISOR:
                victim.supervisor.kill()
            case _:
                # the supervisor first: it must not report on a task that does not move
                for process in (victim.supervisor, victim.task):
                    process.suspend()
                self._repairs.later(self.rng.choice(_STOPS_S), lambda: _wake(victim, fault))

    def rest(self) -> None:
        """Wait until everything is repaired and woken and no task process is left.

        Raises:
            TimeoutError: a task process does not end.
        """
        self._repairs.wait()
        for part in _PARTS.values():
            self.place.ensure(part)
        wait_until(lambda: not self.view.working(), limit_s=_REST_S, what="the end of every task process")
        # Airflow leaves the idle workers of a killed scheduler behind for ever
        processes.stop(self.view.orphan_workers(self.place.process("scheduler")), patience_s=1)


def _wake(victim: RunningTask, fault: Injected) -> None:
    fault.end()
    for process in (victim.task, victim.supervisor):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
