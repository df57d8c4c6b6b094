"""What the engine knows of a destination: its answers as values, its calls as a `Protocol`.

A destination sends exactly one request per call. It never retries, waits or raises for what the
network or the service does: the engine decides, because only the engine knows leases and pacing.
"""

from __future__ import annotations

import enum
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from include.hubspot_sync.records import Change, RecordOutcome, StoredRecord


class Verdict(enum.StrEnum):
    """What the engine does after an answer."""

    SETTLED = "settled"
    """Each record has an outcome; those with `Outcome.UNKNOWN` are read back or sent again."""
    RETRY = "retry"
    """Passing trouble: the same request again, with backoff and a cap."""
    SLOW = "slow"
    """Too fast for the service: pause everybody, then retry."""
    SPLIT = "split"
    """The whole batch was refused: halve it until the bad record stands alone."""
    DEFER = "defer"
    """Stop sending for now; the rows stay pending for a later run."""
    REAUTH = "reauth"
    """The credential was refused; one more request uses a freshly fetched one, then stop."""
    STOP = "stop"
    """Wrong set-up: every further request would fail the same way; stop the run."""


class Reason(enum.StrEnum):
    """Stable codes of `AnswerHead.reason` that are ours; others are HubSpot's own codes."""

    CONNECT_FAILED = "connect_failed"
    BAD_CERTIFICATE = "bad_certificate"
    CONNECTION_BROKEN = "connection_broken"
    TIMEOUT = "timeout"
    EMPTY_ANSWER = "empty_answer"
    NOT_JSON = "not_json"
    NOT_COMPLETE = "not_complete"
    FOREIGN_RESULT = "foreign_result"
    UNNAMED_ERROR = "unnamed_error"
    NOT_NAMED = "not_named"
    BAD_CREDENTIAL = "bad_credential"
    CREDENTIAL_REFUSED = "credential_refused"
    CREDENTIAL_EXPIRED = "credential_expired"
    MISSING_SCOPES = "missing_scopes"
    NO_PERMISSION = "no_permission"
    FORBIDDEN = "forbidden"
    BURST_LIMIT = "burst_limit"
    SECOND_LIMIT = "second_limit"
    DAILY_LIMIT = "daily_limit"
    MIGRATION = "migration"
    LOCKED = "locked"
    DUPLICATE_KEYS = "duplicate_keys"
    KEY_UNUSABLE = "key_unusable"
    WRONG_SETUP = "wrong_setup"
    PORTAL_RULE = "PORTAL_RULE"
    ALL_REFUSED_ALIKE = "all_refused_alike"
    BATCH_REFUSED = "batch_refused"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    WRONG_HOST = "wrong_host"
    WRONG_ROUTE = "wrong_route"
    WRONG_METHOD = "wrong_method"
    SERVER_ERROR = "server_error"
    GATEWAY_TIMEOUT = "gateway_timeout"
    UNKNOWN_STATUS = "unknown_status"


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """What an answer says about the limits; None where it says nothing."""

    max: int | None = None
    """Requests per window."""
    remaining: int | None = None
    """Requests left in the window."""
    interval_ms: int | None = None
    """Length of the window."""
    daily: int | None = None
    """Requests per day of the account."""
    daily_remaining: int | None = None
    """Requests left today."""


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """The part that every answer has, whatever was asked."""

    verdict: Verdict
    """What to do next."""
    _: KW_ONLY
    status: int | None = None
    """HTTP status; None when no answer came."""
    sent: bool = True
    """False only when it is certain that nothing of the request was applied."""
    reason: str = ""
    """Stable code: a `Reason`, or HubSpot's code for a refused record or batch."""
    message: str = ""
    """One line, with the fix where there is one; no secret, no record values."""
    correlation_id: str = ""
    """HubSpot's id of the request, for its support."""
    latency_ms: int = 0
    """From sending to the end of the answer."""
    retry_after_s: float | None = None
    """Waiting time that the service asked for."""
    policy: str = ""
    """Name of the limit that a 429 hit, e.g. DAILY."""
    rate: RateHeaders | None = None
    """Limits as the headers give them; None without such headers."""
    capped: bool = False
    """True for a status nobody documents: a few retries at most."""


