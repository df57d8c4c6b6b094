"""What must be true once everything is at rest, whatever was done to the system before.

The numbers are those of the list of invariants in docs/reliability.md. Nothing here uses the product's code: the portal
is read through the simulator's inspection API, the source from the CSV file, the tables with plain SQL.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.chaos.portal import KEY, Contact, Portal, Write
from tools.chaos.source import count_rows, expected_contacts
from tools.chaos.tables import LedgerRow, Tables

_SHOWN = 5
_SCANNED = (".log", ".txt", ".json", ".jsonl")


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that does not hold."""

    invariant: str
    text: str


@dataclass(frozen=True, slots=True)
class StaleWrite:
    """An older value that went over a newer one."""

    key: str
    at_ms: int


@dataclass
class Invariants:
    """Checks a system at rest, and remembers what may only grow."""

    portal: Portal
    tables: Tables
    secrets: Sequence[str]
    """Credentials that must not be found anywhere."""
    logs: Sequence[Path]
    """Folders that people and tools read."""
    limit: int
    """Requests that the portal allows in 10 s."""
    highest_window: int = 0
    """Most requests in any 10 s that the portal has seen."""
    repeated_rows: int = 0
    """Rows that were written although the portal held the same values."""
    _repeated_seen: int = 0
    _ledger: dict[str, LedgerRow] = field(default_factory=dict)
    _stale_seen: set[tuple[str, int]] = field(default_factory=set)

    def note_counters(self) -> None:
        """Keep the portal's counters, which end with its process: to be called before it is killed."""
        stats = self.portal.stats()
        self.highest_window = max(self.highest_window, int(stats["max_arrivals_in_any_10s_window"]))
        repeated = int(stats["rows_unchanged"])
        self.repeated_rows += repeated - (self._repeated_seen if repeated >= self._repeated_seen else 0)
        self._repeated_seen = repeated

    def check(self, source: Path, *, writes_of_second_run: int) -> list[Violation]:
        """Return every promise that is broken.

        Args:
            source: file of the version that was synced last.
            writes_of_second_run: write calls of a run for which nothing had changed.
        """
        expected = expected_contacts(source)
        contacts = self.portal.contacts()
        ledger = self.tables.ledger()
        refused = {row["key_text"]: row for row in self.tables.refusals()}
        self.note_counters()
        violations = [
            *_counts(self.tables.last_run(), expected, count_rows(source), len(refused)),
            *_equality(expected, contacts, refused),
            *_one_contact_each(contacts),
            *_ledger_equals_portal(ledger, contacts),
            *_ledger_only_grows(self._ledger, ledger),
            *_pace(self.highest_window, self.limit),
            *_refusals_explained(refused.values()),
            *_archived_only_removed(expected, contacts),
            *_nothing_repeated(writes_of_second_run),
            *self._secrets(),
        ]
        self._ledger = ledger
        return violations

    def new_stale_writes(self, source: Path) -> list[StaleWrite]:
        """Return the writes since the last call that put an older value over a newer one (I5)."""
        stale = stale_writes(self.portal.writes(expected_contacts(source)))
        fresh = [(key, write) for key, write in stale if (key, write.seq) not in self._stale_seen]
        self._stale_seen.update((key, write.seq) for key, write in fresh)
        return [StaleWrite(key, write.at_ms) for key, write in fresh]

    def _secrets(self) -> Iterable[Violation]:
        """I10: no credential in a log or a table."""
        for text in self.tables.texts():
            if any(secret in text for secret in self.secrets):
                yield Violation("I10", "a credential stands in a table")
        wanted = [secret.encode() for secret in self.secrets]
        for folder in self.logs:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file.suffix in _SCANNED and _holds(file, wanted):
                    yield Violation("I10", f"a credential stands in {file.name}")


def _holds(file: Path, wanted: Sequence[bytes]) -> bool:
    with file.open("rb") as lines:
        return any(secret in line for line in lines for secret in wanted)


def _counts(run: Mapping[str, Any], expected: Mapping[str, Any], lines: int, refused: int) -> Iterable[Violation]:
    """I1: every record exactly once in the summary, nothing open."""
    summary = json.loads(run["summary"] or "{}")
    if summary.get("state") != "success":
        yield Violation("I1", f"the clean run ended as {summary.get('state')}: {summary.get('message')}")
        return
    parts = ("created", "updated", "unchanged", "rejected", "quarantined", "open")
    total = sum(summary[part] for part in parts)
    if not total == summary["records"] == len(expected):
        yield Violation("I1", f"{total} counted, {summary['records']} records, {len(expected)} in the file")
    if summary["source_rows"] != lines:
        yield Violation("I1", f"{summary['source_rows']} source rows, {lines} lines in the file")
    if (summary["open"], summary["rejected"], summary["mismatched"]) != (0, refused, 0):
        yield Violation("I1", f"open, rejected, mismatched: {summary['open']}, {summary['rejected']}, of {refused}")


