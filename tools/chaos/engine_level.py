"""Faults of the engine: real task bodies, MySQL, S3 and simulators over HTTP; no Airflow scheduler."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import MySQLdb

from tools.chaos.connections import connection_variables
from tools.chaos.database_faults import DatabaseFaults
from tools.chaos.full_disk import FullDisk
from tools.chaos.injected import Injected
from tools.chaos.invariants import Invariants
from tools.chaos.kinds import Kind
from tools.chaos.place import Place
from tools.chaos.portal import Portal
from tools.chaos.proxy import Effect, Proxy, Rule
from tools.chaos.repairs import Repairs
from tools.chaos.tables import Owner, Tables
from tools.chaos.task_runs import Conditions, TaskRun, TaskServer, Try
from tools.chaos.waiting import POLL_S, pause, wait_until
from tools.local_stack import processes

_UPSERT = "/batch/upsert"
_SKEW_S = 3600.0
_STOPS_S = (2.0, 8.0, 16.0, 30.0)
"""Shorter than lease and drain, 3 s; longer; longer than the heartbeat as well, so that two tries run at once; until a
later version has been delivered."""
_OUTAGE_S = (1.0, 6.0)
_BURST_S = 4.0
_REST_S = 60.0
_HIT_LIMIT_S = 20.0
_S3_REFUSALS = 12
"""More than the S3 client repeats by itself."""
_SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"

_BY_PORTAL: Mapping[Kind, tuple[dict[str, Any], dict[str, Any]]] = {
    Kind.HALF_APPLIED: ({"type": "apply_half"}, {"times": 2, "path_regex": _UPSERT}),
    Kind.CUT_JSON: ({"type": "bad_json"}, {"times": 2, "path_regex": _UPSERT}),
    Kind.EMPTY_ANSWER: ({"type": "empty_2xx"}, {"times": 2, "path_regex": _UPSERT}),
    Kind.STORM_429: ({"type": "429"}, {"for_s": _BURST_S, "path_regex": "^/crm/"}),
    Kind.BURST_5XX: ({"type": "503"}, {"for_s": _BURST_S, "p": 0.5, "path_regex": "^/crm/"}),
    Kind.LOCKED_423: ({"type": "423"}, {"times": 6, "path_regex": _UPSERT}),
    Kind.MIGRATION_477: ({"type": "477", "retry_after": 1}, {"times": 1, "path_regex": "^/crm/"}),
    Kind.TOKEN_REVOKED: ({"type": "token_expire"}, {"times": 1, "path_regex": _UPSERT}),
    Kind.ROW_REFUSED: ({"type": "row_error"}, {"path_regex": _UPSERT, "row": {"p": 0.03, "sticky": True}}),
}
"""What the simulator does by itself: action, and which requests."""
_BY_PROXY: Mapping[Kind, tuple[Effect, int]] = {
    Kind.RESET_BEFORE: (Effect.RESET_BEFORE, 3),
    Kind.RESET_AFTER: (Effect.RESET_AFTER, 3),
    Kind.STALL: (Effect.STALL, 2),
    Kind.CUT_STREAM: (Effect.CUT, 3),
}
_KILLED: Mapping[Kind, str] = {Kind.KILL_HUBSPOT: "hubspot", Kind.KILL_DATABASE: "mysql"}
AT_START = frozenset({Kind.S3_503, Kind.DISK_FULL, Kind.CLOCK_SKEW})
"""Kinds that are prepared before a run begins."""


@dataclass
class EngineLevel:
    """Runs the task bodies as processes and breaks what is around them."""

    place: Place
    tables: Tables
    portal: Portal
    invariants: Invariants
    rng: random.Random
    name: str = "engine"
    at_start: frozenset[Kind] = AT_START
    runs: dict[str, TaskRun] = field(default_factory=dict)
    _repairs: Repairs = field(default_factory=Repairs)
    _proxies: dict[str, Proxy] = field(default_factory=dict)
    _server: TaskServer | None = None
    _armed: Kind | None = None

    def start(self) -> None:
        """Start proxies and the server of tries."""
        for part in ("hubspot", "mysql", "s3"):
            self._proxies[part] = Proxy(self.place.stack.ports[part])
            self._proxies[part].start()
        home = self.place.layout.folder / "airflow-home"
        environ = {
            **self.place.supervisor.environ,
            **processes.marks(self.place.layout.folder),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **connection_variables(self.place.stack, {part: proxy.port for part, proxy in self._proxies.items()}),
        }
        self._server = TaskServer(self.place.layout.root, environ, self.place.layout.folder / "tries")

    def stop(self) -> None:
        """End every try and proxy."""
        if self._server:
            self._server.stop()
        for proxy in self._proxies.values():
            proxy.stop()
        self._full_disk.unmount()

    # runs

    def trigger(self) -> str:
        """Start a sync run and return its id."""
        assert self._server is not None  # noqa: S101  started before
        key = f"chaos:{len(self.runs) + 1}"
        kind, self._armed = self._armed, None
        self.runs[key] = TaskRun(key, self._server, lambda task, number: self._conditions(kind, task, number))
        self.runs[key].start()
        return key

    def state(self, run: str) -> str:
        """Return the state of the run."""
        return self.runs[run].state

    def _conditions(self, kind: Kind | None, task: str, number: int) -> Conditions:
        if kind is Kind.CLOCK_SKEW:
            return Conditions(skew_s=self.rng.choice((-_SKEW_S, _SKEW_S)))
        if kind is Kind.DISK_FULL and task in ("land", "stage") and number == 1:
            return Conditions(environ={"TMPDIR": str(self._full_disk.folder)})
        return Conditions()

    # faults

    def inject(self, kind: Kind, run: str) -> Injected | None:
        """Break something now, or prepare it for the next run."""
        if kind in AT_START:
            return self._prepare(kind)
        pause(self.rng.uniform(0, 1.5))
        if kind in _BY_PORTAL:
            return self._by_portal(kind, run)
        if kind in _BY_PROXY:
            return self._by_proxy(kind, run)
        if kind in (Kind.KILL_TASK, Kind.TERM_TASK, Kind.ZOMBIE):
            return self._hit_try(kind, run)
        if kind in _KILLED:
            return self._kill(kind, _KILLED[kind])
        return self._hit_database(kind)

    def _fault(self, kind: Kind, *, is_outage: bool = True, victim: Owner | None = None) -> Injected:
        return Injected(kind, self.name, is_outage=is_outage, victim=victim)

    def _prepare(self, kind: Kind) -> Injected:
        if kind is Kind.S3_503:
            content = b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
            content += b"Content-Length: %d\r\n\r\n%s" % (len(_SLOW_DOWN), _SLOW_DOWN)
            self._proxies["s3"].rule = Rule(Effect.ANSWER, b" HTTP/1.1", _S3_REFUSALS, content=content)
        if kind is Kind.DISK_FULL:
            self._full_disk.mount()
        self._armed = kind
        return self._fault(kind, is_outage=False)

    def _by_portal(self, kind: Kind, run: str) -> Injected | None:
        """Let the simulator misbehave; None when the run made no request that it could hit."""
        self._repairs.wait_for("hubspot")
        action, match = _BY_PORTAL[kind]
        # whether the request was applied, and how the connection ends, is what the client cannot know
        if kind in (Kind.CUT_JSON, Kind.EMPTY_ANSWER):
            match = {**match, "phase": self.rng.choice(("pre", "post_commit"))}
        if kind is Kind.HALF_APPLIED:
            action = {**action, "then": self.rng.choice(("504", "drop"))}
        fault = self._fault(kind)
        fault_id = self.portal.add_fault(action, **match)
        if not self._wait_for(run, lambda: self.portal.hits(fault_id) > 0):
            self.portal.remove_fault(fault_id)
            return None
        if kind is Kind.TOKEN_REVOKED:
            self._repairs.later(
                2, lambda: self._end(fault, lambda: self.portal.accept_token(self.place.stack.hubspot_token))
            )
        elif kind is Kind.ROW_REFUSED:
            fault.end()
        else:
            wanted = match.get("times", 1)
            self._repairs.later(0, lambda: self._end_when(fault, lambda: self.portal.hits(fault_id) >= wanted))
        return fault

    def _by_proxy(self, kind: Kind, run: str) -> Injected | None:
        """Let the network misbehave; None when the run sent nothing that it could hit."""
        self._repairs.wait_for("hubspot")
        effect, times = _BY_PROXY[kind]
        fault = self._fault(kind)
        rule = Rule(effect, _UPSERT.encode(), times, seconds=self.rng.uniform(1, 8), size=self.rng.randint(1, 400))
        proxy = self._proxies["hubspot"]
        proxy.rule = rule
        if not self._wait_for(run, lambda: rule.hits > 0):
            proxy.rule = None
            return None
        self._repairs.later(0, lambda: self._end_when(fault, lambda: rule.left == 0))
        return fault

    def _hit_try(self, kind: Kind, run: str) -> Injected | None:
        """Signal one process of the run, whatever task it works on."""
        running = [one for one in self.runs[run].running() if one.stopped_at is None]
        if not running:
            return None
        one = self.rng.choice(running)
        fault = self._fault(kind, is_outage=False, victim=self._owner(one, run))
        if kind is not Kind.ZOMBIE:
            one.send(signal.SIGKILL if kind is Kind.KILL_TASK else signal.SIGTERM)
            return fault
        one.stopped_at = time.monotonic()
        one.send(signal.SIGSTOP)
        self._repairs.later(self.rng.choice(_STOPS_S), lambda: self._end(fault, lambda: _wake(one)))
        return fault

    def _hit_database(self, kind: Kind) -> Injected | None:
        """Break the database in a way that leaves its process alive, or restarts it; None when nothing was hit."""
        self._repairs.wait_for("mysql")
        fault = self._fault(kind)
        match kind:
            case Kind.DATABASE_RESTART:
                if process := self.place.process("mysql"):
                    processes.stop([process])
                self._end(fault, lambda: self.place.ensure("mysql"))
            case Kind.DATABASE_READ_ONLY:
                self._database.set_read_only(is_read_only=True)
                self._repair_later("mysql", fault, lambda: self._database.set_read_only(is_read_only=False))
            case Kind.DATABASE_RESET:
                if not self._proxies["mysql"].reset_all():
                    return None
                fault.end()
            case _:
                if not self._database.deadlock():
                    return None
                fault.end()
        return fault

    def _owner(self, one: Try, run: str) -> Owner | None:
        """Return the try as the batches name it; None when it delivers nothing, or nobody can tell."""
        with contextlib.suppress(MySQLdb.Error):
            run_id = self.tables.run_id(run)
            if one.shard is not None and run_id is not None:
                return Owner(run_id, one.shard, one.owner)
        return None

    def _kill(self, kind: Kind, part: str) -> Injected:
        self._repairs.wait_for(part)
        self.invariants.note_counters()
        fault = self._fault(kind)
        self.place.kill(part)
        self._repair_later(part, fault, lambda: self.place.ensure(part))
        return fault

    def _repair_later(self, part: str, fault: Injected, repair: Callable[[], object]) -> None:
        self._repairs.repair(part, self.rng.uniform(*_OUTAGE_S), lambda: self._end(fault, repair))

    # helpers

    @property
    def _full_disk(self) -> FullDisk:
        return FullDisk(self.place.layout.folder / "full")

    @property
    def _database(self) -> DatabaseFaults:
        return DatabaseFaults(self.place)

    def _end(self, fault: Injected, repair: Callable[[], object]) -> None:
        repair()
        fault.end()

    def _end_when(self, fault: Injected, is_over: Callable[[], bool]) -> None:
        """Note the end of a fault that ends by itself."""
        with contextlib.suppress(TimeoutError):
            wait_until(is_over, limit_s=_HIT_LIMIT_S, what="the end of a fault")
        fault.end()

    def _wait_for(self, run: str, is_true: Callable[[], bool]) -> bool:
        while not is_true():
            if self.state(run) != "running":
                return False
            pause(POLL_S)
        return True

    def rest(self) -> None:
        """Repair everything, wake what was stopped, and wait until no try is left.

        Raises:
            TimeoutError: a process does not end.
        """
        self._repairs.wait()
        for proxy in self._proxies.values():
            proxy.rule = None
        for part in ("mysql", "hubspot"):
            self.place.ensure(part)
        wait_until(lambda: not list(self._left()), limit_s=_REST_S, what="the end of every try")

    def _left(self) -> Iterator[Try]:
        for run in self.runs.values():
            yield from run.running()


def _wake(one: Try) -> None:
    one.stopped_at = None
    one.send(signal.SIGCONT)
