"""One sync with everything around it: server, simulator, network, Airflow; what a sequence of events does to it."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import MySQLdb
import pytest
from sqlalchemy.util import await_only

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient
from include.hubspot_sync.destination.protocol import Answer, ReadAnswer
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.gate import OUTSIDE_SHARDS, Gate
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.orchestration import tasks
from include.hubspot_sync.orchestration.wiring import Portal as TaskPortal
from include.hubspot_sync.orchestration.wiring import TaskIdentity
from include.hubspot_sync.records import Change, RunMode
from include.hubspot_sync.store import runs
from include.hubspot_sync.store.connection import Transaction
from tests.chaos.engine.dag_run import DagRun
from tests.chaos.engine.network import LIFE_S, Fate, Network, Sent, written_values
from tests.chaos.engine.processes import CURRENT, Point, Process, ProcessTable, Stop
from tests.chaos.engine.source import Dataset
from tests.support.simulated_portal import create_properties
from tests.support.virtual_time import ClockedDatabase, LoopClock, VirtualLoop
from tools.hubspot_simulator.application import Application
from tools.hubspot_simulator.faults import FaultEngine
from tools.hubspot_simulator.inspection import build_inspection
from tools.hubspot_simulator.settings import Settings
from tools.hubspot_simulator.world import FULL_ACCESS, open_portal

T = TypeVar("T")

REFUSED_BIRTHS = 30
"""HubSpot refuses every record with this number, alone."""
POISON_BIRTHS = 40
"""HubSpot refuses every request that holds a record with this number."""
_WINDOW_S = 10.0
_TABLES = (
    "sync_run", "run_lock", "staging_baby_names", "snapshot", "ledger", "outbox", "batch", "rejected_record",
    "rate_limit", "api_usage", "run_phase", "request_second", "dataset_version",
    "audit_event",
)  # fmt: skip
_LONGEST_REST_S = 20_000.0


class CommitFault(enum.StrEnum):
    """How the database goes away."""

    BEFORE = "before"
    """Nothing is committed."""
    AFTER = "after"
    """It is committed, and the answer to COMMIT is lost."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong in the next part of a sequence. Numbers count from now, over all processes together."""

    stops: Sequence[Stop] = ()
    fates: Sequence[Fate | None] = ()
    """What the network does with the next writes; None: nothing."""
    commit_faults: Sequence[tuple[int, CommitFault]] = ()
    portal_faults: Sequence[Mapping[str, object]] = ()
    """Actions of the simulator for the next write; `phase` may be among them."""


class PromiseBroken(AssertionError):  # noqa: N818  a finding, not an error
    """An invariant of the product does not hold."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A live contact in the simulator."""

    hubspot_id: int
    properties: Mapping[str, str]


def expected_properties(name: str, births: int) -> dict[str, str]:
    """Return what a contact should hold, computed without the product."""
    year, number = "1900", str(births)
    return {
        "firstname": name,
        "baby_sex": "F",
        "total_births": number,
        "first_year": year,
        "last_year": year,
        "peak_year": year,
        "peak_births": number,
    }


class StoppableClient(HubSpotClient):
    """The client; its process may stop before each request, when the client's own time limit does not run yet."""

    async def upsert(self, changes: Sequence[Change]) -> Answer:
        await CURRENT.get().reach(Point.WRITE)
        return await super().upsert(changes)

    async def archive(self, hubspot_ids: Sequence[int]) -> Answer:
        await CURRENT.get().reach(Point.WRITE)
        return await super().archive(hubspot_ids)

    async def read(self, key_texts: Sequence[str]) -> ReadAnswer:
        await CURRENT.get().reach(Point.READ)
        return await super().read(key_texts)


class InlineStore(AsyncStore):
    """The store without a thread: a process may stop before each transaction, and inside one nobody else runs."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    async def run(self, work: Callable[[Transaction], T]) -> T:
        await self._process.reach(Point.TRANSACTION)
        return self._world.transact(work)

    def close(self) -> None:
        """There is nothing of its own to close."""


class GreenletDatabase:
    """The database for tasks that are plain functions; run them with `greenlet_spawn`."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run a transaction; the process may stop before it."""
        await_only(self._process.reach(Point.TRANSACTION))
        return self._world.transact(work)


