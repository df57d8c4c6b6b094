from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tools.local_stack.result import COUNT_FIELDS, build_result, result_line, wall_seconds

SUMMARY = {"run_id": 7, "mode": "full_resync", "state": "success", "deliver_s": 36.9, "created": 69350, "more": "kept"}


def build(**changes):
    values = {"run_id": 7, "mode": "incremental", "dag_state": "success", "summary": SUMMARY, "wall_s": 41.23456}
    return build_result(**{**values, **changes})


def test_summary_of_the_run_is_passed_on():
    result = build()

    assert {name: result[name] for name in SUMMARY} == SUMMARY
    assert result["wall_s"] == 41.23


def test_run_without_a_row_has_failed_with_zeros():
    result = build(run_id=None, dag_state="failed", summary=None)

    assert result["state"] == "failed"
    assert result["run_id"] is None
    assert result["mode"] == "incremental"
    assert {result[name] for name in (*COUNT_FIELDS, "deliver_s")} == {0}


def test_failed_dag_run_is_no_success_whatever_the_summary_says():
    assert build(dag_state="failed")["state"] == "failed"


def test_superseded_run_stays_superseded():
    assert build(dag_state="failed", summary={**SUMMARY, "state": "superseded"})["state"] == "superseded"


def test_every_promised_field_is_there():
    promised = {
        *("run_id", "mode", "state", "source_rows", "records", "created", "updated", "archived", "unchanged", "open"),
        *("rejected", "quarantined", "quarantined_lines", "verified", "mismatched", "api_calls", "write_calls"),
        *("http_429", "wall_s", "deliver_s"),
    }

    assert promised <= set(build(summary=None))


def test_line_is_one_line_of_json():
    line = result_line(build(summary={**SUMMARY, "more": "two\nlines"}))

    assert "\n" not in line
    assert json.loads(line.removeprefix("RESULT "))["more"] == "two\nlines"


def test_wall_time_is_never_negative():
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert wall_seconds(now, now + timedelta(seconds=2.5)) == 2.5
    assert wall_seconds(now, now - timedelta(seconds=1)) == 0
