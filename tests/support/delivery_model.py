"""The rules of delivery as an explicit-state model, searched exhaustively and breadth first.

One record, two runs with an order, two workers that may stop anywhere and go on at any later time, requests that arrive
late. A move that the store makes carries the name of the store's function; everything else is done by the world: time,
network, HubSpot, a process that dies. Times are what is left of them, in ticks, so that the number of states is finite.

The model leaves out: several records in one batch, several batches of a run, and failures of MySQL. `tests/chaos` runs
the real code with all of these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from include.hubspot_sync.records import BatchState, LedgerState, OutboxState
from include.hubspot_sync.store import delta, ledger, lock, outbox

LEASE = 1
"""Ticks for which a claim holds a batch."""
LIFE = 1
"""Longest life of a request, and the length of the drain."""
RUNS = (1, 2)

Content = str
"""What a record holds; the empty text: there is no contact."""
NO_CONTACT = ""

_OPEN_ROWS = frozenset({OutboxState.PENDING, OutboxState.IN_FLIGHT})
_OPEN_BATCHES = frozenset({BatchState.READY, BatchState.LEASED})


class Stage(StrEnum):
    """What a worker is about to do."""

    IDLE = "idle"
    CLAIMED = "claimed"
    CHECKED = "checked"
    SENT = "sent"
    ACKED = "acked"
    REFUSED = "refused"
    UNSENT = "unsent"
    UNSURE = "unsure"
    READ_BACK = "read_back"
    PLANNING = "planning"
    DOUBT_READ = "doubt_read"


@dataclass(frozen=True, slots=True)
class Rules:
    """The protections, each of which a test takes away."""

    checks_lease: bool = True
    """A lease check immediately before each send, that extends the lease."""
    checks_lock: bool = True
    """The lease check looks at the run lock as well."""
    bounded_pause: bool = True
    """No worker stops between check and send for longer than the lease: an assumption, not a protection."""
    drain: int = LIFE
    """Ticks between the end of a lease and the next claim or run."""
    fences: bool = True
    """An answer is stored only under the fence that sent it."""
    ledger_is_monotonic: bool = True
    """An older run never changes what a newer one wrote into the ledger."""
    ledger_after_answer: bool = True
    doubts_timeouts: bool = True
    """A request without an answer is neither success nor failure."""
    keeps_lease_in_doubt: bool = True
    """A lease is not freed while a request may be under way."""
    next_run_drains: bool = True
    """A run takes the lock only when what the last holder sent has drained."""
    reads_doubt: bool = True
    """Keys in doubt are read before the plan compares."""
    ends_claims: bool = True
    """A run that gives the lock back or loses it loses its claims as well."""
    fences_planner: bool = True
    """A planner stores what it read, and its plan, only if no run took the lock and no other planner began since."""
    keeps_doubt_of_unsent: bool = True
    """A row that an earlier claim may have sent stays in flight, although this claim certainly did not send it."""
    supersedes_before_drain: bool = True
    """A run that is planned anew takes its old batches out of reach before it waits for what they sent."""
    read_back_moves_delivered: bool = True
    """A read-back moves only rows that are still delivered."""
    drains_reopened: bool = True
    """A batch that is sent once more after its read-back waits for requests that were left unanswered."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What HubSpot and the ledger hold at the beginning, and what each run finds in its file."""

    start: Content
    first: Content
    second: Content
    ledger_is_lost: bool = False
    is_resync: bool = False
    """The portal is searched for contacts that the ledger does not know."""
    loses_writes: bool = False
    """HubSpot may acknowledge a write that it does not store."""
    refuses: bool = False
    """HubSpot may refuse the record."""
    first_is_shown_only: bool = False
    """The first run only shows its plan."""
    is_cleared_run: bool = False
    """Both plans belong to one run that was cleared and found a new file: they share lock and order."""

    serves: tuple[tuple[int, ...], tuple[int, ...]] = ((1,), (2,))
    """Runs that each worker may work for."""

    def owner(self, run: int) -> int:
        """Return who the lock belongs to when this plan is worked on."""
        return 1 if self.is_cleared_run else run

    def plans_of(self, owner: int) -> tuple[int, ...]:
        """Return the plans that share a lock."""
        return tuple(run for run in RUNS if self.owner(run) == owner)

    def content(self, run: int) -> Content:
        """Return what a run wants HubSpot to hold."""
        return self.first if run == 1 else self.second


