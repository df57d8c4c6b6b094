"""What the pages about single records and the history read, on a real server: right rows, an index, an end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import MySQLdb.cursors
import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.observe import lineage, reject_list, run_status
from include.hubspot_sync.observe.history import History, Interval, Span, read_history
from include.hubspot_sync.observe.reject_list import RejectFilter, RejectState, Stage
from include.hubspot_sync.records import LedgerState, Operation, OutboxState, Phase, RejectedLine, RunState, record_key
from include.hubspot_sync.source.key_text import fold_key
from include.hubspot_sync.store import phases, rejects, runs
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.rejects import RejectedChange, ReplayChoice
from include.hubspot_sync.store.runs import Run
from include.hubspot_sync.store.statements import statement
from tests.support.rows import PORTAL, SourceRow
from tests.support.whole_runs import whole_run

pytestmark = pytest.mark.sql

SYNC = "baby_names"
EVIL = "<script>-f"
DIGITS = "(" + " UNION ALL ".join(["SELECT 0 AS d", *(f"SELECT {digit}" for digit in range(1, 10))]) + ")"
HUNDRED_BATCHES = """
    INSERT INTO batch (
      run_id, batch_no, kind, shard, first_seq, last_seq, row_count, state, latency_ms, delivered_at, updated_at
    )
    SELECT :run, 900 + n, 'upsert', 0, n, n, 1, 'done', n, NOW(6), NOW(6)
    FROM (SELECT 1 + a.d + 10 * b.d AS n FROM :digits a, :digits b) numbers
""".replace(":digits", DIGITS)
"""Answered after 1, 2, … 100 ms."""
PAUSED_LIMIT = """
    INSERT INTO rate_limit (
      portal_id, next_send_at, interval_us, burst_us, window_limit, paused_until, daily_limit, daily_remaining,
      updated_at
    )
    VALUES (:portal, NOW(6), 1, 1, 190, NOW(6) + INTERVAL 60 SECOND, 1000, 400, NOW(6))
"""
TWO_SECONDS = """
    INSERT INTO request_second (portal_id, second_no, requests)
    VALUES (:portal, FLOOR(UNIX_TIMESTAMP(NOW(6))) - 5, 17), (:portal, FLOOR(UNIX_TIMESTAMP(NOW(6))) - 100, 50)
