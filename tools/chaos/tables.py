"""The product's tables, read with plain SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import MySQLdb.cursors

from tools.local_stack.mysql import MysqlAddress

_BUSY = """
    SELECT b.run_id, b.shard, b.lease_owner FROM batch b
    JOIN sync_run r USING (run_id) WHERE b.state = 'leased' AND r.state = 'delivering'
    GROUP BY b.run_id, b.shard, b.lease_owner
"""
_CONFIRMED = """
    SELECT delivered_at, run_id, shard, lease_owner FROM batch
    WHERE delivered_at > %(since)s ORDER BY delivered_at
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A try of a shard, as the batches name it."""

    run_id: int
    shard: int
    name: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A batch that HubSpot has confirmed."""

    at: datetime
    owner: Owner


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What the product believes that HubSpot holds of one key."""

    state: str
    properties: str | None
    epoch: int
    version: int
    is_settled: bool
    """Verified by read-back, and not in doubt."""


class Tables:
    """Reads over one short connection per question: the server may have been killed since the last one."""

    def __init__(self, address: MysqlAddress) -> None:
        self._address = address

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a question.

        Raises:
            MySQLdb.Error: the server does not answer.
        """
        with (
            contextlib.closing(self._address.connect()) as connection,
            connection.cursor(MySQLdb.cursors.DictCursor) as cursor,
        ):
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(sql, params)
            return [{name: _text(value) for name, value in row.items()} for row in cursor.fetchall()]

    def now(self) -> datetime:
        """Return the database's time."""
        moment: datetime = self.rows("SELECT NOW(6) AS now")[0]["now"]
        return moment

    def busy(self) -> list[Owner]:
        """Return the tries that hold batches of a run that is delivering."""
        return [Owner(row["run_id"], row["shard"], row["lease_owner"]) for row in self.rows(_BUSY)]

    def confirmations(self, since: datetime) -> list[Confirmation]:
        """Return the batches confirmed since, the first one first."""
        return [
            Confirmation(row["delivered_at"], Owner(row["run_id"], row["shard"], row["lease_owner"]))
            for row in self.rows(_CONFIRMED, {"since": since})
        ]

    def run_id(self, dag_run_key: str) -> int | None:
        """Return the number of a run, None while it has none."""
        rows = self.rows("SELECT run_id FROM sync_run WHERE dag_run_key = %(key)s", {"key": dag_run_key})
        return int(rows[0]["run_id"]) if rows else None

    def was_touched(self, run_id: int, since: datetime) -> bool:
        """Tell whether a batch of the run was claimed, checked or settled since."""
        sql = "SELECT COUNT(*) AS n FROM batch WHERE run_id = %(run_id)s AND updated_at >= %(since)s"
        return bool(self.rows(sql, {"run_id": run_id, "since": since})[0]["n"])

    def ledger(self) -> dict[str, LedgerRow]:
        """Return key → ledger row."""
        rows = self.rows(
            "SELECT key_text, state, properties, run_epoch, source_version, verified_at IS NOT NULL AS is_verified "
            "FROM ledger WHERE sync_name = 'baby_names'"
        )
        return {
            row["key_text"]: LedgerRow(
                state=row["state"],
                properties=row["properties"],
                epoch=row["run_epoch"],
                version=row["source_version"] or 0,
                is_settled=row["state"] != "uncertain" and bool(row["is_verified"]),
            )
            for row in rows
        }

    def last_run(self) -> dict[str, Any]:
        """Return the newest run with its summary."""
        return self.rows("SELECT * FROM sync_run ORDER BY run_id DESC LIMIT 1")[0]

    def refusals(self) -> list[dict[str, Any]]:
        """Return the records that HubSpot refuses at present."""
        return self.rows("SELECT * FROM rejected_record WHERE stage = 'deliver' AND resolved_at IS NULL")

    def texts(self) -> list[str]:
        """Return every free text that people may see."""
        found = []
        for table, column in (
            ("sync_run", "summary"),
            ("sync_run", "reason_text"),
            ("rejected_record", "reason_text"),
            ("rejected_record", "payload"),
            ("audit_event", "detail"),
            ("batch", "reason"),
        ):
            rows = self.rows(f"SELECT DISTINCT {column} AS text FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
            found += [str(row["text"]) for row in rows]
        return found


def _text(value: Any) -> Any:  # noqa: ANN401  any column
    return value.decode(errors="replace") if isinstance(value, bytes) else value