class Lock(IntEnum):
    """The run lock: its lease is one tick."""

    RELEASED = 0
    EXPIRED = 1
    HELD = 2


class Work(NamedTuple):
    """Batch and outbox row of one run; they are one, because there is one record."""

    batch: BatchState | None = None
    row: OutboxState | None = None
    lease: int | None = None
    """Ticks left; below zero it has ended and drains; None: nothing can be on its way."""
    is_planned: bool = False


class Worker(NamedTuple):
    """One task try. It may be gone for good (`die`), or simply take no step for as long as it likes."""

    stage: Stage = Stage.IDLE
    run: int = 0
    has_fence: bool = False
    left: int = 0
    """Ticks left of the lease as the worker saw it at its check."""
    in_doubt: bool = False
    """An earlier request of this claim was left unanswered."""
    is_doubtful: bool = False
    """An earlier claim may have sent the row."""
    seen: Content = NO_CONTACT


class Entry(NamedTuple):
    """The ledger's row of the record."""

    state: LedgerState
    content: Content
    run: int
    is_verified: bool
    before_doubt: LedgerState | None = None


class Request(NamedTuple):
    """A write on its way; nobody waits for it when it has no owner."""

    owner: int
    run: int
    left: int


class State(NamedTuple):
    """Everything that decides what may happen next."""

    works: tuple[Work, Work]
    workers: tuple[Worker, Worker]
    requests: frozenset[Request]
    entry: Entry | None
    stored: Content
    stored_by: int
    """Run whose write HubSpot applied last."""
    holder: int = 0
    """Who took the lock last."""
    lock: Lock = Lock.RELEASED

    def work(self, run: int) -> Work:
        """Return batch and row of a run."""
        return self.works[run - 1]

    def with_work(self, run: int, work: Work) -> State:
        """Return the state with another batch and row of a run."""
        works = (work, self.works[1]) if run == 1 else (self.works[0], work)
        return State(works, *self[1:])

    def with_worker(self, index: int, worker: Worker) -> State:
        """Return the state with another worker."""
        workers = (worker, self.workers[1]) if index == 0 else (self.workers[0], worker)
        return State(self.works, workers, *self[2:])

    def with_entry(self, entry: Entry | None) -> State:
        """Return the state with another ledger row."""
        return self._replace(entry=entry)


Step = tuple[str, State]


@dataclass(slots=True)
class Search:
    """What a search found."""

    states: int = 0
    broken: str = ""
    """The invariant that does not hold; empty: all hold."""
    path: tuple[str, ...] = ()
    """The shortest way there."""
    moves: set[str] = field(default_factory=set)
    """Names of the store's functions that made a step."""
    batch_states: set[BatchState] = field(default_factory=set)
    row_states: set[OutboxState] = field(default_factory=set)
    ledger_states: set[LedgerState] = field(default_factory=set)

    def note(self, state: State, name: str = "") -> None:
        """Remember which named states and moves occur."""
        self.moves.update(name.partition(" ")[0].split("+") if "." in name else ())
        for work in state.works:
            if work.batch is not None:
                self.batch_states.add(work.batch)
            if work.row is not None:
                self.row_states.add(work.row)
        if state.entry is not None:
            self.ledger_states.add(state.entry.state)


def _name(*functions: Callable[..., object]) -> str:
    """Name a step after the functions of the store that make it in one transaction."""
    return "+".join(f"{function.__module__.rpartition('.')[2]}.{function.__name__}" for function in functions)


TAKE_LOCK = _name(lock.take_lock)
RENEW_LOCK = _name(lock.renew_lock)
RELEASE_LOCK = _name(lock.release_lock)
PLAN = _name(delta.supersede_open, delta.queue_changes, delta.cut_batches)
SHOW_PLAN = _name(delta.queue_changes, delta.drop_plan)
ADOPT = _name(ledger.adopt_snapshot)
DOUBT_STRAYS = _name(ledger.doubt_strays)
SETTLE_KEYS = _name(ledger.settle_keys)
BEGIN_PLAN = _name(lock.begin_turn, delta.retire_plan)
DOUBT_CLAIM = _name(outbox.doubt_claim)
CLAIM = _name(outbox.claim_batch)
CHECK = _name(outbox.extend_lease)
SETTLE = _name(outbox.settle_batch)
READ_BACK = _name(outbox.mark_read_back)


