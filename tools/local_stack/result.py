"""The one line that other programs read: `RESULT {json}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

COUNT_FIELDS = (
    "source_rows",
    "records",
    "created",
    "updated",
    "archived",
    "unchanged",
    "open",
    "rejected",
    "quarantined",
    "quarantined_lines",
    "verified",
    "mismatched",
    "api_calls",
    "write_calls",
    "http_429",
)
SUCCESS = "success"
FAILED = "failed"
Result = dict[str, Any]


def build_result(
    *,
    run_id: int | None,
    mode: str,
    dag_state: str,
    summary: Mapping[str, Any] | None,
    wall_s: float,
    message: str = "",
) -> Result:
    """Return every field of the result; without a summary the counts are zero and the run failed.

    Args:
        run_id: number of the sync run; None when it never began.
        mode: what was asked for; the summary knows better.
        dag_state: state of the DAG run.
        summary: what the run itself counted.
        wall_s: seconds from trigger to the end of the DAG run.
        message: why it failed, for a run that could not say so itself.
    """
    result: Result = {"run_id": run_id, "mode": mode, "state": FAILED}
    result.update(dict.fromkeys(COUNT_FIELDS, 0))
    result["deliver_s"] = 0.0
    result.update(summary or {})
    # a task can still fail after the summary was written
    if result["state"] == SUCCESS and dag_state != SUCCESS:
        result["state"] = FAILED
    if message and not result.get("message"):
        result["message"] = message
    result["wall_s"] = round(wall_s, 2)
    return result


def is_counted(result: Mapping[str, Any]) -> bool:
    """Return whether anything was counted; a run that stopped at once has nothing but zeros."""
    return any(result[name] for name in COUNT_FIELDS) or bool(result.get("planned_calls"))


def result_line(result: Mapping[str, Any]) -> str:
    """Return the line."""
    return f"RESULT {json.dumps(result, separators=(', ', ': '), default=str)}"


def wall_seconds(began: datetime, end: datetime) -> float:
    """Return the seconds between two instants, never negative."""
    return max(0.0, (end - began).total_seconds())
