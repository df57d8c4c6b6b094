"""The plan of a run as a value: what it does and costs, which guards it meets, and whether it still is another plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.hubspot_sync.config import Delivery, ReadBack, SyncDefinition
from include.hubspot_sync.errors import ConfigError, PlanMovedOnError
from include.hubspot_sync.records import GuardTrip, Operation, PlanBasis, PlanCost, RunMode, RunPlan
from include.hubspot_sync.store import pacing, plans
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.delta import Bound, Selection
from include.hubspot_sync.store.plans import ChangeSums
from include.hubspot_sync.store.rejects import OpenRejects, ReplayChoice
from include.hubspot_sync.store.runs import Run

_SAMPLE_ONE_IN = 10
_NAMED = 5
_AGAIN = "nothing was sent; look at a new plan (mode plan_only) and apply that one"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides about a plan beside source and ledger."""

    selection: Selection
    with_archives: bool
    active: int
    """Active contacts in the ledger."""
    guards_approved: bool


def effective_mode(mode: RunMode) -> RunMode:
    """Return the mode in which a plan of this mode is sent."""
    return RunMode.INCREMENTAL if mode is RunMode.PLAN_ONLY else mode


def selection_of(basis: PlanBasis) -> Selection:
    """Return which changes the trial run sends that the plan is of."""
    return Selection(basis.record_limit, tuple(Bound(*bound) for bound in basis.bounds))


