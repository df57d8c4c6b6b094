"""Structural checks of request bodies: what refuses a whole request before any row is looked at."""

from __future__ import annotations

import json
from collections import Counter
from typing import NoReturn

from tools.hubspot_simulator.answers import ApiError, Json, invalid, to_json
from tools.hubspot_simulator.calls import Call, RowInput
from tools.hubspot_simulator.contacts import ContactTable
from tools.hubspot_simulator.properties import PropertyRegistry
from tools.hubspot_simulator.settings import Settings

MAX_INPUTS = 100
_SURROGATES = (b"\\ud", b"\\uD")


def parse_object(call: Call) -> dict[str, Json]:
    """Decode the body, which must be a JSON object.

    Raises:
        ApiError: 415 for another content type, 400 for everything else.
    """
    kind = call.headers.get("content-type", "application/json")
    if not kind.lower().startswith("application/json"):
        raise ApiError(415, "VALIDATION_ERROR", "Unsupported media type; send application/json")
    try:
        content = json.loads(call.body, parse_constant=_refuse_constant)
        if any(mark in call.body for mark in _SURROGATES):
            to_json(content).encode()
    except (ValueError, RecursionError) as error:
        raise invalid("Invalid input JSON: the body could not be parsed") from error
    if not isinstance(content, dict):
        raise invalid("Invalid input JSON: the body must be an object")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def parse_inputs(body: dict[str, Json], *, empty_is_fine: bool = False) -> list[dict[str, Json]]:
    """Return `inputs`, a list of 1 to 100 objects.

    Raises:
        ApiError: 400.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise invalid("Invalid input JSON: inputs is required and must be a list")
    if len(inputs) > MAX_INPUTS:
        raise invalid(f"The maximum number of inputs supported in a batch request is {MAX_INPUTS}")
    if not inputs and not empty_is_fine:
        raise invalid("At least one input is required")
    for item in inputs:
        if not isinstance(item, dict):
            raise invalid("Invalid input JSON: every input must be an object")
    return inputs


def text_list(body: dict[str, Json], name: str) -> list[str]:
    """Return an optional list of texts.

    Raises:
        ApiError: 400.
    """
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(f"Invalid input JSON: {name} must be a list of strings")
    return value


def text_of(body: dict[str, Json], name: str, *, required: bool = False) -> str:
    """Return a text or number field as text, empty when it is absent.

    Raises:
        ApiError: 400.
    """
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise invalid(f"Invalid input JSON: {name} must be a non-empty string")
    return value


def parse_values(item: dict[str, Json], settings: Settings) -> dict[str, str | None]:
    """Return the property values of an input.

    Raises:
        ApiError: 400.
    """
    values = item.get("properties")
    if not isinstance(values, dict):
        raise invalid("Invalid input JSON: properties is required and must be an object")
    for name, value in values.items():
        if value is None or isinstance(value, str):
            continue
        if not settings.accept_numbers or not isinstance(value, int | float):
            raise invalid(f"Invalid input JSON: the value of {name} must be a string or null")
        values[name] = to_json(value)
    return values


class RowParser:
    """Turns `inputs[]` into rows."""

    def __init__(self, settings: Settings, registry: PropertyRegistry, table: ContactTable) -> None:
        self._settings = settings
        self._registry = registry
        self._table = table

    def rows(self, body: dict[str, Json], now_ms: int, *, with_id: bool) -> list[RowInput]:
        """Return the rows of an upsert, update or create.

        Raises:
            ApiError: 400.
        """
        empty_is_fine = self._settings.empty_inputs == "200_empty"
        inputs = parse_inputs(body, empty_is_fine=empty_is_fine)
        rows = [self._row(index, item, with_id=with_id) for index, item in enumerate(inputs)]
        if with_id:
            for name in {row.id_property for row in rows}:
                self.check_id_property(name, now_ms)
            self._refuse_duplicates(rows)
        return rows

    def check_id_property(self, name: str, now_ms: int) -> None:
        """Refuse a property that does not identify a contact.

        Raises:
            ApiError: 400.
        """
        prop = self._registry.find(name, now_ms)
        if prop is None:
            raise invalid(f"Unable to read objects by unknown 0-1 property {name}")
        if not prop.unique:
            raise invalid(f"Unable to read objects by non-unique 0-1 property {name}")

    def is_partial(self, rows: list[RowInput]) -> bool:
        """Say whether bad rows fail alone.

        Raises:
            ApiError: 400, two inputs share a trace id or only some have one (a knob).
        """
        traces = [row.trace_id for row in rows if row.trace_id]
        if not traces or any(row.id_property == "email" for row in rows):
            return False
        if len(set(traces)) < len(traces):
            raise invalid("Duplicate objectWriteTraceId found in batch input")
        if len(traces) < len(rows) and self._settings.mixed_trace_ids == "refuse":
            raise invalid("objectWriteTraceId must be set on all inputs or on none")
        return True

    def _row(self, index: int, item: dict[str, Json], *, with_id: bool) -> RowInput:
        values = parse_values(item, self._settings)
        trace_id = text_of(item, "objectWriteTraceId")
        if not with_id:
            return RowInput(index, "", "", trace_id, values)
        key = text_of(item, "id", required=True)
        id_property = text_of(item, "idProperty") or "hs_object_id"
        return RowInput(index, key, id_property, trace_id, values)

    def _refuse_duplicates(self, rows: list[RowInput]) -> None:
        keys = Counter((r.id_property, self._table.norm(r.id_property, r.id)) for r in rows)
        twice = [value for (_, value), times in keys.items() if times > 1]
        if twice:
            raise invalid(f"Duplicate IDs found in batch input: {twice}", ids=twice)
