"""Before anything is touched: MySQL, credential, portal, properties; then the run row and the run lock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.hubspot.portal import SCHEMA_SCOPE, missing_scopes, surplus_scopes
from include.hubspot_sync.destination.hubspot.properties import PropertyFinding, compare_properties, wanted_properties
from include.hubspot_sync.destination.protocol import Account, Destination, PropertyDefinition, TokenInfo
from include.hubspot_sync.engine.answer_tally import AnswerTally
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.gate import OUTSIDE_SHARDS, Gate, Sleep, answers_kept, pace_for
from include.hubspot_sync.engine.run_plan import plan_to_apply
from include.hubspot_sync.errors import AuthError, ConfigError, QuotaExhaustedError, StoreUnavailableError, SyncError
from include.hubspot_sync.records import HeardAnswer, RunMode
from include.hubspot_sync.store import api_answers, lock, pacing, runs, server
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.runs import Run

log = logging.getLogger(__name__)

START_LIMIT = 100
"""Requests per window until the portal's headers say more: the smallest published limit."""
PROPERTY_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class PreflightWork:
    """The collaborators of `preflight`."""

    definition: SyncDefinition
    store: AsyncStore
    destination: Destination
    dag_run_key: str
    mode: RunMode
    is_limited: bool = False
    """Whether the run leaves out changes on purpose."""
    plan_run_id: int | None = None
    """The run whose plan this one has to apply; None = it makes its own."""
    tally: AnswerTally = field(default_factory=AnswerTally)
    """Where the client leaves the answers that it heard."""
    sleep: Sleep = asyncio.sleep


async def preflight(work: PreflightWork) -> Run:
    """Check everything, open the run and take the run lock.

    Raises:
        ConfigError: MySQL or a property is not as it must be; names the fix.
        AuthError: the token is wrong, lacks a scope or belongs to another portal.
        QuotaExhaustedError: nothing is left of today's quota.
        PlanMovedOnError: the plan to apply is of another mapping or portal.
        LockHeldError: another run is writing.
    """
    definition = work.definition
    await work.store.run(lambda transaction: server.check_server(transaction, definition))
    try:
        token, account = await _ask_who(work)
        _check_credential(definition, token, account)
        _check_quota(definition, account)
        with work.tally.handed_over() as heard:
            run = await work.store.run(lambda transaction: _open(transaction, work, account, heard))
    except StoreUnavailableError:
        raise
    except BaseException:
        await _keep_early(work)
        raise
    gate = Gate(
        work.store,
        portal_id=account.portal_id,
        run_id=run.run_id,
        shard=OUTSIDE_SHARDS,
        share=definition.delivery.pacing_share,
        daily_reserve=definition.delivery.daily_reserve,
        tally=work.tally,
        sleep=work.sleep,
    )
    async with answers_kept(gate):
        await _ensure_properties(work, gate, token.scopes)
    log.info("preflight passed run_id=%d portal_id=%d epoch=%s", run.run_id, run.portal_id, run.epoch)
    return run


async def _ask_who(work: PreflightWork) -> tuple[TokenInfo, Account]:
    """Ask at once what the token is and whose it is; both answers are heard, also when one is an error."""
    destination = work.destination
    token, account = await asyncio.gather(destination.token_info(), destination.account(), return_exceptions=True)
    if isinstance(token, BaseException):
        raise token
    if isinstance(account, BaseException):
        raise account
    return token, account


async def _keep_early(work: PreflightWork) -> None:
    """Count the requests of a try that ends without a run row, or whose row was taken back."""
    with contextlib.suppress(SyncError), work.tally.handed_over() as heard:
        await work.store.run(
            lambda transaction: api_answers.count_early(transaction, work.dag_run_key, work.definition.name, heard)
        )


def _check_credential(definition: SyncDefinition, token: TokenInfo, account: Account) -> None:
    wanted = definition.destination.portal_id
    connection = definition.connections.hubspot
    if wanted is not None and account.portal_id != wanted:
        raise AuthError(
            f"connection {connection} belongs to portal {account.portal_id}, but the definition names {wanted}: "
            "use the token of that portal"
        )
    missing = missing_scopes(token.scopes, creates_properties=False)
    if missing:
        raise AuthError(
            f"connection {connection}: the token lacks the scopes {', '.join(missing)}: add them to its app in HubSpot"
        )
    if surplus := surplus_scopes(token.scopes):
        log.warning("the token has scopes that the sync does not need: %s", ", ".join(surplus))


