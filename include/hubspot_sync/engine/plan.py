"""Plan a run: settle what is in doubt, compare snapshot and ledger, queue the changes, deal them to shards."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from include.hubspot_sync.config import Delivery, OnRemoval, SyncDefinition
from include.hubspot_sync.destination.protocol import Destination, RecordLimit
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.guards import (
    contacts_trip,
    lines_trip,
    quota_trip,
    records_trip,
    removals_trip,
    rewrites_trip,
    rows_trip,
)
from include.hubspot_sync.engine.recover import settle_unsettled_keys
from include.hubspot_sync.engine.run_plan import (
    Circumstances,
    make_plan,
    moved_on_error,
    nothing_replayed_text,
    plan_to_apply,
    selection_of,
)
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.engine.sweep import doubt_strays
from include.hubspot_sync.engine.verify import property_types
from include.hubspot_sync.errors import ConfigError, GuardError, QuotaExhaustedError, SyncError
from include.hubspot_sync.records import (
    CONTACT_LIMIT,
    DAILY_QUOTA,
    GuardTrip,
    Phase,
    PlanSample,
    RunMode,
    RunPlan,
    RunState,
)
from include.hubspot_sync.store import delta, ledger, lock, plans, rejects, runs
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.delta import EVERYTHING, Rewrites, Selection, Shard
from include.hubspot_sync.store.lock import Turn, in_turn
from include.hubspot_sync.store.rejects import EVERY_REJECT, ReplayChoice
from include.hubspot_sync.store.runs import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanWork:
    """The collaborators of a plan."""

    definition: SyncDefinition
    store: AsyncStore
    sender: Sender
    destination: Destination
    sleep: Callable[[float], Awaitable[object]]


def shard_count(batches: int, delivery: Delivery) -> int:
    """Return how many mapped tasks share these batches.

    One for a small plan; otherwise whole waves of the pool's slots, so that all slots finish together.
    """
    if batches <= delivery.small_shard_batches:
        return min(1, batches)
    slots = min(delivery.shards_at_once, delivery.max_shards)
    waves = -(-batches // (slots * delivery.batches_per_shard))
    return min(slots * waves, delivery.max_shards // slots * slots, batches)


def requests_at_once(shards: int, delivery: Delivery) -> int:
    """Return how many requests each of so many shards may have under way.

    Fewer shards than may run at once share what all together may have under way: so a small plan takes two requests'
    time, one to write and one to read back, instead of several rounds.
    """
    return delivery.in_flight * max(1, delivery.shards_at_once // max(1, shards))


def refuse_changed_mapping(definition: SyncDefinition, run: Run) -> None:
    """Let no task of a run work by another mapping than the one its file was staged with.

    Raises:
        ConfigError: the definition's mapping, key or SQL changed meanwhile.
    """
    if run.mapping_hash != definition.mapping_hash():
        raise ConfigError(f"the mapping of {definition.name} changed while the run was under way: clear the whole run")


def plan_hash(run: Run) -> bytes:
    """Return what a plan depends on: same source, mapping, mode and epoch keep the plan of a cleared run."""
    parts = (run.source_sha256 or b"", run.mapping_hash or b"", str(run.mode).encode(), str(run.epoch).encode())
    return hashlib.sha256(b"\n".join(parts)).digest()


_APPROVE = "nothing was sent; check the file, or approve with the run parameter approve_guards and a reason"


def trip_error(trip: GuardTrip) -> GuardError | QuotaExhaustedError:
    """Return the error with which a guard stops a run: what, the limit, and what to do."""
    if trip.guard == DAILY_QUOTA:
        return QuotaExhaustedError(f"{trip.text}; nothing was sent, try again tomorrow")
    if trip.guard == CONTACT_LIMIT:
        return GuardError(f"{trip.text}; nothing was sent; make room")
    return GuardError(f"{trip.text}: {_APPROVE}")


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the person who started the run decided."""

    guards_approved: bool = False
    replay: ReplayChoice = EVERY_REJECT
    """The refused records that a run of mode replay tries again."""
    selection: Selection = EVERYTHING
    """The changes that a trial run sends."""
    plan_run_id: int | None = None
    """The run whose plan has to be applied, and nothing else; None = whatever the run plans."""


