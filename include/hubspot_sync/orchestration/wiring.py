"""Put the parts of a task together: definition, database, gate, client; and take them down again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from include.hubspot_sync.config import ReadBack, SyncDefinition, load_definitions
from include.hubspot_sync.engine.answer_tally import AnswerTally
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.gate import OUTSIDE_SHARDS, Gate, answers_kept
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
from include.hubspot_sync.orchestration.mysql_hook import ANSWER_TIMEOUT_S, SyncMySqlHook
from include.hubspot_sync.store import runs
from include.hubspot_sync.store.connection import ATTEMPTS, Database
from include.hubspot_sync.store.runs import Run

if TYPE_CHECKING:
    from include.hubspot_sync.destination.hubspot.client import HubSpotClient


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """Which task try this is, in plain values."""

    sync_name: str
    dag_run_key: str
    """`<dag_id>:<dag run id>`, the key of the run row."""
    owner: str
    """Task, map index and try, for the people who read the tables."""
    triggered_by: str = ""
    """The user who triggered the run; empty for a schedule."""
    read_back: str = ""
    """Level that the run asked for; empty: the definition's."""
    mode: str = ""
    """Mode that the run was started with, also when no run row could be opened; empty: not known."""
    run_began_at: datetime | None = None
    """When Airflow started the DAG run, or started it again after a clear."""


@dataclass(frozen=True, slots=True)
class Portal:
    """What a task needs to talk to HubSpot inside a run."""

    store: AsyncStore
    sender: Sender
    client: HubSpotClient
    run: Run


def definition_of(identity: TaskIdentity) -> SyncDefinition:
    """Read the definition as it is now, with what the run asked for instead.

    Raises:
        ConfigError: the file is gone or wrong.
    """
    definitions = load_definitions()
    if identity.sync_name not in definitions:
        raise ConfigError(f"include/syncs has no definition named {identity.sync_name}: put the file back")
    definition = definitions[identity.sync_name]
    if not identity.read_back:
        return definition
    delivery = definition.delivery.model_copy(update={"read_back": ReadBack(identity.read_back)})
    return definition.model_copy(update={"delivery": delivery})


@contextlib.contextmanager
def open_database(
    definition: SyncDefinition, *, attempts: int = ATTEMPTS, answer_timeout_s: int = ANSWER_TIMEOUT_S
) -> Iterator[Database]:
    """Yield the store's database; it connects with the first transaction."""
    hook = SyncMySqlHook(definition.connections.mysql, answer_timeout_s=answer_timeout_s)
    database = Database(hook.get_conn, where=hook.where, attempts=attempts)
    try:
        yield database
    finally:
        database.close()


@contextlib.asynccontextmanager
async def open_store(database: Database) -> AsyncIterator[AsyncStore]:
    """Yield the store for asynchronous code."""
    store = AsyncStore(database)
    try:
        yield store
    finally:
        store.close()


@contextlib.asynccontextmanager
async def open_portal(
    definition: SyncDefinition,
    identity: TaskIdentity,
    *,
    shard: int = OUTSIDE_SHARDS,
    in_flight: int,
    answer_timeout_s: int = ANSWER_TIMEOUT_S,
) -> AsyncIterator[Portal]:
    """Yield store, paced sender and client for a run that exists."""
    with open_database(definition, answer_timeout_s=answer_timeout_s) as database:
        async with open_store(database) as store:
            run = await store.run(lambda transaction: runs.get_run(transaction, identity.dag_run_key))
            delivery = definition.delivery
            tally = AnswerTally()
            gate = Gate(
                store,
                portal_id=run.portal_id,
                run_id=run.run_id,
                shard=shard,
                share=delivery.pacing_share,
                daily_reserve=delivery.daily_reserve,
                tally=tally,
            )
            hook = HubSpotHook(definition.connections.hubspot)
            client = hook.open_client(
                definition, trace_prefix=f"r{run.run_id}-s{shard}", max_in_flight=in_flight, hear=tally.hear
            )
            async with answers_kept(gate), client:
                yield Portal(store, Sender(gate, delivery.max_attempts), client, run)
