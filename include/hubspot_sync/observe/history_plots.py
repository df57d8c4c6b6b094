"""The five plots of a sync's history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from include.hubspot_sync.observe.charts import Plot, Series, plot
from include.hubspot_sync.observe.history import History, Interval, Span
from include.hubspot_sync.records import RunState

_INTERVAL_NAMES = {Span.DAY: "hour", Span.WEEK: "6 hours", Span.MONTH: "day"}
_RUN_SERIES = {RunState.DONE: "s-good", RunState.FAILED: "s-bad", RunState.SUPERSEDED: "s-quiet"}
REASON_SERIES = 5
"""Reasons with a colour of their own; the others are added up."""


def history_plots(history: History) -> tuple[Plot, ...]:
    """Return the plots in the order of the page."""
    return (
        _records(history),
        _shares(history),
        _latency(history),
        _queue(history),
        _errors(history),
    )


def _records(history: History) -> Plot:
    per = _INTERVAL_NAMES[history.span]
    values = [interval.answered for interval in history.intervals]
    summary = f"{sum(values):,} changes were answered by HubSpot, at most {max(values):,} per {per}."
    return _plot(history, "records", f"Records per {per}", summary, "", [Series("records", "s-1", values)])


def _shares(history: History) -> Plot:
    if history.ended_runs:
        share = history.good_runs * 100 / history.ended_runs
        summary = f"{history.good_runs} of {history.ended_runs} runs ended well, {share:.1f} %."
    else:
        summary = "No run ended."
    series = [
        Series(str(state), tone, [_share(interval, state) for interval in history.intervals])
        for state, tone in _RUN_SERIES.items()
    ]
    return _plot(history, "shares", "Success and failure share of runs", summary, "%", series)


def _share(interval: Interval, state: RunState) -> float | None:
    runs = interval.runs
    return round(runs.get(state, 0) * 100 / sum(runs.values()), 1) if runs else None


def _latency(history: History) -> Plot:
    slowest = max((interval.p95_ms for interval in history.intervals if interval.p95_ms is not None), default=None)
    summary = "HubSpot answered nothing." if slowest is None else f"The highest 95th percentile was {slowest:,} ms."
    series = [
        Series("p50", "s-1", [interval.p50_ms for interval in history.intervals], is_line=True),
        Series("p95", "s-2", [interval.p95_ms for interval in history.intervals], is_line=True),
    ]
    return _plot(history, "latency", "HubSpot's answer time, p50 and p95", summary, "ms", series)


def _queue(history: History) -> Plot:
    left = history.intervals[-1].left
    deepest = max(interval.deepest for interval in history.intervals)
    summary = f"At most {deepest:,} changes waited at once; {left:,} wait now."
    series = [
        Series("deepest", "s-soft", [interval.deepest for interval in history.intervals]),
        Series("left at the end", "s-2", [interval.left for interval in history.intervals], is_line=True),
    ]
    return _plot(history, "queue", "Queue depth", summary, "", series)


def _errors(history: History) -> Plot:
    counts = sum((Counter(interval.errors) for interval in history.intervals), Counter[str]())
    names = [name for name, _ in counts.most_common(REASON_SERIES)]
    summary = (
        f"{counts.total():,} errors, most often {names[0]} ({counts[names[0]]:,})."
        if names
        else "There were no errors."
    )
    series = [
        Series(name, f"s-{number}", [(interval.errors or {}).get(name) for interval in history.intervals])
        for number, name in enumerate(names, start=1)
    ]
    if len(counts) > len(names):
        rest = [
            sum(count for name, count in (interval.errors or {}).items() if name not in names) or None
            for interval in history.intervals
        ]
        series.append(Series("other reasons", "s-quiet", rest))
    return _plot(history, "errors", "Errors by reason", summary, "", series)


def _plot(history: History, plot_id: str, title: str, summary: str, unit: str, series: Sequence[Series]) -> Plot:
    return plot(plot_id, title, summary, unit, [interval.began_at for interval in history.intervals], series)
