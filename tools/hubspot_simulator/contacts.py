"""Contacts in the store: finding them by id or unique value, and writing many at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tools.hubspot_simulator.answers import to_json
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.properties import PropertyRegistry
from tools.hubspot_simulator.settings import Settings
from tools.hubspot_simulator.storage import Store, placeholders

UniqueRef = tuple[str, str]
"""(property, normalised value)."""
_Item = TypeVar("_Item")
_MAX_ID_DIGITS = 18
_CHUNK = 500
_COLUMNS = "id, created_ms, updated_ms, archived_ms, merged_into, created_seq, last_seq, props"


@dataclass(slots=True)
class Contact:
    """One contact."""

    id: int
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None
    merged_into: int | None = None
    created_seq: int = 0
    last_seq: int = 0
    props: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """Return a stored or computed property."""
        match name:
            case "hs_object_id":
                return str(self.id)
            case "createdate":
                return iso(self.created_ms)
            case "lastmodifieddate" | "hs_lastmodifieddate":
                return iso(self.updated_ms)
            case _:
                return self.props.get(name)

    def copy(self) -> Contact:
        """Return a copy that can be changed."""
        return Contact(
            self.id, self.created_ms, self.updated_ms, self.archived_ms, self.merged_into,
            self.created_seq, self.last_seq, dict(self.props),
        )  # fmt: skip

    def row(self) -> tuple[object, ...]:
        """Return the columns."""
        return (
            self.id, self.created_ms, self.updated_ms, self.archived_ms, self.merged_into,
            self.created_seq, self.last_seq, to_json(self.props),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of one contact: property → [old, new]."""

    contact_id: int
    seq: int
    ts: int
    changes: Mapping[str, list[str | None]]


@dataclass(slots=True)
class WriteSet:
    """Everything one transaction writes."""

    new: list[Contact] = field(default_factory=list)
    changed: list[Contact] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    unique_gone: list[UniqueRef] = field(default_factory=list)
    unique_new: list[tuple[str, str, int]] = field(default_factory=list)


def contact_from_row(row: tuple[int, int, int, int | None, int | None, int, int, str]) -> Contact:
    """Turn selected columns into a contact."""
    return Contact(row[0], row[1], row[2], row[3], row[4], row[5], row[6], json.loads(row[7]))


def parse_id(text: str) -> int | None:
    """Return a record id, or None when the text cannot be one."""
    plain = text.strip()
    if not plain.isascii() or not plain.isdigit() or len(plain) > _MAX_ID_DIGITS:
        return None
    return int(plain)


