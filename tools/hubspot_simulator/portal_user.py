"""What a person does in the portal's own pages: bulk seeding and editing, not counted as API use."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tools.hubspot_simulator.answers import ApiError, Json
from tools.hubspot_simulator.calls import Call, RowInput
from tools.hubspot_simulator.changing import Changer
from tools.hubspot_simulator.contacts import Contact, WriteSet, parse_id
from tools.hubspot_simulator.planning import WriteKind
from tools.hubspot_simulator.reading import Reader
from tools.hubspot_simulator.world import Portal
from tools.hubspot_simulator.writing import BatchWriter

_CHUNK = 1000


class EditError(ValueError):
    """The wished change is not possible."""


class PortalUser:
    """Seeds and edits contacts."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._writer = BatchWriter(portal)
        self._changer = Changer(portal, Reader(portal))

    def seed(self, lines: Iterable[bytes]) -> int:
        """Store contacts from NDJSON (`{"properties": {...}, "archived": false}`); return how many.

        Raises:
            EditError: a line is not such an object; names its number. Earlier chunks stay.
        """
        number, chunk = 0, []
        for place, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            chunk.append(self._seeded(line, place))
            if len(chunk) == _CHUNK:
                number += self._store_seeded(chunk)
                chunk = []
        return number + self._store_seeded(chunk)

    def edit(self, body: dict[str, Json], call: Call) -> Json:
        """Change, archive, restore or merge one contact, named by `id` or by `prop` and `value`.

        Raises:
            EditError: the contact does not exist or the action is unknown.
        """
        contact = self._contact(body)
        match body.get("action", "change"):
            case "change":
                self._change(contact, body.get("properties"), call)
            case "archive":
                self._archive(contact)
            case "restore":
                self._restore(contact)
            case "merge":
                into = self._contact({"id": body.get("into")})
                if into.id == contact.id:
                    raise EditError("a contact cannot be merged with itself")
                contact = self._changer.merge_contacts(into, contact, call.seq)
            case other:
                raise EditError(f"unknown action {other}; use change, archive, restore or merge")
        return {"id": str(contact.id)}

    def _seeded(self, line: bytes, place: int) -> tuple[dict[str, str], bool]:
        try:
            item = json.loads(line)
            values: dict[str, Any] = item["properties"]
            props = {str(name): str(value) for name, value in values.items() if value is not None}
            return props, bool(item.get("archived", False))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EditError(f"line {place}: not an object with properties") from error

    def _store_seeded(self, chunk: list[tuple[dict[str, str], bool]]) -> int:
        portal, now = self._portal, self._portal.clock.now_ms()
        contacts = [
            (Contact(portal.next_id + place, now, now, props=props), archived)
            for place, (props, archived) in enumerate(chunk)
        ]
        portal.next_id += len(chunk)
        refs = [(*ref, c.id) for c, _ in contacts for ref in portal.table.refs(c)]
        with portal.store.transaction():
            portal.table.write(WriteSet(new=[c for c, _ in contacts], unique_new=refs))
            portal.table.hide([c for c, archived in contacts if archived], now)
            portal.save_progress()
        portal.live_contacts += sum(not archived for _, archived in contacts)
        return len(chunk)

    def _contact(self, body: dict[str, Json]) -> Contact:
        table = self._portal.table
        if body.get("id") is not None:
            number = parse_id(str(body["id"]))
            contact = table.survivors([number]).get(number) if number is not None else None
        else:
            prop = str(body.get("prop", ""))
            ref = (prop, table.norm(prop, str(body.get("value", ""))))
            live = table.resolve([ref])
            contact = live.get(ref) or table.resolve([ref], archived=True).get(ref)
        if contact is None:
            raise EditError("there is no such contact; name it by id, or by prop and value")
        return contact

    def _change(self, contact: Contact, values: Json, call: Call) -> None:
        if not isinstance(values, dict):
            raise EditError("properties must be an object")
        texts = {name: None if value is None else str(value) for name, value in values.items()}
        row = RowInput(0, str(contact.id), "hs_object_id", "", texts)
        try:
            plans = self._writer.apply(call, [row], WriteKind.UPDATE, is_partial=False, counted=False)
        except ApiError as error:
            raise EditError(error.message) from error
        if plans[0].error is not None:
            raise EditError(plans[0].error.message)

    def _archive(self, contact: Contact) -> None:
        if contact.archived_ms is None:
            with self._portal.store.transaction():
                self._portal.table.hide([contact], self._portal.clock.now_ms())
            self._portal.live_contacts -= 1

    def _restore(self, contact: Contact) -> None:
        if contact.archived_ms is None:
            return
        table = self._portal.table
        refs = table.refs(contact)
        taken = table.owners(refs)
        contact.archived_ms, contact.updated_ms = None, self._portal.clock.now_ms()
        # as in the portal, a second contact of the same key can come into being this way
        free = [(*ref, contact.id) for ref in refs if ref not in taken]
        with self._portal.store.transaction():
            table.forget_archived(contact.id, refs)
            table.write(WriteSet(changed=[contact], unique_new=free))
        self._portal.live_contacts += 1
