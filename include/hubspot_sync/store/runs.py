"""The row of a run: where it is, what it works on, how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.records import HASH_VERSION, RunMode, RunState
from include.hubspot_sync.store.connection import Row, Transaction


@dataclass(frozen=True, slots=True)
class Run:
    """One run as MySQL knows it; None where a later task fills it in."""

    run_id: int
    dag_run_key: str
    sync_name: str
    portal_id: int
    mode: RunMode
    state: RunState
    epoch: int | None
    mapping_hash: bytes | None
    source_version: int | None
    source_last_updated: str | None
    source_sha256: bytes | None
    manifest_key: str | None
    is_unchanged: bool
    is_limited: bool
    """A trial run: some changes were left out on purpose."""
    source_rows: int | None
    quarantined_lines: int | None
    unreadable_key_lines: int | None
    suppressed_lines: int | None
    """Left out because their person was erased."""
    records: int | None
    quarantined: int | None
    plan_hash: bytes | None
    planned: Mapping[str, int] | None
    """Changes of the plan by operation."""
    reason: str | None
    """Kind of the error with which a task stopped."""
    reason_text: str | None


@dataclass(frozen=True, slots=True)
class SourcePin:
    """What a run works on, fixed before anything is staged."""

    version: int
    last_updated: str
    sha256: bytes
    manifest_key: str
    source_file: str
    """S3 key of the file."""
    mapping_hash: bytes


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What would stay undone if an unchanged file ended the run early."""

    unfinished_plans: int
    unsettled_keys: int
    released_rejects: int

    @property
    def exist(self) -> bool:
        """Tell whether there is anything."""
        return bool(self.unfinished_plans or self.unsettled_keys or self.released_rejects)


def _run(row: Row) -> Run:
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(Run)}
    key = values["dag_run_key"]
    values["dag_run_key"] = key.decode() if isinstance(key, bytes) else key
    values["mode"] = RunMode(values["mode"])
    values["state"] = RunState(values["state"])
    values["planned"] = json.loads(values["planned"]) if values["planned"] else None
    values["is_unchanged"] = bool(values["is_unchanged"])
    values["is_limited"] = bool(values["is_limited"])
    return Run(**values)


def open_run(
    transaction: Transaction,
    dag_run_key: str,
    sync_name: str,
    portal_id: int,
    mode: RunMode,
    *,
    is_limited: bool = False,
) -> Run:
    """Open the row of a DAG run, or find it again after a clear."""
    params = {
        "dag_run_key": dag_run_key,
        "sync_name": sync_name,
        "portal_id": portal_id,
        "mode": mode,
        "is_limited": int(is_limited),
    }
    transaction.execute("runs/insert_run.sql", params)
    return get_run(transaction, dag_run_key)


def find_run(transaction: Transaction, dag_run_key: str) -> Run | None:
    """Return the run of a DAG run, None when `preflight` never opened it."""
    row = transaction.row("runs/select_run.sql", {"dag_run_key": dag_run_key})
    return _run(row) if row else None


def get_run(transaction: Transaction, dag_run_key: str) -> Run:
    """Return the run of a DAG run.

    Raises:
        ConfigError: this schema has no row of it; `preflight` has to run first.
    """
    run = find_run(transaction, dag_run_key)
    if run is None:
        raise ConfigError(
            f"no run row for {dag_run_key} in this schema: was the connection changed? clear `preflight` to run it here"
        )
    return run


def accepted_run(transaction: Transaction, sync_name: str, portal_id: int) -> Run | None:
    """Return the last fully delivered, unlimited run."""
    row = transaction.row("runs/select_accepted_run.sql", {"sync_name": sync_name, "portal_id": portal_id})
    return _run(row) if row else None


def leftovers(transaction: Transaction, accepted: Run) -> Leftovers:
    """Count what earlier runs left undone after the accepted one."""
    params = {
        "sync_name": accepted.sync_name,
        "portal_id": accepted.portal_id,
        "accepted_epoch": accepted.epoch,
    }
    row = transaction.rows("runs/select_leftovers.sql", params)[0]
    return Leftovers(int(row["unfinished_plans"]), int(row["unsettled_keys"]), int(row["released_rejects"]))


