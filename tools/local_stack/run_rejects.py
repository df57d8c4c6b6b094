"""Why lines and records of a run were rejected, as the last words of `make run`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import MySQLdb
import MySQLdb.cursors

from tools.local_stack.errors import StackError
from tools.local_stack.mysql import MysqlAddress

_COUNT_REASONS = """
SELECT g.stage, g.reason, g.rejects, g.of_other_runs, e.source_file, e.line_no, e.column_name, e.reason_text
FROM (
  SELECT
    stage, reason, COUNT(*) AS rejects, SUM(stage = 'deliver' AND run_id <> %(run_id)s) AS of_other_runs,
    MIN(id) AS first_id
  FROM rejected_record
  WHERE
    sync_name = (SELECT sync_name FROM sync_run WHERE run_id = %(run_id)s)
    AND (
      (stage = 'deliver' AND released_at IS NULL AND resolved_at IS NULL)
      OR (stage = 'validate' AND source_file = (SELECT source_file FROM sync_run WHERE run_id = %(run_id)s))
    )
  GROUP BY stage, reason
) g
JOIN rejected_record e ON e.id = g.first_id
ORDER BY g.rejects DESC, g.reason
"""
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Rejects:
    """Lines or records that were rejected for one reason, and one of them."""

    stage: str
    """validate: a line that we did not load; deliver: a record that HubSpot refuses."""
    reason: str
    count: int
    of_other_runs: int
    """Of the count, records that an earlier run sent."""
    source_file: str
    line_no: int | None
    column: str
    text: str

    def describe(self) -> str:
        """Return count, reason, place and sentence."""
        what = "line" if self.stage == "validate" else "record"
        column = f", column {self.column}" if self.column else ""
        place = f"line {self.line_no} of {self.source_file}{column}" if self.line_no else self.source_file or "-"
        return f"{self.count:,} {what}{'' if self.count == 1 else 's'}: {self.reason}; e.g. {place}: {self.text}"


def read_rejects(address: MysqlAddress, run_id: int) -> list[Rejects]:
    """Return what was rejected of a run's file and what HubSpot refuses at present, the most frequent reason first.

    Raises:
        StackError: MySQL does not answer.
    """
    try:
        with _rows(address, _COUNT_REASONS, {"run_id": run_id}) as rows:
            return [_rejects(row) for row in rows]
    except MySQLdb.Error as error:
        raise StackError(f"mysql cannot be asked for the rejected records: {error.args[-1]}") from error


@contextlib.contextmanager
def _rows(address: MysqlAddress, sql: str, params: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    connection = address.connect()
    with contextlib.closing(connection), connection.cursor(MySQLdb.cursors.DictCursor) as cursor:
        cursor.execute(sql, params)
        yield list(cursor.fetchall())


def _rejects(row: Mapping[str, Any]) -> Rejects:
    return Rejects(
        stage=_text(row["stage"]),
        reason=_text(row["reason"]),
        count=int(row["rejects"]),
        of_other_runs=int(row["of_other_runs"]),
        source_file=_text(row["source_file"]),
        line_no=row["line_no"],
        column=_text(row["column_name"]),
        text=_text(row["reason_text"]),
    )


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def describe_rejects(rejects: list[Rejects], page_url: str, run_id: int) -> list[str]:
    """Return the lines for the terminal: each reason with its count and an example, then where to see all of them.

    Args:
        rejects: what was found.
        page_url: address of the page of rejected records, without a filter.
        run_id: the run; the page shows only its own when there are no others.
    """
    if not rejects:
        return []
    left = len(rejects) - _SHOWN
    more = [f"  and {left} more reasons"] if left > 0 else []
    chosen = "state=open" if any(one.of_other_runs for one in rejects) else f"run={run_id}"
    return [
        "Rejected:",
        *(f"  {one.describe()}" for one in rejects[:_SHOWN]),
        *more,
        f"Rejected records: {page_url}?{chosen}  (codes: docs/operations.md#reason-codes)",
    ]
