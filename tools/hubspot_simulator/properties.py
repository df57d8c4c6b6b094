"""Property definitions: the built-in ones, the custom ones, and what fits together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.hubspot_simulator.answers import Json, to_json
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.storage import Store

DEFAULT_GROUP = "contactinformation"
COMPUTED = ("createdate", "lastmodifieddate", "hs_object_id")
"""Properties that every answer carries; they are columns, not stored values."""
MAX_UNIQUE = 10
FIELD_TYPES: dict[str, tuple[str, ...]] = {
    "string": ("text", "textarea", "phonenumber", "html", "file"),
    "phone_number": ("phonenumber",),
    "number": ("number",),
    "date": ("date",),
    "datetime": ("date",),
    "bool": ("booleancheckbox",),
    "enumeration": ("select", "radio", "checkbox", "booleancheckbox"),
}
"""Property type → field types that fit it."""


@dataclass(slots=True)
class Option:
    """One allowed value of an enumeration."""

    label: str
    value: str
    displayOrder: int = -1  # noqa: N815 - HubSpot's spelling
    hidden: bool = False
    description: str = ""


@dataclass(slots=True)
class Property:
    """One property of a contact."""

    name: str
    label: str
    type: str
    field_type: str
    group: str = DEFAULT_GROUP
    unique: bool = False
    read_only: bool = False
    hubspot_defined: bool = False
    archived: bool = False
    description: str = ""
    hidden: bool = False
    form_field: bool = False
    display_order: int = -1
    sensitivity: str = "non_sensitive"
    created_ms: int = 0
    updated_ms: int = 0
    usable_ms: int = 0
    options: list[Option] = field(default_factory=list)
    allowed: frozenset[str] = frozenset()
    """Option values, derived."""

    def __post_init__(self) -> None:
        self.allowed = frozenset(option.value for option in self.options)

    def as_json(self) -> Json:
        """Return the definition as HubSpot shows it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": [asdict(option) for option in self.options],
            "displayOrder": self.display_order,
            "calculated": False,
            "externalOptions": False,
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "formField": self.form_field,
            "hubspotDefined": self.hubspot_defined,
            "dataSensitivity": self.sensitivity,
            "archived": self.archived,
            "createdAt": iso(self.created_ms),
            "updatedAt": iso(self.updated_ms),
        }
        shown["modificationMetadata"] = {
            "archivable": not self.hubspot_defined,
            "readOnlyDefinition": self.hubspot_defined,
            "readOnlyValue": self.read_only,
        }
        return shown

    def stored(self) -> str:
        """Return the definition as one JSON text."""
        values = asdict(self)
        del values["allowed"]
        return to_json(values)


def _from_stored(text: str) -> Property:
    values = json.loads(text)
    values["options"] = [Option(**option) for option in values["options"]]
    return Property(**values)


def _builtin() -> Iterator[Property]:
    for name, label in (
        ("firstname", "First Name"),
        ("lastname", "Last Name"),
        ("phone", "Phone Number"),
        ("company", "Company Name"),
        ("website", "Website URL"),
    ):
        kind = "phonenumber" if name == "phone" else "text"
        yield Property(name, label, "string", kind, hubspot_defined=True, form_field=True)
    yield Property("email", "Email", "string", "text", unique=True, hubspot_defined=True)
    stages = ("subscriber", "lead", "opportunity", "customer", "evangelist", "other")
    options = [Option(name.title(), name, place) for place, name in enumerate(stages)]
    yield Property(
        "lifecyclestage", "Lifecycle Stage", "enumeration", "radio",
        hubspot_defined=True, options=options,
    )  # fmt: skip
    for name in ("createdate", "lastmodifieddate", "hs_lastmodifieddate"):
        yield Property(name, name, "datetime", "date", read_only=True, hubspot_defined=True)
    yield Property(
        "hs_object_id", "Record ID", "number", "number",
        unique=True, read_only=True, hubspot_defined=True,
    )  # fmt: skip
    yield Property(
        "hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox",
        read_only=True, hubspot_defined=True,
    )  # fmt: skip


class PropertyRegistry:
    """All definitions, cached; the store holds them too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.by_name: dict[str, Property] = {}
        self.groups: dict[str, str] = {}
        self.load()

    def load(self) -> None:
        """Read everything anew; create the built-in ones in an empty store."""
        connection = self._store.connection
        rows = connection.execute("SELECT name, definition FROM property").fetchall()
        if not rows:
            with self._store.transaction():
                for prop in _builtin():
                    self._write(prop)
                connection.execute(
                    "INSERT OR REPLACE INTO property_group VALUES (?, ?)",
                    (DEFAULT_GROUP, "Contact information"),
                )
            rows = connection.execute("SELECT name, definition FROM property").fetchall()
        self.by_name = {name: _from_stored(text) for name, text in rows}
        self.groups = dict(connection.execute("SELECT name, label FROM property_group"))

    def find(self, name: str, now_ms: int, *, archived: bool = False) -> Property | None:
        """Return a property that is usable now (or one that is archived)."""
        prop = self.by_name.get(name)
        if prop is None or prop.archived != archived or prop.usable_ms > now_ms:
            return None
        return prop

    def unique_names(self) -> set[str]:
        """Return the names of the unique properties that values are indexed for."""
        return {p.name for p in self.by_name.values() if p.unique and p.name != "hs_object_id"}

    def custom_count(self) -> int:
        """Return how many live custom properties there are."""
        return sum(not p.hubspot_defined and not p.archived for p in self.by_name.values())

    def save(self, *props: Property) -> None:
        """Store new or changed definitions in one transaction."""
        with self._store.transaction():
            for prop in props:
                prop.allowed = frozenset(option.value for option in prop.options)
                self._write(prop)
        self.by_name.update({prop.name: prop for prop in props})

    def save_group(self, name: str, label: str) -> None:
        """Store a group."""
        with self._store.transaction() as connection:
            connection.execute("INSERT INTO property_group VALUES (?, ?)", (name, label))
        self.groups[name] = label

    def _write(self, prop: Property) -> None:
        self._store.connection.execute(
            "INSERT INTO property VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
            (prop.name, prop.stored()),
        )
