"""The run lock: one run writes to a portal for a sync at a time, and runs have an order.

The lock belongs to a run, not to a task: every task of the run joins it under the same epoch. A taker waits until every
request that the last holder may have sent has drained, because HubSpot cannot refuse an older write. With the lock a
run loses its claims: a worker that wakes later finds another fence, even when its run gets the lock once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from include.hubspot_sync.errors import LeaseLostError, LockHeldError, SupersededError
from include.hubspot_sync.store.connection import Row, Transaction
from include.hubspot_sync.store.runs import Run

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """The time in which one planner may store what it read; it ends when anybody joins or takes the lock."""

    run: Run
    epoch: int
    began_at: datetime
    """By the database clock."""


def _params(run: Run, drain_s: float) -> dict[str, object]:
    return {"portal_id": run.portal_id, "sync_name": run.sync_name, "run_id": run.run_id, "drain_s": drain_s}


def refuse_when_superseded(transaction: Transaction, run: Run) -> None:
    """Let a run do nothing any more once a later one has planned its records.

    Raises:
        SupersededError: names the later run.
    """
    if run.epoch is None:
        return
    params = {"portal_id": run.portal_id, "sync_name": run.sync_name, "epoch": run.epoch}
    later = transaction.rows("runs/select_later_plan.sql", params)[0]["run_id"]
    if later is not None:
        raise SupersededError(f"superseded by run {later}, whose plan contains these records; nothing was written")


def drain_wait(transaction: Transaction, run_id: int, drain_s: float) -> float:
    """Return the seconds for which requests of a run may still be on their way."""
    row = transaction.rows("batch/select_drain.sql", {"run_id": run_id, "drain_s": drain_s})[0]
    return float(row["wait_s"])


def share_lock(transaction: Transaction, params: Mapping[str, object]) -> bool:
    """Tell whether the run of these `params` holds the lock, which then stays so until the end of the transaction."""
    return transaction.row("lock/share_lock.sql", params) is not None


def _select_lock(transaction: Transaction, params: Mapping[str, object]) -> Row:
    """Hold the lock row; what is read in a later statement contains every check that came before it."""
    return transaction.rows("lock/select_lock.sql", params)[0]


def _refuse_when_held(transaction: Transaction, lock: Row, run: Run, drain_s: float) -> None:
    holder = lock["holder"]
    wait_s = max(float(lock["wait_s"]), drain_wait(transaction, holder, drain_s) if holder else 0.0)
    if wait_s <= 0:
        return
    who = (
        f"run {holder} holds the lock of sync {run.sync_name}"
        if holder
        else "requests of the last run are still draining"
    )
    raise LockHeldError(f"{who}: free in {wait_s:.1f} s at the latest, the next try waits for it", wait_s=wait_s)


def take_lock(transaction: Transaction, run: Run, *, lease_s: float, drain_s: float) -> int:
    """Take the lock for a run, or join it, and return the run's epoch.

    Raises:
        LockHeldError: another run holds it, or requests of the last holder may still be on their way.
        SupersededError: a later run has planned these records.
    """
    params = _params(run, drain_s)
    transaction.execute("lock/insert_lock.sql", params)
    lock = _select_lock(transaction, params)
    if lock["holder"] == run.run_id:
        epoch = int(lock["epoch"])
    else:
        refuse_when_superseded(transaction, run)
        _refuse_when_held(transaction, lock, run, drain_s)
        if lock["holder"]:
            transaction.execute("lock/end_claims.sql", {"run_id": lock["holder"]})
        epoch = run.epoch if run.epoch is not None else int(lock["last_epoch"]) + 1
    transaction.execute("lock/take_lock.sql", params | {"epoch": epoch, "lease_s": lease_s})
    transaction.execute("runs/update_epoch.sql", {"run_id": run.run_id, "epoch": epoch})
    return epoch


def renew_lock(transaction: Transaction, run: Run, *, lease_s: float) -> None:
    """Renew the lock that the run holds; a worker that was stopped for long must not take it for a run that is over.

    Raises:
        LeaseLostError: the run gave it back, or another one took it.
    """
    params = _params(run, 0) | {"epoch": run.epoch, "lease_s": lease_s}
    if not transaction.execute("lock/renew_lock.sql", params):
        raise LeaseLostError(f"run {run.run_id} does not hold the lock any more; nothing was sent")


def begin_turn(transaction: Transaction, run: Run, *, lease_s: float, drain_s: float) -> Turn:
    """Join the lock for a planner and end the turn of every other one.

    Raises:
        LockHeldError, SupersededError: as `take_lock`.
    """
    epoch = take_lock(transaction, run, lease_s=lease_s, drain_s=drain_s)
    row = transaction.rows("lock/select_turn.sql", _params(run, drain_s) | {"epoch": epoch})[0]
    return Turn(run, epoch, row["updated_at"])


def in_turn(turn: Turn, work: Callable[[Transaction], T]) -> Callable[[Transaction], T]:
    """Return `work` as a transaction that happens only within the turn.

    A planner that was stopped for long may have read what HubSpot held before others wrote: it raises LeaseLostError.
    """

    def proven(transaction: Transaction) -> T:
        row = transaction.row("lock/select_turn.sql", _params(turn.run, 0) | {"epoch": turn.epoch})
        if row is None or row["updated_at"] != turn.began_at:
            raise LeaseLostError(
                f"run {turn.run.run_id} lost its turn to plan: another try or run took the lock; nothing was stored"
            )
        return work(transaction)

    return proven


def release_lock(transaction: Transaction, run: Run, *, drain_s: float) -> None:
    """Release the lock if this run holds it, and end its claims; a later holder is left alone."""
    params = _params(run, drain_s) | {"epoch": run.epoch}
    if _select_lock(transaction, params)["holder"] != run.run_id:
        return
    transaction.execute("lock/end_claims.sql", params)
    wait_s = drain_wait(transaction, run.run_id, drain_s)
    transaction.execute("lock/release_lock.sql", params | {"wait_s": wait_s})