@dataclass(frozen=True, slots=True)
class Answer(AnswerHead):
    """The answer to an upsert or an archive."""

    outcomes: tuple[RecordOutcome, ...] = ()
    """One per input and in input order for a settled upsert; empty otherwise."""


def _no_records() -> Mapping[str, StoredRecord]:
    return {}


def _no_key_texts() -> Mapping[int, str]:
    return {}


@dataclass(frozen=True, slots=True)
class ReadAnswer(AnswerHead):
    """The answer to a read by key. A key neither found nor missing is unknown."""

    found: Mapping[str, StoredRecord] = field(default_factory=_no_records)
    """Key text → the contact."""
    missing: frozenset[str] = frozenset()
    """Key texts that have no contact, as the service said by name."""


@dataclass(frozen=True, slots=True)
class SearchAnswer(AnswerHead):
    """One page of a search for every contact that has a key, by rising record id."""

    key_texts: Mapping[int, str] = field(default_factory=_no_key_texts)
    """HubSpot id → key text, as the portal holds it."""
    is_last: bool = False


def head_values(head: AnswerHead) -> dict[str, Any]:
    """Return the head's values as keyword arguments for one of the answers."""
    return {item.name: getattr(head, item.name) for item in fields(AnswerHead)}


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What the credential is."""

    hub_id: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Account:
    """The portal that the credential belongs to."""

    portal_id: int
    time_zone: str
    """IANA name; the daily quota starts again at its midnight."""
    account_type: str = ""
    data_hosting_location: str = ""
    rate: RateHeaders | None = None
    """The portal's real limits, from the headers of this answer."""


@dataclass(frozen=True, slots=True)
class DailyUsage:
    """Use of the account's daily quota."""

    limit: int
    current: int
    trusted: bool
    """False when HubSpot itself could not tell; then limit and current mean nothing."""
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordLimit:
    """How many contacts the portal may hold and holds."""

    limit: int | None
    """None when HubSpot gives no limit for contacts."""
    usage: int


@dataclass(frozen=True, slots=True)
class PropertyOption:
    """One allowed value of an enumeration."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class PropertyDefinition:
    """A property of the portal, or one that the sync wants there."""

    name: str
    label: str
    type: str
    """HubSpot's type: string, number, enumeration, date, …"""
    field_type: str = "text"
    group_name: str = "contactinformation"
    is_unique: bool = False
    options: tuple[PropertyOption, ...] = ()
    is_archived: bool = False
    is_read_only: bool = False


class Destination(Protocol):
    """A place that holds one record per key. Every method sends exactly one request."""

    async def upsert(self, changes: Sequence[Change]) -> Answer:
        """Create or update up to 100 records by key, each key once."""
        ...

    async def archive(self, hubspot_ids: Sequence[int]) -> Answer:
        """Archive up to 100 records by id. SETTLED names no record: prove it with `read`.

        A single id that answers SPLIT is refused.
        """
        ...

    async def read(self, key_texts: Sequence[str]) -> ReadAnswer:
        """Read up to 100 records by key with every mapped property."""
        ...

    async def token_info(self) -> TokenInfo:
        """Ask what the credential is. Preflight calls raise the errors of `error_from`."""
        ...

    async def account(self) -> Account:
        """Ask which portal answers, and for its limits."""
        ...

    async def daily_usage(self) -> DailyUsage:
        """Ask how much of the daily quota is used."""
        ...

    async def record_limit(self) -> RecordLimit:
        """Ask how many contacts the portal may hold."""
        ...

    async def list_properties(self, *, archived: bool) -> tuple[PropertyDefinition, ...]:
        """List the active or the archived contact properties."""
        ...

    async def create_property(self, wanted: PropertyDefinition) -> bool:
        """Create a property; False when the name exists already. Read it back before use."""
        ...

    async def search_total(self, property_name: str) -> int:
        """Count the contacts that have a value in this property (some seconds behind)."""
        ...

    async def search_keys(self, after_id: int, up_to_id: int | None = None) -> SearchAnswer:
        """Find the next contacts that have a key, with a record id above `after_id` (some seconds behind).

        With `up_to_id` the search ends there, itself included.
        """
        ...