def _check_quota(definition: SyncDefinition, account: Account) -> None:
    rate = account.rate
    if rate and rate.daily and rate.daily_remaining is not None:
        reserve = definition.delivery.daily_reserve * rate.daily
        if rate.daily_remaining <= reserve:
            raise QuotaExhaustedError(
                f"{rate.daily_remaining} of {rate.daily} daily requests are left and {reserve:.0f} are reserved for "
                "others: the next run continues"
            )


def _open(transaction: Transaction, work: PreflightWork, account: Account, heard: Sequence[HeardAnswer]) -> Run:
    """Open the run row, its lock and the pacing row; the requests so far passed no gate and are counted here."""
    delivery = work.definition.delivery
    is_limited = work.is_limited or _applies_limited_plan(transaction, work, account)
    run = runs.open_run(
        transaction,
        work.dag_run_key,
        work.definition.name,
        account.portal_id,
        work.mode,
        is_limited=is_limited,
    )
    lock.take_lock(transaction, run, lease_s=delivery.run_lease_s, drain_s=delivery.request_timeout_s)
    limit = account.rate.max if account.rate and account.rate.max else START_LIMIT
    pace = pace_for(limit, delivery.pacing_share)
    pacing.open_pacing(transaction, account.portal_id, pace)
    if account.rate and account.rate.max:
        daily, remaining = account.rate.daily, account.rate.daily_remaining
        pacing.adopt_limits(transaction, account.portal_id, pace, daily_limit=daily, daily_remaining=remaining)
    api_answers.count_answers(transaction, run.run_id, OUTSIDE_SHARDS, heard, calls=len(heard))
    return runs.get_run(transaction, work.dag_run_key)


def _applies_limited_plan(transaction: Transaction, work: PreflightWork, account: Account) -> bool:
    """Check the plan to apply, if there is one, and tell whether it is of a trial run."""
    if work.plan_run_id is None:
        return False
    plan = plan_to_apply(transaction, work.definition, work.plan_run_id, portal_id=account.portal_id, mode=work.mode)
    return plan.basis.is_limited


async def _findings(work: PreflightWork, gate: Gate) -> tuple[PropertyFinding, ...]:
    await gate.wait(is_write=False)
    active = await work.destination.list_properties(archived=False)
    wanted = wanted_properties(work.definition.destination)
    names = {prop.name for prop in active}
    archived: Sequence[PropertyDefinition] = ()
    if any(prop.name not in names for prop in wanted):
        await gate.wait(is_write=False)
        archived = await work.destination.list_properties(archived=True)
    return compare_properties(wanted, active, archived)


async def _ensure_properties(work: PreflightWork, gate: Gate, scopes: frozenset[str]) -> None:
    """Create the properties that are missing, the unique key included, and read them back."""
    findings = await _findings(work, gate)
    broken = [finding for finding in findings if not finding.can_create]
    if broken:
        raise ConfigError("; ".join(finding.message for finding in broken))
    if findings and SCHEMA_SCOPE not in scopes:
        names = ", ".join(finding.wanted.name for finding in findings)
        raise AuthError(
            f"the properties {names} are missing and the token lacks the scope {SCHEMA_SCOPE}: "
            "create them in HubSpot or extend the token"
        )
    for finding in findings:
        await gate.wait(is_write=False)
        await _create_property(work, finding.wanted)
        log.info("property created name=%s", finding.wanted.name)
    if findings:
        await _await_properties(work, gate)


async def _create_property(work: PreflightWork, wanted: PropertyDefinition) -> None:
    try:
        await work.destination.create_property(wanted)
    except ConfigError as error:
        raise ConfigError(
            f"property {wanted.name} cannot be created: {error}; make room for it or create it in hubspot"
        ) from error


async def _await_properties(work: PreflightWork, gate: Gate) -> None:
    """A new property can take seconds to appear."""
    for _ in range(PROPERTY_WAIT_S // 2):
        left = await _findings(work, gate)
        if not left:
            return
        await work.sleep(2)
    raise ConfigError(f"property {left[0].wanted.name} did not appear within {PROPERTY_WAIT_S} s: look at the portal")
