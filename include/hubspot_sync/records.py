"""The nouns of the product: states, keys, hashes and the values that parts hand to each other."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

HASH_VERSION = 1
"""Version of the hashing recipe below; a new one re-sends every record on purpose."""


class RunMode(enum.StrEnum):
    """What a run does with the records."""

    INCREMENTAL = "incremental"
    FULL_RESYNC = "full_resync"
    PLAN_ONLY = "plan_only"
    REPLAY = "replay"


class RunState(enum.StrEnum):
    """Where a sync run is on its way."""

    PREFLIGHT = "preflight"
    LANDING = "landing"
    STAGED = "staged"
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    DELIVERING = "delivering"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class BatchState(enum.StrEnum):
    """Where a batch is."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    SUPERSEDED = "superseded"


class OutboxState(enum.StrEnum):
    """Where one change is."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    VERIFIED = "verified"
    REJECTED = "rejected"
    MISMATCHED = "mismatched"
    SUPERSEDED = "superseded"


class LedgerState(enum.StrEnum):
    """What is known about a record in HubSpot."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    UNCERTAIN = "uncertain"


class Operation(enum.StrEnum):
    """What a change does in HubSpot."""

    CREATE = "create"
    UPDATE = "update"
    ARCHIVE = "archive"


class Phase(enum.StrEnum):
    """What a run spends its time on."""

    SCHEDULE = "schedule"
    """Airflow: from the start of the DAG run to its last task, outside the bodies of the tasks."""
    PREFLIGHT = "preflight"
    LAND = "land"
    STAGE = "stage"
    VALIDATE = "validate"
    """Part of `stage`: every line of the file read, checked and written out clean."""
    LOAD = "load"
    """Part of `stage`: LOAD DATA and its proof."""
    SNAPSHOT = "snapshot"
    """Part of `stage`: one hashed record per contact."""
    DELTA = "delta"
    SETTLE = "settle"
    """Part of `delta`: keys in doubt read from HubSpot."""
    DELIVER = "deliver"
    LIMIT_WAIT = "limit_wait"
    """Waiting for a sending time; this and those below: of all requests together, several of which run at once."""
    ANSWER_WAIT = "answer_wait"
    """Waiting for HubSpot's answers."""
    COMMIT = "commit"
    """Transactions in MySQL of tasks that talk to HubSpot, queueing for the connection included."""
    READ_BACK = "read_back"
    """Comparing what was written, from question to mark; contains waits and commits of its own."""


class Outcome(enum.StrEnum):
    """What became of one record of a request."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    RETRYABLE = "retryable"
    UNKNOWN = "unknown"


def _length_prefixed(text: str) -> str:
    return f"{len(text.encode())}:{text};"


def record_key(key_text: str) -> bytes:
    """Return the 16-byte identity of a record, the same as `insert_snapshot.sql` computes it."""
    return hashlib.sha256(_length_prefixed(key_text).encode()).digest()[:16]


def row_hash(properties: Mapping[str, str]) -> bytes:
    """Return the 32-byte hash of the mapped properties, the same as `insert_snapshot.sql`.

    It covers the recipe's version and, sorted by name, each property's name and canonical value.
    """
    parts = "".join(_length_prefixed(name) + _length_prefixed(value) for name, value in sorted(properties.items()))
    return hashlib.sha256(f"v{HASH_VERSION};{parts}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Change:
    """One record of a batch, as it goes to the destination."""

    seq: int
    operation: Operation
    key_text: str
    properties: Mapping[str, str]
    """Property name → canonical text; empty for an archive."""
    hubspot_id: int | None = None


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What HubSpot's answer says about one record."""

    key_text: str
    outcome: Outcome
    hubspot_id: int | None = None
    reason: str = ""
    """Stable code for `rejected_record.reason`, e.g. `INVALID_OPTION`."""
    reason_text: str = ""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A contact as HubSpot holds it, found by its key."""

    key_text: str
    hubspot_id: int
    properties: Mapping[str, str]
    """Property name → text as HubSpot sent it; a cleared property is the empty text."""
    merged: bool = False
    """True when other contacts were merged into this one."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A source line that is not loaded, and why."""

    line_no: int
    """Physical line in the file; the header is line 1."""
    column: str
    """Column that is wrong; empty when the whole line is."""
    reason: str
    """Stable code, e.g. `not_an_integer`."""
    reason_text: str
    raw: str
    """The line, decoded with replacement characters and cut to 1,000 characters."""
    key_text: str | None
    """Key of the record it belongs to; None when that cannot be read."""