def newest_planned_version(transaction: Transaction, sync_name: str, portal_id: int) -> int | None:
    """Return the highest source version that was ever planned for this sync."""
    row = transaction.rows("runs/select_newest_version.sql", {"sync_name": sync_name, "portal_id": portal_id})[0]
    version: int | None = row["source_version"]
    return version


def pin_source(transaction: Transaction, run_id: int, pin: SourcePin, *, is_unchanged: bool) -> None:
    """Fix what the run works on."""
    transaction.execute(
        "runs/update_source.sql",
        {
            "run_id": run_id,
            "source_version": pin.version,
            "source_last_updated": pin.last_updated,
            "source_sha256": pin.sha256,
            "manifest_key": pin.manifest_key,
            "source_file": pin.source_file,
            "mapping_hash": pin.mapping_hash,
            "hash_version": HASH_VERSION,
            "is_unchanged": int(is_unchanged),
        },
    )


def set_state(transaction: Transaction, run_id: int, state: RunState, *, reason: str = "", text: str = "") -> None:
    """Move a run to another state."""
    params = {"run_id": run_id, "state": state, "reason": reason[:64] or None, "reason_text": text[:2000] or None}
    transaction.execute("runs/update_state.sql", params)


def note_reason(transaction: Transaction, dag_run_key: str, *, reason: str, text: str) -> None:
    """Remember why a task of a run stopped; nothing happens when the run was never opened."""
    params = {"dag_run_key": dag_run_key, "reason": reason[:64], "reason_text": text[:2000]}
    transaction.execute("runs/note_reason.sql", params)


def store_plan(transaction: Transaction, run_id: int, planned: Mapping[str, int], *, is_shown_only: bool) -> None:
    """Keep what a plan does, by operation; a plan that is only shown ends here."""
    params = {"run_id": run_id, "planned": json.dumps(planned), "is_shown_only": int(is_shown_only)}
    transaction.execute("runs/update_planned_counts.sql", params)


def mark_staged(  # noqa: PLR0913  the counts of a file, all by name
    transaction: Transaction,
    run_id: int,
    *,
    source_rows: int,
    quarantined_lines: int,
    unreadable_key_lines: int,
    records: int,
    quarantined: int,
    suppressed_lines: int = 0,
) -> None:
    """Store the counts of a staged file; records include the quarantined ones."""
    transaction.execute(
        "runs/update_staged.sql",
        {
            "run_id": run_id,
            "source_rows": source_rows,
            "quarantined_lines": quarantined_lines,
            "unreadable_key_lines": unreadable_key_lines,
            "suppressed_lines": suppressed_lines,
            "records": records,
            "quarantined": quarantined,
        },
    )


def mark_first_claim(transaction: Transaction, run_id: int) -> None:
    """Start the run's delivery clock, once."""
    transaction.execute("runs/mark_first_claim.sql", {"run_id": run_id})


def delivery_seconds(transaction: Transaction, run_id: int) -> float:
    """Return the seconds from the first claim to the last commit of delivered rows."""
    transaction.execute("runs/mark_last_delivered.sql", {"run_id": run_id})
    row = transaction.rows("runs/select_run_by_id.sql", {"run_id": run_id})[0]
    return max(0.0, float(row["deliver_s"]))


def audit(transaction: Transaction, *, run: Run, actor: str, action: str, reason: str) -> None:
    """Write down who decided what, and why."""
    params = {
        "actor": actor[:250],
        "action": action,
        "sync_name": run.sync_name,
        "run_id": run.run_id,
        "target": run.dag_run_key[:250],
        "detail": json.dumps({"reason": reason}),
    }
    transaction.execute("runs/insert_audit_event.sql", params)


def close_run(
    transaction: Transaction,
    run_id: int,
    state: RunState,
    summary: Mapping[str, object],
    *,
    text: str,
    is_accepted: bool,
) -> None:
    """Close a run with its summary, and note the end for the metrics."""
    params = {
        "run_id": run_id,
        "state": state,
        "reason_text": text[:2000] or None,
        "summary": json.dumps(summary),
        "is_accepted": int(is_accepted),
    }
    transaction.execute("runs/insert_run_end.sql", params)
    transaction.execute("runs/update_finished.sql", params)