@dataclass(frozen=True, slots=True)
class Model:
    """The steps that are possible under these rules."""

    rules: Rules
    scenario: Scenario

    def start(self) -> State:
        """Return the state before the first run."""
        content = self.scenario.start
        entry = Entry(LedgerState.ACTIVE, content, 0, is_verified=True)
        known = bool(content) and not self.scenario.ledger_is_lost
        idle = (Worker(), Worker())
        return State((Work(), Work()), idle, frozenset(), entry if known else None, content, 0)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step that may come next."""
        yield "tick", self._tick(state)
        for owner in {self.scenario.owner(run) for run in RUNS}:
            yield from self._lock_steps(state, owner)
        for request in state.requests:
            yield from self._network_steps(state, request)
        for index, worker in enumerate(state.workers):
            if worker.stage is Stage.IDLE:
                yield from self._begin_steps(state, index)
            else:
                yield f"worker {index} dies", _orphan(state, index).with_worker(index, Worker())
                yield from self._worker_steps(state, index, worker)

    # time and network

    def _tick(self, state: State) -> State:
        """One tick passes; requests at the end of their life vanish, and their workers are left unsure."""
        gone = {request.owner for request in state.requests if request.left == 0}
        (first, second), (one, two) = state.works, state.workers
        return state._replace(
            works=(first._replace(lease=_less(first.lease)), second._replace(lease=_less(second.lease))),
            workers=(_older(one, is_late=0 in gone), _older(two, is_late=1 in gone)),
            requests=frozenset(r._replace(left=r.left - 1) for r in state.requests if r.left > 0),
            lock=min(state.lock, Lock.EXPIRED),
        )

    def _network_steps(self, state: State, request: Request) -> Iterator[Step]:
        run, owner = request.run, request.owner
        name = f"request of run {run}"
        applied = state._replace(stored=self.scenario.content(run), stored_by=run)
        if owner < 0:
            # nobody waits for it, so whether it arrives once or twice makes no difference
            yield f"{name} is applied late", applied
            return
        rest = state.requests - {request}
        worker = state.workers[owner]
        yield f"{name} is applied and answered", _answered(applied, owner, Stage.ACKED, rest)
        yield f"{name} is applied, its answer lost", _answered(applied, owner, Stage.UNSURE, rest)
        yield f"{name} never leaves", _answered(state, owner, Stage.UNSENT, rest)
        yield f"{name} is given up", _orphan(state, owner).with_worker(owner, _unsure(worker))
        if self.scenario.refuses:
            yield f"{name} is refused", _answered(state, owner, Stage.REFUSED, rest)
        if self.scenario.loses_writes:
            yield f"{name} is answered but not stored", _answered(state, owner, Stage.ACKED, rest)

    # runs

    def _lock_steps(self, state: State, owner: int) -> Iterator[Step]:
        if self._has_lock(state, owner):
            yield f"{RENEW_LOCK} (run {owner})", state._replace(lock=Lock.HELD)
            yield f"{RELEASE_LOCK} (run {owner})", self._end_claims(state, owner)._replace(lock=Lock.RELEASED)
        elif self._may_take(state, owner):
            ended = state if state.holder == owner else self._end_claims(state, state.holder)
            yield f"{TAKE_LOCK} (run {owner})", _stop_planners(ended._replace(holder=owner, lock=Lock.HELD))

    def _end_claims(self, state: State, owner: int) -> State:
        """Who gives the lock back or loses it loses its claims as well."""
        if not self.rules.ends_claims or not self.rules.fences:
            return state
        for run in self.scenario.plans_of(owner):
            state = _lose_fence(state, run)
        return state

    def _has_lock(self, state: State, owner: int) -> bool:
        return state.holder == owner and state.lock is not Lock.RELEASED

    def _may_take(self, state: State, owner: int) -> bool:
        if any(state.work(run).is_planned for run in RUNS if self.scenario.owner(run) > owner):
            return False
        return state.lock is not Lock.HELD and (not self.rules.next_run_drains or self._is_drained(state, state.holder))

    def _is_drained(self, state: State, owner: int) -> bool:
        """Tell whether nothing that was sent for a run can still arrive."""
        return all(self._lease_drained(state.work(run).lease) for run in self.scenario.plans_of(owner))

    def _lease_drained(self, lease: int | None) -> bool:
        return lease is None or lease < -self.rules.drain

    def _begin_steps(self, state: State, index: int) -> Iterator[Step]:
        """What an idle worker may begin."""
        for run in self.scenario.serves[index]:
            work = state.work(run)
            has_lock = self._has_lock(state, self.scenario.owner(run))
            if has_lock and not any(state.work(other).is_planned for other in RUNS if other >= run):
                yield from self._begin_plan(state, index, run)
            if has_lock and self._may_claim(work):
                yield f"{CLAIM} (worker {index}, run {run})", self._claim(state, index, run)
            if work.row is OutboxState.DELIVERED:
                seen = Worker(Stage.READ_BACK, run, seen=state.stored)
                yield f"worker {index} reads back run {run}", state.with_worker(index, seen)

    def _begin_plan(self, state: State, index: int, run: int) -> Iterator[Step]:
        """A planner takes the place of every other one and puts the run's own old batches out of reach."""
        state = _stop_planners(state)
        if run > 1 and self.scenario.is_cleared_run and self.rules.supersedes_before_drain:
            state = _supersede(state, 1, unread_too=True)
        planner = Worker(Stage.PLANNING, run, has_fence=True)
        yield f"{BEGIN_PLAN} (worker {index}, plan {run})", state.with_worker(index, planner)

    def _is_planner(self, worker: Worker) -> bool:
        return worker.has_fence or not self.rules.fences_planner

    def _may_claim(self, work: Work) -> bool:
        is_drained = self._lease_drained(work.lease)
        if work.batch is BatchState.READY:
            return is_drained or not self.rules.drains_reopened
        return work.batch is BatchState.LEASED and is_drained

    def _plan(self, state: State, index: int, run: int) -> State:
        """Compare and queue; this run replaces what it and earlier runs left open."""
        for earlier in range(1, run + 1):
            state = _supersede(state, earlier)
        entry, wanted = state.entry, self.scenario.content(run)
        known = entry.content if entry and entry.state is not LedgerState.ARCHIVED else NO_CONTACT
        is_certain = entry is None or entry.state is not LedgerState.UNCERTAIN or not self.rules.reads_doubt
        is_change = known != wanted or not is_certain
        lease = state.work(run).lease
        queued = Work(BatchState.READY, OutboxState.PENDING, lease) if is_change else Work(lease=lease)
        return state.with_work(run, queued._replace(is_planned=True)).with_worker(index, Worker())

    def _planning_steps(self, state: State, index: int, worker: Worker) -> Iterator[Step]:
        run, entry = worker.run, state.entry
        if worker.stage is Stage.DOUBT_READ:
            yield f"{SETTLE_KEYS} (worker {index}, run {run})", self._settle_doubt(state, index, worker)
            return
        if not self._is_planner(worker):
            return
        if self.scenario.first_is_shown_only and run == 1:
            shown = state.with_work(1, Work(row=OutboxState.SUPERSEDED)).with_worker(index, Worker())
            yield f"{SHOW_PLAN} (run 1)", shown
            return
        if not self._is_drained(state, self.scenario.owner(run)):
            return
        in_doubt = entry is not None and (entry.state is LedgerState.UNCERTAIN or not entry.is_verified)
        if self.rules.reads_doubt and entry is None and state.stored:
            adopted = Entry(LedgerState.UNCERTAIN, NO_CONTACT, run, is_verified=False)
            name = DOUBT_STRAYS if self.scenario.is_resync else ADOPT
            yield f"{name} (run {run})", state.with_entry(adopted)
        elif self.rules.reads_doubt and in_doubt:
            reading = worker._replace(stage=Stage.DOUBT_READ, seen=state.stored)
            yield f"worker {index} reads the key in doubt", state.with_worker(index, reading)
        else:
            names = f"{PLAN} (run {run})"
            yield names, self._plan(state, index, run)

    def _settle_doubt(self, state: State, index: int, worker: Worker) -> State:
        if not self._is_planner(worker):
            return state.with_worker(index, Worker())
        found = LedgerState.ACTIVE if worker.seen else LedgerState.ARCHIVED
        after = state.with_worker(index, worker._replace(stage=Stage.PLANNING, seen=NO_CONTACT))
        return after.with_entry(Entry(found, worker.seen, worker.run, is_verified=True))

    # delivery

    def _claim(self, state: State, index: int, run: int) -> State:
        work = state.work(run)
        claimed = Work(BatchState.LEASED, OutboxState.IN_FLIGHT, LEASE, is_planned=True)
        if self.rules.fences:
            state = _lose_fence(state, run)
        worker = Worker(Stage.CLAIMED, run, has_fence=True, left=LEASE, is_doubtful=work.row is OutboxState.IN_FLIGHT)
        state = state.with_work(run, claimed).with_worker(index, worker)
        if not self.rules.ledger_after_answer:
            return state.with_entry(Entry(LedgerState.ACTIVE, self.scenario.content(run), run, is_verified=False))
        return state.with_entry(_doubted(state.entry, run))

    def _worker_steps(self, state: State, index: int, worker: Worker) -> Iterator[Step]:
        who = f"worker {index}, run {worker.run}"
        match worker.stage:
            case Stage.CLAIMED:
                yield from self._check_steps(state, index, worker)
            case Stage.CHECKED if worker.left >= 0 or not self.rules.bounded_pause:
                sent = state._replace(requests=state.requests | {Request(index, worker.run, LIFE)})
                yield f"send ({who})", sent.with_worker(index, worker._replace(stage=Stage.SENT))
            case Stage.UNSURE:
                yield from self._check_steps(state, index, worker)
                yield from self._settle_steps(state, index, worker)
            case Stage.ACKED | Stage.REFUSED | Stage.UNSENT:
                yield from self._settle_steps(state, index, worker)
            case Stage.READ_BACK:
                yield from self._read_back_steps(state, index, worker)
            case Stage.PLANNING | Stage.DOUBT_READ:
                yield from self._planning_steps(state, index, worker)
            case Stage.IDLE | Stage.CHECKED | Stage.SENT:
                return  # waits for a lease, or for the network

    def _check_steps(self, state: State, index: int, worker: Worker) -> Iterator[Step]:
        work = state.work(worker.run)
        checked = worker._replace(stage=Stage.CHECKED, left=LEASE)
        if not self.rules.checks_lease:
            yield f"no check (worker {index}, run {worker.run})", state.with_worker(index, checked)
            return
        has_lock = self._has_lock(state, self.scenario.owner(worker.run)) or not self.rules.checks_lock
        # a lease that ended is extended as long as nobody else claimed the batch
        has_lease = worker.has_fence and work.batch is BatchState.LEASED
        if has_lock and has_lease:
            extended = state.with_work(worker.run, work._replace(lease=LEASE))
            yield f"{CHECK} (worker {index}, run {worker.run})", extended.with_worker(index, checked)

    def _settle_steps(self, state: State, index: int, worker: Worker) -> Iterator[Step]:
        """Store the answer; without the fence nothing is stored."""
        name = f"{SETTLE} (worker {index}, run {worker.run}, {worker.stage})"
        if worker.stage is Stage.UNSURE and not self.rules.doubts_timeouts:
            worker = worker._replace(stage=Stage.ACKED, in_doubt=False)
        done = state.with_worker(index, Worker())
        work = state.work(worker.run)
        if not worker.has_fence or (work.batch is not BatchState.LEASED and self.rules.fences):
            has_sent = worker.stage is not Stage.UNSENT
            doubted = done.with_entry(_doubted(state.entry, worker.run)) if state.entry and has_sent else done
            yield f"{DOUBT_CLAIM} (worker {index}, run {worker.run})", doubted
            return
        is_clean = not worker.in_doubt and worker.stage is not Stage.UNSURE
        is_free = is_clean or not self.rules.keeps_lease_in_doubt
        settled = work._replace(lease=None if is_free else work.lease)
        match worker.stage:
            case Stage.ACKED:
                yield name, self._confirm(done, worker.run, settled)
            case Stage.REFUSED:
                rejected = settled._replace(batch=BatchState.DONE, row=OutboxState.REJECTED)
                yield name, _restored(done.with_work(worker.run, rejected), worker)
            case Stage.UNSENT if is_clean:
                keeps_doubt = worker.is_doubtful and self.rules.keeps_doubt_of_unsent
                row = OutboxState.IN_FLIGHT if keeps_doubt else OutboxState.PENDING
                pending = settled._replace(batch=BatchState.READY, row=row)
                yield name, _restored(done.with_work(worker.run, pending), worker)
            case _:
                batch = BatchState.READY if is_free else BatchState.LEASED
                yield name, done.with_work(worker.run, settled._replace(batch=batch))

    def _confirm(self, state: State, run: int, work: Work) -> State:
        if work.row is OutboxState.SUPERSEDED and self.rules.ledger_is_monotonic:
            return state.with_work(run, work)
        state = state.with_work(run, work._replace(batch=BatchState.DONE, row=OutboxState.DELIVERED))
        entry = state.entry
        is_ours = entry is not None and entry.run <= run and entry.state is LedgerState.UNCERTAIN
        if self.rules.ledger_is_monotonic and not is_ours:
            return state
        content = self.scenario.content(run)
        found = LedgerState.ACTIVE if content else LedgerState.ARCHIVED
        return state.with_entry(Entry(found, content, run, is_verified=False))

    def _read_back_steps(self, state: State, index: int, worker: Worker) -> Iterator[Step]:
        run, work, entry = worker.run, state.work(worker.run), state.entry
        name = f"{READ_BACK} (worker {index}, run {run})"
        done = state.with_worker(index, Worker())
        moves = work.row is OutboxState.DELIVERED or not self.rules.read_back_moves_delivered
        if not moves or work.row is OutboxState.SUPERSEDED:
            yield name, done
            return
        if worker.seen == self.scenario.content(run):
            done = done.with_work(run, work._replace(row=OutboxState.VERIFIED))
            is_ours = entry is not None and entry.run == run and entry.state is not LedgerState.UNCERTAIN
            yield name, done.with_entry(entry._replace(is_verified=True)) if entry and is_ours else done
            return
        doubted = done.with_entry(_doubted(entry, run)) if entry and entry.run <= run else done
        again = work._replace(row=OutboxState.PENDING)
        if work.batch is BatchState.DONE:
            again = again._replace(batch=BatchState.READY)
        yield f"{name}, again", doubted.with_work(run, again)
        yield f"{name}, mismatched", doubted.with_work(run, work._replace(row=OutboxState.MISMATCHED))


