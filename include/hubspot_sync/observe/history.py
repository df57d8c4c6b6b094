"""What a sync did in the last day, week or month, by intervals of equal length."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.hubspot_sync.observe.run_status import Reader
from include.hubspot_sync.records import RunState

_HOUR_S = 3_600
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  the database's times are UTC and carry no zone
_NO_RUN = (0,)
"""Stands for no run at all, because an empty list is no SQL."""


class Span(enum.StrEnum):
    """How far the history looks back."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def interval_s(self) -> int:
        """Return the length of one interval, in seconds."""
        return {Span.DAY: _HOUR_S, Span.WEEK: 6 * _HOUR_S, Span.MONTH: 24 * _HOUR_S}[self]

    @property
    def intervals(self) -> int:
        """Return the number of intervals, the one under way included."""
        return {Span.DAY: 24, Span.WEEK: 28, Span.MONTH: 30}[self]


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened within one interval."""

    began_at: datetime
    answered: int = 0
    """Changes in batches that HubSpot answered."""
    runs: Mapping[RunState, int] | None = None
    """Runs that ended, by how; None when none did."""
    p50_ms: int | None = None
    """Median of HubSpot's answer times; None when no batch was answered."""
    p95_ms: int | None = None
    deepest: int = 0
    """Largest number of changes that waited at once."""
    left: int = 0
    """Changes that still waited at its end."""
    errors: Mapping[str, int] | None = None
    """Reason → count: requests without a good answer, and rejected records."""


@dataclass(frozen=True, slots=True)
class History:
    """The intervals of a span, oldest first."""

    span: Span
    intervals: tuple[Interval, ...]
    good_runs: int
    ended_runs: int
    """Runs that ended well or badly."""


@dataclass(frozen=True, slots=True)
class _Axis:
    began_at: datetime
    size_s: int
    count: int

    def place(self, at: datetime) -> int:
        """Return the interval of a moment; it may lie outside."""
        return (at - self.began_at) // timedelta(seconds=self.size_s)

    def start(self, place: int) -> datetime:
        return self.began_at + timedelta(seconds=self.size_s * place)


def _axis(now: datetime, span: Span) -> _Axis:
    """Return intervals that begin at whole hours, a quarter of a day or midnight, so that they do not move."""
    size = timedelta(seconds=span.interval_s)
    current = _EPOCH + (now - _EPOCH) // size * size
    return _Axis(current - (span.intervals - 1) * size, span.interval_s, span.intervals)


def read_history(reader: Reader, sync_name: str, span: Span) -> History:
    """Return the history of a sync up to now."""
    now: datetime = reader.rows("page/select_now.sql", {})[0]["read_at"]
    axis = _axis(now, span)
    runs = reader.rows("page/select_history_runs.sql", {"sync_name": sync_name, "since": axis.began_at})
    run_ids = tuple(run["run_id"] for run in runs) or _NO_RUN
    settled = reader.rows("page/sum_settled_batches.sql", {"run_ids": run_ids})
    window = {"run_ids": run_ids, "since": axis.began_at, "size_s": axis.size_s}
    latencies = {int(row["bucket"]): row for row in reader.rows("page/select_latencies.sql", window)}
    errors = reader.rows("page/sum_errors_of_runs.sql", {"sync_name": sync_name, "run_ids": run_ids})
    answered = _answered(settled, axis)
    ended = _ended(runs, axis)
    depths = _depths(runs, settled, axis)
    reasons = _reasons(runs, errors, axis)
    states = sum((ended[place] for place in range(axis.count) if place in ended), Counter[RunState]())
    return History(
        span=span,
        intervals=tuple(
            Interval(
                began_at=axis.start(place),
                answered=answered[place],
                runs=ended.get(place),
                p50_ms=int(latencies[place]["p50_ms"]) if place in latencies else None,
                p95_ms=int(latencies[place]["p95_ms"]) if place in latencies else None,
                deepest=depths[place][0],
                left=depths[place][1],
                errors=reasons.get(place),
            )
            for place in range(axis.count)
        ),
        good_runs=states[RunState.DONE],
        ended_runs=states[RunState.DONE] + states[RunState.FAILED],
    )


def _answered(settled: Iterable[Mapping[str, Any]], axis: _Axis) -> Counter[int]:
    counts: Counter[int] = Counter()
    for row in settled:
        if row["is_answered"] and row["left_at"] is not None:
            counts[axis.place(row["left_at"])] += int(row["row_count"])
    return counts


def _ended(runs: Iterable[Mapping[str, Any]], axis: _Axis) -> dict[int, Counter[RunState]]:
    ended: dict[int, Counter[RunState]] = {}
    for run in runs:
        state = RunState(run["state"])
        if state in (RunState.DONE, RunState.FAILED, RunState.SUPERSEDED) and run["finished_at"] is not None:
            ended.setdefault(axis.place(run["finished_at"]), Counter())[state] += 1
    return ended


def _reasons(
    runs: Iterable[Mapping[str, Any]], errors: Iterable[Mapping[str, Any]], axis: _Axis
) -> dict[int, Counter[str]]:
    places = {run["run_id"]: axis.place(run["started_at"]) for run in runs}
    reasons: dict[int, Counter[str]] = {}
    for row in errors:
        name = row["reason"] if row["status"] is None else _status_name(row["status"])
        reasons.setdefault(places[row["run_id"]], Counter())[name] += int(row["errors"])
    return reasons


def _status_name(status: int) -> str:
    return f"HTTP {status}" if status else "no answer"


def _depths(
    runs: Iterable[Mapping[str, Any]], settled: Iterable[Mapping[str, Any]], axis: _Axis
) -> list[tuple[int, int]]:
    """Return for every interval how many changes waited at most, and at its end.

    No table keeps the depth of a moment, but the batches tell it: their changes wait from the plan until they are
    answered or superseded, which is known to the minute.
    """
    planned = {run["run_id"]: run["planned_at"] for run in runs if run["planned_at"] is not None}
    moves: list[tuple[datetime, int]] = []
    for row in settled:
        if row["run_id"] in planned:
            count = int(row["row_count"])
            moves.append((planned[row["run_id"]], count))
            if row["left_at"] is not None:
                moves.append((max(row["left_at"], planned[row["run_id"]]), -count))
    # what a later plan supersedes leaves at the moment of that plan: first out, then in; but never before it came in
    moves.sort(key=lambda move: (move[0], move[1] > 0))
    before = [count for at, count in moves if at < axis.began_at]
    depths, depth, position = [], sum(before), len(before)
    for place in range(axis.count):
        deepest = depth
        while position < len(moves) and moves[position][0] < axis.start(place + 1):
            depth += moves[position][1]
            deepest = max(deepest, depth)
            position += 1
        depths.append((deepest, depth))
    return depths
