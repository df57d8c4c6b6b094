"""What the page shows: syncs, their runs, batches and rejected records, as typed values read from MySQL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from include.hubspot_sync.records import BatchState, RunMode, RunState

_OVER = frozenset({RunState.DONE, RunState.FAILED, RunState.SUPERSEDED})


class Reader(Protocol):
    """An open transaction that runs a SELECT of `include/sql` by name."""

    def rows(self, name: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows by column name."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run; times are UTC and the database's."""

    run_id: int
    dag_run_id: str
    """Airflow's id of the DAG run."""
    mode: RunMode
    state: RunState
    source_version: int | None
    source_file: str
    """S3 key; empty before the file is landed."""
    planned: Mapping[str, int]
    """Changes of the plan by operation; empty before there is a plan."""
    counts: Mapping[str, Any]
    """Fields of the RESULT line once the run is over; before that only what is known already."""
    reason: str
    started_at: datetime
    finished_at: datetime | None
    """None while the run is under way."""
    took_s: float | None
    """From the start to the end, or to now; None when nobody noted the end."""

    @property
    def is_over(self) -> bool:
        """Tell whether the run has ended."""
        return self.state in _OVER


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """The last run that delivered everything."""

    run_id: int
    records: int
    finished_at: datetime
    age_s: float


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Where a sync stands."""

    last_run: RunStatus | None
    last_success: LastSuccess | None
    open_changes: int
    """Changes that are queued and not yet delivered."""


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard, or a whole run, is; superseded batches are no work and do not count."""

    batches: Mapping[BatchState, int]
    rows: Mapping[BatchState, int]

    @property
    def done_rows(self) -> int:
        """Return the changes in batches that are done."""
        return self.rows.get(BatchState.DONE, 0)

    @property
    def total_rows(self) -> int:
        """Return the changes in all batches that are to be delivered."""
        return sum(count for state, count in self.rows.items() if state is not BatchState.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the delivery of a run is."""

    shards: Mapping[int, ShardProgress]
    total: ShardProgress


@dataclass(frozen=True, slots=True)
class NotableBatch:
    """A batch that is under way, was tried again, or has a reason to tell."""

    batch_no: int
    shard: int
    kind: str
    row_count: int
    state: BatchState
    attempts: int
    http_status: int | None
    latency_ms: int | None
    correlation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A source line that was not loaded, or a record that HubSpot refused."""

    stage: str
    """`validate` or `deliver`."""
    source_file: str
    line_no: int | None
    column_name: str
    key_text: str
    reason: str
    reason_text: str
    correlation_id: str
    attempts: int
    is_released: bool
    is_resolved: bool


@dataclass(frozen=True, slots=True)
class RejectedRecords:
    """The first rejected records of a run, and how many there are."""

    count: int
    first: tuple[RejectedRecord, ...]


def _counts(row: Mapping[str, Any], *, is_over: bool) -> dict[str, Any]:
    # a cleared run keeps the summary of its last end until it ends again
    if is_over and row["summary"]:
        summary: dict[str, Any] = json.loads(row["summary"])
        return summary
    return {name: row[name] for name in ("source_rows", "records") if row[name] is not None}


def _run_status(row: Mapping[str, Any]) -> RunStatus:
    state = RunState(row["state"])
    is_over = state in _OVER
    finished_at: datetime | None = row["finished_at"] if is_over else None
    end = finished_at if is_over else row["read_at"]
    key = row["dag_run_key"]
    return RunStatus(
        run_id=row["run_id"],
        dag_run_id=(key.decode() if isinstance(key, bytes) else key).partition(":")[2],
        mode=RunMode(row["mode"]),
        state=state,
        source_version=row["source_version"],
        source_file=row["source_file"] or "",
        planned=json.loads(row["planned"]) if row["planned"] else {},
        counts=_counts(row, is_over=is_over),
        reason=row["reason_text"] or "",
        started_at=row["started_at"],
        finished_at=finished_at,
        took_s=(end - row["started_at"]).total_seconds() if end else None,
    )


def read_runs(reader: Reader, sync_name: str) -> tuple[RunStatus, ...]:
    """Return the latest runs of a sync, newest first."""
    return tuple(map(_run_status, reader.rows("page/select_runs.sql", {"sync_name": sync_name})))


def read_run(reader: Reader, sync_name: str, run_id: int) -> RunStatus | None:
    """Return one run of a sync, None when the sync has no such run."""
    rows = reader.rows("page/select_run.sql", {"sync_name": sync_name, "run_id": run_id})
    return _run_status(rows[0]) if rows else None


def read_sync(reader: Reader, sync_name: str) -> SyncStatus:
    """Return where a sync stands."""
    params = {"sync_name": sync_name}
    runs = read_runs(reader, sync_name)
    open_changes = reader.rows("page/count_open_changes.sql", params)[0]["open_changes"]
    return SyncStatus(runs[0] if runs else None, _last_success(reader, sync_name), int(open_changes))


def _last_success(reader: Reader, sync_name: str) -> LastSuccess | None:
    rows = reader.rows("page/select_last_success.sql", {"sync_name": sync_name})
    if not rows:
        return None
    row = rows[0]
    return LastSuccess(
        run_id=row["run_id"],
        records=json.loads(row["summary"]).get("records", 0),
        finished_at=row["finished_at"],
        age_s=(row["read_at"] - row["finished_at"]).total_seconds(),
    )


def read_progress(reader: Reader, run_id: int) -> Progress:
    """Return how far the delivery of a run is, by shard and in all."""
    batches: dict[int, Counter[BatchState]] = {}
    rows: dict[int, Counter[BatchState]] = {}
    for row in reader.rows("page/count_batches.sql", {"run_id": run_id}):
        state = BatchState(row["state"])
        batches.setdefault(row["shard"], Counter())[state] = int(row["batch_count"])
        rows.setdefault(row["shard"], Counter())[state] = int(row["row_count"])
    return Progress(
        shards={shard: ShardProgress(batches[shard], rows[shard]) for shard in batches},
        total=ShardProgress(sum(batches.values(), Counter()), sum(rows.values(), Counter())),
    )


def read_notable_batches(reader: Reader, run_id: int) -> tuple[NotableBatch, ...]:
    """Return the first batches of a run that somebody may want to look at."""
    return tuple(
        NotableBatch(
            batch_no=row["batch_no"],
            shard=row["shard"],
            kind=row["kind"],
            row_count=row["row_count"],
            state=BatchState(row["state"]),
            attempts=row["attempts"],
            http_status=row["http_status"],
            latency_ms=row["latency_ms"],
            correlation_id=row["correlation_id"] or "",
            reason=row["reason"] or "",
        )
        for row in reader.rows("page/select_notable_batches.sql", {"run_id": run_id})
    )


def read_rejected(reader: Reader, sync_name: str, run_id: int) -> RejectedRecords:
    """Return the records that were last refused in this run; those refused before stay with their own run."""
    params = {"sync_name": sync_name, "run_id": run_id}
    count = int(reader.rows("page/count_rejected_records.sql", params)[0]["rejected"])
    return RejectedRecords(count, tuple(map(_rejected, reader.rows("page/select_rejected_records.sql", params))))


def _rejected(row: Mapping[str, Any]) -> RejectedRecord:
    return RejectedRecord(
        stage=row["stage"],
        source_file=row["source_file"],
        line_no=row["line_no"],
        column_name=row["column_name"],
        key_text=row["key_text"] or "",
        reason=row["reason"],
        reason_text=row["reason_text"],
        correlation_id=row["correlation_id"] or "",
        attempts=row["attempts"],
        is_released=row["released_at"] is not None,
        is_resolved=row["resolved_at"] is not None,
    )