"""


@pytest.fixture
def finish_run(database: Database, definition: SyncDefinition, tmp_path: Path) -> Callable[..., Run]:
    """Plan, deliver, verify and close a run over two girls and one boy."""

    def finish(name: str, version: int, births: int) -> Run:
        rows: list[SourceRow] = [(1900, "Ada", "F", births), (1901, "Ada", "F", 5), (1900, "Ada", "M", 7)]
        return whole_run(database, definition, tmp_path, name, version, rows)

    return finish


@pytest.fixture
def run(finish_run: Callable[..., Run]) -> Run:
    return finish_run("dag:first", 1, 10)


def quarantine(database: Database, run: Run, *keys: str | None) -> None:
    lines = [RejectedLine(n, "Number", "not_an_integer", "no number", f"raw {n}", key) for n, key in enumerate(keys, 2)]
    database.run(lambda t: rejects.insert_rejected_lines(t, run.run_id, SYNC, f"v{run.source_version}", lines))


def refuse(database: Database, run: Run, seq: int, key_text: str, reason: str = "INVALID_OPTION") -> None:
    change = RejectedChange(seq, key_text, reason, "no such option", "corr-1", "baby_sex")
    database.run(lambda t: rejects.insert_rejected_changes(t, run.run_id, SYNC, [change]))


def first_seq(database: Database, run: Run, key_text: str) -> int:
    params = {"sync_name": SYNC, "record_key": record_key(key_text)}
    changes = database.run(lambda t: t.rows("page/select_record_changes.sql", params))
    return next(row["seq"] for row in changes if row["run_id"] == run.run_id)


def keys(database: Database, **chosen: Any) -> list[str]:
    page = database.run(lambda t: reject_list.read_rejects(t, SYNC, RejectFilter(**chosen)))
    return [record.key_text for record in page.records]


def find(database: Database, definition: SyncDefinition, key_text: str) -> lineage.Lineage:
    return database.run(lambda t: lineage.read_lineage(t, definition, key_text))


def history(database: Database, span: Span = Span.DAY) -> History:
    return database.run(lambda t: read_history(t, SYNC, span))


def change_behind_its_back(connect: Callable[[], Any], sql: str, **values: object) -> None:
    for name, value in values.items():
        sql = sql.replace(f":{name}", str(value))
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        connection.commit()


# rejected records


def test_filter_chooses_by_every_field(database: Database, run: Run):
    quarantine(database, run, "ada-f", "ad_a-f", EVIL, None)
    refuse(database, run, first_seq(database, run, "ada-m"), "ada-m")

    assert keys(database) == ["ada-f", "ad_a-f", EVIL, "", "ada-m"]
    assert keys(database, stage=Stage.DELIVER) == ["ada-m"]
    assert keys(database, stage=Stage.VALIDATE, reason="not_an_integer", run_id=run.run_id) == keys(database)[:4]
    assert keys(database, reason="INVALID_OPTION") == ["ada-m"]
    assert keys(database, key_prefix="ad_") == ["ad_a-f"]
    assert keys(database, key_prefix="%") == []
    assert keys(database, key_prefix="<") == [EVIL]
    assert keys(database, run_id=run.run_id + 1) == []


def test_filter_chooses_by_what_became_of_the_record(database: Database, run: Run):
    quarantine(database, run, "ada-f")
    refuse(database, run, first_seq(database, run, "ada-m"), "ada-m")
    found = {state: keys(database, state=state) for state in RejectState}
    database.run(lambda t: rejects.release_rejects(t, SYNC, rejects.EVERY_REJECT))
    released = {state: keys(database, state=state) for state in RejectState}

    assert found == {RejectState.OPEN: ["ada-f", "ada-m"], RejectState.RELEASED: [], RejectState.RESOLVED: []}
    assert released == {RejectState.OPEN: ["ada-f"], RejectState.RELEASED: ["ada-m"], RejectState.RESOLVED: []}


def test_pages_follow_each_other_without_a_gap(database: Database, run: Run):
    quarantine(database, run, *[f"k{number:03}" for number in range(250)])
    seen: list[str] = []
    sizes = []
    chosen: RejectFilter | None = RejectFilter()

    while chosen is not None:
        page = database.run(partial(reject_list.read_rejects, sync_name=SYNC, chosen=chosen))
        seen += [record.key_text for record in page.records]
        sizes.append(len(page.records))
        chosen = reject_list.next_page(chosen, page)

    assert sizes == [100, 100, 50]
    assert seen == [f"k{number:03}" for number in range(250)]


def test_reasons_are_offered_with_the_most_frequent_first(database: Database, run: Run):
    quarantine(database, run, "a", "b")
    refuse(database, run, first_seq(database, run, "ada-m"), "ada-m")

    assert database.run(lambda t: reject_list.read_reasons(t, SYNC)) == {"not_an_integer": 2, "INVALID_OPTION": 1}


@pytest.mark.parametrize(
    "choice",
    [
        ReplayChoice(),
        ReplayChoice(reason="INVALID_OPTION"),
        ReplayChoice(reason="OTHER"),
        ReplayChoice(key_text="ada-m"),
        ReplayChoice(run_id=1_000_000),
    ],
)
def test_count_before_a_replay_is_what_the_replay_releases(database: Database, run: Run, choice: ReplayChoice):
    quarantine(database, run, "ada-f")
    refuse(database, run, first_seq(database, run, "ada-m"), "ada-m")
    refuse(database, run, first_seq(database, run, "ada-f"), "ada-f", "OTHER")
    params = {
        "sync_name": SYNC, "run_id": choice.run_id, "reason": choice.reason or None,
        "record_key": record_key(choice.key_text) if choice.key_text else None,
    }  # fmt: skip

    counted = database.run(lambda t: t.rows("page/count_replayable.sql", params))[0]["rejects"]

    assert counted == database.run(lambda t: rejects.release_rejects(t, SYNC, choice))


def test_what_there_is_to_replay_is_counted_by_reason_and_run(database: Database, run: Run):
    quarantine(database, run, "ada-f")
    refuse(database, run, first_seq(database, run, "ada-m"), "ada-m")
    refuse(database, run, first_seq(database, run, "ada-f"), "ada-f", "OTHER")

    open_refused = database.run(lambda t: reject_list.read_open_refused(t, SYNC))
    database.run(lambda t: rejects.release_rejects(t, SYNC, ReplayChoice(reason="OTHER")))
    later = database.run(lambda t: reject_list.read_open_refused(t, SYNC))

    assert [(kind.reason, kind.run_id, kind.count) for kind in open_refused.kinds] == [
        ("INVALID_OPTION", run.run_id, 1),
        ("OTHER", run.run_id, 1),
    ]
    assert open_refused.keys == ("ada-f", "ada-m")
    assert (len(later.kinds), later.keys) == (1, ("ada-m",))


# lineage


def test_lineage_of_a_new_contact(database: Database, definition: SyncDefinition, run: Run):
    found = find(database, definition, "ada-f")

    assert found.contact is not None
    assert found.contact.hubspot_id is not None
    assert (found.contact.state, found.contact.run_id) == (LedgerState.ACTIVE, run.run_id)
    assert (found.contact.properties["firstname"], found.contact.properties["total_births"]) == ("Ada", "15")
    place = found.places[0]
    assert (place.run_id, place.source_version, place.source_file) == (run.run_id, 1, "v1")
    assert (place.first_line, place.line_count) == (2, 2)
    assert found.lines.columns == ("year_of_birth", "name", "sex", "number")
    assert found.lines.lines == ((2, (1900, "Ada", "F", 10)), (3, (1901, "Ada", "F", 5)))
    assert [(c.operation, c.state, c.run_id) for c in found.changes] == [
        (Operation.CREATE, OutboxState.VERIFIED, run.run_id)
    ]
    assert found.changes[0].batch_no >= 1


def test_lineage_tells_what_an_update_changed(
    database: Database, definition: SyncDefinition, run: Run, finish_run: Callable[..., Run]
):
    later = finish_run("dag:second", 2, 11)

    found = find(database, definition, "ada-f")

    assert [change.run_id for change in found.changes] == [later.run_id, run.run_id]
    assert found.changes[0].differences == {"peak_births": ("10", "11"), "total_births": ("15", "16")}
    assert found.places[0].source_version == 2
    assert found.lines.lines[0] == (2, (1900, "Ada", "F", 11))


def test_lineage_of_a_record_that_was_never_sent(database: Database, definition: SyncDefinition, run: Run):
    quarantine(database, run, EVIL)

    found = find(database, definition, EVIL)

    assert found.is_known
    assert (found.contact, found.places, found.changes) == (None, (), ())
    assert [record.line_no for record in found.rejects] == [2]
    assert not find(database, definition, "nobody-f").is_known


def test_lines_end_with_the_last_one_of_the_record(database: Database, definition: SyncDefinition, run: Run):
    found = find(database, definition, fold_key("ADA-M"))

    assert found.lines.lines == ((4, (1900, "Ada", "M", 7)),)


# history


def busy(history: History) -> list[Interval]:
    return [one for one in history.intervals if one.answered or one.runs or one.deepest or one.errors or one.p50_ms]


def test_history_without_runs_is_empty(database: Database):
    for span in Span:
        found = history(database, span)
        assert len(found.intervals) == span.intervals
        assert busy(found) == []
        assert found.ended_runs == 0


def test_history_counts_what_was_answered(database: Database, run: Run):
    now = database.run(lambda t: t.rows("page/select_now.sql"))[0]["read_at"]

    found = history(database)

    one = busy(found)
    assert sum(interval.answered for interval in one) == 2
    assert sum((interval.runs or {}).get(RunState.DONE, 0) for interval in one) == 1
    assert (found.good_runs, found.ended_runs) == (1, 1)
    assert max(interval.deepest for interval in one) == 2
    assert found.intervals[-1].left == 0
    assert found.intervals[-1].began_at <= now < found.intervals[-1].began_at + timedelta(hours=1)


def test_changes_that_wait_are_the_depth_at_the_end_of_every_hour(
    database: Database, run: Run, connect: Callable[[], Any]
):
    change_behind_its_back(connect, "UPDATE batch SET state = 'ready', delivered_at = NULL")
    change_behind_its_back(
        connect, "UPDATE sync_run SET state = 'failed', started_at = NOW(6) - INTERVAL 3 HOUR, "
        "planned_at = NOW(6) - INTERVAL 3 HOUR",
    )  # fmt: skip

    found = history(database)

    assert [interval.left for interval in found.intervals] == [0] * 20 + [2] * 4
    assert [interval.deepest for interval in found.intervals] == [0] * 20 + [2] * 4


def test_changes_that_wait_since_before_the_span_are_counted(database: Database, run: Run, connect: Callable[[], Any]):
    change_behind_its_back(connect, "UPDATE batch SET state = 'ready', delivered_at = NULL")
    change_behind_its_back(
        connect, "UPDATE sync_run SET state = 'failed', started_at = NOW(6) - INTERVAL 3 DAY, "
        "planned_at = NOW(6) - INTERVAL 3 DAY, finished_at = NOW(6) - INTERVAL 3 DAY",
    )  # fmt: skip

    found = history(database)

    assert {interval.left for interval in found.intervals} == {2}
    assert found.ended_runs == 0


def test_superseded_changes_leave_the_queue(database: Database, run: Run, connect: Callable[[], Any]):
    change_behind_its_back(connect, "UPDATE batch SET state = 'superseded', delivered_at = NULL")
    change_behind_its_back(connect, "UPDATE sync_run SET state = 'superseded'")

    found = history(database)

    assert sum(interval.answered for interval in found.intervals) == 0
    assert found.intervals[-1].left == 0
    assert max(interval.deepest for interval in found.intervals) == 2
    assert found.ended_runs == 0


def test_percentiles_are_those_of_the_sorted_answers(database: Database, run: Run, connect: Callable[[], Any]):
    change_behind_its_back(connect, "DELETE FROM batch")
    change_behind_its_back(connect, HUNDRED_BATCHES, run=run.run_id)

    one = busy(history(database, Span.MONTH))[-1]

    assert (one.p50_ms, one.p95_ms, one.answered) == (50, 95, 100)


def test_errors_are_counted_by_status_and_reason(database: Database, run: Run, connect: Callable[[], Any]):
    quarantine(database, run, "a", "b")
    change_behind_its_back(connect, "INSERT INTO api_error VALUES (:run, 503, 4), (:run, 0, 1)", run=run.run_id)

    errors = [interval.errors for interval in history(database).intervals if interval.errors]

    assert errors == [{"HTTP 503": 4, "no answer": 1, "not_an_integer": 2}]


# a run under way


def test_speed_is_of_the_last_ten_seconds(database: Database, run: Run, connect: Callable[[], Any]):
    change_behind_its_back(connect, "DELETE FROM rate_limit")
    change_behind_its_back(connect, PAUSED_LIMIT, portal=PORTAL)
    change_behind_its_back(connect, TWO_SECONDS, portal=PORTAL)
    change_behind_its_back(connect, "UPDATE batch SET row_count = 40, delivered_at = NOW(6)")

    speed = database.run(lambda t: run_status.read_speed(t, run.run_id))

    batches = database.run(lambda t: run_status.read_progress(t, run.run_id)).total.done_rows
    assert speed.records_per_s == batches / 10 > 0
    assert (speed.requests, speed.request_limit) == (17, 190)
    assert (speed.daily_requests, speed.daily_limit) == (600, 1000)
    assert 50 < speed.pause_s <= 60


def test_run_under_way_shows_its_phases_and_a_run_that_is_over_does_not(database: Database, run: Run):
    spent = {Phase.LAND: 1.5, Phase.COMMIT: 2.5}
    database.run(lambda t: phases.add_phases(t, "dag:first", -1, spent, elapsed_s=1.5))
    over = database.run(lambda t: run_status.read_run(t, SYNC, run.run_id))
    database.run(lambda t: runs.set_state(t, run.run_id, RunState.DELIVERING))
    under_way = database.run(lambda t: run_status.read_run(t, SYNC, run.run_id))
    assert over is not None
    assert under_way is not None

    read = [database.run(lambda t, one=one: run_status.read_live_progress(t, one)) for one in (over, under_way)]

    assert (read[0].speed, read[0].phases) == (None, {})
    assert read[1].speed is not None
    assert read[1].phases["commit"] == 2.5
    assert read[1].phases["land"] == pytest.approx(1.5, abs=0.1)


def test_run_is_found_by_its_dag_run(database: Database, run: Run):
    assert database.run(lambda t: run_status.find_run(t, SYNC, "dag:first")) == run.run_id
    assert database.run(lambda t: run_status.find_run(t, "other", "dag:first")) is None
    assert database.run(lambda t: run_status.find_run(t, SYNC, "dag:none")) is None


# how the server finds the rows

KEY = {"sync_name": SYNC, "record_key": b"k" * 16}
STATEMENTS: dict[str, dict[str, Any]] = {
    "select_rejects": {
        "sync_name": SYNC, "after_id": 10, "run_id": 1, "stage": "", "state": "open", "reason": "", "key_pattern": "a%",
        "row_limit": 101,
    },
    "count_reject_reasons": {"sync_name": SYNC},
    "count_replayable": {"sync_name": SYNC, "run_id": None, "reason": None, "record_key": None},
    "select_open_keys": {"sync_name": SYNC},
    "select_run_of_dag": {"sync_name": SYNC, "dag_run_key": "dag:first"},
    "select_ledger_entry": KEY,
    "select_record_sources": KEY,
    "select_record_lines": {"run_id": 1, "key_text": "ada-f", "first_line": 2, "line_limit": 5},
    "select_record_changes": KEY,
    "select_record_rejects": KEY,
    "select_speed": {"run_id": 1},
    "select_history_runs": {"sync_name": SYNC, "since": "2026-01-01"},
    "sum_settled_batches": {"run_ids": (1, 2)},
    "select_latencies": {"run_ids": (1, 2), "since": "2026-01-01", "size_s": 3600},
    "sum_errors_of_runs": {"sync_name": SYNC, "run_ids": (1, 2)},
}  # fmt: skip
SLOTS = {"staging_table": "staging_baby_names", "columns": "name"}
TABLES = frozenset(
    {"r", "q", "s", "o", "b", "l", "e", "sync_run", "batch", "ledger", "rejected_record", "staging_baby_names"}
)
NUMBERS = """
    (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM :digits a, :digits b, :digits c, :digits e) numbers
