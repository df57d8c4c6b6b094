"""What a HubSpot error says, taken out of JSON of which every field is optional."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_CODE = 64
_MAX_TEXT = 300
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_UNUSABLE_KEY = re.compile(r"\bby (?:unknown|non-unique) \S+ property\b", re.IGNORECASE)
_EXISTING_ID = re.compile(r"Existing ID: (\d{1,18})\b", re.ASCII)

DUPLICATE_IDS = "DUPLICATE_IDS"
"""Our code for a batch that names a key twice: HubSpot sends none."""
UNUSABLE_KEY = "UNUSABLE_KEY"
"""Our code for a key property that is gone or not unique: HubSpot sends none at all."""


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """One error, of a whole request or of records in it; empty where nothing was said."""

    category: str = ""
    code: str = ""
    policy: str = ""
    property_name: str = ""
    scopes: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    existing_id: int | None = None
    """Contact that already holds the unique value."""
    text: str = ""
    """HubSpot's sentence on one line, cut, without e-mail addresses; never decided upon."""
    correlation_id: str = ""


def read_error(entry: object) -> ErrorFacts:
    """Read one error; anything of an unexpected shape counts as not said."""
    body = as_mapping(entry)
    context = as_mapping(body.get("context"))
    details = [as_mapping(item) for item in as_list(body.get("errors"))]
    message = _text(body.get("message"))
    embedded = _embedded_details(message)
    ids = _texts(context.get("ids"))
    category = _text(body.get("category"))
    return ErrorFacts(
        category=category[:_MAX_CODE],
        code=_code(body, details, embedded) or _structural_code(category, message),
        policy=(_text(body.get("policyName")) or _text(context.get("policyName"))).upper(),
        property_name=_property_name(context, details, embedded),
        scopes=_scopes(context, details),
        trace_ids=_texts(context.get("objectWriteTraceId")),
        ids=ids,
        existing_id=_existing_id(message),
        text=_plain(message, embedded),
        correlation_id=_text(body.get("correlationId"))[:_MAX_CODE],
    )


def as_mapping(value: object) -> Mapping[str, object]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return the value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _code(
    body: Mapping[str, object],
    details: list[Mapping[str, object]],
    embedded: list[Mapping[str, object]],
) -> str:
    candidates = [
        *(_text(item.get("code")) for item in details),
        *(_text(item.get("error")) or _text(item.get("code")) for item in embedded),
        _text(body.get("subCategory")),
    ]
    return _first(candidates)[:_MAX_CODE]


def _structural_code(category: str, message: str) -> str:
    # the only two places where the wording counts: HubSpot gives these refusals no code, and a
    # bisection would reject every record for what is a set-up mistake
    if category == "VALIDATION_ERROR" and message.startswith("Duplicate IDs"):
        return DUPLICATE_IDS
    return UNUSABLE_KEY if _UNUSABLE_KEY.search(message) else ""


def _property_name(
    context: Mapping[str, object],
    details: list[Mapping[str, object]],
    embedded: list[Mapping[str, object]],
) -> str:
    contexts = [context, *(as_mapping(item.get("context")) for item in details)]
    named = [name for item in contexts for name in _texts(item.get("propertyName"))]
    found = [_text(item.get("name")) or _text(item.get("propertyName")) for item in embedded]
    return _first([*named, *found])[:_MAX_CODE]


def _scopes(context: Mapping[str, object], details: list[Mapping[str, object]]) -> tuple[str, ...]:
    contexts = [context, *(as_mapping(item.get("context")) for item in details)]
    keys = ("requiredGranularScopes", "requiredScopes")
    named = {scope for item in contexts for key in keys for scope in _texts(item.get(key))}
    return tuple(sorted(named))


def _embedded_details(message: str) -> list[Mapping[str, object]]:
    """Return the JSON list that HubSpot appends to `Property values were not valid:`."""
    start = message.find("[{")
    if start < 0:
        return []
    try:
        details = json.loads(message[start:])
    except (ValueError, RecursionError):
        return []
    return [as_mapping(item) for item in as_list(details)]


def _existing_id(message: str) -> int | None:
    match = _EXISTING_ID.search(message)
    return int(match.group(1)) if match else None


def _plain(message: str, embedded: list[Mapping[str, object]]) -> str:
    sentence = _first(_text(item.get("message")) for item in embedded)
    sentence = sentence or message.partition("[{")[0].rstrip(" :")
    printable = "".join(char if char.isprintable() else " " for char in sentence)
    return _EMAIL.sub("<e-mail>", " ".join(printable.split()))[:_MAX_TEXT]
