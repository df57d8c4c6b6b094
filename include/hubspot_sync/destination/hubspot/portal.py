"""Answers about the portal, read into values. A missing or odd field raises `ValueError`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.hubspot_sync.destination.hubspot.error_body import as_list, as_mapping
from include.hubspot_sync.destination.hubspot.properties import parse_property
from include.hubspot_sync.destination.protocol import (
    Account,
    DailyUsage,
    PropertyDefinition,
    RateHeaders,
    RecordLimit,
    TokenInfo,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

READ_SCOPE = "crm.objects.contacts.read"
WRITE_SCOPE = "crm.objects.contacts.write"
SCHEMA_SCOPE = "crm.schemas.contacts.write"
_USED_SCOPES = frozenset({READ_SCOPE, WRITE_SCOPE, SCHEMA_SCOPE, "crm.schemas.contacts.read", "oauth"})
_CONTACTS = "0-1"
_TRUSTED = frozenset({"SUCCESS", "CACHED"})


def missing_scopes(granted: Iterable[str], *, creates_properties: bool) -> tuple[str, ...]:
    """Return the scopes that the sync needs and the token lacks, sorted.

    Reading definitions works with a contact scope; `oauth` is left to the account call, which
    names it when it is missing.
    """
    needed = {READ_SCOPE, WRITE_SCOPE} | ({SCHEMA_SCOPE} if creates_properties else set())
    return tuple(sorted(needed - set(granted)))


def surplus_scopes(granted: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes that the token has and the sync never uses, sorted."""
    return tuple(sorted(set(granted) - _USED_SCOPES))


def parse_token_info(body: object) -> TokenInfo:
    """Read who the token belongs to and what it may do."""
    info = as_mapping(body)
    scopes = frozenset(scope for scope in as_list(info.get("scopes")) if isinstance(scope, str))
    return TokenInfo(_whole(info.get("hubId"), "hubId"), scopes)


def parse_account(body: object, rate: RateHeaders | None) -> Account:
    """Read the account details."""
    details = as_mapping(body)
    return Account(
        _whole(details.get("portalId"), "portalId"),
        str(details.get("timeZone") or "UTC"),
        account_type=str(details.get("accountType") or ""),
        data_hosting_location=str(details.get("dataHostingLocation") or ""),
        rate=rate,
    )


def parse_daily_usage(body: object) -> DailyUsage:
    """Read the daily usage; only a fresh or cached count is worth anything."""
    results = [as_mapping(item) for item in as_list(as_mapping(body).get("results"))]
    trusted = [item for item in results if item.get("fetchStatus") in _TRUSTED]
    if not trusted:
        return DailyUsage(0, 0, trusted=False)
    usage = trusted[0]
    return DailyUsage(
        _whole(usage.get("usageLimit"), "usageLimit"),
        _whole(usage.get("currentUsage"), "currentUsage"),
        trusted=True,
        resets_at=_moment(usage.get("resetsAt")),
    )


def parse_record_limit(body: object) -> RecordLimit:
    """Read limit and count of contacts."""
    kinds = as_list(as_mapping(body).get("hubspotDefinedObjectTypes"))
    for kind in map(as_mapping, kinds):
        if kind.get("objectTypeId") == _CONTACTS:
            limit = kind.get("limit")
            usage = _whole(kind.get("usage"), "usage")
            return RecordLimit(None if limit is None else _whole(limit, "limit"), usage)
    return RecordLimit(None, 0)


def parse_properties(body: object) -> tuple[PropertyDefinition, ...]:
    """Read a list of property definitions."""
    results = as_mapping(body).get("results")
    if not isinstance(results, list):
        msg = "results is no list"
        raise ValueError(msg)  # noqa: TRY004 - the one error of an unusable answer
    return tuple(item for item in map(parse_property, results) if item is not None)


def parse_search_total(body: object) -> int:
    """Read how many records a search found."""
    return _whole(as_mapping(body).get("total"), "total")


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{name} is no whole number"
        raise ValueError(msg)
    return value


def _moment(value: object) -> datetime | None:
    """Return a moment given as ISO text or epoch milliseconds; None for anything else."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
