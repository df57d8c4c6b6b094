"""Claim a batch, settle it under its fence, mark what a read-back showed.

The order inside each transaction is batch, outbox, ledger, so that two workers never wait for each other in a circle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from include.hubspot_sync.config import ReadBack
from include.hubspot_sync.errors import LeaseLostError
from include.hubspot_sync.records import HASH_VERSION, BatchState, Change, Operation, OutboxState
from include.hubspot_sync.store.connection import Row, Transaction
from include.hubspot_sync.store.lock import share_lock
from include.hubspot_sync.store.rejects import RejectedChange, insert_rejected_changes


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a run under its epoch, one of its shards, one try of a task."""

    run_id: int
    sync_name: str
    portal_id: int
    epoch: int
    source_version: int
    shard: int
    owner: str
    """Task try, for the people who read the table."""
    lease_s: float
    drain_s: float
    """Longest life of a request after its lease."""
    read_back: ReadBack

    def reads_back(self, batch: Batch) -> bool:
        """Tell whether this batch is read back: all, one in ten, or none."""
        return self.read_back is ReadBack.FULL or (self.read_back is ReadBack.SAMPLE and batch.batch_no % 10 == 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Where the changes of one request lie."""

    batch_no: int
    kind: str
    """`upsert` or `archive`."""
    first_seq: int
    last_seq: int
    row_count: int
    wait_s: float = 0
    """Seconds until it may be claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is ours until its lease ends."""

    batch: Batch
    fence: int
    changes: tuple[Change, ...]
    """The rows that are still to deliver."""
    doubtful: frozenset[int]
    """`seq` of rows that an earlier claim may have sent."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one claim achieved; rows that are named nowhere stay in flight."""

    delivered: Mapping[int, int | None] = field(default_factory=dict)
    """`seq` → HubSpot id."""
    rejected: tuple[RejectedChange, ...] = ()
    unsent: frozenset[int] = frozenset()
    """`seq` of rows that HubSpot certainly did not apply."""
    certain: frozenset[int] = frozenset()
    """`seq` of rejected or unsent rows of which no earlier request can still be applied."""
    is_clean: bool = True
    """False when a request of this claim may still be on its way."""
    http_status: int | None = None
    latency_ms: int | None = None
    correlation_id: str = ""
    reason: str = ""


def _batch(row: Row) -> Batch:
    return Batch(
        batch_no=row["batch_no"],
        kind=row["kind"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        row_count=row["row_count"],
        wait_s=float(row.get("wait_s", 0)),
    )


def _span(writer: Writer, batch: Batch) -> dict[str, object]:
    return {
        "run_id": writer.run_id,
        "sync_name": writer.sync_name,
        "portal_id": writer.portal_id,
        "epoch": writer.epoch,
        "source_version": writer.source_version,
        "batch_no": batch.batch_no,
        "first_seq": batch.first_seq,
        "last_seq": batch.last_seq,
    }


def open_batches(transaction: Transaction, writer: Writer) -> list[Batch]:
    """Return what a shard still has to send: ready batches first, then those that are draining."""
    params = {"run_id": writer.run_id, "shard": writer.shard, "drain_s": writer.drain_s}
    return [_batch(row) for row in transaction.rows("batch/select_open_batches.sql", params)]


def unverified_batches(transaction: Transaction, writer: Writer) -> list[Batch]:
    """Return the delivered batches of a shard with rows that nobody has read back."""
    params = {"run_id": writer.run_id, "shard": writer.shard}
    return [_batch(row) for row in transaction.rows("batch/select_unverified_batches.sql", params)]


def _change(row: Row) -> Change:
    return Change(
        seq=row["seq"],
        operation=Operation(row["operation"]),
        key_text=row["key_text"],
        properties=json.loads(row["properties"]) if row["properties"] else {},
        hubspot_id=row["hubspot_id"],
    )


def _rows(transaction: Transaction, writer: Writer, batch: Batch) -> list[Row]:
    return transaction.rows("outbox/select_batch_rows.sql", _span(writer, batch))


def claim_batch(transaction: Transaction, writer: Writer, batch: Batch) -> Claim | None:
    """Take a batch and put its keys in doubt, before anything is sent; None when it or the lock is another's."""
    params = _span(writer, batch) | {"owner": writer.owner, "lease_s": writer.lease_s, "drain_s": writer.drain_s}
    if not share_lock(transaction, params) or not transaction.execute("batch/claim_batch.sql", params):
        return None
    fence = transaction.insert_id()
    rows = [
        row for row in _rows(transaction, writer, batch) if row["state"] in {OutboxState.PENDING, OutboxState.IN_FLIGHT}
    ]
    transaction.execute("outbox/mark_in_flight.sql", params)
    transaction.execute("ledger/mark_uncertain.sql", params)
    doubtful = frozenset(row["seq"] for row in rows if row["state"] == OutboxState.IN_FLIGHT)
    return Claim(batch=batch, fence=fence, changes=tuple(map(_change, rows)), doubtful=doubtful)


def extend_lease(transaction: Transaction, writer: Writer, claim: Claim) -> None:
    """Check immediately before a send that it may happen, and extend the lease: for so long the request may leave.

    Raises:
        LeaseLostError: another claim or plan took the batch, or the run lost the lock: do not send.
    """
    params = _span(writer, claim.batch) | {"fence": claim.fence, "lease_s": writer.lease_s}
    if not share_lock(transaction, params) or not transaction.execute("batch/extend_lease.sql", params):
        raise LeaseLostError(
            f"batch {claim.batch.batch_no} of run {writer.run_id} is not ours any more (fence {claim.fence}); not sent"
        )


def _prove_fence(
    transaction: Transaction, writer: Writer, claim: Claim, settlement: Settlement, state: BatchState
) -> bool:
    """Write the batch row under our fence; False when an earlier try of this transaction has committed already."""
    params = _span(writer, claim.batch) | {
        "fence": claim.fence,
        "state": state,
        "is_clean": int(settlement.is_clean),
        "http_status": settlement.http_status,
        "latency_ms": settlement.latency_ms,
        "correlation_id": settlement.correlation_id[:64] or None,
        "reason": settlement.reason[:64] or None,
        "is_delivered": int(bool(settlement.delivered)),
    }
    if transaction.execute("batch/settle_batch.sql", params):
        return True
    now = transaction.rows("batch/select_batch.sql", params)[0]
    if now["fence"] == claim.fence and now["state"] == state:
        return False
    raise LeaseLostError(
        f"batch {claim.batch.batch_no} of run {writer.run_id} was claimed again (fence {now['fence']}, ours "
        f"{claim.fence}); this answer is not stored, the newer claim settles the batch"
    )


def _state_after(claim: Claim, settlement: Settlement) -> BatchState:
    settled = set(settlement.delivered) | {row.seq for row in settlement.rejected}
    if all(change.seq in settled for change in claim.changes):
        return BatchState.DONE
    return BatchState.READY if settlement.is_clean else BatchState.LEASED


def _move(
    transaction: Transaction,
    writer: Writer,
    ids: Mapping[int, int | None],
    move: tuple[OutboxState, OutboxState],
    reason: str | None = None,
) -> None:
    """Move rows from one state to another; a row that somebody else has moved on stays."""
    if not ids:
        return
    rows = json.dumps([{"seq": seq, "hubspot_id": hubspot_id} for seq, hubspot_id in ids.items()])
    from_state, state = move
    params = {"run_id": writer.run_id, "rows": rows, "from_state": from_state, "state": state, "reason": reason}
    transaction.execute("outbox/update_rows.sql", params)


def settle_batch(transaction: Transaction, writer: Writer, claim: Claim, settlement: Settlement) -> BatchState:
    """Commit what a claim achieved: batch, outbox, ledger and rejects in one transaction.

    Returns:
        `done` when nothing is open; `ready` when open rows certainly never left; `leased` when they must drain first.

    Raises:
        LeaseLostError: a newer claim owns the batch; nothing is stored.
    """
    state = _state_after(claim, settlement)
    if not _prove_fence(transaction, writer, claim, settlement, state):
        return state
    span = _span(writer, claim.batch)
    _move(transaction, writer, settlement.delivered, (OutboxState.IN_FLIGHT, OutboxState.DELIVERED))
    if settlement.delivered:
        transaction.execute(
            "ledger/confirm_delivered.sql",
            span | {"hash_version": HASH_VERSION, "is_waived": int(not writer.reads_back(claim.batch))},
        )
        transaction.execute("rejects/resolve_delivered.sql", span)
    for row in settlement.rejected:
        _move(transaction, writer, {row.seq: None}, (OutboxState.IN_FLIGHT, OutboxState.REJECTED), row.reason[:64])
    insert_rejected_changes(transaction, writer.run_id, writer.sync_name, settlement.rejected)
    _move(transaction, writer, dict.fromkeys(settlement.unsent), (OutboxState.IN_FLIGHT, OutboxState.PENDING))
    _restore(transaction, writer, settlement.certain)
    return state


def _restore(transaction: Transaction, writer: Writer, seqs: Iterable[int]) -> None:
    """Take the doubt off rows that certainly were never applied."""
    chosen = sorted(seqs)
    if not chosen:
        return
    params = {"run_id": writer.run_id, "sync_name": writer.sync_name, "seqs": chosen}
    transaction.execute("ledger/delete_refused.sql", params)
    transaction.execute("ledger/restore_refused.sql", params)


def doubt_claim(transaction: Transaction, writer: Writer, claim: Claim) -> None:
    """Put the rows of a claim in doubt whose requests were sent although the claim was lost.

    A process that stops between lease check and send for longer than the lease may write an old value over a new one.
    HubSpot cannot refuse that, so whatever the ledger says about these keys is to be read again.
    """
    params = {"run_id": writer.run_id, "sync_name": writer.sync_name}
    seqs = [change.seq for change in claim.changes]
    transaction.execute("ledger/doubt_late.sql", params | {"seqs": seqs})


def delivered_changes(transaction: Transaction, writer: Writer, batch: Batch) -> list[Change]:
    """Return the rows of a batch that are delivered and not yet read back."""
    return [_change(row) for row in _rows(transaction, writer, batch) if row["state"] == OutboxState.DELIVERED]


def mark_read_back(
    transaction: Transaction,
    writer: Writer,
    batch: Batch,
    *,
    verified: Sequence[int],
    mismatched: Mapping[int, str],
    again: Sequence[int],
) -> None:
    """Store what a read-back showed.

    Args:
        transaction: Open transaction.
        writer: Who read.
        batch: The batch that was read.
        verified: `seq` of rows that are as they should be.
        mismatched: `seq` → reason of rows that still differ after they were sent once more.
        again: `seq` of rows that differ and are to be sent once more.
    """
    params = {"run_id": writer.run_id, "sync_name": writer.sync_name, "epoch": writer.epoch}
    _move(transaction, writer, dict.fromkeys(verified), (OutboxState.DELIVERED, OutboxState.VERIFIED))
    if verified:
        transaction.execute("ledger/mark_verified.sql", params | {"seqs": sorted(verified)})
    for seq, reason in mismatched.items():
        _move(transaction, writer, {seq: None}, (OutboxState.DELIVERED, OutboxState.MISMATCHED), reason[:64])
    if again:
        reopening = (OutboxState.DELIVERED, OutboxState.PENDING)
        _move(transaction, writer, dict.fromkeys(again), reopening, "differs_after_read_back")
        transaction.execute("batch/reopen_batch.sql", _span(writer, batch))
    differing = sorted([*mismatched, *again])
    if differing:
        transaction.execute("ledger/doubt_mismatched.sql", params | {"seqs": differing})


def reopened_batch(transaction: Transaction, writer: Writer, batch: Batch) -> Batch | None:
    """Return a batch that is sent once more, with the wait for its earlier requests; None when nothing is open."""
    return next((other for other in open_batches(transaction, writer) if other.batch_no == batch.batch_no), None)