async def compute_delta(work: PlanWork, run: Run, request: PlanRequest = PlanRequest()) -> list[Shard]:
    """Fill the outbox with what HubSpot lacks and return the shards that have work.

    A cleared run with the same source, mapping and epoch keeps its plan and sends only what is open.

    Raises:
        ConfigError: the mapping changed since the file was staged.
        GuardError: the removals or the changes look wrong.
        QuotaExhaustedError: the requests do not fit into the day.
        PlanMovedOnError: the plan is not the one to apply.
        SyncError: HubSpot or MySQL did not answer while keys in doubt were read.
    """
    definition = work.definition
    refuse_changed_mapping(definition, run)
    wanted = plan_hash(run)
    if run.plan_hash != wanted:
        turn = await work.store.run(lambda transaction: _begin(transaction, definition, run))
        with spent_on(Phase.SETTLE):
            await _settle_doubts(work, turn)
        limit = await _record_limit(work)
        try:
            await work.store.run(
                in_turn(
                    turn,
                    lambda transaction: _plan(transaction, definition, run, wanted, limit, request),
                )
            )
        except _RefusedPlanError as refused:
            made = refused.made
            await work.store.run(in_turn(turn, lambda transaction: _keep(transaction, run, made, request)))
            raise refused.reason from None
    elif run.mode is not RunMode.PLAN_ONLY:
        await work.store.run(lambda transaction: runs.set_state(transaction, run.run_id, RunState.PLANNED))
    read_back = str(definition.delivery.read_back)
    shards = await work.store.run(lambda transaction: delta.open_shards(transaction, run.run_id, read_back))
    log.info("plan ready run_id=%d shards=%d rows=%d", run.run_id, len(shards), sum(shard.rows for shard in shards))
    return shards


def _begin(transaction: Transaction, definition: SyncDefinition, run: Run) -> Turn:
    """Begin the planner's turn, with an earlier plan of the run out of reach before its requests drain."""
    delivery = definition.delivery
    turn = lock.begin_turn(transaction, run, lease_s=delivery.run_lease_s, drain_s=delivery.request_timeout_s)
    delta.retire_plan(transaction, run)
    return turn


async def _settle_doubts(work: PlanWork, turn: Turn) -> None:
    """Wait for this run's own requests to drain, then read every key in doubt."""
    run = turn.run
    drain_s = work.definition.delivery.request_timeout_s
    wait_s = await work.store.run(lambda transaction: lock.drain_wait(transaction, run.run_id, drain_s))
    if wait_s > 0:
        await work.sleep(wait_s)
    if await work.store.run(lambda transaction: ledger.is_empty(transaction, run.sync_name)):
        await _adopt_portal(work, turn)
    if run.mode is RunMode.FULL_RESYNC and work.definition.destination.on_removal is OnRemoval.ARCHIVE:
        await doubt_strays(work.store, work.sender, work.destination, turn)
    await settle_unsettled_keys(work.store, work.sender, work.destination, turn, property_types(work.definition))


async def _adopt_portal(work: PlanWork, turn: Turn) -> None:
    """An empty ledger is a first load or a lost ledger: one search tells."""
    await work.sender.gate.wait(is_write=False)
    total = await work.destination.search_total(work.definition.destination.key_property)
    if total:
        log.warning("the ledger is empty but the portal holds %d keyed contacts: reading all keys first", total)
        await work.store.run(in_turn(turn, lambda transaction: ledger.adopt_snapshot(transaction, turn.run)))


async def _record_limit(work: PlanWork) -> RecordLimit:
    await work.sender.gate.wait(is_write=False)
    return await work.destination.record_limit()


@dataclass(frozen=True, slots=True)
class _MadePlan:
    """A plan whose changes are queued."""

    plan: RunPlan
    samples: tuple[PlanSample, ...]
    first_batch_no: int


class _RefusedPlanError(Exception):
    """Takes back a plan that must not be sent; it is kept for people to look at."""

    def __init__(self, made: _MadePlan, reason: SyncError) -> None:
        super().__init__(str(reason))
        self.made = made
        self.reason = reason


def _keep(transaction: Transaction, run: Run, made: _MadePlan, request: PlanRequest) -> None:
    plans.keep_plan(transaction, run.run_id, made.plan, made.samples, applies_run_id=request.plan_run_id)


def _plan(
    transaction: Transaction,
    definition: SyncDefinition,
    run: Run,
    wanted: bytes,
    limit: RecordLimit,
    request: PlanRequest,
) -> None:
    """Queue the changes, keep the plan and cut it into batches, all in one transaction.

    Raises:
        _RefusedPlanError: a guard stops the run, or it is not the plan to apply; everything is rolled back.
    """
    is_shown_only = run.mode is RunMode.PLAN_ONLY
    applies = _plan_to_apply(transaction, definition, run, request)
    if not is_shown_only:
        delta.supersede_open(transaction, run)
    note = _release(transaction, run, request.replay) if run.mode is RunMode.REPLAY else ""
    made = _queue(transaction, definition, run, limit, request, applies)
    made = replace(made, plan=replace(made.plan, note=note))
    if not is_shown_only:
        _refuse(transaction, made, request, applies)
    _keep(transaction, run, made, request)
    runs.store_plan(transaction, run.run_id, made.plan.changes, is_shown_only=is_shown_only)
    if is_shown_only:
        delta.drop_plan(transaction, run.run_id)
        return
    batches = delta.count_batches(transaction, run, made.first_batch_no)
    shards = max(1, shard_count(batches, definition.delivery))
    delta.cut_batches(transaction, run, first_batch_no=made.first_batch_no, shard_count=shards, plan_hash=wanted)


