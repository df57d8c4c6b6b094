"""Which path and method means which endpoint, in which version, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from tools.hubspot_simulator.answers import Answer, ApiError
from tools.hubspot_simulator.calls import Call, RowInput

VERSIONS = ("2026-09", "2026-03", "v3")
OBJECT_TYPES = frozenset({"contacts", "contact", "0-1"})
TOKEN_INFO_PATH = "/oauth/v2/private-apps/get/access-token-info"  # noqa: S105 - a path

READ = ("crm.objects.contacts.read",)
WRITE = ("crm.objects.contacts.write",)
READ_SCHEMA = ("crm.schemas.contacts.read", *READ, *WRITE)
WRITE_SCHEMA = ("crm.schemas.contacts.write",)
OAUTH = ("oauth",)


@dataclass(slots=True)
class Work:
    """A request that passed its structural checks: what to lock, and what to do."""

    apply: Callable[[Call], Answer]
    rows: Sequence[RowInput] = ()
    lock_keys: list[Hashable] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint and the scopes of which any one is enough."""

    name: str
    scopes: tuple[str, ...]
    is_batch: bool = False
    """Takes the latency of a batch call."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks for."""

    endpoint: Endpoint
    version: str
    template: str
    params: tuple[str, ...] = ()


_Table = dict[tuple[str, ...], dict[str, Endpoint]]
_OBJECTS: _Table = {
    (): {"GET": Endpoint("list", READ), "POST": Endpoint("create", WRITE)},
    ("batch", "upsert"): {"POST": Endpoint("batch_upsert", WRITE, is_batch=True)},
    ("batch", "update"): {"POST": Endpoint("batch_update", WRITE, is_batch=True)},
    ("batch", "create"): {"POST": Endpoint("batch_create", WRITE, is_batch=True)},
    ("batch", "read"): {"POST": Endpoint("batch_read", READ, is_batch=True)},
    ("batch", "archive"): {"POST": Endpoint("batch_archive", WRITE, is_batch=True)},
    ("search",): {"POST": Endpoint("search", READ, is_batch=True)},
    ("merge",): {"POST": Endpoint("merge", WRITE)},
    ("gdpr-delete",): {"POST": Endpoint("gdpr_delete", WRITE)},
    ("{id}",): {
        "GET": Endpoint("get", READ),
        "PATCH": Endpoint("update", WRITE),
        "DELETE": Endpoint("archive", WRITE),
    },
}
_PROPERTIES: _Table = {
    (): {
        "GET": Endpoint("property_list", READ_SCHEMA),
        "POST": Endpoint("property_create", WRITE_SCHEMA),
    },
    ("groups",): {
        "GET": Endpoint("group_list", READ_SCHEMA),
        "POST": Endpoint("group_create", WRITE_SCHEMA),
    },
    ("batch", "create"): {"POST": Endpoint("property_batch_create", WRITE_SCHEMA)},
    ("{id}",): {
        "GET": Endpoint("property_get", READ_SCHEMA),
        "PATCH": Endpoint("property_update", WRITE_SCHEMA),
        "DELETE": Endpoint("property_archive", WRITE_SCHEMA),
    },
}
_LIMITS: _Table = {
    ("records",): {"GET": Endpoint("limits_records", READ)},
    ("custom-properties",): {"GET": Endpoint("limits_properties", READ_SCHEMA)},
}
_ACCOUNT: _Table = {
    ("details",): {"GET": Endpoint("account_details", OAUTH)},
    ("api-usage", "daily", "private-apps"): {"GET": Endpoint("api_usage", OAUTH)},
}
_TOKEN_INFO = {"POST": Endpoint("token_info", ())}
_AREAS = {"objects": _OBJECTS, "properties": _PROPERTIES, "limits": _LIMITS, "account": _ACCOUNT}
_WITH_OBJECT_TYPE = frozenset({"objects", "properties"})


def find_route(method: str, path: str) -> Route:
    """Return the route of a request; a trailing slash is fine.

    Raises:
        ApiError: 404 for an unknown path, 405 for a wrong method.
    """
    plain = path.rstrip("/")
    if plain == TOKEN_INFO_PATH:
        return Route(_pick(_TOKEN_INFO, method), "", plain)
    area, version, rest = _split(plain)
    prefix = plain[: len(plain) - len("/".join(rest))].rstrip("/") if rest else plain
    table = _AREAS[area]
    if tuple(rest) in table:
        return Route(_pick(table[tuple(rest)], method), version, plain)
    if len(rest) == 1 and rest[0] and ("{id}",) in table:
        return Route(_pick(table[("{id}",)], method), version, f"{prefix}/{{id}}", (rest[0],))
    raise _unknown()


def _split(path: str) -> tuple[str, str, list[str]]:
    """Return area, version and the rest of the path."""
    area: str
    version: str
    match path.split("/")[1:]:
        case ["crm", "v3", ("objects" | "properties" | "limits") as found, *rest]:
            area, version = found, "v3"
        case ["crm", ("objects" | "properties" | "limits") as found, version, *rest]:
            area = found
        case ["account-info", version, *rest]:
            area = "account"
        case _:
            raise _unknown()
    is_dated_v3 = version == "v3" and area != "account" and not path.startswith("/crm/v3/")
    if version not in VERSIONS or is_dated_v3:
        raise _unknown()
    if area in _WITH_OBJECT_TYPE:
        if not rest or rest[0] not in OBJECT_TYPES:
            raise ApiError(404, "OBJECT_NOT_FOUND", "Unable to infer object type from the path")
        rest = rest[1:]
    return area, version, rest


def _pick(methods: dict[str, Endpoint], method: str) -> Endpoint:
    if method not in methods:
        error = ApiError(405, "METHOD_NOT_ALLOWED", "HTTP 405 Method Not Allowed")
        error.headers["Allow"] = ", ".join(sorted(methods))
        raise error
    return methods[method]


def _unknown() -> ApiError:
    return ApiError(404, "OBJECT_NOT_FOUND", "Resource not found: unknown path")
