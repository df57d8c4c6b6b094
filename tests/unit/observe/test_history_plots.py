"""The plots: neat axes, shapes inside the picture, nothing drawn that did not happen."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.hubspot_sync.observe import charts
from include.hubspot_sync.observe.history import History, Interval, Span
from include.hubspot_sync.observe.history_plots import REASON_SERIES, history_plots
from include.hubspot_sync.observe.page_html import Links, SyncLine, sync_page
from include.hubspot_sync.records import RunState
from tests.unit.observe.test_page_html import DAG_ID, EVIL, run_status

START = datetime(2026, 11, 24, 0, 0, 0)  # noqa: DTZ001


def history(*intervals: Interval) -> History:
    empty = [Interval(START + timedelta(hours=hour)) for hour in range(len(intervals), 24)]
    return History(Span.DAY, (*intervals, *empty), good_runs=1, ended_runs=2)


BUSY = history(
    Interval(
        START, answered=1_500, runs={RunState.DONE: 1, RunState.FAILED: 1}, p50_ms=400, p95_ms=900, deepest=1_500,
        left=20, errors={"HTTP 503": 3, "no answer": 1},
    ),
    Interval(START + timedelta(hours=1), left=20, deepest=20),
)  # fmt: skip


@pytest.mark.parametrize(
    ("highest", "step"), [(0, 1), (1, 1), (4, 1), (5, 2), (9, 2.5), (100, 25), (1_500, 500), (69_350, 20_000)]
)
def test_ticks_are_neat(highest: float, step: float):
    assert charts.neat_step(highest) == step


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (2.5, "2.5"), (1_500, "1.5k"), (20_000, "20k"), (2e6, "2M")])
def test_numbers_at_the_axis_are_short(value: float, text: str):
    assert charts.short_number(value) == text


def test_there_are_the_five_plots():
    assert [plot.id for plot in history_plots(BUSY)] == ["records", "shares", "latency", "queue", "errors"]


def test_bars_stand_on_each_other_inside_the_picture():
    shares = history_plots(BUSY)[1]
    below, above = shares.bars

    assert [bar.tone for bar in shares.bars] == ["s-good", "s-bad"]
    assert below.y == pytest.approx(above.y + above.height, abs=0.02)
    assert above.height == pytest.approx(below.height, abs=0.02)
    assert all(bar.y >= 0 and bar.y + bar.height <= charts.HEIGHT for plot in history_plots(BUSY) for bar in plot.bars)
    assert below.text == "2026-11-24 00:00 UTC: done 50 %"


def test_line_is_interrupted_where_nothing_was_answered():
    latency = history_plots(BUSY)[2]

    assert latency.lines == []
    assert [dot.text for dot in latency.dots] == [
        "2026-11-24 00:00 UTC: p50 400 ms", "2026-11-24 00:00 UTC: p95 900 ms",
    ]  # fmt: skip


def test_axis_names_whole_hours_or_midnights():
    by_hour = history_plots(BUSY)[0]
    week = tuple(Interval(START - timedelta(hours=6 * number)) for number in range(27, -1, -1))
    by_day = history_plots(History(Span.WEEK, week, 0, 0))[0]

    assert [tick.text for tick in by_hour.x_ticks] == ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00"]
    assert [tick.text for tick in by_day.x_ticks] == [f"{day} Nov" for day in range(18, 25)]


def test_rare_reasons_are_added_up():
    errors = {f"reason {number}": 100 - number for number in range(REASON_SERIES + 3)}

    plot = history_plots(history(Interval(START, errors=errors)))[4]

    assert [one.name for one in plot.series][-2:] == [f"reason {REASON_SERIES - 1}", "other reasons"]
    assert sum(one.values[0] or 0 for one in plot.series) == sum(errors.values())


def test_summary_says_the_numbers():
    summaries = [plot.summary for plot in history_plots(BUSY)]

    assert summaries == [
        "1,500 changes were answered by HubSpot, at most 1,500 per hour.",
        "1 of 2 runs ended well, 50.0 %.",
        "The highest 95th percentile was 900 ms.",
        "At most 1,500 changes waited at once; 0 wait now.",
        "4 errors, most often HTTP 503 (3).",
    ]


def test_time_without_runs_is_empty_and_no_error():
    plots = history_plots(History(Span.DAY, history().intervals, 0, 0))

    assert [plot.is_empty for plot in plots] == [True] * 5


def test_page_shows_every_number_also_as_text():
    line = SyncLine("baby_names", DAG_ID, "", None)
    page = sync_page(Links("/air/hubspot-sync", "/air"), line, [run_status()], BUSY)

    assert page.count("<svg") == 5
    assert page.count("<details>") == 5
    assert '<td class="number">1,500</td>' in page
    assert 'aria-current="true">Last 24 hours' in page


def test_reason_of_an_error_stays_text():
    line = SyncLine("baby_names", DAG_ID, "", None)
    evil = history(Interval(START, errors={EVIL: 1}))

    assert "<script>" not in sync_page(Links("/air/hubspot-sync", "/air"), line, [run_status()], evil)