def _less(left: int | None) -> int | None:
    return None if left is None or left == -LIFE else left - 1


def _older(worker: Worker, *, is_late: bool) -> Worker:
    if is_late:
        return _unsure(worker)
    return worker._replace(left=max(-1, worker.left - 1)) if worker.stage is Stage.CHECKED else worker


def _unsure(worker: Worker) -> Worker:
    return worker._replace(stage=Stage.UNSURE, in_doubt=True)


def _answered(state: State, index: int, stage: Stage, requests: frozenset[Request]) -> State:
    worker = state.workers[index]
    after = _unsure(worker) if stage is Stage.UNSURE else worker._replace(stage=stage)
    return state._replace(requests=requests).with_worker(index, after)


def _orphan(state: State, index: int) -> State:
    """Nobody waits for what this worker sent; it stays on its way."""
    if not state.requests:
        return state
    return state._replace(requests=frozenset(r._replace(owner=-1) if r.owner == index else r for r in state.requests))


def _doubted(entry: Entry | None, run: int) -> Entry:
    if entry is None:
        return Entry(LedgerState.UNCERTAIN, NO_CONTACT, run, is_verified=False)
    before = entry.before_doubt if entry.state is LedgerState.UNCERTAIN else entry.state
    return entry._replace(state=LedgerState.UNCERTAIN, run=max(entry.run, run), is_verified=False, before_doubt=before)


