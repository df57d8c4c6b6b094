"""The bodies of the tasks: plain values in, plain values out, the rules are in the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.engine import health, ingest, plan, preflight
from include.hubspot_sync.engine.answer_tally import AnswerTally
from include.hubspot_sync.engine.deliver import ShardDelivery, ShardWork
from include.hubspot_sync.engine.recover import READS_AT_ONCE
from include.hubspot_sync.engine.run_plan import plan_to_apply
from include.hubspot_sync.engine.verify import property_types
from include.hubspot_sync.errors import ConfigError, IncompleteRunError, SupersededError
from include.hubspot_sync.observe.incident import RunFacts
from include.hubspot_sync.observe.summary_table import summary_table
from include.hubspot_sync.orchestration.alerts import report_end
from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
from include.hubspot_sync.orchestration.kaggle_hook import KaggleHook
from include.hubspot_sync.orchestration.mysql_hook import BULK_ANSWER_TIMEOUT_S, SyncMySqlHook
from include.hubspot_sync.orchestration.process_end import when_told_to_end
from include.hubspot_sync.orchestration.s3_landing import open_landing
from include.hubspot_sync.orchestration.task_errors import notes_reason, reports_errors
from include.hubspot_sync.orchestration.task_time import timed
from include.hubspot_sync.orchestration.versions import check_versions
from include.hubspot_sync.orchestration.wiring import (
    Portal,
    TaskIdentity,
    definition_of,
    open_database,
    open_portal,
    open_store,
)
from include.hubspot_sync.records import Phase, PlanBasis, RunMode, RunState
from include.hubspot_sync.source.key_text import fold_key
from include.hubspot_sync.store import delta, lock, phases, plans, runs
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.delta import EVERYTHING, Selection
from include.hubspot_sync.store.outbox import Writer
from include.hubspot_sync.store.rejects import ReplayChoice
from include.hubspot_sync.store.runs import Run

log = logging.getLogger(__name__)

PAGE_PREFIX = "/hubspot-sync"
"""Where the plugin mounts the page; its file may not be imported here."""
_COUNTED = frozenset({RunState.DONE, RunState.FAILED})


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the person or schedule that started the run asked for."""

    mode: RunMode
    approve_guards: str = ""
    """Reason for passing the guards; empty = they stop the run."""
    allow_older_version: str = ""
    """Reason for accepting an older dataset version; empty = it is refused."""
    replay_run: int | None = None
    """Only records that HubSpot refused in this run; None = of every run."""
    replay_reason: str = ""
    """Only records that HubSpot refused for this reason; empty = for every reason."""
    replay_key: str = ""
    """Only the record with this key; empty = every record."""
    dataset_version: int | None = None
    """The version to sync; None = the newest."""
    selection: Selection = EVERYTHING
    """The changes that a trial run sends."""
    plan_run_id: int | None = None
    """The run whose plan is applied, and nothing else; None = whatever this run plans."""

    @property
    def replay(self) -> ReplayChoice:
        """Return which refused records a replay tries again."""
        return ReplayChoice(self.replay_run, self.replay_reason, fold_key(self.replay_key))


@reports_errors
@notes_reason
def refuse_params(_identity: TaskIdentity, /, refusal: str) -> None:
    """Stop a run that was asked for in a way that it cannot follow; an empty refusal stops nothing.

    Raises:
        AirflowFailException: with the refusal.
    """
    if refusal:
        raise ConfigError(refusal)


@reports_errors
@notes_reason
def run_preflight(identity: TaskIdentity, request: RunRequest) -> int:
    """Check everything, open the run, take the lock; return the run id."""
    check_versions()
    definition = definition_of(identity)
    _warn_of_unknown_server(definition.connections.mysql)
    with timed(identity, Phase.PREFLIGHT):
        return asyncio.run(_preflight(definition, identity, request))


