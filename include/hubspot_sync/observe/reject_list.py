"""Rejected records of a sync: chosen by a filter, page by page, and as a CSV file that no spreadsheet executes."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from include.hubspot_sync.observe.run_status import Reader, RejectedRecord, rejected_record

PAGE_ROWS = 100
"""Records on one page."""
FILE_ROWS = 2_000
"""Records that one transaction reads for the file."""


class Stage(enum.StrEnum):
    """Who rejected a record; the values are those of the table."""

    VALIDATE = "validate"
    DELIVER = "deliver"


class RejectState(enum.StrEnum):
    """Where a rejected record stands."""

    OPEN = "open"
    RELEASED = "released"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class RejectFilter:
    """Which rejected records are shown; what is left empty does not narrow the choice."""

    run_id: int | None = None
    """Lines of this run's file, and records that HubSpot refused last in this run."""
    stage: Stage | None = None
    state: RejectState | None = None
    reason: str = ""
    """Stable code."""
    key_prefix: str = ""
    """Beginning of the record's key, folded as keys are."""
    after_id: int = 0
    """Only records behind this one; 0 is the first page."""


@dataclass(frozen=True, slots=True)
class RejectPage:
    """Some rejected records, and whether there are more behind them."""

    records: tuple[RejectedRecord, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class RefusedKind:
    """How many records HubSpot refused for one reason in one run, and a replay could try again."""

    reason: str
    run_id: int
    count: int


@dataclass(frozen=True, slots=True)
class OpenRefused:
    """What there is to replay."""

    kinds: tuple[RefusedKind, ...] = ()
    keys: tuple[str, ...] = ()
    """Keys of the latest few."""


def _pattern(prefix: str) -> str:
    """Return the LIKE pattern of a beginning, in which nothing but the end is a wildcard."""
    if not prefix:
        return ""
    escaped = prefix.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"{escaped}%"


def read_rejects(reader: Reader, sync_name: str, chosen: RejectFilter, limit: int = PAGE_ROWS) -> RejectPage:
    """Return the first records behind `chosen.after_id`."""
    params = {
        "sync_name": sync_name,
        "after_id": chosen.after_id,
        "run_id": chosen.run_id,
        "stage": chosen.stage or "",
        "state": chosen.state or "",
        "reason": chosen.reason,
        "key_pattern": _pattern(chosen.key_prefix),
        "row_limit": limit + 1,
    }
    rows = reader.rows("page/select_rejects.sql", params)
    return RejectPage(tuple(map(rejected_record, rows[:limit])), has_more=len(rows) > limit)


def next_page(chosen: RejectFilter, page: RejectPage) -> RejectFilter | None:
    """Return the filter of the page behind this one, None when this is the last."""
    return replace(chosen, after_id=page.records[-1].id) if page.has_more else None


def read_open_refused(reader: Reader, sync_name: str) -> OpenRefused:
    """Return what a replay without any choice would try again."""
    params = {"sync_name": sync_name}
    kinds = reader.rows("rejects/count_open.sql", params)
    keys = reader.rows("page/select_open_keys.sql", params)
    return OpenRefused(
        tuple(RefusedKind(row["reason"], int(row["run_id"]), int(row["rejects"])) for row in kinds),
        tuple(row["key_text"] for row in keys),
    )


def read_reasons(reader: Reader, sync_name: str) -> dict[str, int]:
    """Return reason → number of records of a sync, the most frequent first."""
    rows = reader.rows("page/count_reject_reasons.sql", {"sync_name": sync_name})
    return {row["reason"]: int(row["rejects"]) for row in rows}


CSV_COLUMNS = (
    "record", "rejected_by", "reason", "reason_text", "column", "source_file", "line", "lines", "run", "correlation_id",
    "seen", "first_seen_utc", "last_seen_utc", "state", "content",
)  # fmt: skip
"""Header of the file."""

_FORMULA_STARTS = (
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


def safe_cell(text: str) -> str:
    """Return the text so that a spreadsheet shows it and does not compute it.

    A cell that begins with one of these signs, also behind blanks or quotes, is a formula to Excel, LibreOffice or
    Google Sheets (OWASP, "CSV Injection"); an apostrophe in front makes it text.
    """
    begins = text.lstrip(" \t\r\n\"'\N{NO-BREAK SPACE}")[:1]
    is_formula = (begins != "" and begins in _FORMULA_STARTS) or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if is_formula else text


def _cells(record: RejectedRecord) -> Sequence[str | int]:
    texts: Sequence[str | int | None] = (
        record.key_text, record.stage, record.reason, record.reason_text, record.column_name, record.source_file,
        record.line_no, record.line_count, record.run_id, record.correlation_id, record.attempts,
        f"{record.first_seen_at:%Y-%m-%dT%H:%M:%SZ}", f"{record.last_seen_at:%Y-%m-%dT%H:%M:%SZ}", record.state,
        record.payload,
    )  # fmt: skip
    return [safe_cell(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in texts]


def csv_text(records: Iterable[RejectedRecord], *, with_header: bool) -> str:
    """Return the records as lines of CSV (RFC 4180: every cell quoted, lines end with CR LF)."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    if with_header:
        writer.writerow(CSV_COLUMNS)
    writer.writerows(map(_cells, records))
    return text.getvalue()
