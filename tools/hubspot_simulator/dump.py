"""Reading the whole portal: NDJSON dump, contacts by value, history by value, checksum."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tools.hubspot_simulator.answers import Json, to_json
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.contacts import Contact, contact_from_row
from tools.hubspot_simulator.reading import versions_of
from tools.hubspot_simulator.world import Portal

_CHUNK = 1000
_COLUMNS = "id, created_ms, updated_ms, archived_ms, merged_into, created_seq, last_seq, props"
_MODULUS = 1 << 64


class Dump:
    """Reads contacts past the API, in pieces so that requests go on in between."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def lines(self, after: int, limit: int | None, names: list[str]) -> AsyncIterator[bytes]:
        """Yield NDJSON in the order of ids, archived and merged contacts included."""
        left = limit
        async for rows in self._pages(after, "1"):
            part = rows if left is None else rows[:left]
            yield "".join(_line(row, names) for row in part).encode()
            if left is not None:
                left -= len(part)
                if left <= 0:
                    return

    def by_value(self, prop: str, value: str) -> list[Contact]:
        """Return every contact that has this value now, archived and merged ones too."""
        found: set[int] = set()
        if prop in self._portal.registry.unique_names():
            ref = (prop, self._portal.table.norm(prop, value))
            rows = self._portal.store.connection.execute(
                "SELECT contact_id FROM uniq WHERE prop = ? AND value_norm = ? UNION"
                " SELECT contact_id FROM uniq_archived WHERE prop = ? AND value_norm = ?",
                (*ref, *ref),
            )
            found = {row[0] for row in rows}
            hidden = "merged_into IS NOT NULL AND "
        else:
            hidden = ""
        rows = self._portal.store.connection.execute(
            f"SELECT id FROM contact WHERE {hidden}json_extract(props, ?) = ?",  # noqa: S608
            (f'$."{prop}"', value),
        )
        found |= {row[0] for row in rows}
        return [contact for _, contact in sorted(self._portal.table.by_ids(found).items())]

    def history(self, prop: str, value: str) -> Json:
        """Return, per contact that has this value, every value of every property in order."""
        contacts = self.by_value(prop, value)
        if not contacts:
            return []
        versions = versions_of(self._portal.store, contacts)
        return [
            {
                "id": str(contact.id),
                "archived": contact.archived_ms is not None,
                "history": {
                    name: [{"ts": ts, "seq": seq, "value": text} for ts, seq, text in values]
                    for name, values in sorted(versions[contact.id].items())
                },
            }
            for contact in contacts
        ]

    async def checksum(self, names: list[str]) -> dict[str, Json]:
        """Return count and sum over all live contacts that have the first property.

        The sum is over the first 8 bytes, as a big-endian number, of SHA-256 over the values in the
        given order, each as `<bytes>:<value>;` (a missing value is empty), modulo 2^64.
        """
        total, number = 0, 0
        async for rows in self._pages(0, "archived_ms IS NULL AND merged_into IS NULL"):
            for row in rows:
                contact = contact_from_row(row)
                if contact.value(names[0]) is not None:
                    total += row_sum([contact.value(name) or "" for name in names])
                    number += 1
        return {"count": number, "sum": f"{total % _MODULUS:016x}", "props": names}

    async def _pages(self, after: int, condition: str) -> AsyncIterator[list[Any]]:
        while True:
            rows = self._portal.store.connection.execute(
                f"SELECT {_COLUMNS} FROM contact WHERE id > ? AND {condition}"  # noqa: S608
                " ORDER BY id LIMIT ?",
                (after, _CHUNK),
            ).fetchall()
            if not rows:
                return
            yield rows
            after = rows[-1][0]
            await asyncio.sleep(0)


def row_sum(values: list[str]) -> int:
    """Return the number that one contact adds to the checksum."""
    text = "".join(f"{len(value.encode())}:{value};" for value in values)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def contact_json(contact: Contact) -> dict[str, Json]:
    """Return a contact as the inspection shows it."""
    return {
        "id": str(contact.id),
        "archived": contact.archived_ms is not None,
        "mergedInto": None if contact.merged_into is None else str(contact.merged_into),
        "createdAt": iso(contact.created_ms),
        "updatedAt": iso(contact.updated_ms),
        "properties": contact.props,
    }


def _line(row: Any, names: list[str]) -> str:  # noqa: ANN401 - a database row
    contact_id, created, updated, archived, merged, _, _, props = row
    if names:
        values = json.loads(props)
        props = to_json({name: values.get(name) for name in names})
    into = "null" if merged is None else f'"{merged}"'
    return (
        f'{{"id":"{contact_id}","archived":{"false" if archived is None else "true"},'
        f'"mergedInto":{into},"createdAt":"{iso(created)}","updatedAt":"{iso(updated)}",'
        f'"properties":{props}}}\n'
    )