""".replace(":digits", DIGITS)
FILL = (
    """
    INSERT INTO sync_run (dag_run_key, sync_name, portal_id, mode, state, started_at)
    SELECT n, IF(n < 100, 'baby_names', n), n, 'incremental', 'done', NOW(6) FROM :numbers
    """,
    """
    INSERT INTO batch (
      run_id, batch_no, kind, shard, first_seq, last_seq, row_count, state, latency_ms, delivered_at, updated_at
    )
    SELECT 100 + n MOD 100, 1000 + n, 'upsert', 0, 1, 1, 1, 'done', n, NOW(6), NOW(6) FROM :numbers
    """,
    """
    INSERT INTO outbox (run_id, seq, batch_no, operation, record_key, key_text, state, updated_at)
    SELECT 100 + n MOD 100, 1000 + n, 1, 'create', UNHEX(LPAD(HEX(n), 32, '0')), n, 'verified', NOW(6) FROM :numbers
    """,
    """
    INSERT INTO snapshot (run_id, record_key, key_text, row_hash, properties, first_line, line_count)
    SELECT 100 + n MOD 100, UNHEX(LPAD(HEX(n), 32, '0')), n, REPEAT('h', 32), '{}', 2, 1 FROM :numbers
    """,
    """
    INSERT INTO ledger (sync_name, record_key, key_text, state, run_id, run_epoch)
    SELECT 'baby_names', UNHEX(LPAD(HEX(n), 32, '0')), n, 'active', 1, 1 FROM :numbers
    """,
    """
    INSERT INTO rejected_record (
      sync_name, fingerprint, run_id, stage, source_file, column_name, reason, reason_text, payload, first_seen_at,
      last_seen_at, record_key
    )
    SELECT
      IF(n < 500, 'baby_names', n), UNHEX(LPAD(HEX(n), 32, '0')), n, 'deliver', 'f', '', 'X', '', '', NOW(6), NOW(6),
      UNHEX(LPAD(HEX(n), 32, '0'))
    FROM :numbers
    """,
    "INSERT INTO api_error (run_id, status, requests) SELECT n, 503, 1 FROM :numbers",
    "INSERT INTO request_second (portal_id, second_no, requests) SELECT n, 1, 1 FROM :numbers",
    """
    INSERT INTO staging_baby_names (run_id, line_no, key_text, year_of_birth, name, sex, number)
    SELECT n DIV 5000, n, n, 1900, 'Ada', 'F', 1 FROM :numbers
    """,
    """
    ANALYZE TABLE sync_run, batch, outbox, snapshot, ledger, rejected_record, api_error, request_second,
      staging_baby_names
    """,
)


def test_every_statement_uses_an_index(schema: Any, connect: Callable[[], Any]):
    plans: dict[str, list[dict[str, Any]]] = {}
    with closing(connect()) as connection, connection.cursor(MySQLdb.cursors.DictCursor) as cursor:
        for sql in FILL:
            cursor.execute(sql.replace(":numbers", NUMBERS))
            cursor.fetchall()
        connection.commit()
        for name, params in STATEMENTS.items():
            cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement(f'page/{name}.sql', SLOTS)}", params)
            plans[name] = list(cursor.fetchall())

    scanned = {
        name: [row for row in plan if row["table"] in TABLES and row["key"] is None and row["type"] is not None]
        for name, plan in plans.items()
    }
    assert {name: rows for name, rows in scanned.items() if rows} == {}


def test_every_statement_has_an_end():
    one_row = {"count_replayable", "select_run_of_dag", "select_ledger_entry", "select_speed"}
    by_interval = {"select_latencies", "sum_settled_batches"}  # of at most 500 runs

    endless = [name for name in STATEMENTS if "LIMIT" not in statement(f"page/{name}.sql", SLOTS)]

    assert set(endless) == one_row | by_interval