def _restored(state: State, worker: Worker) -> State:
    """Take the doubt off a row that certainly was never applied."""
    entry = state.entry
    is_certain = not worker.in_doubt and not worker.is_doubtful
    if not is_certain or entry is None or entry.state is not LedgerState.UNCERTAIN or entry.run != worker.run:
        return state
    if entry.before_doubt is None:
        return state.with_entry(None)
    return state.with_entry(entry._replace(state=entry.before_doubt, before_doubt=None))


_PLANNERS = frozenset({Stage.PLANNING, Stage.DOUBT_READ})


def _without_fence(state: State, loses: Callable[[Worker], bool]) -> State:
    workers = tuple(worker._replace(has_fence=False) if loses(worker) else worker for worker in state.workers)
    return state._replace(workers=(workers[0], workers[1]))


def _lose_fence(state: State, run: int) -> State:
    return _without_fence(state, lambda worker: worker.run == run and worker.stage not in _PLANNERS)


def _stop_planners(state: State) -> State:
    return _without_fence(state, lambda worker: worker.stage in _PLANNERS)


def _supersede(state: State, run: int, *, unread_too: bool = False) -> State:
    work = state.work(run)
    if work.row in _OPEN_ROWS or (unread_too and work.row is OutboxState.DELIVERED):
        work = work._replace(row=OutboxState.SUPERSEDED)
    if work.batch in _OPEN_BATCHES:
        work = work._replace(batch=BatchState.SUPERSEDED)
        state = _lose_fence(state, run)
    return state.with_work(run, work)


