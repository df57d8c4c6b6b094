"""The page's HTML: nothing from a record can become markup, every count is shown, a bar never promises too much."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from include.hubspot_sync.engine import health
from include.hubspot_sync.observe import page_html
from include.hubspot_sync.observe.page_html import Links, NextRun, SyncLine
from include.hubspot_sync.observe.plan_status import PlanStatus
from include.hubspot_sync.observe.run_status import (
    LastSuccess,
    NotableBatch,
    Progress,
    RejectedRecord,
    RejectedRecords,
    RunStatus,
    ShardProgress,
    Speed,
    SyncStatus,
)
from include.hubspot_sync.records import (
    BatchState,
    FieldChange,
    GuardTrip,
    Operation,
    Phase,
    PlanCost,
    PlanSample,
    RunMode,
    RunState,
)
from tests.support.stored_plans import SAMPLE, basis, run_plan

EVIL = '<script>alert("x")</script>\'&-f'
LINKS = Links(page="/air/hubspot-sync", airflow="/air")
DAG_ID = "baby_names_to_hubspot"


def run_status(**changes: Any) -> RunStatus:
    values: dict[str, Any] = {
        "run_id": 7,
        "dag_run_id": "manual__2026-11-24T10:00:00+00:00",
        "mode": RunMode.INCREMENTAL,
        "state": RunState.DONE,
        "source_version": 3,
        "source_file": "raw/file.csv",
        "planned": {},
        "counts": {},
        "reason": "",
        "started_at": datetime(2026, 11, 24, 10, 0, 0),  # noqa: DTZ001  as the driver returns it
        "finished_at": datetime(2026, 11, 24, 10, 1, 40),  # noqa: DTZ001
        "took_s": 100.0,
    }
    return RunStatus(**values | changes)


def rejected_record(**changes: Any) -> RejectedRecord:
    values: dict[str, Any] = {
        "id": 5,
        "run_id": 7,
        "stage": "deliver",
        "source_file": "raw/version=3/file.csv",
        "line_no": 17,
        "line_count": 2,
        "first_seen_at": datetime(2026, 11, 24, 10, 0, 0),  # noqa: DTZ001
        "last_seen_at": datetime(2026, 11, 25, 10, 0, 0),  # noqa: DTZ001
        "payload": '{"baby_sex": "X"}',
        "column_name": "baby_sex",
        "key_text": "ada-f",
        "reason": "INVALID_OPTION",
        "reason_text": "no such option",
        "correlation_id": "corr-1",
        "attempts": 2,
        "is_released": False,
        "is_resolved": False,
    }
    return RejectedRecord(**values | changes)


def shard(**rows: int) -> ShardProgress:
    states = {BatchState(name): count for name, count in rows.items()}
    return ShardProgress(batches=dict.fromkeys(states, 1), rows=states)


NO_PROGRESS = Progress({}, shard())


def run_page(
    run: RunStatus,
    progress: ShardProgress | None = None,
    batches: tuple[NotableBatch, ...] = (),
    *rejected: RejectedRecord,
) -> str:
    total = progress or shard(done=100)
    return page_html.run_page(
        LINKS, DAG_ID, run, Progress({0: total}, total), batches, RejectedRecords(len(rejected), rejected)
    )


def overview(description: str = "Keep them equal.", problem: str = "") -> str:
    success = LastSuccess(6, 69_350, datetime(2026, 11, 23, 10, 0, 0), 90_000)  # noqa: DTZ001
    status = None if problem else SyncStatus(run_status(), success, 1_234)
    return page_html.overview_page(LINKS, [SyncLine("baby_names", DAG_ID, description, status, problem)])


def cells(page: str) -> dict[str, str]:
    """Return row heading → value of the tables with two columns."""
    return dict(re.findall(r'<th scope="row">([^<]*)</th><td class="number">([^<]*)</td>', page))


def plan_page(run: RunStatus | None = None, samples: tuple[PlanSample, ...] = (SAMPLE,), **changes: Any) -> str:
    status = PlanStatus(run_plan(**changes), samples, datetime(2026, 11, 24, 10, 0, 0), None, 9)  # noqa: DTZ001
    return page_html.plan_page(LINKS, DAG_ID, run or run_status(), status)


EVIL_PAGES = {
    "record of a plan": lambda: plan_page(samples=(replace(SAMPLE, key_text=EVIL),)),
    "property of a plan": lambda: plan_page(samples=(replace(SAMPLE, fields=(FieldChange(EVIL, "a", "b"),)),)),
    "value before": lambda: plan_page(samples=(replace(SAMPLE, fields=(FieldChange("a", EVIL, "b"),)),)),
    "value after": lambda: plan_page(samples=(replace(SAMPLE, fields=(FieldChange("a", None, EVIL),)),)),
    "guard": lambda: plan_page(trips=(GuardTrip("max_archive_share", 3, 2, EVIL),)),
    "bound of a plan": lambda: plan_page(basis_=basis(bounds=((EVIL, 1, None),))),
    "reason of a planned run": lambda: plan_page(run_status(reason=EVIL)),
    "record": lambda: run_page(run_status(), None, (), rejected_record(key_text=EVIL)),
    "reason of a record": lambda: run_page(run_status(), None, (), rejected_record(reason_text=EVIL)),
    "file": lambda: run_page(run_status(source_file=EVIL)),
    "reason of a run": lambda: run_page(run_status(reason=EVIL)),
    "dag run": lambda: run_page(run_status(dag_run_id=EVIL)),
    "count": lambda: run_page(run_status(counts={EVIL: EVIL})),
    "batch": lambda: run_page(
        run_status(), None, (NotableBatch(1, 0, "upsert", 9, BatchState.DONE, 2, 503, 9, EVIL, EVIL),)
    ),
    "description": lambda: overview(description=EVIL),
    "problem": lambda: overview(problem=EVIL),
    "error": lambda: page_html.error_page(LINKS, 404, EVIL),
    "dag": lambda: page_html.sync_page(LINKS, SyncLine(EVIL, EVIL, EVIL, None), [run_status()]),
}


@pytest.mark.parametrize("page", EVIL_PAGES.values(), ids=EVIL_PAGES)
def test_markup_in_a_value_stays_text(page: Any):
    html = page()

    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&#39;&amp;-f" in html
    assert "<script>" not in html
    assert html.count("<script") <= 1


def test_pages_hold_no_style_no_script_and_no_foreign_address():
    pages = [
        overview(),
        page_html.sync_page(LINKS, SyncLine("baby_names", DAG_ID, "", None), [run_status()]),
        run_page(run_status(), None, (), rejected_record()),
        plan_page(),
        page_html.error_page(LINKS, 403, "Forbidden"),
    ]
    addresses = [address for page in pages for address in re.findall(r'(?:src|href)="([^"]*)"', page)]

    assert [address for address in addresses if not address.startswith(("/air/", "#"))] == []
    assert not any(re.search(r"\sstyle=|<style|\son\w+=", page) for page in pages)


def test_every_field_of_the_result_line_is_on_the_page():
    elsewhere = {"run_id", "mode", "state", "message", "phases", "plan_page", "note"}
    counts = {name: f"value of {name}" for name in health.FIELD_NAMES if name not in elsewhere}

    page = run_page(run_status(counts=counts | {"note": "what a person should know"}))

    assert set(cells(page).values()) == set(counts.values())
    assert '<p class="reason warn">what a person should know</p>' in page


def test_plan_shows_changes_cost_share_and_every_difference():
    sample = PlanSample(
        Operation.UPDATE, "ada-f", (FieldChange("total_births", "10", "20"), FieldChange("firstname", None, ""))
    )
    page = plan_page(samples=(sample,), changes={"create": 50_000, "update": 3, "archive": 0})
    shown = cells(page)

    assert (shown["Create"], shown["Update"], shown["Archive"]) == ("50,000", "3", "0")
    assert (shown["Write calls"], shown["Read calls"], shown["All calls"]) == ("2", "3", "5")
    assert (shown["Rejected before"], shown["Quarantined"], shown["Records of the source"]) == ("2", "1", "120")
    assert (shown["Left when planned"], shown["Of a day"], shown["Share of what is left"]) == ("500", "1,000", "1.00 %")
    assert "No guard stops this plan." in page
    assert "Update: 1 of 3" in page
    assert '<th scope="rowgroup" rowspan="2">ada-f</th>' in page
    assert re.search(r"total_births</td>\s*<td>10</td>\s*<td>20</td>", page)
    assert re.search(r"firstname</td>\s*<td><span[^>]*>none</span></td>\s*<td><span[^>]*>empty</span></td>", page)
    assert f'href="/air/hubspot-sync/dags/{DAG_ID}/runs/9"' in page


@pytest.mark.parametrize(
    ("guard", "approved", "approval"),
    [
        ("max_archive_share", False, "</span> with a reason"),
        ("max_archive_share", True, "<td>given</td>"),
        ("contact_limit", True, "<td>not possible</td>"),
    ],
)
def test_guard_of_a_plan_shows_its_numbers_and_whether_it_can_be_approved(guard: str, *, approved: bool, approval: str):
    page = plan_page(trips=(GuardTrip(guard, 3_000, 2.5, "too many"),), guards_approved=approved)

    assert f'<th scope="row" class="code">{guard}</th>' in page
    assert '<td class="number">3,000</td>' in page
    assert '<td class="number">2.5</td>' in page
    assert approval in page


def test_plan_without_a_difference_without_a_quota_and_without_a_plan_says_so():
    resent = replace(SAMPLE, fields=())
    page = plan_page(samples=(resent,), cost=PlanCost(1, 1, 0.1))

    assert "no property differs; it is sent again" in page
    assert cells(page)["Share of what is left"] == page_html.NOTHING
    assert "Nothing is to be changed." in plan_page(samples=())
    assert "No plan is kept for this run" in page_html.plan_page(LINKS, DAG_ID, run_status(), None)


def test_run_leads_to_its_plan():
    assert f'href="/air/hubspot-sync/dags/{DAG_ID}/runs/7/plan"' in run_page(run_status())


def test_every_phase_is_on_the_page_with_its_seconds():
    phases = {str(phase): number + 0.25 for number, phase in enumerate(Phase, start=100)}

    page = run_page(run_status(counts={"phases": phases}))

    assert "Where the time went" in page
    assert [text for text in (f"{seconds:.1f} s" for seconds in phases.values()) if text not in page] == []


def test_run_without_phases_has_no_empty_table():
    assert "Where the time went" not in run_page(run_status(counts={"records": 1}))


def test_a_count_without_a_label_appears_under_its_own_name():
    assert cells(run_page(run_status(counts={"stray_contacts": 12_345})))["stray_contacts"] == "12,345"


@pytest.mark.parametrize(
    ("rows", "share", "text"),
    [
        pytest.param({"ready": 100}, "0 %", "0 of 100", id="nothing"),
        pytest.param({"done": 999, "leased": 1}, "99 %", "999 of 1,000", id="all but one is not all"),
        pytest.param({"done": 50, "superseded": 50}, "100 %", "50 of 50", id="superseded is no work"),
        pytest.param({"superseded": 50}, "0 %", "0 of 0", id="only superseded"),
    ],
)
def test_bar_shows_the_rows_of_done_batches(rows: dict[str, int], share: str, text: str):
    page = run_page(run_status(), shard(**rows))

    assert f'<span class="share">{share}</span>' in page
    assert f'<td class="number">{text}</td>' in page


def test_page_of_a_run_that_may_go_on_looks_again():
    under_way = run_page(run_status(state=RunState.DELIVERING, finished_at=None))

    assert f'data-refresh="/air/hubspot-sync/dags/{DAG_ID}/runs/7/progress"' in under_way
    assert "data-refresh" not in run_page(run_status())
    assert "data-refresh" in run_page(run_status(state=RunState.FAILED))


def test_rejected_record_has_its_file_line_reason_and_correlation_id():
    page = run_page(run_status(), None, (), rejected_record(), rejected_record(line_no=None, is_resolved=True))

    assert [place.strip() for place in re.findall(r'<td class="code place">([^<]*)', page)] == [
        "file.csv:17",
        "file.csv",
    ]
    assert page.count("corr-1") == page.count("no such option") == 2
    assert "<td>open</td>" in page
    assert "<td>resolved</td>" in page


def test_rejected_record_is_offered_for_replay_only_to_those_who_may_start_runs():
    records = (rejected_record(), rejected_record(is_released=True), rejected_record(stage="validate"))
    pages = [
        page_html.run_page(
            LINKS, DAG_ID, run_status(), NO_PROGRESS, (), RejectedRecords(3, records), may_replay=may_replay
        )
        for may_replay in (True, False)
    ]

    assert [page.count('aria-label="Replay ada-f"') for page in pages] == [1, 0]
    assert ["/replay?run=7" in page for page in pages] == [True, False]


@pytest.mark.parametrize(
    ("state", "current"),
    [
        (RunState.PREFLIGHT, "Check and land"),
        (RunState.LANDING, "Stage"),
        (RunState.STAGED, "Compare"),
        (RunState.DELIVERING, "Deliver"),
        (RunState.DONE, None),
    ],
)
def test_run_under_way_tells_its_part(state: RunState, current: str | None):
    page = run_page(run_status(state=state))

    assert re.findall(r'aria-current="step">([^<]*)', page) == [current] * (current is not None)


def test_run_under_way_shows_speed_and_use_of_the_limit():
    speed = Speed(812.46, 171, 190, 4_000, 1_000_000, 2.4)
    progress = Progress({}, shard(done=5), speed=speed, phases={"land": 1.25})

    page = page_html.run_page(
        LINKS, DAG_ID, run_status(state=RunState.DELIVERING), progress, (), RejectedRecords(0, ())
    )

    for text in ("<dd>812.5</dd>", "171 of 190 requests", "4,000 of 1,000,000", "<dd>2 s</dd>", "1.2 s"):
        assert text in page
    assert 'value="171"' in page


def test_run_that_is_over_tells_its_average_speed():
    assert "50.0 records per second" in run_page(run_status(counts={"deliver_s": 2.0}), shard(done=100))
    assert "per second" not in run_page(run_status(counts={"deliver_s": None}), shard(done=100))


@pytest.mark.parametrize(
    ("next_run", "text"),
    [
        (NextRun(datetime(2026, 11, 25, 0, 0, 0), is_paused=False), "2026-11-25 00:00:00 UTC"),  # noqa: DTZ001
        (NextRun(datetime(2026, 11, 25, 0, 0, 0), is_paused=True), "paused"),  # noqa: DTZ001
        (NextRun(None, is_paused=False), "when triggered"),
    ],
)
def test_overview_tells_the_next_run(next_run: NextRun, text: str):
    line = SyncLine("baby_names", DAG_ID, "", SyncStatus(None, None, 0), next_run=next_run)

    assert text in page_html.overview_page(LINKS, [line])


def test_overview_tells_the_share_of_good_runs():
    status = SyncStatus(run_status(), None, 0, good_runs=29, ended_runs=30)

    page = page_html.overview_page(LINKS, [SyncLine("baby_names", DAG_ID, "", status)])

    assert "96.7 %" in page
    assert "29 of 30 runs" in page


def test_overview_shows_depth_records_and_freshness():
    page = overview()

    assert '<td class="number">1,234</td>' in page
    assert '<td class="number">69,350</td>' in page
    assert "1 d 1 h ago" in page


def test_sync_that_never_ran_says_so():
    page = page_html.overview_page(LINKS, [SyncLine("baby_names", DAG_ID, "", SyncStatus(None, None, 0))])

    assert "no run yet" in page
    assert "none yet" in page


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3_690, "1 h 1 min"),
        (86_400 + 60, "1 d"),
        (-3, "0 s"),
    ],
)
def test_duration_has_at_most_two_units(seconds: float | None, text: str):
    assert f"<dt>Took</dt><dd>{text}</dd>" in run_page(run_status(took_s=seconds))


def test_links_are_quoted_and_below_airflows_own_path():
    assert LINKS.dag_run("a/b", "manual__1+00:00") == "/air/dags/a%2Fb/runs/manual__1%2B00%3A00"
    assert LINKS.run(DAG_ID, 7) == f"/air/hubspot-sync/dags/{DAG_ID}/runs/7"
    assert Links(page="/hubspot-sync", airflow="").dag(DAG_ID) == f"/dags/{DAG_ID}"


@pytest.mark.parametrize("name", page_html.STATIC_FILES)
def test_static_files_ask_nobody_else(name: str):
    path, _ = page_html.STATIC_FILES[name]
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|\beval\b", text)