def cost_of(
    changes: Mapping[str, int], delivery: Delivery, interval_us: int, quota: tuple[int, int] | None
) -> PlanCost:
    """Return the requests of a plan and the time that the portal's limit leaves for them.

    Args:
        changes: Changes by operation.
        delivery: For batch size and read-back.
        interval_us: Microseconds between two requests at present.
        quota: Limit and rest of the day's requests; None when HubSpot did not say.
    """
    upserts = -(-(changes[Operation.CREATE] + changes[Operation.UPDATE]) // delivery.batch_size)
    archives = -(-changes[Operation.ARCHIVE] // delivery.batch_size)
    batches = upserts + archives
    read_back = {
        ReadBack.FULL: batches,
        ReadBack.SAMPLE: -(-batches // _SAMPLE_ONE_IN),
        ReadBack.NONE: 0,
    }[delivery.read_back]
    reads = archives + read_back  # an archive looks up the id that the key has now
    limit, remaining = quota or (None, None)
    return PlanCost(batches, reads, round((batches + reads) * interval_us / 1_000_000, 3), limit, remaining)


def make_plan(
    transaction: Transaction, definition: SyncDefinition, run: Run, sums: ChangeSums, around: Circumstances
) -> RunPlan:
    """Return the plan whose changes are queued, without its guards."""
    rejects = plans.sum_rejects(transaction, run)
    quota = pacing.daily_quota(transaction, run.portal_id)
    basis = PlanBasis(
        mode=effective_mode(run.mode),
        portal_id=run.portal_id,
        source_version=run.source_version,
        source_last_updated=run.source_last_updated,
        source_sha256=(run.source_sha256 or b"").hex(),
        mapping_hash=(run.mapping_hash or b"").hex(),
        snapshot_sum=plans.sum_snapshot(transaction, run.run_id),
        changes_sum=sums.changes_sum,
        previous_sum=sums.previous_sum,
        rejects_sum=rejects.rejects_sum,
        active=around.active,
        with_archives=around.with_archives,
        record_limit=around.selection.record_limit,
        bounds=tuple((bound.name, bound.least, bound.most) for bound in around.selection.bounds),
    )
    return RunPlan(
        basis=basis,
        changes=sums.counts,
        records=run.records or 0,
        rejected=rejects.rejected,
        quarantined=run.quarantined or 0,
        cost=cost_of(sums.counts, definition.delivery, pacing.interval_us(transaction, run.portal_id), quota),
        guards_approved=around.guards_approved,
    )


def plan_to_apply(
    transaction: Transaction, definition: SyncDefinition, plan_run_id: int, *, portal_id: int, mode: RunMode
) -> RunPlan:
    """Return the plan that a run has to apply, after what can be compared before anything is read.

    Raises:
        ConfigError: this sync has no such plan, or it is sent in another mode.
        PlanMovedOnError: mapping or portal are not those of the plan.
    """
    plan = plans.find_plan(transaction, definition.name, plan_run_id)
    if plan is None:
        raise ConfigError(
            f"plan_run_id {plan_run_id}: sync {definition.name} has no plan of this run, or retention has removed it; "
            "name the run_id of a run of this sync that planned"
        )
    if mode is not plan.basis.mode:
        raise ConfigError(
            f"plan_run_id {plan_run_id}: its plan is sent with mode {plan.basis.mode}, not {mode}: set that mode"
        )
    moved = []
    if plan.basis.portal_id != portal_id:
        moved.append(f"the portal (planned for {plan.basis.portal_id}, the token is of {portal_id})")
    if plan.basis.mapping_hash != definition.mapping_hash().hex():
        moved.append("the mapping (columns, properties, key or SQL of the definition were changed)")
    if moved:
        raise PlanMovedOnError(
            f"the plan of run {plan_run_id} cannot be applied, moved on: {', '.join(moved)}; {_AGAIN}"
        )
    return plan


def refuse_other_version(basis: PlanBasis, version: int, last_updated: str, *, is_newest: bool) -> None:
    """Let a plan be applied only to the version of the dataset that it was made of.

    Raises:
        PlanMovedOnError: names both versions.
    """
    if version == basis.source_version and (not is_newest or last_updated == basis.source_last_updated):
        return
    pin = f", or give dataset_version {basis.source_version} as well" if version != basis.source_version else ""
    raise PlanMovedOnError(
        f"the plan cannot be applied, moved on: the source (version {basis.source_version} of "
        f"{basis.source_last_updated} then, version {version} of {last_updated} now); {_AGAIN}{pin}"
    )


def moved_on_error(transaction: Transaction, plan_run_id: int, then: RunPlan, now: RunPlan) -> PlanMovedOnError | None:
    """Return why a run must not send its plan for the one that it was told to apply; None when it is the same."""
    if now.basis.fingerprint() == then.basis.fingerprint():
        return None
    later = plans.planned_since(transaction, plan_run_id)
    since = f"; run {later} has planned since" if later else ""
    return PlanMovedOnError(
        f"the plan of run {plan_run_id} cannot be applied, moved on: {', '.join(moved_on(then, now))}{since}; "
        f"changes then: {_counts(then)}, now: {_counts(now)}; {_AGAIN}"
    )


def moved_on(then: RunPlan, now: RunPlan) -> list[str]:
    """Name what two plans differ in, with the numbers; the ledger when nothing else explains it."""
    before, after = then.basis, now.basis
    is_other_source = (before.source_version, before.source_sha256, before.snapshot_sum) != (
        after.source_version,
        after.source_sha256,
        after.snapshot_sum,
    )
    source = f"version {before.source_version} with {then.records} records then"
    portal = f"{before.portal_id} then, {after.portal_id} now"
    archives = f"{before.with_archives} then, {after.with_archives} now"
    left_out = f"{then.rejected} records left out then, {now.rejected} now"
    causes = (
        (before.portal_id != after.portal_id, f"the portal ({portal})"),
        (before.mapping_hash != after.mapping_hash, "the mapping"),
        (is_other_source, f"the source ({source}, version {after.source_version} with {now.records} now)"),
        (before.with_archives != after.with_archives, f"whether removed records are archived ({archives})"),
        (before.rejects_sum != after.rejects_sum, f"the rejects ({left_out})"),
    )
    named = [text for differs, text in causes if differs]
    if before.active != after.active or not named:
        named.append(f"the ledger ({before.active} active contacts then, {after.active} now)")
    return named


def _counts(plan: RunPlan) -> str:
    return ", ".join(f"{operation} {count}" for operation, count in plan.changes.items())


def trips_text(trips: tuple[GuardTrip, ...]) -> str:
    """Return one sentence about the guards that a plan meets, empty when it meets none."""
    if not trips:
        return ""
    return "guards stop this plan: " + "; ".join(trip.text for trip in trips)


def nothing_replayed_text(choice: ReplayChoice, present: Sequence[OpenRejects]) -> str:
    """Say that a replay found no refused record, and what there is: reasons and runs, which a log may hold, no key."""
    if not present:
        return "the replay found nothing: no record that HubSpot refused is open"
    given = (
        (f"replay_run {choice.run_id}", choice.run_id is not None),
        (f"replay_reason {choice.reason}", bool(choice.reason)),
        ("replay_key", bool(choice.key_text)),
    )
    wanted = ", ".join(text for text, is_given in given if is_given)
    found = ", ".join(f"{one.count} for {one.reason} in run {one.run_id}" for one in present[:_NAMED])
    more = f" and {len(present) - _NAMED} other kinds" if len(present) > _NAMED else ""
    return f"the replay found nothing: no open refused record fits {wanted}; open are {found}{more}"