def _release(transaction: Transaction, run: Run, choice: ReplayChoice) -> str:
    """Let the plan include refused records again; return what to tell when none fits.

    It fails no run: a replay also syncs what changed meanwhile, and a cleared one finds its records released before.
    """
    released = rejects.release_rejects(transaction, run.sync_name, choice)
    log.info("replaying run_id=%d records=%d", run.run_id, released)
    if released:
        return ""
    note = nothing_replayed_text(choice, rejects.count_open(transaction, run.sync_name))
    log.warning("%s run_id=%d", note, run.run_id)
    return note


def _queue(
    transaction: Transaction,
    definition: SyncDefinition,
    run: Run,
    limit: RecordLimit,
    request: PlanRequest,
    applies: RunPlan | None,
) -> _MadePlan:
    """Queue the changes and say what they are, what they cost and which guards they meet."""
    selection = selection_of(applies.basis) if applies else request.selection
    rewrites = delta.count_rewrites(transaction, run)
    with_archives = _may_archive(definition, run)
    first_batch_no = delta.queue_changes(
        transaction,
        run,
        batch_size=definition.delivery.batch_size,
        is_resync=run.mode is RunMode.FULL_RESYNC,
        with_archives=with_archives,
        selection=selection,
    )
    sums = plans.sum_changes(transaction, run.run_id, first_batch_no)
    around = Circumstances(selection, with_archives, rewrites.active, request.guards_approved)
    plan = make_plan(transaction, definition, run, sums, around)
    trips = _trips(transaction, definition, run, plan, rewrites, limit)
    samples = plans.samples(transaction, run.run_id, sums.sample_seqs)
    return _MadePlan(replace(plan, trips=trips), samples, first_batch_no)


def _plan_to_apply(
    transaction: Transaction, definition: SyncDefinition, run: Run, request: PlanRequest
) -> RunPlan | None:
    if request.plan_run_id is None:
        return None
    return plan_to_apply(transaction, definition, request.plan_run_id, portal_id=run.portal_id, mode=run.mode)


def _refuse(transaction: Transaction, made: _MadePlan, request: PlanRequest, applies: RunPlan | None) -> None:
    """Send no plan that another one was to be, and none that a guard stops."""
    if applies is not None and request.plan_run_id is not None:
        reason = moved_on_error(transaction, request.plan_run_id, applies, made.plan)
        if reason is not None:
            raise _RefusedPlanError(made, reason)
    for trip in made.plan.trips:
        if not (trip.can_be_approved and request.guards_approved):
            raise _RefusedPlanError(made, trip_error(trip))


def _trips(
    transaction: Transaction,
    definition: SyncDefinition,
    run: Run,
    plan: RunPlan,
    rewrites: Rewrites,
    limit: RecordLimit,
) -> tuple[GuardTrip, ...]:
    """Return every guard that this plan meets, those of `stage` included."""
    rules, delivery = definition.guards, definition.delivery
    accepted = runs.accepted_run(transaction, run.sync_name, run.portal_id)
    is_new_mapping = accepted is not None and accepted.mapping_hash != run.mapping_hash
    found = (
        lines_trip(run.quarantined_lines or 0, run.source_rows or 0, rules),
        rows_trip(run.source_rows or 0, accepted, rules),
        records_trip(run.records or 0, accepted, rules),
        removals_trip(delta.count_removals(transaction, run), rules) if plan.basis.with_archives else None,
        # with a new mapping the definition, not the file, is why contacts get other values
        None if is_new_mapping else rewrites_trip(rewrites, rules),
        contacts_trip(plan.changes, limit),
        quota_trip(plan.cost, delivery),
    )
    return tuple(trip for trip in found if trip)


def _may_archive(definition: SyncDefinition, run: Run) -> bool:
    """Decide whether this run may archive what left the source."""
    if definition.destination.on_removal is not OnRemoval.ARCHIVE or run.is_limited:
        return False
    if run.unreadable_key_lines:
        log.warning(
            "nothing is archived, lines without a readable key: %d run_id=%d", run.unreadable_key_lines, run.run_id
        )
        return False
    return True
