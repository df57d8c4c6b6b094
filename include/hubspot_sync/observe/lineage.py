"""Where one name comes from and where it went: file, lines, version, run, batch, HubSpot id."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from include.hubspot_sync.config import ColumnType, SyncDefinition
from include.hubspot_sync.observe.run_status import Reader, RejectedRecord, rejected_record
from include.hubspot_sync.records import LedgerState, Operation, OutboxState, record_key

MAX_KEYS = 20
"""Keys that one name is tried as."""
MAX_LINES = 300
"""Source lines that are shown of one record."""


class TableReader(Reader, Protocol):
    """A reader that also fills the slots of a statement."""

    def rows(
        self, name: str, params: Mapping[str, Any], slots: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows by column name."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What HubSpot is known to hold; times are UTC and the database's."""

    state: LedgerState
    hubspot_id: int | None
    properties: Mapping[str, str]
    run_id: int
    """The run that changed it last."""
    source_version: int | None
    confirmed_at: datetime | None
    verified_at: datetime | None
    """When a read-back showed it; None when that is still to come, or waived."""
    is_waived: bool


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """The record in one file."""

    run_id: int
    source_version: int | None
    source_file: str
    first_line: int
    line_count: int
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceLines:
    """The lines of the file that is staged now; empty when the record's run is no longer staged."""

    columns: tuple[str, ...]
    lines: tuple[tuple[int, tuple[Any, ...]], ...]
    """Line number → values."""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One change of the record in one run."""

    run_id: int
    source_version: int | None
    operation: Operation
    state: OutboxState
    reason: str
    hubspot_id: int | None
    batch_no: int
    shard: int | None
    http_status: int | None
    correlation_id: str
    delivered_at: datetime | None
    differences: Mapping[str, tuple[str, str]]
    """Property → value before and after."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything that is known about one record."""

    key_text: str
    contact: Contact | None
    places: tuple[SourcePlace, ...]
    """Newest first."""
    lines: SourceLines
    changes: tuple[RecordChange, ...]
    """Newest first."""
    rejects: tuple[RejectedRecord, ...]
    """Newest first."""

    @property
    def is_known(self) -> bool:
        """Tell whether there is anything to show."""
        return bool(self.contact or self.places or self.changes or self.rejects)


def candidate_keys(definition: SyncDefinition, text: str, fold: Callable[[str], str]) -> tuple[str, ...]:
    """Return the keys that a text may mean: itself, and as a name with every choice of the key's other columns.

    Args:
        definition: Sync whose key is meant.
        text: What a person typed: a key like `mary-f`, or only the name.
        fold: Makes key text of any text.
    """
    columns = [definition.source.column(name) for name in definition.record.key_columns]
    choices = {
        column.name: sorted(set(column.choices.values())) for column in columns if column.type is ColumnType.CHOICE
    }
    names = [column.name for column in columns if column.name not in choices]
    keys = [fold(text)]
    if len(names) == 1:
        for picked in itertools.product(*choices.values()):
            values = dict(zip(choices, picked, strict=True)) | {names[0]: text}
            keys.append(fold(definition.record.key.format_map(values)))
    return tuple(dict.fromkeys(keys))[:MAX_KEYS]


def read_lineage(reader: TableReader, definition: SyncDefinition, key_text: str) -> Lineage:
    """Return what is known about the record with this key."""
    params = {"sync_name": definition.name, "record_key": record_key(key_text)}
    contacts = reader.rows("page/select_ledger_entry.sql", params)
    places = tuple(map(_place, reader.rows("page/select_record_sources.sql", params)))
    return Lineage(
        key_text=key_text,
        contact=_contact(contacts[0]) if contacts else None,
        places=places,
        lines=_lines(reader, definition, key_text, places),
        changes=tuple(map(_change, reader.rows("page/select_record_changes.sql", params))),
        rejects=tuple(map(rejected_record, reader.rows("page/select_record_rejects.sql", params))),
    )


def _properties(text: str | None) -> dict[str, str]:
    values: dict[str, Any] = json.loads(text) if text else {}
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _contact(row: Mapping[str, Any]) -> Contact:
    return Contact(
        state=LedgerState(row["state"]),
        hubspot_id=row["hubspot_id"],
        properties=_properties(row["properties"]),
        run_id=row["run_id"],
        source_version=row["source_version"],
        confirmed_at=row["confirmed_at"],
        verified_at=row["verified_at"],
        is_waived=bool(row["is_waived"]),
    )


def _place(row: Mapping[str, Any]) -> SourcePlace:
    return SourcePlace(
        run_id=row["run_id"],
        source_version=row["source_version"],
        source_file=row["source_file"] or "",
        first_line=row["first_line"],
        line_count=row["line_count"],
        properties=_properties(row["properties"]),
    )


def _lines(
    reader: TableReader, definition: SyncDefinition, key_text: str, places: tuple[SourcePlace, ...]
) -> SourceLines:
    columns = tuple(column.name for column in definition.source.columns)
    slots = {"staging_table": definition.staging_table, "columns": ", ".join(columns)}
    staged = reader.rows("staging/select_staged_run.sql", {}, slots)
    place = next((place for place in places if staged and place.run_id == staged[0]["run_id"]), None)
    if place is None:
        return SourceLines(columns, ())
    params = {
        "run_id": place.run_id,
        "key_text": key_text,
        "first_line": place.first_line,
        "line_limit": min(place.line_count, MAX_LINES),
    }
    rows = reader.rows("page/select_record_lines.sql", params, slots)
    return SourceLines(columns, tuple((row["line_no"], tuple(row[name] for name in columns)) for row in rows))


def _change(row: Mapping[str, Any]) -> RecordChange:
    before, after = _properties(row["previous_properties"]), _properties(row["properties"])
    names = sorted({*before, *after}) if row["operation"] != Operation.ARCHIVE else []
    return RecordChange(
        run_id=row["run_id"],
        source_version=row["source_version"],
        operation=Operation(row["operation"]),
        state=OutboxState(row["state"]),
        reason=row["reason"] or "",
        hubspot_id=row["hubspot_id"],
        batch_no=row["batch_no"],
        shard=row["shard"],
        http_status=row["http_status"],
        correlation_id=row["correlation_id"] or "",
        delivered_at=row["delivered_at"],
        differences={
            name: (before.get(name, ""), after.get(name, ""))
            for name in names
            if before.get(name, "") != after.get(name, "")
        },
    )
