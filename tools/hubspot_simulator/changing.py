"""Changing contacts outside the batch planner: single writes, archive, merge, privacy deletion."""

from __future__ import annotations

from collections.abc import Hashable

from tools.hubspot_simulator.answers import Answer, Json, invalid, not_found
from tools.hubspot_simulator.calls import Applied, Call, RowInput
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.contacts import Contact, HistoryEntry, WriteSet, parse_id
from tools.hubspot_simulator.planning import RowOutcome, WriteKind, differences
from tools.hubspot_simulator.reading import Reader, missing_entry
from tools.hubspot_simulator.routing import Work
from tools.hubspot_simulator.structure import parse_inputs, parse_object, parse_values, text_of
from tools.hubspot_simulator.world import Portal
from tools.hubspot_simulator.writing import BatchWriter, object_json, whole_refusal


class Changer:
    """Answers the writing endpoints."""

    def __init__(self, portal: Portal, reader: Reader) -> None:
        self._portal = portal
        self._reader = reader
        self._writer = BatchWriter(portal)

    def batch_upsert(self, call: Call) -> Work:
        """Create or update up to 100 contacts by a unique property."""
        return self._batch(call, WriteKind.UPSERT)

    def batch_update(self, call: Call) -> Work:
        """Update up to 100 contacts."""
        return self._batch(call, WriteKind.UPDATE)

    def batch_create(self, call: Call) -> Work:
        """Create up to 100 contacts."""
        return self._batch(call, WriteKind.CREATE)

    def batch_archive(self, call: Call) -> Work:
        """Put up to 100 contacts into the recycle bin, by record id."""
        ids = [text_of(item, "id", required=True) for item in parse_inputs(parse_object(call))]
        rows = [RowInput(i, text, "hs_object_id", "", {}) for i, text in enumerate(ids)]
        return Work(lambda later: self._archive(later, ids), rows, self._lock_keys(rows))

    def create_one(self, call: Call) -> Work:
        """Create one contact."""
        values = parse_values(parse_object(call), self._portal.settings)
        return Work(lambda later: self._write_one(later, RowInput(0, "", "", "", values)))

    def update_one(self, call: Call) -> Work:
        """Change one contact."""
        values = parse_values(parse_object(call), self._portal.settings)
        id_property = call.query_value("idProperty", "hs_object_id")
        self._portal.parser.check_id_property(id_property, self._portal.clock.now_ms())
        row = RowInput(0, call.params[0], id_property, "", values)
        return Work(lambda later: self._write_one(later, row), [row], self._lock_keys([row]))

    def archive_one(self, call: Call) -> Work:
        """Put one contact into the recycle bin."""
        row = RowInput(0, call.params[0], "hs_object_id", "", {})
        return Work(lambda later: self._archive(later, [call.params[0]]), [row], self._lock_keys([row]))

    def merge(self, call: Call) -> Work:
        """Merge one contact into another."""
        body = parse_object(call)
        primary = text_of(body, "primaryObjectId", required=True)
        other = text_of(body, "objectIdToMerge", required=True)
        if primary == other:
            raise invalid("A contact cannot be merged with itself")
        return Work(lambda later: self._merge(later, primary, other))

    def gdpr_delete(self, call: Call) -> Work:
        """Delete a contact for good and block its email."""
        body = parse_object(call)
        text = text_of(body, "objectId", required=True)
        id_property = text_of(body, "idProperty") or "hs_object_id"
        self._portal.parser.check_id_property(id_property, self._portal.clock.now_ms())
        return Work(lambda later: self._gdpr_delete(later, id_property, text))

    def merge_contacts(self, primary: Contact, other: Contact, seq: int) -> Contact:
        """Merge in the store and return the surviving contact."""
        now = self._portal.clock.now_ms()
        keeps_id = not self._portal.settings.merge_new_id
        survivor = primary.copy() if keeps_id else self._fresh_contact(primary, now, seq)
        survivor.props = {**other.props, **primary.props}
        survivor.props["hs_merged_object_ids"] = f"{primary.id};{other.id}"
        survivor.updated_ms, survivor.last_seq = now, seq
        gone = [other] if keeps_id else [primary, other]
        work = WriteSet(
            new=[] if keeps_id else [survivor],
            changed=[survivor] if keeps_id else [],
            history=_changes(primary, survivor, seq) if keeps_id else [],
            unique_gone=[ref for contact in (primary, other) for ref in self._portal.table.refs(contact)],
            unique_new=[(*ref, survivor.id) for ref in self._portal.table.refs(survivor)],
        )
        self._store_merge(work, gone, survivor, now)
        return survivor

    def _batch(self, call: Call, kind: WriteKind) -> Work:
        body = parse_object(call)
        with_id = kind is not WriteKind.CREATE
        rows = self._portal.parser.rows(body, self._portal.clock.now_ms(), with_id=with_id)
        is_partial = self._portal.parser.is_partial(rows)

        def apply(later: Call) -> Answer:
            plans = self._writer.apply(later, rows, kind, is_partial=is_partial)
            return self._writer.answer(later, plans, kind)

        return Work(apply, rows, self._lock_keys(rows))

    def _lock_keys(self, rows: list[RowInput]) -> list[Hashable]:
        """Return the keys of the rows and the ids of their contacts: a contact may be new to one request only."""
        table = self._portal.table
        refs = [(r.id_property, table.norm(r.id_property, r.id)) for r in rows if r.id_property]
        plain = [ref for ref in refs if ref[0] != "hs_object_id"]
        owners = table.owners(plain)
        keys: list[Hashable] = [*plain, *owners.values()]
        keys += [parse_id(value) for name, value in refs if name == "hs_object_id"]
        return keys

    def _write_one(self, call: Call, row: RowInput) -> Answer:
        kind = WriteKind.UPDATE if row.id_property else WriteKind.CREATE
        plan = self._writer.apply(call, [row], kind, is_partial=False)[0]
        if plan.error is not None and plan.error.missing_ids:
            raise not_found(f"Object not found. objectId: {row.id}")
        if plan.error is not None:
            raise whole_refusal(plan.error)
        status = 201 if plan.outcome is RowOutcome.NEW else 200
        return Answer(status, self._writer.result(plan, kind))

    def _archive(self, call: Call, ids: list[str]) -> Answer:
        known = self._portal.table.survivors({n for t in ids if (n := parse_id(t)) is not None})
        live = {c.id: c for c in known.values() if c.archived_ms is None}
        now = self._portal.clock.now_ms()
        with self._portal.store.transaction():
            self._portal.table.hide(live.values(), now)
            self._portal.save_progress()
        call.applied_ms = now
        self._portal.live_contacts -= len(live)
        self._portal.statistics.counters.rows_archived += len(live)
        call.rows(len(live), 0)
        missing = [text for text in ids if parse_id(text) not in known]
        if not missing or self._portal.settings.archive_unknown == "204":
            return Answer(204)
        return self._partly_archived(call, missing)

    def _partly_archived(self, call: Call, missing: list[str]) -> Answer:
        body: dict[str, Json] = {
            "status": "COMPLETE",
            "results": [],
            "startedAt": iso(call.arrived_ms),
            "completedAt": iso(self._portal.clock.now_ms()),
            "numErrors": 1,
            "errors": [missing_entry(missing)],
        }
        return Answer(207, body)

    def _merge(self, call: Call, primary_text: str, other_text: str) -> Answer:
        primary = self._reader.find(call, primary_text)
        other = self._reader.find(call, other_text)
        if primary.id == other.id:
            raise invalid("A contact cannot be merged with itself")
        survivor = self.merge_contacts(primary, other, call.seq)
        call.rows(1, 0)
        call.applied_ms = survivor.updated_ms
        return Answer(200, object_json(survivor, sorted({*survivor.props, "hs_object_id"})))

    def _fresh_contact(self, primary: Contact, now: int, seq: int) -> Contact:
        number = self._portal.next_id
        self._portal.next_id += 1
        return Contact(number, primary.created_ms, now, created_seq=seq)

    def _store_merge(self, work: WriteSet, gone: list[Contact], survivor: Contact, now: int) -> None:
        with self._portal.store.transaction() as connection:
            self._portal.table.write(work)
            connection.executemany(
                "UPDATE contact SET merged_into = ?, updated_ms = ? WHERE id = ?",
                [(survivor.id, now, contact.id) for contact in gone],
            )
            self._portal.save_progress()
        self._portal.live_contacts -= 1

    def _gdpr_delete(self, call: Call, id_property: str, text: str) -> Answer:
        ref = (id_property, self._portal.table.norm(id_property, text))
        contact = self._portal.table.resolve([ref]).get(ref)
        email = ref[1] if id_property == "email" else contact.props.get("email") if contact else ""
        with self._portal.store.transaction() as connection:
            if email:
                connection.execute("INSERT OR IGNORE INTO blocked_email VALUES (?)", (email,))
            if contact is not None:
                self._portal.table.delete(contact)
            self._portal.save_progress()
        self._portal.live_contacts -= contact is not None
        call.applied = Applied.ALL
        return Answer(204)


def _changes(before: Contact, after: Contact, seq: int) -> list[HistoryEntry]:
    return [HistoryEntry(after.id, seq, after.updated_ms, differences(before.props, after.props))]
