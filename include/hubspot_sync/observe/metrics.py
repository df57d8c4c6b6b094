"""The metrics of every sync, read from MySQL: names, labels, and which statement each comes from.

Labels come from closed sets: the syncs of the definitions, our enums, and the most frequent codes of refusals. Every
known sync has every counter from the beginning, at zero, because an increase from nothing is none for Prometheus.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from include.hubspot_sync.records import LATENCY_BOUNDS_MS, Chore, Operation, Phase, RunMode, RunState

PREFIX = "hubspot_sync"
BUCKETS_S = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
"""Upper bounds of the histogram of durations: from an unchanged file to a first load with long waits."""
REASONS_MAX = 20
"""Reasons of refusals by sync and stage that are shown by name; the rest is `other`."""
STAGES = ("validate", "deliver")
OTHER = "other"
GOOD = "2xx"
NO_ANSWER = "none"
STATUSES = (
    *(GOOD, "3xx", "400", "401", "403", "404", "409", "423", "429", "477", "500", "502", "503", "504", "4xx", "5xx"),
    *(NO_ANSWER, OTHER),
)
"""Labels of answers: errors that are met by their status, the rest by class."""
_SERVER_ERRORS_END = 600
_LONGER_MS = float("inf")

_NAMED_OUTCOMES: Mapping[str, tuple[str, str]] = {
    "created": (Operation.CREATE, "delivered"),
    "updated": (Operation.UPDATE, "delivered"),
    "archived": (Operation.ARCHIVE, "delivered"),
    "unchanged": ("none", "unchanged"),
    "rejected": ("none", "rejected"),
    "quarantined": ("none", "quarantined"),
    "still_open": ("none", "open"),
}
"""Field of a run's summary → operation and outcome; what was not delivered is not counted by operation."""
_CODE = re.compile(r"[A-Za-z0-9_]{1,64}")

Row = Mapping[str, Any]
Values = dict[tuple[str, ...], float]
"""Label values → value."""


class Reader(Protocol):
    """An open transaction that runs a SELECT of `include/sql` by name."""

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows by column name."""


def read_metrics(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    """Yield every metric that comes from MySQL, one statement after the other.

    Args:
        reader: Open transaction.
        syncs: Names of the defined syncs; rows of others are left out.
    """
    reads = (
        *(_ends, _durations, _outcomes, _requests, _answers, _phases, _queue, _rejects, _quota, _versions),
        *(_open_runs, _chores),
    )
    for read in reads:
        yield from read(reader, syncs)


def _known(rows: Iterable[Row], syncs: Collection[str]) -> Iterator[Row]:
    return (row for row in rows if row["sync_name"] in syncs)


def _zeros(syncs: Collection[str], *labels: tuple[str, ...]) -> Values:
    return {(sync, *rest): 0.0 for sync in syncs for rest in labels or ((),)}


def counter(name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
    """Return a counter; Prometheus sees it as `<name>_total`."""
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def gauge(name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
    """Return a gauge."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def histogram(
    name: str,
    text: str,
    labels: Sequence[str],
    bounds: Sequence[float],
    values: Mapping[tuple[str, ...], tuple[Counter[int], float]],
) -> Metric:
    """Return a histogram.

    Args:
        name: Name after the prefix.
        text: What it measures.
        labels: Names of the labels.
        bounds: Upper bounds of the classes but the last, which has none.
        values: Label values → number of the class → count, and the sum of everything that was counted.
    """
    family = HistogramMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    names = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    for label_values, (counts, total) in values.items():
        below = accumulate(counts[number] for number in range(len(names)))
        family.add_metric(label_values, list(zip(names, below, strict=True)), total)
    return family