async def _preflight(definition: SyncDefinition, identity: TaskIdentity, request: RunRequest) -> int:
    with open_database(definition) as database:
        async with open_store(database) as store:
            hook = HubSpotHook(definition.connections.hubspot)
            tally = AnswerTally()
            client = hook.open_client(definition, trace_prefix="preflight", max_in_flight=5, hear=tally.hear)
            async with client:
                run = await preflight.preflight(
                    preflight.PreflightWork(
                        definition=definition,
                        store=store,
                        destination=client,
                        dag_run_key=identity.dag_run_key,
                        mode=request.mode,
                        is_limited=request.selection != EVERYTHING,
                        plan_run_id=request.plan_run_id,
                        tally=tally,
                    )
                )
            for action, reason in (
                ("approve_guards", request.approve_guards),
                ("allow_older_version", request.allow_older_version),
                ("apply_plan", f"plan of run {request.plan_run_id}" if request.plan_run_id else ""),
            ):
                if reason:
                    actor = identity.triggered_by or identity.owner
                    await store.run(partial(runs.audit, run=run, actor=actor, action=action, reason=reason))
            return run.run_id


def _warn_of_unknown_server(connection_id: str) -> None:
    """Encrypted is not enough: without its certificate a server may be anybody's."""
    hook = SyncMySqlHook(connection_id)
    if hook.needs_tls and not hook.is_verified:
        log.warning(
            "connection %s does not check whose server it talks to: set ssl_mode=VERIFY_IDENTITY and ssl.ca",
            connection_id,
        )


@reports_errors
@notes_reason
def run_land(identity: TaskIdentity, request: RunRequest) -> str | None:
    """Bring the current version to S3; return its manifest key, None when nothing changed and nothing is left over."""
    definition = definition_of(identity)
    with (
        timed(identity, Phase.LAND),
        open_database(definition) as database,
        TemporaryDirectory(prefix="land-") as folder,
    ):
        work = ingest.LandWork(
            definition=definition,
            database=database,
            kaggle=KaggleHook(definition.connections.kaggle).open_client(definition),
            landing=open_landing(definition),
            dag_run_key=identity.dag_run_key,
            folder=Path(folder),
            allow_older_version=bool(request.allow_older_version),
            wanted_version=request.dataset_version,
            applies=database.run(partial(_basis_to_apply, definition=definition, identity=identity, request=request)),
        )
        try:
            return ingest.land(work)
        except SupersededError as error:
            run = database.run(partial(runs.get_run, dag_run_key=identity.dag_run_key))
            # what earlier runs left open stays theirs: this run planned nothing that could replace it
            database.run(
                partial(
                    runs.set_state, run_id=run.run_id, state=RunState.SUPERSEDED, reason="superseded", text=str(error)
                )
            )
            raise


def _basis_to_apply(
    transaction: Transaction, definition: SyncDefinition, identity: TaskIdentity, request: RunRequest
) -> PlanBasis | None:
    if request.plan_run_id is None:
        return None
    run = runs.get_run(transaction, identity.dag_run_key)
    return plan_to_apply(transaction, definition, request.plan_run_id, portal_id=run.portal_id, mode=run.mode).basis


@reports_errors
@notes_reason
def run_stage(identity: TaskIdentity, request: RunRequest, manifest_key: str) -> int:
    """Validate, load and hash the landed file; return the number of records."""
    definition = definition_of(identity)
    with (
        timed(identity, Phase.STAGE),
        open_database(definition, answer_timeout_s=BULK_ANSWER_TIMEOUT_S) as database,
        TemporaryDirectory(prefix="stage-") as folder,
    ):
        return ingest.stage(
            ingest.StageWork(
                definition=definition,
                database=database,
                landing=open_landing(definition),
                dag_run_key=identity.dag_run_key,
                folder=Path(folder),
                guards_approved=bool(request.approve_guards),
            ),
            manifest_key,
        )