def broken_invariant(before: State, after: State, scenario: Scenario) -> str:
    """Return the promise that a step broke, empty when all hold."""
    entry = after.entry
    if after.stored_by < before.stored_by:
        return "an older value went over a newer one"
    was_read = entry is not None and entry.is_verified and entry.content == after.stored
    if before.entry and entry and entry.run < before.entry.run and not was_read:
        return "the ledger went back to an older run"
    if entry and entry.state is not LedgerState.UNCERTAIN and (entry.is_verified or not scenario.loses_writes):
        held = entry.content if entry.state is LedgerState.ACTIVE else NO_CONTACT
        if held != after.stored:
            return "the ledger is certain of something that HubSpot does not hold"
    for run in RUNS:
        work = after.work(run)
        if work.lease is None and any(request.run == run for request in after.requests):
            return "a request is on its way under no lease"
        if work.batch in _OPEN_BATCHES and work.row not in _OPEN_ROWS:
            return "a batch can be claimed that has nothing to send"
    return _broken_at_rest(after, scenario)


def _broken_at_rest(state: State, scenario: Scenario) -> str:
    """Judge the newest plan when it is through with the record and nothing is on its way."""
    newest = max((run for run in RUNS if state.work(run).is_planned), default=0)
    if not newest or state.requests or state.stored == scenario.content(newest):
        return ""
    row = state.work(newest).row
    if row is None:
        return "the newest plan leaves out a record that differs"
    return "a record counts as verified that differs" if row is OutboxState.VERIFIED else ""