class LosingConnection:
    """A connection whose commits can be made to fail, before or after they happened."""

    def __init__(self, connection: Any, world: World) -> None:
        self._connection, self._world = connection, world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Commit, unless a fault says otherwise."""
        fault = self._world.next_commit_fault()
        if fault is not CommitFault.BEFORE:
            self._connection.commit()
        if fault:
            self._connection.close()
            raise MySQLdb.OperationalError(2013, "lost connection during query")


@dataclass
class World:
    """What exists for all sequences of a test session; `reset` begins a new one."""

    connect: Callable[[], Any]
    definition: SyncDefinition
    folder: Path
    window_limit: int = 20
    """Requests per 10 s that the portal allows."""

    def __post_init__(self) -> None:
        settings = Settings()
        settings.change({"latency": "zero", "search_lag_ms": 0, "burst_override": self.window_limit})
        self.loop = VirtualLoop()
        self.clock = LoopClock(self.loop)
        self.portal = open_portal(settings, self.clock)
        self.faults = FaultEngine(self.portal)
        self.application = Application(self.portal, self.faults, build_inspection(self.portal, self.faults))
        self.plain = self.connect()
        self.database = ClockedDatabase(lambda: LosingConnection(self.connect(), self), self._now)
        self.loop.run_until_complete(create_properties(self.application, self.definition))
        self._begin()

    def _now(self) -> float:
        return self.loop.time()

    def _begin(self) -> None:
        self.dataset = Dataset(self.definition)
        self.table = ProcessTable()
        self.network = Network(httpx.ASGITransport(self.application), self._applied)
        self.dag_runs: list[DagRun] = []
        self.contacts: dict[str, Contact] = {}
        self.last_order: dict[str, tuple[int, int]] = {}
        self.ever_stored: dict[str, set[str]] = {}
        self.commit_faults: list[tuple[int, CommitFault]] = []
        self.loses_writes = False
        self.crashes: list[BaseException] = []
        self.broken: list[str] = []
        self.write_calls = 0
        self.is_watching = True
        self.has_failed = False
        self.is_strict = True
        for pattern, action in (
            (REFUSED_BIRTHS, {"type": "row_error", "error_code": "INVALID_OPTION", "prop": "total_births"}),
            (POISON_BIRTHS, {"type": "status", "code": 400}),
        ):
            row = {"prop": "total_births", "regex": f"^{pattern}$"}
            self.faults.add({"match": {"path_regex": "upsert", "row": row}, "phase": "pre", "action": action})

    def reset(self) -> None:
        """Forget the last sequence: a new loop, empty tables, an empty portal."""
        self._end_loop()
        random.seed(0)
        self.loop = VirtualLoop()
        self.clock.loop = self.loop
        self.database.forget_time()
        self.portal.reset(keep_properties=True)
        self.faults.reset()
        with self.plain.cursor() as cursor:
            for table in _TABLES:
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608
        self.plain.commit()
        self._begin()

    def _end_loop(self) -> None:
        self.is_watching = False
        left = [*asyncio.all_tasks(self.loop)]
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()

    def close(self) -> None:
        """Close loop, database and simulator."""
        self._end_loop()
        self.database.close()
        self.plain.close()
        self.portal.store.close()

    # what the tasks get

    @contextlib.asynccontextmanager
    async def open_portal(
        self,
        definition: SyncDefinition,
        identity: TaskIdentity,
        *,
        shard: int = OUTSIDE_SHARDS,
        in_flight: int,
        answer_timeout_s: int = 0,
    ) -> AsyncIterator[TaskPortal]:
        """Stand for `wiring.open_portal`: our store, our network, no connections of Airflow."""
        process = CURRENT.get()
        store = InlineStore(self, process)
        run = await store.run(lambda transaction: runs.get_run(transaction, identity.dag_run_key))
        process.order = (run.epoch or 0, run.source_version or 0)
        delivery = definition.delivery
        gate = Gate(store, portal_id=run.portal_id, run_id=run.run_id, shard=shard, share=delivery.pacing_share)
        settings = ClientSettings.from_definition(definition, trace_prefix=f"r{run.run_id}-s{shard}")
        http = httpx.AsyncClient(base_url="http://127.0.0.1", transport=self.network, timeout=None)  # noqa: S113
        yield TaskPortal(
            store, Sender(gate, delivery.max_attempts), StoppableClient(http, lambda: FULL_ACCESS, settings), run
        )

    def store(self, process: Process) -> InlineStore:
        """Return the store of a process."""
        return InlineStore(self, process)

    def greenlet_database(self, process: Process) -> GreenletDatabase:
        """Return the database of a process whose task is a plain function."""
        return GreenletDatabase(self, process)

    def folder_of(self, process: Process) -> Path:
        """Return a folder for the files of one process."""
        folder = self.folder / process.name.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        return folder

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run a transaction and look at the promises afterwards."""
        if not self.is_watching:
            raise asyncio.CancelledError
        try:
            return self.database.run(work)
        finally:
            self._watch_ledger()

    def next_commit_fault(self) -> CommitFault | None:
        """Count a commit and return what is to go wrong with it."""
        due = [kind for after, kind in self.commit_faults if after <= 0]
        self.commit_faults = [(after - 1, kind) for after, kind in self.commit_faults if after > 0]
        return due[0] if due else None

    # what a sequence is made of

    def publish(self, births: Mapping[str, int]) -> None:
        """Publish a new version of the dataset."""
        self.dataset.publish(births)

    def trigger(self, mode: RunMode = RunMode.INCREMENTAL) -> DagRun:
        """Start a DAG run."""
        dag_run = DagRun(self, f"run {len(self.dag_runs) + 1}", tasks.RunRequest(mode, approve_guards="test"))
        self.dag_runs.append(dag_run)
        dag_run.start()
        return dag_run

    def dag_run(self, number: int) -> DagRun:
        """Return one of the DAG runs, counted from the newest."""
        return self.dag_runs[-1 - number % len(self.dag_runs)]

    def make_trouble(self, trouble: Trouble) -> None:
        """Arm faults of processes, network, database and HubSpot."""
        self.table.stops.extend(replace(stop) for stop in trouble.stops)
        self.network.fates.extend(trouble.fates)
        self.commit_faults.extend(trouble.commit_faults)
        for action in trouble.portal_faults:
            self._add_portal_fault(action)

    def _add_portal_fault(self, action: Mapping[str, object]) -> None:
        fault = {"match": {"path_regex": "/(upsert|archive)$"}, "times": 1}
        fault |= {"phase": action["phase"]} if "phase" in action else {}
        self.faults.add(fault | {"action": {name: value for name, value in action.items() if name != "phase"}})
        self.loses_writes = self.loses_writes or action["type"] == "lost_row"

    def pass_time(self, seconds: float) -> None:
        """Let everything run for some time."""
        self._run(asyncio.sleep(seconds))

    def _run(self, what: Any) -> None:
        self.loop.run_until_complete(what)
        self._raise_what_broke()

    def _raise_what_broke(self) -> None:
        self.has_failed = bool(self.crashes or self.broken)
        if self.crashes:
            raise PromiseBroken(f"a task ended with a defect: {self.crashes[0]!r}") from self.crashes[0]
        if self.broken:
            raise PromiseBroken(self.broken[0])

    # rest, and what must be true then

    def come_to_rest(self) -> None:
        """End all faults, let every process wake and end, and let one clean run do the rest."""
        self.table.stops.clear()
        self.network.fates.clear()
        self.commit_faults.clear()
        self._heal_portal()
        self._run(self._rest())
        if not self.dataset.versions:
            return
        self._finish_cleanly()
        self._check_everything()
        before = self.write_calls
        self._finish_cleanly()
        if self.write_calls != before:
            raise PromiseBroken("I9: a second run with the same file sent writes")
        self._check_everything()

    def _heal_portal(self) -> None:
        for fault in self.faults.listed()[2:]:
            self.faults.remove(fault["id"])

    async def _rest(self) -> None:
        deadline = self.loop.time() + _LONGEST_REST_S
        while self.table.running or self.network.on_the_way or any(run.is_active for run in self.dag_runs):
            if self.loop.time() > deadline:
                names = ", ".join(process.name for process in self.table.running)
                raise PromiseBroken(f"nothing comes to an end: {names}")
            await asyncio.sleep(7)
        await asyncio.sleep(LIFE_S)

    def _finish_cleanly(self) -> None:
        dag_run = self.trigger()
        self._run(self._rest())
        if dag_run.state != "success":
            raise PromiseBroken(f"a clean run ended as {dag_run.state}: {dag_run.message}")
        summary = dag_run.summary
        parts = ("created", "updated", "unchanged", "rejected", "quarantined", "open")
        if summary["records"] != sum(summary[part] for part in parts) or summary["records"] != len(
            self.dataset.current
        ):
            raise PromiseBroken(f"I1: the records do not add up: {summary}")

    def _check_everything(self) -> None:
        source = self.dataset.current
        good = {n: b for n, b in source.items() if b not in {REFUSED_BIRTHS, POISON_BIRTHS}}
        for name, births in good.items():
            contact = self.contacts.get(f"{name.lower()}-f")
            if contact is None or not _holds(contact, expected_properties(name, births)):
                held = contact.properties if contact else "no contact"
                raise PromiseBroken(f"I2: {name} should have {births} births, hubspot holds {held}")
        keys = {f"{name.lower()}-f" for name in source}
        if strangers := self.contacts.keys() - keys:
            raise PromiseBroken(f"I2: contacts that left the source are still there: {sorted(strangers)}")
        self._check_rejects({f"{name.lower()}-f" for name in source.keys() - good.keys()})
        self._check_pace()

    def _check_rejects(self, refused: set[str]) -> None:
        rows = self.rows(
            "SELECT key_text, line_no, reason, correlation_id, source_file FROM rejected_record "
            "WHERE resolved_at IS NULL AND released_at IS NULL"
        )
        if {row[0] for row in rows} != refused:
            raise PromiseBroken(f"I7: refused are {sorted(refused)}, kept are {sorted(row[0] for row in rows)}")
        if any(not (row[1] and row[2] and row[3] and row[4]) for row in rows):
            raise PromiseBroken(f"I7: a refused record has no line, reason, correlation id or file: {rows}")

    def _check_pace(self) -> None:
        """I6, as far as no process was paused: then requests that were let through wait in it."""
        sent = sorted(self.network.sent_at)
        for index, moment in enumerate(sent):
            inside = sum(1 for other in sent[index:] if other < moment + _WINDOW_S)
            if inside > self.window_limit and not self.table.paused:
                raise PromiseBroken(f"I6: {inside} requests within 10 s, {self.window_limit} are allowed")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into the tables."""
        with self.plain.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
        self.plain.commit()
        return rows

    # what must be true at every moment

    def _applied(self, sent: Sent) -> None:
        if not sent.request.url.path.endswith(("/upsert", "/archive")):
            return
        self.write_calls += 1
        before = self.contacts
        self.contacts = self._live_contacts()
        written = written_values(sent.request) if sent.request.url.path.endswith("/upsert") else {}
        for key in before.keys() | self.contacts.keys():
            old, new = before.get(key), self.contacts.get(key)
            births = new.properties.get("total_births", "") if new else ""
            self.ever_stored.setdefault(key, {""}).add(births)
            touched = old != new or written.get(key) == births != ""
            if not touched:
                continue
            if self.is_strict and old != new and self.last_order.get(key, (0, 0)) > sent.order:
                self.broken.append(
                    f"I5: run and version {sent.order} wrote {key} = {births or 'archived'} over {self.last_order[key]}"
                )
            self.last_order[key] = max(sent.order, self.last_order.get(key, (0, 0)))

    def _live_contacts(self) -> dict[str, Contact]:
        rows = self.portal.store.connection.execute(
            "SELECT id, props FROM contact WHERE archived_ms IS NULL AND merged_into IS NULL"
        ).fetchall()
        contacts: dict[str, Contact] = {}
        for hubspot_id, text in rows:
            properties = json.loads(text)
            key = properties.pop("baby_name_key")
            if key in contacts:
                self.broken.append(f"I3: two contacts have the key {key}")
            contacts[key] = Contact(hubspot_id, properties)
        return contacts

    def _watch_ledger(self) -> None:
        """I4: what the ledger is certain of was stored, and what it has verified is there now."""
        if not self.is_strict:
            return
        for key, state, properties, is_verified in self.rows(
            "SELECT key_text, state, properties, verified_at IS NOT NULL FROM ledger WHERE state <> 'uncertain'"
        ):
            births = json.loads(properties)["total_births"] if state == "active" else ""
            contact = self.contacts.get(key)
            held = contact.properties.get("total_births", "") if contact else ""
            if is_verified and births != held:
                self.broken.append(f"I4: the ledger has verified {key} = {births!r}, hubspot holds {held!r}")
            elif not self.loses_writes and births not in self.ever_stored.get(key, {""}):
                self.broken.append(f"I4: the ledger says {key} = {births}, which hubspot never stored")


def _holds(contact: Contact, wanted: Mapping[str, str]) -> bool:
    return all(contact.properties.get(name, "") == value for name, value in wanted.items())


@contextlib.contextmanager
def open_world(connect: Callable[[], Any], definition: SyncDefinition, folder: Path) -> Iterator[World]:
    """Yield a world with small batches and shards, whose tasks talk to its own network and server."""
    delivery = definition.delivery.model_copy(
        update={"batch_size": 2, "small_shard_batches": 1, "shards_at_once": 2, "in_flight": 2}
    )
    world = World(connect, definition.model_copy(update={"delivery": delivery}), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "open_portal", world.open_portal)
        try:
            yield world
        finally:
            world.close()
