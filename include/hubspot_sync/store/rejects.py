"""Dead letters: source lines that were not loaded, records that HubSpot refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from include.hubspot_sync.records import RejectedLine, record_key
from include.hubspot_sync.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class RejectedChange:
    """One change that HubSpot refused."""

    seq: int
    key_text: str
    reason: str
    """Stable code."""
    reason_text: str
    correlation_id: str
    column_name: str = ""
    """HubSpot property that is wrong, when the answer names it."""


@dataclass(frozen=True, slots=True)
class ReplayChoice:
    """Which refused records are tried again; what is left empty does not narrow the choice."""

    run_id: int | None = None
    """The run in which HubSpot refused them last."""
    reason: str = ""
    """Stable code."""
    key_text: str = ""


EVERY_REJECT = ReplayChoice()


@dataclass(frozen=True, slots=True)
class OpenRejects:
    """How many records HubSpot refused for one reason in one run, which are not tried again by themselves."""

    reason: str
    run_id: int
    count: int


def _fingerprint(*parts: str) -> bytes:
    text = "".join(f"{len(part.encode())}:{part};" for part in parts)
    return hashlib.sha256(text.encode()).digest()[:16]


def _line_params(line: RejectedLine, run_id: int, sync_name: str, source_file: str) -> dict[str, object]:
    return {
        "sync_name": sync_name,
        "fingerprint": _fingerprint("validate", source_file, str(line.line_no), line.reason, line.raw),
        "run_id": run_id,
        "source_file": source_file,
        "line_no": line.line_no,
        "column_name": line.column[:64],
        "record_key": record_key(line.key_text) if line.key_text else None,
        "key_text": line.key_text[:320] if line.key_text else None,
        "reason": line.reason[:64],
        "reason_text": line.reason_text[:2000],
        "payload": line.raw,
    }


def insert_rejected_lines(
    transaction: Transaction, run_id: int, sync_name: str, source_file: str, lines: Sequence[RejectedLine]
) -> None:
    """Keep the quarantined lines of a file; a line that was seen before is counted again."""
    if lines:
        rows = [_line_params(line, run_id, sync_name, source_file) for line in lines]
        transaction.execute_many("rejects/insert_rejected_line.sql", rows)


def insert_rejected_changes(
    transaction: Transaction, run_id: int, sync_name: str, changes: Sequence[RejectedChange]
) -> None:
    """Keep the records that HubSpot refused, with where they came from."""
    for change in changes:
        transaction.execute(
            "rejects/insert_rejected_change.sql",
            {
                "sync_name": sync_name,
                "fingerprint": _fingerprint("deliver", change.key_text),
                "run_id": run_id,
                "seq": change.seq,
                "column_name": change.column_name[:64],
                "reason": change.reason[:64],
                "reason_text": change.reason_text[:2000],
                "correlation_id": change.correlation_id[:64] or None,
            },
        )


def release_rejects(transaction: Transaction, sync_name: str, choice: ReplayChoice) -> int:
    """Let the next plan include refused records again; return how many they are."""
    params = {
        "sync_name": sync_name,
        "run_id": choice.run_id,
        "reason": choice.reason or None,
        "record_key": record_key(choice.key_text) if choice.key_text else None,
    }
    return transaction.execute("rejects/release_rejects.sql", params)


def count_current_rejects(transaction: Transaction, sync_name: str) -> int:
    """Return how many records HubSpot refuses at present."""
    return int(transaction.rows("report/count_current_rejects.sql", {"sync_name": sync_name})[0]["rejected"])


def count_open(transaction: Transaction, sync_name: str) -> list[OpenRejects]:
    """Return what a replay could try again, the most frequent first."""
    rows = transaction.rows("rejects/count_open.sql", {"sync_name": sync_name})
    return [OpenRejects(row["reason"], int(row["run_id"]), int(row["rejects"])) for row in rows]