class ContactTable:
    """Reads and writes contacts."""

    def __init__(self, store: Store, settings: Settings, registry: PropertyRegistry) -> None:
        self._store = store
        self._registry = registry
        self._settings = settings

    def norm(self, prop: str, value: str) -> str:
        """Return the form of a unique value that decides whether two are the same."""
        if prop == "email" or self._settings.unique_case_insensitive:
            return value.strip().lower()
        return value.strip() if prop == "hs_object_id" else value

    def by_ids(self, ids: Iterable[int]) -> dict[int, Contact]:
        """Return the contacts with these ids, archived and merged ones too."""
        found: dict[int, Contact] = {}
        for part in _chunks(list(ids)):
            rows = self._store.connection.execute(
                f"SELECT {_COLUMNS} FROM contact WHERE id IN ({placeholders(len(part))})",  # noqa: S608
                part,
            )
            found.update({row[0]: contact_from_row(row) for row in rows})
        return found

    def survivors(self, ids: Iterable[int]) -> dict[int, Contact]:
        """Return asked id → contact, following merges to the contact that survived."""
        asked = {number: number for number in ids}
        known = self.by_ids(asked)
        while True:
            moved = {a: known[b].merged_into for a, b in asked.items() if b in known}
            hops = {a: into for a, into in moved.items() if into is not None}
            if not hops:
                return {a: known[b] for a, b in asked.items() if b in known}
            asked.update(hops)
            known.update(self.by_ids(set(hops.values()) - known.keys()))

    def owners(self, refs: Iterable[UniqueRef], *, archived: bool = False) -> dict[UniqueRef, int]:
        """Return who holds these unique values; of archived contacts the newest."""
        values_by_prop: dict[str, list[str]] = defaultdict(list)
        for prop, value in refs:
            values_by_prop[prop].append(value)
        table = "uniq_archived" if archived else "uniq"
        found: dict[UniqueRef, int] = {}
        for prop, values in values_by_prop.items():
            for part in _chunks(values):
                rows = self._store.connection.execute(
                    f"SELECT value_norm, contact_id FROM {table} WHERE prop = ?"  # noqa: S608
                    f" AND value_norm IN ({placeholders(len(part))}) ORDER BY contact_id",
                    (prop, *part),
                )
                found.update({(prop, value): contact_id for value, contact_id in rows})
        return found

    def resolve(self, refs: Iterable[UniqueRef], *, archived: bool = False) -> dict[UniqueRef, Contact]:
        """Return the contact for each (property, normalised value); `hs_object_id` is the id."""
        wanted = set(refs)
        ids = {r: parse_id(r[1]) for r in wanted if r[0] == "hs_object_id"}
        found = {ref: number for ref, number in ids.items() if number is not None}
        found.update(self.owners((r for r in wanted if r not in ids), archived=archived))
        contacts = self.survivors(set(found.values()))
        return {
            ref: contacts[number]
            for ref, number in found.items()
            if number in contacts and (contacts[number].archived_ms is not None) == archived
        }

    def live_count(self) -> int:
        """Count contacts that are neither archived nor merged away."""
        row = self._store.connection.execute(
            "SELECT count(*) FROM contact WHERE archived_ms IS NULL AND merged_into IS NULL"
        ).fetchone()
        return int(row[0])

    def is_blocked(self, email: str) -> bool:
        """Say whether a privacy deletion forbids this email."""
        row = self._store.connection.execute("SELECT 1 FROM blocked_email WHERE email = ?", (email,)).fetchone()
        return row is not None

    def write(self, work: WriteSet) -> None:
        """Write everything; call it inside a transaction."""
        connection = self._store.connection
        connection.executemany("INSERT INTO contact VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [c.row() for c in work.new])
        if work.changed:
            connection.executemany(
                "INSERT OR REPLACE INTO contact VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [contact.row() for contact in work.changed],
            )
        if work.history:
            connection.executemany(
                "INSERT INTO history (contact_id, seq, ts, changes) VALUES (?, ?, ?, ?)",
                [(h.contact_id, h.seq, h.ts, to_json(h.changes)) for h in work.history],
            )
        if work.unique_gone:
            connection.executemany("DELETE FROM uniq WHERE prop = ? AND value_norm = ?", work.unique_gone)
        connection.executemany(
            "INSERT INTO uniq VALUES (?, ?, ?)"
            " ON CONFLICT (prop, value_norm) DO UPDATE SET contact_id = excluded.contact_id",
            work.unique_new,
        )

    def refs(self, contact: Contact) -> list[UniqueRef]:
        """Return the unique values that a contact holds."""
        names = self._registry.unique_names() & contact.props.keys()
        return [(name, self.norm(name, contact.props[name])) for name in sorted(names)]

    def hide(self, contacts: Iterable[Contact], now_ms: int) -> None:
        """Archive contacts and free their unique values; call it inside a transaction."""
        connection = self._store.connection
        for contact in contacts:
            refs = self.refs(contact)
            connection.executemany(
                "DELETE FROM uniq WHERE prop = ? AND value_norm = ? AND contact_id = ?",
                [(*ref, contact.id) for ref in refs],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO uniq_archived VALUES (?, ?, ?)",
                [(*ref, contact.id) for ref in refs],
            )
            connection.execute(
                "UPDATE contact SET archived_ms = ?, updated_ms = ? WHERE id = ?",
                (now_ms, now_ms, contact.id),
            )

    def delete(self, contact: Contact) -> None:
        """Remove every trace of a contact; call it inside a transaction."""
        connection = self._store.connection
        for table in ("uniq", "uniq_archived"):
            connection.executemany(
                f"DELETE FROM {table} WHERE prop = ? AND value_norm = ? AND contact_id = ?",  # noqa: S608
                [(*ref, contact.id) for ref in self.refs(contact)],
            )
        connection.execute("DELETE FROM history WHERE contact_id = ?", (contact.id,))
        connection.execute("DELETE FROM contact WHERE id = ?", (contact.id,))

    def forget_archived(self, contact_id: int, refs: Iterable[UniqueRef]) -> None:
        """Forget the archived unique values of a contact that comes back; in a transaction."""
        self._store.connection.executemany(
            "DELETE FROM uniq_archived WHERE prop = ? AND value_norm = ? AND contact_id = ?",
            [(*ref, contact_id) for ref in refs],
        )


def _chunks(items: list[_Item]) -> Iterable[list[_Item]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