def canonical(state: State) -> State:
    """Return the same state with its workers in a fixed order: they differ only in their numbers."""
    first, second = state.workers
    if first <= second:
        return state
    swapped = frozenset(r._replace(owner=1 - r.owner) if r.owner >= 0 else r for r in state.requests)
    return state._replace(workers=(second, first), requests=swapped)


def search(rules: Rules, scenario: Scenario) -> Search:
    """Look at every state that can be reached; stop at the first one that breaks a promise."""
    model = Model(rules, scenario)
    start = model.start()
    parents: dict[State, tuple[State, str] | None] = {start: None}
    queue = deque([start])
    are_alike = scenario.serves[0] == scenario.serves[1]
    result = Search()
    result.note(start)
    while queue:
        state = queue.popleft()
        for name, step in model.steps(state):
            after = canonical(step) if are_alike else step
            if after in parents:
                continue
            parents[after] = (state, name)
            result.note(after, name)
            if broken := broken_invariant(state, after, scenario):
                result.broken, result.path = broken, _path(parents, after)
                result.states = len(parents)
                return result
            queue.append(after)
    result.states = len(parents)
    return result


def _path(parents: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    names: list[str] = []
    while (link := parents[state]) is not None:
        state, name = link
        names.append(name)
    return tuple(reversed(names))
