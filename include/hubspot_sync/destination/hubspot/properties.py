"""Property definitions: what the sync wants, what the portal has, what stands between."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.hubspot_sync.config import Destination, PropertyType
from include.hubspot_sync.destination.hubspot.error_body import as_list, as_mapping
from include.hubspot_sync.destination.protocol import PropertyDefinition, PropertyOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIELD_TYPES: Mapping[PropertyType, str] = {
    PropertyType.STRING: "text",
    PropertyType.NUMBER: "number",
    PropertyType.ENUMERATION: "select",
}


class PropertyProblem(enum.StrEnum):
    """What is wrong with a property of the portal."""

    MISSING = "missing"
    """The only one the sync repairs itself: it creates the property."""
    ARCHIVED = "archived"
    WRONG_TYPE = "wrong_type"
    NOT_UNIQUE = "not_unique"
    UNIQUE = "unique"
    READ_ONLY = "read_only"
    MISSING_OPTION = "missing_option"


@dataclass(frozen=True, slots=True)
class PropertyFinding:
    """One difference, with the sentence for the person who has to act."""

    wanted: PropertyDefinition
    problem: PropertyProblem
    message: str

    @property
    def can_create(self) -> bool:
        """True when creating the property is the whole repair."""
        return self.problem is PropertyProblem.MISSING


def wanted_properties(destination: Destination) -> tuple[PropertyDefinition, ...]:
    """Return the key property and the mapped properties as the sync would create them."""
    key = PropertyDefinition(
        destination.key_property,
        destination.key_label,
        type=PropertyType.STRING,
        field_type=_FIELD_TYPES[PropertyType.STRING],
        group_name=destination.property_group,
        is_unique=True,
    )
    mapped = [
        PropertyDefinition(
            item.name,
            item.label,
            type=item.type,
            field_type=_FIELD_TYPES[item.type],
            group_name=destination.property_group,
            options=tuple(PropertyOption(value, label) for value, label in item.options.items()),
        )
        for item in destination.properties
    ]
    return (key, *mapped)


def compare_properties(
    wanted: Sequence[PropertyDefinition],
    active: Sequence[PropertyDefinition],
    archived: Sequence[PropertyDefinition],
) -> tuple[PropertyFinding, ...]:
    """Return every difference that matters for writing, in the order of `wanted`."""
    existing = {item.name: item for item in active}
    archived_names = {item.name for item in archived}
    return tuple(finding for item in wanted for finding in _findings(item, existing.get(item.name), archived_names))


def create_body(wanted: PropertyDefinition) -> dict[str, object]:
    """Return the body that creates this property."""
    body: dict[str, object] = {
        "name": wanted.name,
        "label": wanted.label,
        "type": str(wanted.type),
        "fieldType": wanted.field_type,
        "groupName": wanted.group_name,
    }
    if wanted.is_unique:
        body["hasUniqueValue"] = True
    if wanted.options:
        body["options"] = [
            {"label": option.label, "value": option.value, "displayOrder": order, "hidden": False}
            for order, option in enumerate(wanted.options)
        ]
    return body


def parse_property(entry: object) -> PropertyDefinition | None:
    """Read a property of the portal; None when it has no name."""
    body = as_mapping(entry)
    name = body.get("name")
    if not isinstance(name, str):
        return None
    metadata = as_mapping(body.get("modificationMetadata"))
    options = [as_mapping(option) for option in as_list(body.get("options"))]
    return PropertyDefinition(
        name,
        str(body.get("label") or ""),
        type=str(body.get("type") or ""),
        field_type=str(body.get("fieldType") or ""),
        group_name=str(body.get("groupName") or ""),
        is_unique=body.get("hasUniqueValue") is True,
        options=tuple(PropertyOption(str(option.get("value")), str(option.get("label"))) for option in options),
        is_archived=body.get("archived") is True,
        is_read_only=metadata.get("readOnlyValue") is True or body.get("calculated") is True,
    )


def _findings(
    wanted: PropertyDefinition, existing: PropertyDefinition | None, archived_names: set[str]
) -> list[PropertyFinding]:
    if existing is not None and not existing.is_archived:
        return [PropertyFinding(wanted, problem, message) for problem, message in _differences(wanted, existing)]
    if existing is not None or wanted.name in archived_names:
        # creating it would bring the old definition back, perhaps without the unique flag
        message = f"property {wanted.name} is archived in hubspot; restore or purge it there"
        return [PropertyFinding(wanted, PropertyProblem.ARCHIVED, message)]
    message = f"property {wanted.name} does not exist in hubspot"
    return [PropertyFinding(wanted, PropertyProblem.MISSING, message)]


def _differences(wanted: PropertyDefinition, existing: PropertyDefinition) -> list[tuple[PropertyProblem, str]]:
    name = wanted.name
    found: list[tuple[PropertyProblem, str]] = []
    if existing.type != wanted.type:
        message = (
            f"property {name} is of type {existing.type or 'unknown'} in hubspot, not "
            f"{wanted.type}; map another property or change the type in hubspot"
        )
        found.append((PropertyProblem.WRONG_TYPE, message))
    if wanted.is_unique and not existing.is_unique:
        message = (
            f"property {name} exists in hubspot without unique values, which cannot be changed; "
            "choose another key_property and let the sync create it"
        )
        found.append((PropertyProblem.NOT_UNIQUE, message))
    if existing.is_unique and not wanted.is_unique:
        message = f"property {name} allows no value twice in hubspot; map another property"
        found.append((PropertyProblem.UNIQUE, message))
    if existing.is_read_only:
        message = f"property {name} is read-only in hubspot; map another property"
        found.append((PropertyProblem.READ_ONLY, message))
    return found + _missing_options(wanted, existing)


def _missing_options(wanted: PropertyDefinition, existing: PropertyDefinition) -> list[tuple[PropertyProblem, str]]:
    known = {option.value for option in existing.options}
    missing = [option.value for option in wanted.options if option.value not in known]
    if not missing or existing.type != wanted.type:
        return []
    message = f"property {wanted.name} lacks the option {', '.join(missing)} in hubspot; add it there"
    return [(PropertyProblem.MISSING_OPTION, message)]
