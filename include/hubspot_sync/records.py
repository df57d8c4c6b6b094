"""The nouns of the product: states, keys, hashes and the values that parts hand to each other."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HASH_VERSION = 1
"""Version of the hashing recipe below; a new one re-sends every record on purpose."""
LATENCY_BOUNDS_MS = (50, 100, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000, 10_000)
"""Upper bounds of the classes by which answers of HubSpot are counted: fine where most answers are, up to the timeout.
Bounds may be added; one that is taken away joins its old rows to the next larger class."""


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


class Chore(enum.StrEnum):
    """Work beside the runs, in a DAG of its own."""

    MAINTENANCE = "maintenance"
    """Old rows are removed."""
    PROBE = "probe"
    """Kaggle is asked for a new version."""


class Outcome(enum.StrEnum):
    """What became of one record of a request."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    RETRYABLE = "retryable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HeardAnswer:
    """The end of one request to HubSpot that was sent."""

    status: int | None
    """HTTP status; None when no answer came."""
    latency_ms: int


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


@dataclass(frozen=True, slots=True)
class PlanBasis:
    """What a plan was made of. Two plans with the same fingerprint send the same changes to the same portal."""

    mode: RunMode
    """How the changes were chosen; `plan_only` chooses them as `incremental` does."""
    portal_id: int
    source_version: int | None
    source_last_updated: str | None
    source_sha256: str
    """Hex, of the file."""
    mapping_hash: str
    """Hex."""
    snapshot_sum: int
    """Checksum over the records of the source."""
    changes_sum: int
    """Checksum over key, operation and row hash of every change."""
    previous_sum: int
    """Checksum over what HubSpot held of the records that are updated or archived."""
    rejects_sum: int
    """Checksum over the records that are left out because HubSpot refused them; not part of the fingerprint."""
    active: int
    """Active contacts in the ledger; not part of the fingerprint."""
    with_archives: bool
    """Whether the run might archive; not part of the fingerprint."""
    record_limit: int | None = None
    """Most changes of a trial run."""
    bounds: tuple[tuple[str, int | None, int | None], ...] = ()
    """Property, least and most of a trial run."""

    @property
    def is_limited(self) -> bool:
        """Tell whether changes were left out on purpose."""
        return self.record_limit is not None or bool(self.bounds)

    def fingerprint(self) -> bytes:
        """Return 32 bytes that are equal for plans of the same changes from the same file to the same portal."""
        parts = (
            self.mode,
            self.portal_id,
            self.source_version,
            self.source_sha256,
            self.mapping_hash,
            self.snapshot_sum,
            self.changes_sum,
            self.previous_sum,
            self.record_limit,
            self.bounds,
        )
        return hashlib.sha256("".join(_length_prefixed(str(part)) for part in parts).encode()).digest()


CONTACT_LIMIT, DAILY_QUOTA = "contact_limit", "daily_quota"


@dataclass(frozen=True, slots=True)
class GuardTrip:
    """A guard that stops a run, or would."""

    guard: str
    """Field of `guards`, or `contact_limit` or `daily_quota`."""
    found: float
    allowed: float
    """The most, or for a `min_…` guard the least, that passes."""
    text: str

    @property
    def can_be_approved(self) -> bool:
        """Tell whether an approval lifts it: where HubSpot itself would refuse, none does."""
        return self.guard not in {CONTACT_LIMIT, DAILY_QUOTA}


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What it takes to send a plan."""

    write_calls: int
    """Upsert and archive requests."""
    read_calls: int
    """Look-ups before an archive, and the read-back."""
    seconds: float
    """The least time for these requests at the pace that the portal allows at present."""
    daily_limit: int | None = None
    """Requests of the account's day; None when HubSpot did not say."""
    daily_remaining: int | None = None

    @property
    def calls(self) -> int:
        """Return all requests."""
        return self.write_calls + self.read_calls

    @property
    def share_of_rest(self) -> float | None:
        """Return the share of what is left of the day; None when that is not known."""
        return self.calls / self.daily_remaining if self.daily_remaining else None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is going to do, and what it costs."""

    basis: PlanBasis
    changes: Mapping[str, int]
    """Operation → count."""
    records: int
    """Records of the source, quarantined ones included."""
    rejected: int
    """Records that are left out because HubSpot refused them as they are."""
    quarantined: int
    cost: PlanCost
    trips: tuple[GuardTrip, ...] = ()
    guards_approved: bool = False
    note: str = ""
    """What a person should know of it, e.g. that a replay found nothing; holds no key of a record."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One property of a change; None where there is no contact before or after it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class PlanSample:
    """One change of a plan with the properties that differ."""

    operation: Operation
    key_text: str
    fields: tuple[FieldChange, ...]


def read_plan(fields: Mapping[str, Any]) -> RunPlan:
    """Make a plan of the JSON object that `dataclasses.asdict` made of one."""
    basis = fields["basis"]
    bounds = tuple((name, least, most) for name, least, most in basis["bounds"])
    return RunPlan(
        **{
            **fields,
            "basis": PlanBasis(**{**basis, "mode": RunMode(basis["mode"]), "bounds": bounds}),
            "cost": PlanCost(**fields["cost"]),
            "trips": tuple(GuardTrip(**trip) for trip in fields["trips"]),
        }
    )


def read_samples(items: Sequence[Mapping[str, Any]]) -> tuple[PlanSample, ...]:
    """Make samples of the JSON objects that `dataclasses.asdict` made of them."""
    return tuple(
        PlanSample(Operation(item["operation"]), item["key_text"], tuple(FieldChange(**one) for one in item["fields"]))
        for item in items
    )