@reports_errors
@notes_reason
def run_compute_delta(identity: TaskIdentity, request: RunRequest) -> list[dict[str, int]]:
    """Plan the changes; return the shards that have work."""
    with timed(identity, Phase.DELTA):
        return asyncio.run(_compute_delta(definition_of(identity), identity, request))


async def _compute_delta(
    definition: SyncDefinition, identity: TaskIdentity, request: RunRequest
) -> list[dict[str, int]]:
    async with open_portal(
        definition, identity, in_flight=READS_AT_ONCE, answer_timeout_s=BULK_ANSWER_TIMEOUT_S
    ) as portal:
        await portal.store.run(lambda transaction: _join_lock(transaction, definition, portal.run))
        work = plan.PlanWork(definition, portal.store, portal.sender, portal.client, asyncio.sleep)
        wanted = plan.PlanRequest(
            guards_approved=bool(request.approve_guards),
            replay=request.replay,
            selection=request.selection,
            plan_run_id=request.plan_run_id,
        )
        shards = await plan.compute_delta(work, portal.run, wanted)
        in_flight = plan.requests_at_once(len(shards), definition.delivery)
        return [asdict(shard) | {"in_flight": in_flight} for shard in shards]


def _join_lock(transaction: Transaction, definition: SyncDefinition, run: Run) -> None:
    delivery = definition.delivery
    lock.take_lock(transaction, run, lease_s=delivery.run_lease_s, drain_s=delivery.request_timeout_s)


@reports_errors
@notes_reason
def run_deliver(identity: TaskIdentity, shard: int, in_flight: int | None = None) -> dict[str, int]:
    """Deliver one shard with at most so many requests under way (None: the definition's); return what this try did."""
    definition = definition_of(identity)
    with timed(identity, Phase.DELIVER, shard):
        return asyncio.run(_deliver(definition, identity, shard, in_flight or definition.delivery.in_flight))


async def _deliver(definition: SyncDefinition, identity: TaskIdentity, shard: int, in_flight: int) -> dict[str, int]:
    delivery = definition.delivery
    async with open_portal(definition, identity, shard=shard, in_flight=in_flight) as portal:
        run = portal.run
        plan.refuse_changed_mapping(definition, run)
        shard_delivery = ShardDelivery(_shard_work(definition, identity, portal, shard, in_flight))
        try:
            with when_told_to_end(shard_delivery.stop):
                result = await shard_delivery.run()
        except SupersededError as error:
            await portal.store.run(partial(_supersede, run=run, text=str(error)))
            raise
        if run.state in {RunState.DONE, RunState.FAILED}:
            await portal.store.run(
                lambda transaction: lock.release_lock(transaction, run, drain_s=delivery.request_timeout_s)
            )
        return {
            "delivered": result.delivered,
            "rejected": result.rejected,
            "verified": result.verified,
            "mismatched": result.mismatched,
        }


def _shard_work(
    definition: SyncDefinition, identity: TaskIdentity, portal: Portal, shard: int, in_flight: int
) -> ShardWork:
    delivery, run = definition.delivery, portal.run
    writer = Writer(
        run_id=run.run_id,
        sync_name=run.sync_name,
        portal_id=run.portal_id,
        epoch=run.epoch or 0,
        source_version=run.source_version or 0,
        shard=shard,
        owner=identity.owner,
        lease_s=delivery.lease_s,
        drain_s=delivery.request_timeout_s,
        read_back=delivery.read_back,
    )
    return ShardWork(
        store=portal.store,
        sender=portal.sender,
        destination=portal.client,
        writer=writer,
        run=run,
        types=property_types(definition),
        in_flight=in_flight,
        run_lease_s=delivery.run_lease_s,
    )


def _supersede(transaction: Transaction, run: Run, text: str) -> None:
    """A run that is over keeps its state; an unfinished one ends here."""
    delta.supersede_open(transaction, run)
    if run.state is not RunState.DONE:
        runs.set_state(transaction, run.run_id, RunState.SUPERSEDED, reason="superseded", text=text)


