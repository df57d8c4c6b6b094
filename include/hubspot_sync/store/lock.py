"""The run lock: one run writes to a portal for a sync at a time, and runs have an order.

The lock belongs to a run, not to a task: every task of the run joins it under the same epoch. A taker waits until every
request that the last holder may have sent has drained, because HubSpot cannot refuse an older write.
"""

from __future__ import annotations

from include.hubspot_sync.errors import LockHeldError, SupersededError
from include.hubspot_sync.store.connection import Row, Transaction
from include.hubspot_sync.store.runs import Run


def _params(run: Run, drain_s: float) -> dict[str, object]:
    return {"portal_id": run.portal_id, "sync_name": run.sync_name, "run_id": run.run_id, "drain_s": drain_s}


def _refuse_when_superseded(transaction: Transaction, run: Run) -> None:
    if run.epoch is None:
        return
    params = {"portal_id": run.portal_id, "sync_name": run.sync_name, "epoch": run.epoch}
    later = transaction.rows("runs/select_later_plan.sql", params)[0]["run_id"]
    if later is not None:
        raise SupersededError(f"superseded by run {later}, whose plan contains these records; nothing was written")


def _refuse_when_held(lock: Row, run: Run) -> None:
    wait_s = float(lock["wait_s"])
    if wait_s <= 0:
        return
    holder = lock["holder"]
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
    lock = transaction.rows("lock/select_lock.sql", params)[0]
    if lock["holder"] == run.run_id:
        epoch = int(lock["epoch"])
    else:
        _refuse_when_superseded(transaction, run)
        _refuse_when_held(lock, run)
        epoch = run.epoch if run.epoch is not None else int(lock["last_epoch"]) + 1
    transaction.execute("lock/take_lock.sql", params | {"epoch": epoch, "lease_s": lease_s})
    transaction.execute("runs/update_epoch.sql", {"run_id": run.run_id, "epoch": epoch})
    return epoch


def release_lock(transaction: Transaction, run: Run, *, drain_s: float) -> None:
    """Release the lock if this run holds it; a later holder is left alone."""
    transaction.execute("lock/release_lock.sql", _params(run, drain_s) | {"epoch": run.epoch})
