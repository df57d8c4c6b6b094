"""The plan of a run: snapshot against ledger, changes into the outbox, cut into batches and dealt to shards."""

from __future__ import annotations

from dataclasses import dataclass

from include.hubspot_sync.records import HASH_VERSION
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.runs import Run


@dataclass(frozen=True, slots=True)
class Shard:
    """The work of one mapped task."""

    shard: int
    batches: int
    rows: int


@dataclass(frozen=True, slots=True)
class Removals:
    """Contacts that left the source."""

    active: int
    """Active contacts in the ledger."""
    removed: int
    """Those whose record is no longer in the source."""


@dataclass(frozen=True, slots=True)
class Rewrites:
    """Contacts to which the source gives other values than HubSpot holds."""

    active: int
    """Active contacts in the ledger."""
    changed: int
    """Those with another row hash."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Limits of a number property, both ends included; None is no limit."""

    name: str
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which changes a trial run sends; the others wait for a run without limits."""

    record_limit: int | None = None
    bounds: tuple[Bound, ...] = ()


EVERYTHING = Selection()
_NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a plan stands in the outbox of its run."""

    first_seq: int
    first_batch_no: int


def count_removals(transaction: Transaction, run: Run) -> Removals:
    """Count what an archive would touch."""
    params = {"run_id": run.run_id, "sync_name": run.sync_name}
    row = transaction.rows("delta/count_removals.sql", params)[0]
    return Removals(active=int(row["active_count"]), removed=int(row["removal_count"]))


def count_rewrites(transaction: Transaction, run: Run) -> Rewrites:
    """Count the contacts that an update would give other values."""
    params = {"run_id": run.run_id, "sync_name": run.sync_name, "hash_version": HASH_VERSION}
    row = transaction.rows("delta/count_rewrites.sql", params)[0]
    return Rewrites(active=int(row["active_count"]), changed=int(row["change_count"]))


def supersede_open(transaction: Transaction, run: Run) -> None:
    """Replace what earlier plans left open; keys that may have left stay uncertain in the ledger."""
    params = {"sync_name": run.sync_name, "portal_id": run.portal_id, "epoch": run.epoch}
    transaction.execute("delta/supersede_outbox.sql", params)
    transaction.execute("delta/supersede_batches.sql", params)
    transaction.execute("delta/supersede_runs.sql", params)


def retire_plan(transaction: Transaction, run: Run) -> None:
    """Put an earlier plan of this run out of reach before its requests drain and its keys are read.

    Rows that are delivered and not read back go with it: a late read-back would send their old values once more.
    """
    transaction.execute("delta/retire_batches.sql", {"run_id": run.run_id})
    transaction.execute("delta/retire_rows.sql", {"run_id": run.run_id})


def _queue(transaction: Transaction, run: Run) -> Queue:
    last = transaction.rows("delta/select_last_numbers.sql", {"run_id": run.run_id})[0]
    return Queue(first_seq=int(last["last_seq"]) + 1, first_batch_no=int(last["last_batch_no"]) + 1)


def _conditions(selection: Selection) -> tuple[str, dict[str, int]]:
    """Return the SQL conditions of a selection and their values; property names come from the definition."""
    conditions, values = [], {}
    for bound in selection.bounds:
        number = f"CAST(NULLIF(JSON_UNQUOTE(JSON_EXTRACT(s.properties, '$.{bound.name}')), '') AS DECIMAL(38, 10))"
        for end, operator, value in (("min", ">=", bound.least), ("max", "<=", bound.most)):
            if value is not None:
                conditions.append(f"AND {number} {operator} %({end}_{bound.name})s")
                values[f"{end}_{bound.name}"] = value
    return " ".join(conditions), values


def queue_changes(
    transaction: Transaction,
    run: Run,
    *,
    batch_size: int,
    is_resync: bool,
    with_archives: bool,
    selection: Selection = EVERYTHING,
) -> int:
    """Put creates, updates and archives into the outbox and return the first batch number of this plan.

    Upserts and archives never share a batch.
    """
    conditions, bounds = _conditions(selection)
    start = _queue(transaction, run)
    params = {
        "run_id": run.run_id,
        "sync_name": run.sync_name,
        "hash_version": HASH_VERSION,
        "batch_size": batch_size,
        "is_resync": int(is_resync),
    }
    limit = _NO_LIMIT if selection.record_limit is None else selection.record_limit
    transaction.execute(
        "delta/insert_changes.sql",
        {
            **params,
            **bounds,
            "first_seq": start.first_seq,
            "first_batch_no": start.first_batch_no,
            "record_limit": limit,
        },
        {"selection": conditions},
    )
    if with_archives:
        end = _queue(transaction, run)
        transaction.execute(
            "delta/insert_archives.sql", params | {"first_seq": end.first_seq, "first_batch_no": end.first_batch_no}
        )
    return start.first_batch_no


def count_batches(transaction: Transaction, run: Run, first_batch_no: int) -> int:
    """Return how many batches the plan that starts at this number has."""
    return _queue(transaction, run).first_batch_no - first_batch_no


def cut_batches(transaction: Transaction, run: Run, *, first_batch_no: int, shard_count: int, plan_hash: bytes) -> None:
    """Cut the queued changes into batches; from here on this run is the newest for its records.

    Only now are rejects resolved whose value or file is of the past: a plan that is only shown changes nothing.
    """
    params = {"run_id": run.run_id, "first_batch_no": first_batch_no, "shard_count": shard_count}
    transaction.execute("delta/insert_batches.sql", params)
    of_the_past = {"run_id": run.run_id, "sync_name": run.sync_name}
    transaction.execute("rejects/resolve_removed.sql", of_the_past)
    transaction.execute("rejects/resolve_lines.sql", of_the_past)
    transaction.execute("runs/update_planned.sql", {"run_id": run.run_id, "plan_hash": plan_hash})


def drop_plan(transaction: Transaction, run_id: int) -> None:
    """Take back a plan that was only to be shown."""
    transaction.execute("delta/supersede_own_plan.sql", {"run_id": run_id})


def open_shards(transaction: Transaction, run_id: int, read_back: str) -> list[Shard]:
    """Return the shards that still have something to send or to read back."""
    rows = transaction.rows("delta/select_shards.sql", {"run_id": run_id, "read_back": read_back})
    return [Shard(int(row["shard"]), int(row["batch_count"]), int(row["row_count"])) for row in rows]
