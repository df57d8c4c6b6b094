"""Reading contacts: batch/read, one contact, pages, and their history."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tools.hubspot_simulator.answers import Answer, Json, invalid, not_found
from tools.hubspot_simulator.calls import Call, RowInput
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.contacts import Contact, ContactTable, UniqueRef, contact_from_row
from tools.hubspot_simulator.properties import COMPUTED
from tools.hubspot_simulator.routing import Work
from tools.hubspot_simulator.storage import Store, placeholders
from tools.hubspot_simulator.structure import parse_inputs, parse_object, text_list, text_of
from tools.hubspot_simulator.world import Portal
from tools.hubspot_simulator.writing import object_json

DEFAULT_SHOWN = ("email", "firstname", "lastname")
_MAX_PAGE = 100
_MAX_WITH_HISTORY = 50
_SELECT = "id, created_ms, updated_ms, archived_ms, merged_into, created_seq, last_seq, props"
_Version = tuple[int, int, str | None]
"""(ts, seq, value)."""


def versions_of(store: Store, contacts: list[Contact]) -> dict[int, dict[str, list[_Version]]]:
    """Return contact id → property → every value it had, the oldest first.

    Creations are not stored twice: the first value is the old side of the first change, or the
    present value when nothing changed.
    """
    entries: dict[int, list[tuple[int, int, Mapping[str, list[str | None]]]]] = defaultdict(list)
    ids = [contact.id for contact in contacts]
    query = (
        "SELECT contact_id, ts, seq, changes FROM history"  # noqa: S608 - only placeholders
        f" WHERE contact_id IN ({placeholders(len(ids))}) ORDER BY entry"
    )
    for contact_id, ts, seq, changes in store.connection.execute(query, ids):
        entries[contact_id].append((ts, seq, json.loads(changes)))
    return {contact.id: _versions(contact, entries[contact.id]) for contact in contacts}


def _versions(
    contact: Contact, entries: list[tuple[int, int, Mapping[str, list[str | None]]]]
) -> dict[str, list[_Version]]:
    first: dict[str, str | None] = dict(contact.props)
    for _, _, changes in reversed(entries):
        first.update({name: old for name, (old, _) in changes.items()})
    born = (contact.created_ms, contact.created_seq)
    found: dict[str, list[_Version]] = {name: [(*born, value)] for name, value in first.items() if value is not None}
    for ts, seq, changes in entries:
        for name, (_, new) in changes.items():
            found.setdefault(name, []).append((ts, seq, new))
    return found


class Reader:
    """Answers the reading endpoints."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._table: ContactTable = portal.table

    def batch_read(self, call: Call) -> Work:
        """Read up to 100 contacts by id or unique property."""
        body = parse_object(call)
        names = text_list(body, "properties")
        with_history = text_list(body, "propertiesWithHistory")
        id_property = text_of(body, "idProperty") or "hs_object_id"
        ids = [text_of(item, "id", required=True) for item in parse_inputs(body)]
        self._portal.parser.check_id_property(id_property, self._portal.clock.now_ms())
        if with_history and len(ids) > _MAX_WITH_HISTORY:
            raise invalid(f"At most {_MAX_WITH_HISTORY} inputs are allowed with history")
        refs = {text: (id_property, self._table.norm(id_property, text)) for text in ids}
        if self._portal.settings.read_duplicates == "400" and len(set(refs.values())) < len(ids):
            raise invalid("Duplicate IDs found in batch input")
        archived = _boolean(call, "archived")
        rows = [RowInput(i, text, id_property, "", {}) for i, text in enumerate(ids)]
        return Work(lambda later: self._read(later, refs, (names, with_history), archived=archived), rows)

    def get_one(self, _call: Call) -> Work:
        """Read one contact."""
        return Work(self._get_one)

    def list_page(self, call: Call) -> Work:
        """Read a page of contacts in the order of their ids."""
        limit = page_limit(call.query_value("limit", "10"), _MAX_PAGE)
        if call.query_list("propertiesWithHistory") and limit > _MAX_WITH_HISTORY:
            raise invalid(f"limit may be at most {_MAX_WITH_HISTORY} with history")
        after = call.query_value("after", "0")
        if not after.isascii() or not after.isdigit() or len(after) > 18:  # noqa: PLR2004 - int64
            raise invalid("after is not a valid paging cursor")
        archived = _boolean(call, "archived")
        return Work(lambda later: self._page(later, limit, int(after), archived=archived))

    def find(self, call: Call, text: str) -> Contact:
        """Return the contact of a path id, which may be a unique value.

        Raises:
            ApiError: 404, there is none.
        """
        id_property = call.query_value("idProperty", "hs_object_id")
        self._portal.parser.check_id_property(id_property, self._portal.clock.now_ms())
        ref = (id_property, self._table.norm(id_property, text))
        archived = _boolean(call, "archived")
        found = self._table.resolve([ref], archived=archived)
        if ref not in found:
            raise not_found(f"Object not found. objectId: {text}")
        return found[ref]

    def show(self, contacts: list[Contact], names: list[str], with_history: list[str]) -> list[dict[str, Json]]:
        """Return contacts with the asked properties, or the default ones."""
        known = self._portal.registry.by_name
        asked = [name for name in names or DEFAULT_SHOWN if name in known]
        shown = sorted({*asked, *COMPUTED, *(n for n in with_history if n in known)})
        results = [object_json(contact, shown) for contact in contacts]
        if with_history and contacts:
            versions = versions_of(self._portal.store, contacts)
            for contact, result in zip(contacts, results, strict=True):
                result["propertiesWithHistory"] = {
                    name: _history_json(versions[contact.id].get(name, [])) for name in with_history if name in known
                }
        return results

    def _read(
        self,
        call: Call,
        refs: Mapping[str, UniqueRef],
        shown: tuple[list[str], list[str]],
        *,
        archived: bool,
    ) -> Answer:
        found = self._table.resolve(refs.values(), archived=archived)
        contacts = list({found[ref].id: found[ref] for ref in refs.values() if ref in found}.values())
        results = self.show(contacts, *shown)
        missing = [text for text, ref in refs.items() if ref not in found]
        call.rows(len(results), len(missing))
        body: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": iso(call.arrived_ms),
            "completedAt": iso(self._portal.clock.now_ms()),
        }
        if not missing:
            return Answer(200, body)
        body["numErrors"] = 1
        body["errors"] = [missing_entry(missing)]
        return Answer(207, body)

    def _get_one(self, call: Call) -> Answer:
        contact = self.find(call, call.params[0])
        names, history = call.query_list("properties"), call.query_list("propertiesWithHistory")
        return Answer(200, self.show([contact], names, history)[0])

    def _page(self, call: Call, limit: int, after: int, *, archived: bool) -> Answer:
        state = "NOT NULL" if archived else "NULL"
        rows = self._portal.store.connection.execute(
            f"SELECT {_SELECT} FROM contact WHERE id > ? AND archived_ms IS {state}"  # noqa: S608
            " AND merged_into IS NULL ORDER BY id LIMIT ?",
            (after, limit + 1),
        ).fetchall()
        contacts = [contact_from_row(row) for row in rows[:limit]]
        names, history = call.query_list("properties"), call.query_list("propertiesWithHistory")
        body: dict[str, Json] = {"results": self.show(contacts, names, history)}
        if len(rows) > limit:
            body["paging"] = {"next": {"after": str(contacts[-1].id), "link": call.path}}
        return Answer(200, body)


def missing_entry(ids: list[str]) -> Json:
    """Return the one error entry that holds all missing ids."""
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.",
        "context": {"ids": ids},
        "errors": [],
        "links": {},
    }


def page_limit(text: str, most: int) -> int:
    """Return a page size.

    Raises:
        ApiError: 400.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= most:  # noqa: PLR2004
        raise invalid(f"limit must be a number from 1 to {most}")
    return int(text)


def _boolean(call: Call, name: str) -> bool:
    text = call.query_value(name, "false").lower()
    if text not in {"true", "false"}:
        raise invalid(f"{name} must be true or false")
    return text == "true"


def _history_json(versions: list[_Version]) -> Json:
    """Return the values of one property, the newest first."""
    return [{"value": value or "", "timestamp": iso(ts), "sourceType": "API"} for ts, _, value in reversed(versions)]
