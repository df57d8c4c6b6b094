"""The properties API: list, read, create, change, archive, groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from tools.hubspot_simulator.answers import Answer, ApiError, Json, invalid, not_found
from tools.hubspot_simulator.calls import Applied, Call
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.properties import FIELD_TYPES, MAX_UNIQUE, Option, Property
from tools.hubspot_simulator.routing import Work
from tools.hubspot_simulator.structure import parse_inputs, parse_object, text_of
from tools.hubspot_simulator.world import Portal

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A definition as a client sent it, checked on its own."""

    values: dict[str, Any]
    """Fields of `Property`."""


class PropertyApi:
    """Answers the property endpoints."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def list_all(self, call: Call) -> Work:
        """List live or archived definitions."""
        archived = call.query_value("archived", "false").lower() == "true"
        return Work(lambda _: Answer(200, {"results": self._listed(archived=archived)}))

    def get_one(self, call: Call) -> Work:
        """Read one definition."""
        archived = call.query_value("archived", "false").lower() == "true"

        def apply(later: Call) -> Answer:
            now = self._portal.clock.now_ms()
            prop = self._portal.registry.find(later.params[0], now, archived=archived)
            if prop is None:
                raise not_found(f"Property {later.params[0]} does not exist")
            return Answer(200, prop.as_json())

        return Work(apply)

    def create_one(self, call: Call) -> Work:
        """Create one property, or bring back an archived one of this name."""
        draft = self._draft(parse_object(call))

        def apply(later: Call) -> Answer:
            prop = self._create(draft)
            later.applied = Applied.ALL
            return Answer(201, prop.as_json())

        return Work(apply)

    def batch_create(self, call: Call) -> Work:
        """Create several properties; those that cannot be are listed as errors."""
        inputs = parse_inputs(parse_object(call))
        return Work(lambda later: self._batch_create(later, inputs))

    def update_one(self, call: Call) -> Work:
        """Change label, options and the like; never uniqueness or name."""
        body = parse_object(call)
        return Work(lambda later: self._update(later, body))

    def archive_one(self, _call: Call) -> Work:
        """Archive a custom property."""
        return Work(self._archive)

    def list_groups(self, _call: Call) -> Work:
        """List the property groups."""
        groups = self._portal.registry.groups
        shown = [_group_json(name, label) for name, label in sorted(groups.items())]
        return Work(lambda _: Answer(200, {"results": shown}))

    def create_group(self, call: Call) -> Work:
        """Create a property group."""
        body = parse_object(call)
        name, label = text_of(body, "name", required=True), text_of(body, "label", required=True)

        def apply(_later: Call) -> Answer:
            if name in self._portal.registry.groups:
                raise ApiError(409, "OBJECT_ALREADY_EXISTS", f"The group {name} already exists")
            self._portal.registry.save_group(name, label)
            return Answer(201, _group_json(name, label))

        return Work(apply)

    def _listed(self, *, archived: bool) -> list[Json]:
        now = self._portal.clock.now_ms()
        return [
            prop.as_json()
            for name, prop in sorted(self._portal.registry.by_name.items())
            if prop.archived == archived and prop.usable_ms <= now and prop.sensitivity == "non_sensitive"
        ]

    def _draft(self, body: dict[str, Json]) -> _Draft:
        name = text_of(body, "name", required=True)
        if not _NAME.fullmatch(name):
            raise invalid(f"Property name {name!r} must match ^[a-z][a-z0-9_]*$")
        values = {
            "name": name,
            "label": text_of(body, "label", required=True),
            "type": text_of(body, "type", required=True),
            "field_type": text_of(body, "fieldType", required=True),
            "group": text_of(body, "groupName", required=True),
            "unique": _truth(body, "hasUniqueValue"),
            "sensitivity": text_of(body, "dataSensitivity") or "non_sensitive",
            **self._soft_values(body),
        }
        self._check_fit(values)
        return _Draft(values)

    def _soft_values(self, body: dict[str, Json]) -> dict[str, Any]:
        """Return the fields that can also be changed later."""
        values: dict[str, Any] = {}
        if "options" in body:
            values["options"] = _options(body["options"])
        if "description" in body:
            values["description"] = text_of(body, "description")
        for theirs, ours in (("hidden", "hidden"), ("formField", "form_field")):
            if theirs in body:
                values[ours] = _truth(body, theirs)
        order = body.get("displayOrder")
        if isinstance(order, int) and not isinstance(order, bool) and abs(order) < 1 << 31:
            values["display_order"] = order
        return values

    def _check_fit(self, values: dict[str, Any]) -> None:
        kind, field_type, options = values["type"], values["field_type"], values.get("options")
        if kind not in FIELD_TYPES:
            raise invalid(f"Invalid property type {kind}")
        if field_type not in FIELD_TYPES[kind]:
            raise invalid(f"fieldType {field_type} does not fit type {kind}")
        if values["group"] not in self._portal.registry.groups:
            raise invalid(f"The property group {values['group']} does not exist")
        if kind == "enumeration" and not options:
            raise invalid("options are required for an enumeration")
        if values["unique"] and kind not in {"string", "number"}:
            raise invalid(f"hasUniqueValue is not possible for type {kind}")

    def _create(self, draft: _Draft) -> Property:
        registry, now = self._portal.registry, self._portal.clock.now_ms()
        old = registry.by_name.get(draft.values["name"])
        if old is not None and not old.archived:
            message = f"A property named '{old.name}' already exists."
            raise ApiError(409, "OBJECT_ALREADY_EXISTS", message)
        if old is not None:
            # the old definition comes back, whatever was asked for
            prop = replace(old, archived=False, updated_ms=now)
        else:
            self._check_caps(draft)
            usable_ms = now + int(self._portal.settings.property_lag_ms)
            times = {"created_ms": now, "updated_ms": now, "usable_ms": usable_ms}
            prop = Property(**{**draft.values, **times})
        registry.save(prop)
        return prop

    def _check_caps(self, draft: _Draft) -> None:
        registry = self._portal.registry
        custom = [p for p in registry.by_name.values() if not p.hubspot_defined and not p.archived]
        if len(custom) >= self._portal.settings.custom_property_limit:
            raise invalid("The maximum number of custom properties is reached")
        if draft.values["unique"] and sum(p.unique for p in custom) >= MAX_UNIQUE:
            raise invalid(f"At most {MAX_UNIQUE} unique properties are allowed per object")

    def _batch_create(self, call: Call, inputs: list[dict[str, Json]]) -> Answer:
        results, errors = [], []
        for item in inputs:
            try:
                results.append(self._create(self._draft(item)).as_json())
            except ApiError as error:
                errors.append(
                    {
                        "status": "error",
                        "category": error.category,
                        "message": error.message,
                        "context": {"name": [str(item.get("name", ""))]},
                        "errors": [],
                        "links": {},
                    }
                )
        call.rows(len(results), len(errors))
        body: dict[str, Json] = {"status": "COMPLETE", "results": results}
        body["startedAt"] = iso(call.arrived_ms)
        body["completedAt"] = iso(self._portal.clock.now_ms())
        if not errors:
            return Answer(201, body)
        return Answer(207, {**body, "numErrors": len(errors), "errors": errors})

    def _custom(self, name: str) -> Property:
        prop = self._portal.registry.find(name, self._portal.clock.now_ms())
        if prop is None:
            raise not_found(f"Property {name} does not exist")
        return prop

    def _update(self, call: Call, body: dict[str, Json]) -> Answer:
        prop = self._custom(call.params[0])
        if prop.hubspot_defined:
            raise invalid(f"The definition of {prop.name} is read only")
        if "hasUniqueValue" in body and _truth(body, "hasUniqueValue") != prop.unique:
            raise invalid("hasUniqueValue cannot be changed after the property was created")
        changed = {
            "label": text_of(body, "label") or prop.label,
            "type": text_of(body, "type") or prop.type,
            "field_type": text_of(body, "fieldType") or prop.field_type,
            "group": text_of(body, "groupName") or prop.group,
            "unique": prop.unique,
            "options": prop.options,
            **self._soft_values(body),
        }
        self._check_fit(changed)
        changed["updated_ms"] = self._portal.clock.now_ms()
        updated = replace(prop, **changed)
        self._portal.registry.save(updated)
        call.applied = Applied.ALL
        return Answer(200, updated.as_json())

    def _archive(self, call: Call) -> Answer:
        prop = self._custom(call.params[0])
        if prop.hubspot_defined:
            raise invalid(f"The property {prop.name} cannot be archived")
        now = self._portal.clock.now_ms()
        self._portal.registry.save(replace(prop, archived=True, updated_ms=now))
        call.applied = Applied.ALL
        return Answer(204)


def _truth(body: dict[str, Json], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid(f"Invalid input JSON: {name} must be true or false")
    return value


def _options(items: Json) -> list[Option]:
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise invalid("Invalid input JSON: options must be a list of objects")
    options = [_option(item, place) for place, item in enumerate(items)]
    if len({option.value for option in options}) < len(options):
        raise invalid("Property options must have unique values")
    return options


def _option(item: dict[str, Json], place: int) -> Option:
    order = item.get("displayOrder")
    fits = isinstance(order, int) and not isinstance(order, bool) and abs(order) < 1 << 31
    return Option(
        label=text_of(item, "label", required=True),
        value=text_of(item, "value", required=True),
        displayOrder=order if fits and isinstance(order, int) else place,
        hidden=_truth(item, "hidden"),
        description=text_of(item, "description"),
    )


def _group_json(name: str, label: str) -> Json:
    return {"name": name, "label": label, "displayOrder": -1, "archived": False}
