"""The pages about single records, and the file: nothing from a record becomes markup or a formula."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import datetime

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.observe import record_pages, reject_list
from include.hubspot_sync.observe.lineage import (
    Contact,
    Lineage,
    RecordChange,
    SourceLines,
    SourcePlace,
    candidate_keys,
)
from include.hubspot_sync.observe.page_html import Links
from include.hubspot_sync.observe.record_pages import ReplayRequest
from include.hubspot_sync.observe.reject_list import (
    OpenRefused,
    RefusedKind,
    RejectFilter,
    RejectPage,
    RejectState,
    Stage,
)
from include.hubspot_sync.observe.run_status import RejectedRecord
from include.hubspot_sync.records import LedgerState, Operation, OutboxState
from include.hubspot_sync.source.key_text import fold_key

EVIL = '<script>alert("x")</script>\'&-f'
LINKS = Links(page="/air/hubspot-sync", airflow="/air")
DAG_ID = "baby_names_to_hubspot"
AT = datetime(2026, 11, 24, 10, 0, 0)  # noqa: DTZ001  as the driver returns it
RECORD = RejectedRecord(
    id=5, run_id=7, stage="deliver", source_file="raw/version=3/file.csv", line_no=17, line_count=2,
    column_name="baby_sex", key_text="ada-f", reason="INVALID_OPTION", reason_text="no such option",
    correlation_id="corr-1", attempts=2, first_seen_at=AT, last_seen_at=AT, payload='{"baby_sex": "X"}',
    is_released=False, is_resolved=False,
)  # fmt: skip
CHANGE = RecordChange(
    run_id=7, source_version=3, operation=Operation.UPDATE, state=OutboxState.VERIFIED, reason="", hubspot_id=9001,
    batch_no=12, shard=1, http_status=200, correlation_id="corr-2", delivered_at=AT,
    differences={"total_births": ("10", "12")},
)  # fmt: skip
LINEAGE = Lineage(
    key_text="ada-f",
    contact=Contact(LedgerState.ACTIVE, 9001, {"firstname": "Ada"}, 7, 3, AT, AT, is_waived=False),
    places=(SourcePlace(7, 3, "raw/version=3/file.csv", 17, 2, {"firstname": "Ada"}),),
    lines=SourceLines(("name", "number"), ((17, ("Ada", 10)), (40, ("Ada", 2)))),
    changes=(CHANGE,),
    rejects=(RECORD,),
)


def rejects_page(record: RejectedRecord, chosen: RejectFilter | None = None, *, may_replay: bool = True) -> str:
    page = RejectPage((record,), has_more=True)
    reasons = {record.reason: 1}
    return record_pages.rejects_page(LINKS, DAG_ID, chosen or RejectFilter(), page, reasons, may_replay=may_replay)


EVIL_PAGES = {
    "key of a rejected record": lambda: rejects_page(replace(RECORD, key_text=EVIL)),
    "source line": lambda: rejects_page(replace(RECORD, payload=EVIL)),
    "reason": lambda: rejects_page(replace(RECORD, reason=EVIL)),
    "filter": lambda: rejects_page(RECORD, RejectFilter(reason=EVIL, key_prefix=EVIL)),
    "name that is searched": lambda: record_pages.lineage_page(LINKS, DAG_ID, EVIL, ()),
    "key of a record": lambda: record_pages.lineage_page(LINKS, DAG_ID, "x", (replace(LINEAGE, key_text=EVIL),)),
    "value of a line": lambda: record_pages.lineage_page(
        LINKS, DAG_ID, "x", (replace(LINEAGE, lines=SourceLines(("name",), ((17, (EVIL,)),))),)
    ),
    "changed value": lambda: record_pages.lineage_page(
        LINKS, DAG_ID, "x", (replace(LINEAGE, changes=(replace(CHANGE, differences={EVIL: (EVIL, EVIL)}),)),)
    ),
    "replay": lambda: record_pages.replay_page(
        LINKS, DAG_ID, ReplayRequest(1, EVIL, EVIL), 1, OpenRefused(), form_token=EVIL
    ),
    "replay of nothing": lambda: record_pages.replay_page(
        LINKS,
        DAG_ID,
        ReplayRequest(1, EVIL, EVIL),
        0,
        OpenRefused((RefusedKind(EVIL, 7, 3),), (EVIL,)),
        form_token=EVIL,
    ),
    "dag run": lambda: record_pages.started_page(LINKS, DAG_ID, EVIL),
}


@pytest.mark.parametrize("page", EVIL_PAGES.values(), ids=EVIL_PAGES)
def test_markup_in_a_value_stays_text(page):
    html = page()

    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&#39;&amp;-f" in html
    assert "<script>" not in html
    assert html.count("<script") == 1
    assert not re.search(r"\sstyle=|<style|\son\w+=|https?://", html)


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '"=1', "\n-1", "\N{FULLWIDTH EQUALS SIGN}1", "\ttext"],
)
def test_formula_becomes_text(text: str):
    assert reject_list.safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "ada-f", "1=1", "O'Neil", "Émile", "  x"])
def test_plain_text_is_left_alone(text: str):
    assert reject_list.safe_cell(text) == text


def test_file_holds_every_field_and_no_formula():
    record = replace(RECORD, key_text='=HYPERLINK("x")', payload='a,"b"\r\nc', line_no=None)

    text = reject_list.csv_text([record, RECORD], with_header=True)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert tuple(rows[0]) == reject_list.CSV_COLUMNS
    assert (rows[0]["record"], rows[0]["line"], rows[0]["content"]) == ('\'=HYPERLINK("x")', "", 'a,"b"\r\nc')
    assert (rows[1]["source_file"], rows[1]["line"], rows[1]["run"]) == ("raw/version=3/file.csv", "17", "7")
    assert (rows[1]["state"], rows[1]["first_seen_utc"]) == ("open", "2026-11-24T10:00:00Z")


def test_next_page_and_file_keep_the_filter():
    chosen = RejectFilter(run_id=7, stage=Stage.DELIVER, state=RejectState.OPEN, reason="INVALID_OPTION")

    page = rejects_page(RECORD, chosen)

    query = "run=7&amp;by=deliver&amp;state=open&amp;reason=INVALID_OPTION"
    assert f'rejects?{query}&amp;after=5" rel="next"' in page
    assert f'rejects.csv?{query}" download' in page
    assert "replay?run=7&amp;reason=INVALID_OPTION" in page
    assert page.count(" selected>") == 3


def test_replay_is_offered_only_to_those_who_may_start_runs():
    assert "/replay" not in rejects_page(RECORD, may_replay=False)


def test_replay_of_nothing_has_no_form():
    page = record_pages.replay_page(LINKS, DAG_ID, ReplayRequest(), 0, OpenRefused(), form_token="t")

    assert "<form" not in page
    assert "No record that HubSpot refused is open" in page


def test_replay_that_fits_nothing_says_what_there_is():
    refused = OpenRefused((RefusedKind("INVALID_OPTION", 7, 1_200),), ("ada-f", "bea-f"))

    page = record_pages.replay_page(LINKS, DAG_ID, ReplayRequest(reason="INVALID"), 0, refused, form_token="t")

    assert "<form" not in page
    assert "No open record that HubSpot refused fits this choice" in page
    for text in ("INVALID_OPTION", "1,200", "replay?reason=INVALID_OPTION&amp;run=7", "replay?key=ada-f", "bea-f"):
        assert text in page


def test_lineage_names_file_lines_version_run_batch_and_hubspot_id():
    page = record_pages.lineage_page(LINKS, DAG_ID, "Ada", (LINEAGE,))

    for text in ("file.csv", "version 3, from line 17, 2 lines", "/runs/7", "batch 12", "9001", "10 → 12", "corr-2"):
        assert text in page


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Mary", ("mary", "mary-f", "mary-m")),
        ("mary-f", ("mary-f", "mary-f-f", "mary-f-m")),
        ("{0.__class__}", ("{0.__class__}", "{0.__class__}-f", "{0.__class__}-m")),
    ],
)
def test_name_is_tried_as_every_key_that_it_may_mean(definition: SyncDefinition, text: str, keys: tuple[str, ...]):
    assert candidate_keys(definition, text, fold_key) == keys