def _ends(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    modes = [(mode,) for mode in RunMode]
    ends = {state: _zeros(syncs, *modes) for state in (RunState.DONE, RunState.FAILED, RunState.SUPERSEDED)}
    last: dict[str, Values] = {state: {} for state in ends}
    for row in _known(reader.rows("metrics/count_run_ends.sql"), syncs):
        sync, mode, state = row["sync_name"], row["mode"], RunState(row["state"])
        ends[state][sync, mode] = float(row["ends"])
        # a plan that is only shown delivers nothing, so it says nothing about the sync
        if mode != RunMode.PLAN_ONLY:
            last[state][(sync,)] = max(last[state].get((sync,), 0.0), float(row["last_ended_s"]))
    labels = ("sync", "mode")
    yield counter("success", "Runs that ended well.", labels, ends[RunState.DONE])
    yield counter(
        "failure",
        "Runs that failed; a run that is cleared and fails again counts again.",
        labels,
        ends[RunState.FAILED],
    )
    yield counter("superseded", "Runs that a later run replaced.", labels, ends[RunState.SUPERSEDED])
    latest = {key: max(values[key] for values in last.values() if key in values) for key in set().union(*last.values())}
    yield gauge("last_success_timestamp_seconds", "When a run last ended well.", ("sync",), last[RunState.DONE])
    yield gauge("last_failure_timestamp_seconds", "When a run last failed.", ("sync",), last[RunState.FAILED])
    yield gauge("last_finished_timestamp_seconds", "When a run last ended, in whatever way.", ("sync",), latest)


def _durations(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    buckets: dict[tuple[str, str], Counter[int]] = {(sync, mode): Counter() for sync in syncs for mode in RunMode}
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for row in _known(reader.rows("metrics/count_durations.sql"), syncs):
        key = row["sync_name"], row["mode"]
        buckets[key][_place(BUCKETS_S, float(row["duration_s"]))] += int(row["runs"])
        totals[key] += float(row["total_s"])
    yield histogram(
        "duration_seconds",
        "From start to end of runs that ended well at once.",
        ("sync", "mode"),
        BUCKETS_S,
        {key: (counts, totals[key]) for key, counts in buckets.items()},
    )


def _outcomes(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    records = _zeros(syncs, *_NAMED_OUTCOMES.values())
    verified, mismatched = _zeros(syncs), _zeros(syncs)
    for row in _known(reader.rows("metrics/sum_outcomes.sql"), syncs):
        sync = row["sync_name"]
        for field, labels in _NAMED_OUTCOMES.items():
            records[(sync, *labels)] = float(row[field])
        verified[(sync,)], mismatched[(sync,)] = float(row["verified"]), float(row["mismatched"])
    yield counter(
        "records", "Records by what became of them, counted when a run ends.", ("sync", "operation", "outcome"), records
    )
    yield counter("verified", "Changes that a read-back showed in HubSpot.", ("sync",), verified)
    yield counter("mismatched", "Changes that differed in HubSpot after a second send.", ("sync",), mismatched)


def _requests(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    calls = _zeros(syncs, ("read",), ("write",))
    hits, waited_s = _zeros(syncs), _zeros(syncs)
    for row in _known(reader.rows("metrics/sum_api_usage.sql"), syncs):
        sync = row["sync_name"]
        calls[sync, "read"] = float(row["calls"] - row["write_calls"])
        calls[sync, "write"] = float(row["write_calls"])
        hits[(sync,)] = float(row["http_429"])
        waited_s[(sync,)] = float(row["wait_ms"]) / 1000
    yield counter("api_requests", "HTTP requests to HubSpot.", ("sync", "kind"), calls)
    yield counter("rate_limit_hits", "Answers 429 of HubSpot.", ("sync",), hits)
    yield counter("rate_limit_wait_seconds", "Time that requests waited for a sending time.", ("sync",), waited_s)


def _answers(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    statuses = _zeros(syncs, *((status,) for status in STATUSES))
    classes: dict[str, Counter[int]] = {sync: Counter() for sync in syncs}
    totals_s = _zeros(syncs)
    for row in _known(reader.rows("metrics/sum_api_answers.sql"), syncs):
        sync, requests = row["sync_name"], int(row["requests"])
        classes[sync][_place(LATENCY_BOUNDS_MS, int(row["bound_ms"]) or _LONGER_MS)] += requests
        totals_s[(sync,)] += float(row["total_ms"]) / 1000
        statuses[sync, GOOD] += requests if row["is_good"] else 0
    for row in _known(reader.rows("metrics/sum_api_errors.sql"), syncs):
        statuses[row["sync_name"], _status_label(int(row["status"]))] += float(row["requests"])
    yield counter(
        "api_answers",
        "Answers of HubSpot by status; none: no answer came.",
        ("sync", "status"),
        statuses,
    )
    yield histogram(
        "api_latency_seconds",
        "From sending a request to the end of its answer, or until none can come.",
        ("sync",),
        [bound / 1000 for bound in LATENCY_BOUNDS_MS],
        {(sync,): (counts, totals_s[(sync,)]) for sync, counts in classes.items()},
    )


def _place(bounds: Sequence[float], value: float) -> int:
    """Return the number of the class of a value: the first bound that is not below it, else one more than the last."""
    return next((number for number, bound in enumerate(bounds) if value <= bound), len(bounds))


def _status_label(status: int) -> str:
    text = str(status) if status else NO_ANSWER
    return text if text in STATUSES else f"{status // 100}xx" if status < _SERVER_ERRORS_END else OTHER


def _phases(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    # `schedule` is what the others leave of a run, no row of its own
    spent = _zeros(syncs, *((phase,) for phase in Phase if phase is not Phase.SCHEDULE))
    for row in _known(reader.rows("metrics/sum_phases.sql"), syncs):
        spent[row["sync_name"], row["phase"]] = float(row["seconds"])
    yield counter(
        "phase_seconds", "Time spent, by phase; parts that run at once count in full.", ("sync", "phase"), spent
    )


def _queue(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    depth, oldest_s = _zeros(syncs), _zeros(syncs)
    for row in _known(reader.rows("metrics/count_open_changes.sql"), syncs):
        depth[(row["sync_name"],)] = float(row["open_changes"])
        oldest_s[(row["sync_name"],)] = float(row["oldest_age_s"])
    yield gauge("queue_depth", "Changes that are planned and not delivered.", ("sync",), depth)
    yield gauge("oldest_pending_age_seconds", "Since the oldest open change was planned.", ("sync",), oldest_s)


def _rejects(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    rejects = _zeros(syncs, *((stage, OTHER) for stage in STAGES))
    named: Counter[tuple[str, str]] = Counter()
    for row in _known(reader.rows("metrics/count_rejects.sql"), syncs):
        sync, stage, reason = row["sync_name"], row["stage"], row["reason"]
        is_named = named[sync, stage] < REASONS_MAX and _CODE.fullmatch(reason)
        named[sync, stage] += bool(is_named)
        key = sync, stage, reason if is_named else OTHER
        rejects[key] = rejects.get(key, 0.0) + float(row["rejects"])
    yield gauge(
        "rejected_records", "Lines not loaded and records refused at present.", ("sync", "stage", "reason"), rejects
    )


def _quota(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    rows = list(_known(reader.rows("metrics/select_daily_quota.sql"), syncs))
    for field, name, text in (
        ("daily_used", "daily_quota_used", "Requests of the account's day that are used up, by everybody."),
        ("daily_limit", "daily_quota_limit", "Requests that the account has a day."),
    ):
        values: Values = {(row["sync_name"],): float(row[field]) for row in rows}
        yield gauge(name, text, ("sync",), values)


def _versions(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    waiting_s, first_run_s = _zeros(syncs), Values()
    for row in _known(reader.rows("metrics/select_new_versions.sql"), syncs):
        waiting_s[(row["sync_name"],)] = float(row["waiting_s"])
        first_run_s[(row["sync_name"],)] = float(row["first_run_s"])
    yield gauge(
        "new_version_age_seconds",
        "For how long a version is known that is not delivered; 0 for none.",
        ("sync",),
        waiting_s,
    )
    yield gauge("first_run_timestamp_seconds", "When the first run of the sync began.", ("sync",), first_run_s)


def _open_runs(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    ages_s = _zeros(syncs)
    for row in _known(reader.rows("metrics/select_open_runs.sql"), syncs):
        ages_s[(row["sync_name"],)] = float(row["age_s"])
    yield gauge("run_age_seconds", "For how long a run is under way; 0 for none.", ("sync",), ages_s)


def _chores(reader: Reader, syncs: Collection[str]) -> Iterator[Metric]:
    labels = ("sync", "chore")
    each = [(str(chore),) for chore in Chore]
    ends = {"success": _zeros(syncs, *each), "failure": _zeros(syncs, *each)}
    last: dict[str, Values] = {"success": {}, "failure": {}}
    for row in _known(reader.rows("metrics/select_chores.sql"), syncs):
        key = row["sync_name"], row["chore"]
        ends["success"][key], ends["failure"][key] = float(row["successes"]), float(row["failures"])
        for end, values in last.items():
            if row[f"last_{end}_s"] is not None:
                values[key] = float(row[f"last_{end}_s"])
    yield counter("chore_success", "Good ends of the work beside the runs.", labels, ends["success"])
    yield counter("chore_failure", "Failed tries of the work beside the runs.", labels, ends["failure"])
    for end, text in (("success", "ended well"), ("failure", "failed")):
        name = f"chore_last_{end}_timestamp_seconds"
        yield gauge(name, f"When work beside the runs last {text}.", labels, last[end])
