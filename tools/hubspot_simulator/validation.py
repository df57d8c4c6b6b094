"""Values of a row: type, format, options, read-only, portal rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tools.hubspot_simulator.answers import Detail, to_json
from tools.hubspot_simulator.properties import Property, PropertyRegistry
from tools.hubspot_simulator.settings import PortalRule, Settings

MAX_TEXT = 65_536
_DAY_MS = 86_400_000
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DIGITS = re.compile(r"-?[0-9]{1,15}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;.]{2,}")


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row is refused."""

    category: str
    message: str
    details: tuple[Detail, ...] = ()
    missing_ids: tuple[str, ...] = ()
    """Ids that do not exist; such an error never refuses the whole batch."""


def _check_number(_prop: Property, value: str) -> str:
    return "" if _NUMBER.fullmatch(value) else "INVALID_NUMBER"


def _check_date(_prop: Property, value: str) -> str:
    if _DIGITS.fullmatch(value):
        return "" if int(value) % _DAY_MS == 0 else "INVALID_DATE"
    if not _DATE.fullmatch(value):
        return "INVALID_DATE"
    return _iso_or("INVALID_DATE", value)


def _check_datetime(_prop: Property, value: str) -> str:
    return "" if _DIGITS.fullmatch(value) else _iso_or("INVALID_DATE", value)


def _iso_or(code: str, value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return code
    return ""


def _check_option(prop: Property, value: str) -> str:
    if value in prop.allowed:
        return ""
    chosen = value.split(";") if prop.field_type == "checkbox" else [value]
    return "" if all(one in prop.allowed for one in chosen) else "INVALID_OPTION"


def _check_bool(_prop: Property, value: str) -> str:
    return "" if value in {"true", "false"} else "INVALID_OPTION"


def _check_text(prop: Property, value: str) -> str:
    if len(value) > MAX_TEXT:
        return "INVALID_LENGTH"
    if prop.name == "email" and not _EMAIL.fullmatch(value.strip()):
        return "INVALID_EMAIL"
    return ""


_CHECKS: dict[str, Callable[[Property, str], str]] = {
    "number": _check_number,
    "date": _check_date,
    "datetime": _check_datetime,
    "enumeration": _check_option,
    "bool": _check_bool,
}


class ValueChecker:
    """Checks the values of rows against the definitions."""

    def __init__(self, settings: Settings, registry: PropertyRegistry) -> None:
        self._settings = settings
        self._registry = registry

    def usable(self, names: Iterable[str], now_ms: int) -> dict[str, Property]:
        """Return the properties of these names that exist now; one look-up per request, not per row."""
        found = ((name, self._registry.find(name, now_ms)) for name in names)
        return {name: prop for name, prop in found if prop is not None}

    def check(
        self, values: Mapping[str, str | None], usable: Mapping[str, Property]
    ) -> tuple[dict[str, str | None], list[Detail]]:
        """Return the values as they would be stored (None clears), and what is wrong."""
        clean: dict[str, str | None] = {}
        wrong: list[Detail] = []
        for name, value in values.items():
            prop = usable.get(name)
            if prop is None or prop.read_only:
                wrong.append(_detail(name, "READ_ONLY_VALUE" if prop else "PROPERTY_DOESNT_EXIST"))
            elif not value:
                clean[name] = None
            else:
                code = _CHECKS.get(prop.type, _check_text)(prop, value)
                if code:
                    wrong.append(_detail(name, code))
                else:
                    clean[name] = self._stored_form(prop, value)
        return clean, wrong

    def broken_rule(self, rules: tuple[PortalRule, ...], props: Mapping[str, str]) -> RowError | None:
        """Return the first rule of the portal's admins that the resulting contact breaks."""
        for rule in rules:
            if props.get(rule.if_prop) == rule.equals and not props.get(rule.then_required):
                text = f"Portal rule {rule.name}: {rule.then_required} is required when "
                text += f"{rule.if_prop} is {rule.equals}"
                detail = Detail(text, "PORTAL_RULE", rule.then_required)
                return RowError("VALIDATION_ERROR", text, (detail,))
        return None

    def _stored_form(self, prop: Property, value: str) -> str:
        if prop.name == "email":
            return value.strip().lower()
        if prop.type == "number" and self._settings.number_echo == "canonical":
            return f"{Decimal(value).normalize():f}"
        if prop.type == "string" and self._settings.trim_strings:
            return value.strip()
        return value


_TEXTS = {
    "PROPERTY_DOESNT_EXIST": 'Property "{name}" does not exist',
    "READ_ONLY_VALUE": '"{name}" is a read only property; its value cannot be set',
    "INVALID_NUMBER": "{name}: the value was not a valid number",
    "INVALID_DATE": "{name}: the value was not a valid date",
    "INVALID_OPTION": "{name}: the value was not one of the allowed options",
    "INVALID_EMAIL": "{name}: the value is not a valid email address",
    "INVALID_LENGTH": "{name}: the value is too long",
}


def _detail(name: str, code: str) -> Detail:
    return Detail(_TEXTS[code].format(name=name), code, name)


def values_not_valid(details: list[Detail]) -> RowError:
    """Return the row error for values that do not fit their properties."""
    listed = [{"isValid": False, "message": d.message, "error": d.code, "name": d.property_name} for d in details]
    message = f"Property values were not valid: {to_json(listed)}"
    return RowError("VALIDATION_ERROR", message, tuple(details))