@reports_errors
def run_finish(identity: TaskIdentity, failed_tasks: Sequence[str]) -> dict[str, object]:
    """Judge the run, close it, release the lock; return the summary.

    Raises:
        AirflowFailException: something is open, differs, or a task failed.
    """
    definition = definition_of(identity)
    with open_database(definition) as database:
        closed = database.run(lambda transaction: _close(transaction, definition, identity, failed_tasks))
    if closed is None:
        failed = ", ".join(sorted(set(failed_tasks))) or "preflight"
        _report(definition, identity, failed_tasks or ["preflight"], None)
        raise IncompleteRunError(f"no run was opened because {failed} failed: its log has the reason")
    summary = closed.summary
    log.info("run finished %s", " ".join(f"{name}={value}" for name, value in health.as_fields(summary).items()))
    for line in summary_table(definition.name, health.as_fields(summary)):
        log.info("%s", line)
    _report(definition, identity, failed_tasks, closed)
    if summary.state == "failed":
        raise IncompleteRunError(summary.message)
    return health.as_fields(summary)


@dataclass(frozen=True, slots=True)
class _Closed:
    """A run at its end."""

    run: Run
    """As it was before it was closed."""
    summary: health.Summary


_ALERT_COUNTS = ("records", "open", "rejected", "quarantined", "mismatched", "api_calls", "http_429")


def _report(
    definition: SyncDefinition, identity: TaskIdentity, failed_tasks: Sequence[str], closed: _Closed | None
) -> None:
    """Tell PagerDuty of the end; a dry run is watched by who started it."""
    if identity.mode == RunMode.PLAN_ONLY:
        return
    dag_run_id = identity.dag_run_key.removeprefix(f"{definition.dag_id}:")
    facts = RunFacts(definition.dag_id, dag_run_id, tasks=tuple(sorted(set(failed_tasks))))
    if closed:
        fields = health.as_fields(closed.summary)
        counts = {name: int(str(fields[name])) for name in _ALERT_COUNTS}
        facts = replace(facts, run_id=closed.run.run_id, error=closed.run.reason or "", counts=counts)
    report_end(definition, facts, state=closed.summary.state if closed else "failed")


def _wall_s(identity: TaskIdentity) -> float | None:
    began_at = identity.run_began_at
    return (datetime.now(tz=UTC) - began_at).total_seconds() if began_at else None


def _plan_page(transaction: Transaction, definition: SyncDefinition, run: Run) -> str:
    """Return the path of the run's plan below Airflow's address, which a task does not know; empty without a plan."""
    if plans.find_plan(transaction, run.sync_name, run.run_id) is None:
        return ""
    return f"{PAGE_PREFIX}/dags/{definition.dag_id}/runs/{run.run_id}/plan"


def _close(
    transaction: Transaction, definition: SyncDefinition, identity: TaskIdentity, failed_tasks: Sequence[str]
) -> _Closed | None:
    run = runs.find_run(transaction, identity.dag_run_key)
    if run is None:
        return None
    if run.state in _COUNTED:
        # the rows that a later run replaced may be purged, and would be counted as nothing
        lock.refuse_when_superseded(transaction, run)
    summary = replace(
        health.judge(transaction, definition, run, failed_tasks),
        phases=phases.breakdown(transaction, run.run_id, _wall_s(identity)),
        plan_page=_plan_page(transaction, definition, run),
    )
    state = {"success": RunState.DONE, "superseded": RunState.SUPERSEDED}.get(summary.state, RunState.FAILED)
    is_accepted = summary.state == "success" and run.mode is not RunMode.PLAN_ONLY and not run.is_limited
    runs.close_run(
        transaction, run.run_id, state, health.as_fields(summary), text=summary.message, is_accepted=is_accepted
    )
    lock.release_lock(transaction, run, drain_s=definition.delivery.request_timeout_s)
    return _Closed(run, summary)
