"""Deliver one shard: claim, send, settle, read back, several batches at the same time.

Each batch goes through the same steps; a crash between any two of them is picked up by the next try:

    claim      the keys are in doubt from here on (`uncertain` in the ledger)
    send       through the gate, after a lease check, in any number of requests
    settle     outcomes, ledger and rejects in one transaction, under the claim's fence
    read back  what was written, compared value by value; a difference is sent once more
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from include.hubspot_sync.config import PropertyType
from include.hubspot_sync.destination.protocol import Destination
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.claim_delivery import ClaimDelivery
from include.hubspot_sync.engine.gate import SendCheck, Sleep
from include.hubspot_sync.engine.recover import read_keys
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.engine.verify import compare
from include.hubspot_sync.errors import LeaseLostError, SyncError, TerminalError, TransientError
from include.hubspot_sync.records import BatchState, Phase
from include.hubspot_sync.store import lock, outbox, runs
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.outbox import Batch, Claim, Settlement, Writer

log = logging.getLogger(__name__)

LOCK_RENEWAL_S = 60.0
FAILURES_BEFORE_STOP = 3
_SENDS_OF_A_DIFFERING_ROW = 2

_Step = Callable[[Batch], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ShardWork:
    """The collaborators and settings of one shard."""

    store: AsyncStore
    sender: Sender
    destination: Destination
    writer: Writer
    run: runs.Run
    types: Mapping[str, PropertyType]
    in_flight: int
    run_lease_s: float
    sleep: Sleep = asyncio.sleep


@dataclass(slots=True)
class ShardResult:
    """What one try of a shard did."""

    delivered: int = 0
    rejected: int = 0
    verified: int = 0
    mismatched: int = 0
    errors: list[SyncError] = field(default_factory=list)

    @property
    def worst(self) -> SyncError | None:
        """Return the error to end with: one that stops the run before one that is worth a retry."""
        final = [error for error in self.errors if isinstance(error, TerminalError)]
        return (final or self.errors or [None])[0]


class ShardDelivery:
    """One try of one shard."""

    def __init__(self, work: ShardWork) -> None:
        self._work = work
        self._result = ShardResult()
        self._renewed_at = 0.0
        self._is_stopped = False

    def stop(self) -> None:
        """Begin no batch any more: what is under way is finished, the rest is left to the next try."""
        self._is_stopped = True

    async def run(self) -> ShardResult:
        """Read back what an earlier try left unread, then deliver every open batch.

        Raises:
            SyncError: the first error that stopped the shard; everything settled so far is committed.
            TransientError: the shard was stopped before its last batch.
        """
        store, writer = self._work.store, self._work.writer
        unread = await store.run(self._begin)
        if unread is None:
            return self._result
        self._renewed_at = asyncio.get_running_loop().time()
        await self._work_off(deque(unread), self._read_back_only)
        batches = await store.run(lambda transaction: outbox.open_batches(transaction, writer))
        left = await self._work_off(deque(batches), self._deliver)
        if self._result.worst is not None:
            raise self._result.worst
        if self._is_stopped and left:
            raise TransientError(f"the task was told to end; batches left open for its next try: {left}")
        return self._result

    def _begin(self, transaction: Transaction) -> list[Batch] | None:
        """Join the lock and return what an earlier try left unread; None: there is nothing to do at all.

        Then the lock is left alone: a late try of a run that is over must not open it again.

        Raises:
            LockHeldError, SupersededError: as `take_lock`.
        """
        work, writer = self._work, self._work.writer
        lock.refuse_when_superseded(transaction, work.run)
        unread = [batch for batch in outbox.unverified_batches(transaction, writer) if writer.reads_back(batch)]
        if not unread and not outbox.open_batches(transaction, writer):
            return None
        lock.take_lock(transaction, work.run, lease_s=work.run_lease_s, drain_s=writer.drain_s)
        runs.mark_first_claim(transaction, writer.run_id)
        return unread

    async def _work_off(self, batches: deque[Batch], step: _Step) -> int:
        """Do the step for the batches, several at a time; return how many were not begun."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._work.in_flight, len(batches))):
                group.create_task(self._worker(batches, step))
        return len(batches)

    async def _worker(self, batches: deque[Batch], step: _Step) -> None:
        while batches and not self._must_stop():
            batch = batches.popleft()
            try:
                await step(batch)
            except SyncError as error:
                log.warning(
                    "batch left open run_id=%d batch_no=%d error=%s", self._work.run.run_id, batch.batch_no, error
                )
                self._result.errors.append(error)

    def _must_stop(self) -> bool:
        errors = self._result.errors
        return (
            self._is_stopped
            or len(errors) >= FAILURES_BEFORE_STOP
            or any(not isinstance(error, TransientError) for error in errors)
        )

    async def _read_back_only(self, batch: Batch) -> None:
        await self._read_back(batch, sends=1)

    async def _deliver(self, batch: Batch, sends: int = 1) -> None:
        if batch.wait_s > 0:
            log.info("waiting for earlier requests to drain batch_no=%d wait_s=%.1f", batch.batch_no, batch.wait_s)
            await self._work.sleep(batch.wait_s)
        await self._renew_lock()
        claim = await self._claim(batch)
        delivery = ClaimDelivery(claim, self._work.destination, self._work.sender, self._lease_check(claim))
        try:
            settlement = await delivery.send()
            state = await self._settle(claim, settlement)
        except LeaseLostError:
            await self._doubt(delivery)
            raise
        self._count(claim, settlement)
        if delivery.error is not None:
            raise delivery.error
        if state is BatchState.DONE and self._work.writer.reads_back(batch):
            await self._read_back(batch, sends=sends)

    async def _settle(self, claim: Claim, settlement: Settlement) -> BatchState:
        store, writer = self._work.store, self._work.writer
        return await store.run(lambda transaction: outbox.settle_batch(transaction, writer, claim, settlement))

    async def _doubt(self, delivery: ClaimDelivery) -> None:
        """A claim that was lost may have sent too late: whatever the ledger says about its keys is to be read again."""
        store, writer = self._work.store, self._work.writer
        if delivery.has_sent:
            await store.run(lambda transaction: outbox.doubt_claim(transaction, writer, delivery.claim))

    def _count(self, claim: Claim, settlement: Settlement) -> None:
        self._result.delivered += len(settlement.delivered)
        self._result.rejected += len(settlement.rejected)
        log.info(
            "batch settled run_id=%d shard=%d batch_no=%d fence=%d rows=%d delivered=%d rejected=%d "
            "http_status=%s latency_ms=%s correlation_id=%s",
            self._work.run.run_id,
            self._work.writer.shard,
            claim.batch.batch_no,
            claim.fence,
            len(claim.changes),
            len(settlement.delivered),
            len(settlement.rejected),
            settlement.http_status,
            settlement.latency_ms,
            settlement.correlation_id or None,
        )

    async def _claim(self, batch: Batch) -> Claim:
        writer = self._work.writer
        claim = await self._work.store.run(lambda transaction: outbox.claim_batch(transaction, writer, batch))
        if claim is None:
            raise LeaseLostError(f"batch {batch.batch_no} of run {writer.run_id} is claimed by another try")
        return claim

    def _lease_check(self, claim: Claim) -> SendCheck:
        writer = self._work.writer
        return SendCheck(lambda transaction: outbox.extend_lease(transaction, writer, claim), writer.lease_s)

    async def _renew_lock(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at < LOCK_RENEWAL_S:
            return
        self._renewed_at = now
        work = self._work
        await work.store.run(lambda transaction: lock.renew_lock(transaction, work.run, lease_s=work.run_lease_s))

    async def _read_back(self, batch: Batch, *, sends: int) -> None:
        """Read the delivered rows of a batch; a row that differs is sent once more, then it is mismatched."""
        with spent_on(Phase.READ_BACK):
            unread, differing = await self._compare(batch, is_last=sends >= _SENDS_OF_A_DIFFERING_ROW)
        if unread:
            raise TransientError(f"the read-back of batch {batch.batch_no} left out {unread} rows")
        if differing:
            log.warning("read-back differs, sending once more batch_no=%d rows=%d", batch.batch_no, differing)
            store, writer = self._work.store, self._work.writer
            reopened = await store.run(lambda transaction: outbox.reopened_batch(transaction, writer, batch))
            if reopened is not None:
                await self._deliver(reopened, sends=sends + 1)

    async def _compare(self, batch: Batch, *, is_last: bool) -> tuple[int, int]:
        """Mark what a read-back shows; return the rows that were left out, and those to send once more."""
        store, writer = self._work.store, self._work.writer
        changes = await store.run(lambda transaction: outbox.delivered_changes(transaction, writer, batch))
        if not changes:
            return 0, 0
        answer = await read_keys(self._work.sender, self._work.destination, [change.key_text for change in changes])
        seen = compare(changes, answer, self._work.types)
        mismatched = seen.different if is_last else {}
        again = sorted(seen.different.keys() - mismatched.keys())
        await store.run(
            lambda transaction: outbox.mark_read_back(
                transaction, writer, batch, verified=sorted(seen.equal), mismatched=mismatched, again=again
            )
        )
        self._result.verified += len(seen.equal)
        self._result.mismatched += len(mismatched)
        return len(seen.unread), len(again)