def _equality(
    expected: Mapping[str, Mapping[str, str]], contacts: Sequence[Contact], refused: Mapping[str, Any]
) -> Iterable[Violation]:
    """I2: every living contact equals its source record, byte for byte, and none is missing or left over."""
    living = {contact.properties[KEY]: contact for contact in contacts if not contact.is_archived}
    wrong = [
        key
        for key, properties in expected.items()
        if key not in refused and (key not in living or _mapped(living[key], properties) != properties)
    ]
    yield from _some("I2", "differ from the source or are missing", wrong)
    yield from _some("I2", "are in HubSpot but not in the source", sorted(set(living) - set(expected)))


def _mapped(contact: Contact, properties: Mapping[str, str]) -> dict[str, str | None]:
    return {name: contact.properties.get(name) for name in properties}


def _one_contact_each(contacts: Sequence[Contact]) -> Iterable[Violation]:
    """I3: one living contact per key."""
    counted = Counter(contact.properties[KEY] for contact in contacts if not contact.is_archived)
    yield from _some("I3", "exist more than once", [key for key, number in counted.items() if number > 1])


def _ledger_equals_portal(ledger: Mapping[str, LedgerRow], contacts: Sequence[Contact]) -> Iterable[Violation]:
    """I4: the ledger says of no key more than HubSpot holds; at rest, exactly what it holds."""
    living = {contact.properties[KEY]: contact for contact in contacts if not contact.is_archived}
    wrong = [key for key, row in ledger.items() if not _is_as_believed(row, living.get(key))]
    yield from _some("I4", "are not in HubSpot as the ledger says", wrong)


def _is_as_believed(row: LedgerRow, held: Contact | None) -> bool:
    if not row.is_settled or held is None:
        return row.is_settled and row.state == "archived"
    believed = {name: str(value) for name, value in json.loads(row.properties or "{}").items()}
    return row.state == "active" and believed == {name: held.properties.get(name) for name in believed}


def _ledger_only_grows(before: Mapping[str, LedgerRow], now: Mapping[str, LedgerRow]) -> Iterable[Violation]:
    """I4: epoch and source version of a key never go back."""
    back = [
        key
        for key, row in before.items()
        if key not in now or (now[key].epoch, now[key].version) < (row.epoch, row.version)
    ]
    yield from _some("I4", "went back in the ledger", back)


def stale_writes(writes: Mapping[str, Sequence[Write]]) -> list[tuple[str, Write]]:
    """I5: return the writes that made the growing property smaller."""
    found = []
    for key, history in writes.items():
        highest = 0
        for write in history:
            if write.value < highest:
                found.append((key, write))
            highest = max(highest, write.value)
    return found


def _pace(highest: int, limit: int) -> Iterable[Violation]:
    """I6: never more requests in any 10 s than the portal allows."""
    if highest > limit:
        yield Violation("I6", f"{highest} requests in 10 s, {limit} are allowed")


def _refusals_explained(refused: Iterable[Mapping[str, Any]]) -> Iterable[Violation]:
    """I7: every refused record names file, line, reason and HubSpot's correlation id."""
    wanted = ("source_file", "line_no", "reason", "reason_text", "correlation_id")
    dumb = [row["key_text"] for row in refused if not all(row[name] for name in wanted)]
    yield from _some("I7", "were refused without file, line, reason or correlation id", dumb)


def _archived_only_removed(expected: Mapping[str, Any], contacts: Sequence[Contact]) -> Iterable[Violation]:
    """I8: nothing is archived that is in the source; in this source nothing comes back."""
    by_key: dict[str, list[bool]] = defaultdict(list)
    for contact in contacts:
        by_key[contact.properties[KEY]].append(contact.is_archived)
    yield from _some("I8", "were archived although the source has them", [k for k in expected if any(by_key[k])])


def _nothing_repeated(write_calls: int) -> Iterable[Violation]:
    """I9: a second run with the same file writes nothing."""
    if write_calls:
        yield Violation("I9", f"a run without changes made {write_calls} write calls")


def _some(invariant: str, what: str, keys: Sequence[str]) -> Iterable[Violation]:
    if keys:
        shown = ", ".join(sorted(keys)[:_SHOWN])
        yield Violation(invariant, f"{len(keys)} keys {what}: {shown}")
