"""Plan a run: settle what is in doubt, compare snapshot and ledger, queue the changes, deal them to shards."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from include.hubspot_sync.config import Delivery, Guards, OnRemoval, ReadBack, SyncDefinition
from include.hubspot_sync.destination.protocol import Destination, RecordLimit
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.recover import settle_unsettled_keys
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.engine.sweep import doubt_strays
from include.hubspot_sync.engine.verify import property_types
from include.hubspot_sync.errors import ConfigError, GuardError, QuotaExhaustedError
from include.hubspot_sync.records import Operation, Phase, RunMode, RunState
from include.hubspot_sync.store import delta, ledger, lock, outbox, pacing, rejects, report, runs
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.delta import EVERYTHING, Removals, Rewrites, Selection, Shard
from include.hubspot_sync.store.lock import Turn, in_turn
from include.hubspot_sync.store.rejects import EVERY_REJECT, ReplayChoice
from include.hubspot_sync.store.report import Outcomes
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


def guard_removals(removals: Removals, guards: Guards) -> None:
    """Stop before contacts are archived in numbers that look like a broken file.

    Raises:
        GuardError: more than `max_archive_share` of the active contacts would go.
    """
    allowed = guards.max_archive_share * removals.active
    if removals.removed > max(allowed, 1):
        raise GuardError(
            f"{removals.removed} of {removals.active} contacts are no longer in the source, more than "
            f"{guards.max_archive_share:.0%} (guards.max_archive_share): nothing was sent; check the file, or approve "
            "with the run parameter approve_guards and a reason"
        )


def guard_rewrites(rewrites: Rewrites, guards: Guards) -> None:
    """Stop before contacts are changed in numbers that look like a broken file.

    Raises:
        GuardError: more than `max_change_share` of the active contacts would get other values.
    """
    allowed = guards.max_change_share * rewrites.active
    if rewrites.changed > max(allowed, 1):
        raise GuardError(
            f"{rewrites.changed} of {rewrites.active} contacts get other values, more than "
            f"{guards.max_change_share:.0%} (guards.max_change_share): nothing was sent; check the file, or approve "
            "with the run parameter approve_guards and a reason"
        )


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the person who started the run decided."""

    guards_approved: bool = False
    replay: ReplayChoice = EVERY_REJECT
    """The refused records that a run of mode replay tries again."""
    selection: Selection = EVERYTHING
    """The changes that a trial run sends."""


async def compute_delta(work: PlanWork, run: Run, request: PlanRequest = PlanRequest()) -> list[Shard]:
    """Fill the outbox with what HubSpot lacks and return the shards that have work.

    A cleared run with the same source, mapping and epoch keeps its plan and sends only what is open.

    Raises:
        ConfigError: the mapping changed since the file was staged.
        GuardError: the removals or the changes look wrong.
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
        await work.store.run(
            in_turn(
                turn,
                lambda transaction: _plan(transaction, definition, run, wanted, limit, request),
            )
        )
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
    wait_s = await work.store.run(lambda transaction: outbox.drain_wait(transaction, run.run_id, drain_s))
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


def guard_portal(
    planned: Mapping[str, int], limit: RecordLimit, quota: tuple[int, int] | None, delivery: Delivery
) -> None:
    """Stop before the first write when portal or day have no room for the plan.

    Args:
        planned: Changes by operation.
        limit: How many contacts the portal holds and may hold.
        quota: Limit and rest of the day's requests.
        delivery: For batch size, read-back and the reserve.

    Raises:
        GuardError: the contacts do not fit; no approval lifts this, because HubSpot would refuse them anyway.
        QuotaExhaustedError: the requests do not fit.
    """
    creates = planned[Operation.CREATE]
    if limit.limit is not None and creates and limit.usage + creates > limit.limit:
        raise GuardError(
            f"{creates} new contacts do not fit: the portal holds {limit.usage} of {limit.limit}; "
            "nothing was sent; make room"
        )
    batches = -(-(creates + planned[Operation.UPDATE]) // delivery.batch_size)
    archives = -(-planned[Operation.ARCHIVE] // delivery.batch_size)
    calls = batches * (2 if delivery.read_back is ReadBack.FULL else 1) + archives * 3
    if quota and calls and calls > quota[1] - delivery.daily_reserve * quota[0]:
        raise QuotaExhaustedError(
            f"the plan needs {calls} requests, {quota[1]} of {quota[0]} are left today and "
            f"{delivery.daily_reserve:.0%} are reserved for others; nothing was sent, try again tomorrow"
        )


def _plan(
    transaction: Transaction,
    definition: SyncDefinition,
    run: Run,
    wanted: bytes,
    limit: RecordLimit,
    request: PlanRequest,
) -> Outcomes:
    """Queue the changes and cut them into batches, all in one transaction."""
    with_archives = _archives(transaction, definition, run, guards_approved=request.guards_approved)
    if not request.guards_approved and not _is_new_mapping(transaction, run):
        guard_rewrites(delta.count_rewrites(transaction, run), definition.guards)
    is_shown_only = run.mode is RunMode.PLAN_ONLY
    if not is_shown_only:
        delta.supersede_open(transaction, run)
    if run.mode is RunMode.REPLAY:
        released = rejects.release_rejects(transaction, run.sync_name, request.replay)
        log.info("replaying run_id=%d records=%d", run.run_id, released)
    first_batch_no = delta.queue_changes(
        transaction,
        run,
        batch_size=definition.delivery.batch_size,
        is_resync=run.mode is RunMode.FULL_RESYNC,
        with_archives=with_archives,
        selection=request.selection,
    )
    outcomes = report.count_outcomes(transaction, run.run_id)
    guard_portal(outcomes.planned(), limit, pacing.daily_quota(transaction, run.portal_id), definition.delivery)
    runs.store_plan(transaction, run.run_id, outcomes.planned(), is_shown_only=is_shown_only)
    if is_shown_only:
        delta.drop_plan(transaction, run.run_id)
        return outcomes
    batches = delta.count_batches(transaction, run, first_batch_no)
    shards = max(1, shard_count(batches, definition.delivery))
    delta.cut_batches(transaction, run, first_batch_no=first_batch_no, shard_count=shards, plan_hash=wanted)
    return outcomes


def _is_new_mapping(transaction: Transaction, run: Run) -> bool:
    """Tell whether the definition, not the file, is why contacts get other values."""
    accepted = runs.accepted_run(transaction, run.sync_name, run.portal_id)
    return accepted is not None and accepted.mapping_hash != run.mapping_hash


def _archives(transaction: Transaction, definition: SyncDefinition, run: Run, *, guards_approved: bool) -> bool:
    """Decide whether this run may archive, and check the number."""
    if definition.destination.on_removal is not OnRemoval.ARCHIVE or run.is_limited:
        return False
    if run.unreadable_key_lines:
        log.warning(
            "nothing is archived: %d lines have no readable key run_id=%d", run.unreadable_key_lines, run.run_id
        )
        return False
    if not guards_approved:
        guard_removals(delta.count_removals(transaction, run), definition.guards)
    return True
