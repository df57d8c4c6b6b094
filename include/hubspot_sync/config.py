"""The sync definition: one YAML file in `include/syncs` is one sync, one DAG, one contract.

Everything here is checked when the file is read; unknown keys are refused with the nearest known name.
Secrets and addresses are not here: they belong to Airflow connections, named by id.
"""

from __future__ import annotations

import difflib
import enum
import hashlib
import json
import re
import string
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.records import HASH_VERSION

INCLUDE_DIR = Path(__file__).resolve().parent.parent
SYNCS_DIR = INCLUDE_DIR / "syncs"
SQL_DIR = INCLUDE_DIR / "sql"
_DAY_S = 86_400
_MOST_SHOWN = 60
"""Characters of a wrong value in a message."""
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times faster where PyYAML was built with it: every task reads its definition."""

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that is safe as an SQL identifier and as a HubSpot property name."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ColumnType(enum.StrEnum):
    """How the text of a source column is read."""

    INTEGER = "integer"
    TEXT = "text"
    CHOICE = "choice"


class Column(_Strict):
    """One column of the source file."""

    header: str = Field(min_length=1, max_length=128)
    """Name in the file's header line."""
    name: Identifier
    """Name in the staging table and in the record's SQL."""
    type: ColumnType
    """integer, text or choice."""
    min: int = 0
    """Smallest allowed integer."""
    max: int | Literal["current_year"] = 2_147_483_647
    """Largest allowed integer; `current_year` moves with the calendar (UTC)."""
    max_length: int = Field(default=64, ge=1, le=255)
    """Longest allowed text in characters."""
    choices: dict[str, str] = Field(default_factory=dict)
    """Allowed texts of a choice column → the value that is stored."""

    @model_validator(mode="after")
    def _choices_fit_the_type(self) -> Column:
        if (self.type is ColumnType.CHOICE) != bool(self.choices):
            msg = f"column {self.header}: `choices` belongs to type choice, and only there"
            raise ValueError(msg)
        return self


class Source(_Strict):
    """Where the rows come from and what a good row looks like."""

    dataset: str = Field(pattern=r"^[\w-]+/[\w-]+$")
    """Kaggle dataset as owner/slug."""
    file: str = Field(pattern=r"^[\w][\w .-]*$")
    """File inside the dataset."""
    columns: tuple[Column, ...] = Field(min_length=1)
    """Columns that are read; others in the file are ignored with a warning."""
    unique: tuple[Identifier, ...] = Field(min_length=1)
    """Columns that identify a row; a second row with the same values is a duplicate."""
    max_file_bytes: int = Field(default=1 << 30, ge=1)
    """Largest download, in bytes."""
    max_extracted_bytes: int = Field(default=4 << 30, ge=1)
    """Largest file after unzipping, in bytes."""
    max_zip_ratio: int = Field(default=100, ge=1)
    """Largest ratio of extracted to compressed size."""

    def column(self, name: str) -> Column:
        """Return the column with this staging name."""
        return next(column for column in self.columns if column.name == name)


class PropertyType(enum.StrEnum):
    """HubSpot property types that the sync writes."""

    STRING = "string"
    NUMBER = "number"
    ENUMERATION = "enumeration"


class Property(_Strict):
    """One HubSpot property of the record."""

    name: Identifier
    """Property name in HubSpot, and the column of the record's SQL."""
    label: str = Field(min_length=1)
    """Label when the property has to be created."""
    type: PropertyType
    """string, number or enumeration."""
    options: dict[str, str] = Field(default_factory=dict)
    """Enumeration value → label."""

    @model_validator(mode="after")
    def _options_fit_the_type(self) -> Property:
        if (self.type is PropertyType.ENUMERATION) != bool(self.options):
            msg = f"property {self.name}: `options` belongs to type enumeration, and only there"
            raise ValueError(msg)
        return self


class Record(_Strict):
    """How source rows become records."""

    grain: tuple[Identifier, ...] = Field(min_length=1)
    """Columns whose values make one record."""
    key: str = Field(min_length=3)
    """Key text, e.g. `{name}-{sex}`; NFC and case-folded, computed once, kept in staging."""
    select: str = Field(pattern=r"^[a-z_]+/[a-z0-9_]+\.sql$")
    """SQL file under `include/sql`: one row per record, columns key_text, first_line, line_count and every property."""

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Return the columns that the key is made of, in order."""
        return tuple(field for _, field, _, _ in string.Formatter().parse(self.key) if field)


class OnRemoval(enum.StrEnum):
    """What happens to a contact whose record left the source."""

    ARCHIVE = "archive"
    KEEP = "keep"


class ReadBack(enum.StrEnum):
    """How much of what was written is read again."""

    FULL = "full"
    SAMPLE = "sample"
    NONE = "none"


class Destination(_Strict):
    """The HubSpot object and its properties."""

    object: Literal["contacts"] = "contacts"
    """HubSpot object type."""
    key_property: Identifier
    """Unique text property that holds the record's key."""
    key_label: str = "Key"
    """Label of the key property when it has to be created."""
    properties: tuple[Property, ...] = Field(min_length=1)
    """Properties that the sync owns, without the key property."""
    property_group: Identifier = "contactinformation"
    """Group in which missing properties are created."""
    on_removal: OnRemoval = OnRemoval.KEEP
    """archive or keep."""
    portal_id: int | None = None
    """Portal that must answer; None accepts the token's portal."""
    filters: tuple[Identifier, ...] = ()
    """Number properties that limit a trial run: each gives the run parameters `min_<name>` and `max_<name>`."""

    @model_validator(mode="after")
    def _filters_are_numbers(self) -> Destination:
        numbers = {prop.name for prop in self.properties if prop.type is PropertyType.NUMBER}
        if unknown := sorted(set(self.filters) - numbers):
            msg = f"filters: {', '.join(unknown)} is no property of type number"
            raise ValueError(msg)
        return self


class Delivery(_Strict):
    """How fast and how carefully changes are sent."""

    pool: Identifier = "hubspot_api"
    """Airflow pool of the mapped tasks."""
    batch_size: int = Field(default=100, ge=1, le=100)
    """Records per request; HubSpot accepts at most 100."""
    max_shards: int = Field(default=64, ge=1, le=64)
    """Mapped tasks per run at most."""
    shards_at_once: int = Field(default=5, ge=1, le=64)
    """Shards that run at the same time: the slots of the pool."""
    batches_per_shard: int = Field(default=200, ge=1)
    """Batches that one shard should hold at most."""
    small_shard_batches: int = Field(default=20, ge=1)
    """A plan with no more batches than this gets one shard."""
    in_flight: int = Field(default=5, ge=1, le=50)
    """Requests of one shard under way at the same time; fewer shards than `shards_at_once` have more."""
    read_back: ReadBack = ReadBack.FULL
    """full, sample (one batch in ten) or none."""
    request_timeout_s: float = Field(default=10, gt=0, le=60)
    """Longest wait for one answer, in seconds."""
    lease_s: float = Field(default=3, ge=1, le=60)
    """Seconds for a request to leave after its check; with `request_timeout_s`, what a killed try's batches wait."""
    run_lease_s: float = Field(default=900, gt=0)
    """Lease of the run lock; outlasts the longest gap between two tries of a task."""
    pacing_share: float = Field(default=0.974, gt=0, le=0.98)
    """Share of the portal's burst limit that the sync uses."""
    daily_reserve: float = Field(default=0.05, ge=0, lt=1)
    """Share of the daily quota that is left to others."""
    max_attempts: int = Field(default=8, ge=1)
    """Sends of one batch within one try of a task before it is left to the next try."""
    retries: int = Field(default=9, ge=0)
    """Airflow retries of each task."""
    retry_delay_s: float = Field(default=3, ge=0)
    """First delay between two tries; doubles up to `max_retry_delay_s`."""
    max_retry_delay_s: float = Field(default=300, gt=0)
    """Longest delay between two tries."""
    task_timeout_s: float = Field(default=3600, gt=0)
    """Longest run of one task."""


class Guards(_Strict):
    """Numbers that stop a run before any write. Shares are of the last accepted run."""

    min_row_share: float = Field(default=0.9, ge=0, le=1)
    """Fewest source rows."""
    min_record_share: float = Field(default=0.95, ge=0, le=1)
    """Fewest records."""
    max_row_growth: float = Field(default=3.0, ge=1)
    """Most source rows, as a multiple."""
    max_rejected_line_share: float = Field(default=0.001, ge=0, le=1)
    """Most quarantined lines."""
    max_archive_share: float = Field(default=0.02, ge=0, le=1)
    """Most archived contacts, of the active ones."""
    max_change_share: float = Field(default=0.5, ge=0, le=1)
    """Most contacts with other values than before, of the active ones; a changed mapping is not judged."""
    warn_sum_change: float = Field(default=0.25, ge=0)
    """Change of an integer column's sum against the file staged before, as a share, that is logged as a warning."""


class Retention(_Strict):
    """How long rows stay that no run needs any more; the DAG `sync_maintenance` removes them."""

    run_days: int = Field(default=30, ge=1)
    """Days for which a run keeps its changes, batches, snapshot and plan after its end."""
    keep_runs: int = Field(default=10, ge=1)
    """Newest finished runs with a plan that keep theirs however old they are."""
    reject_days: int = Field(default=90, ge=1)
    """Days for which a rejected record is kept after it was resolved; open ones always stay."""
    chunk_rows: int = Field(default=5_000, ge=1, le=10_000)
    """Rows that one transaction removes at most."""
    pause_s: float = Field(default=0.2, ge=0, le=60)
    """Rest between two such transactions, in seconds."""


class Connections(_Strict):
    """Airflow connection ids."""

    kaggle: str = "kaggle"
    """Kaggle API (Bearer token as password; host another address)."""
    aws: str = "aws"
    """S3; `service_config.s3.bucket_name` in the extra names the bucket."""
    mysql: str = "mysql"
    """State and staging."""
    hubspot: str = "hubspot"
    """HubSpot (service key or private-app token as password; host another address)."""
    pagerduty: str = "pagerduty"
    """PagerDuty (integration key as password; host another address), optional: without it there are no alerts."""


class SyncDefinition(_Strict):
    """One sync: from a Kaggle dataset to a HubSpot object."""

    name: Identifier
    """Id of the sync; never change it, the ledger hangs on it."""
    dag_id: Identifier
    """Id of the DAG."""
    description: str = Field(min_length=1)
    """One sentence for the Airflow UI."""
    schedule: str | None = "@daily"
    """Airflow schedule; null for manual runs only."""
    probe: str | None = None
    """Schedule on which Kaggle is asked for a new version, which starts the sync at once; null: never."""
    expected_s: float = Field(default=3600, ge=60)
    """A run that takes longer than so many seconds is late: Prometheus raises an alert while it is under way."""
    deadline_s: float | None = Field(default=None, ge=1)
    """A run that is not over so many seconds after it was queued raises an alert; null: never. Airflow 3.3.2
    refuses to clear a run whose deadline has not passed yet, so leave it out: `expected_s` needs no deadline."""
    tags: tuple[str, ...] = ()
    """Tags of the DAG."""
    source: Source
    """Where the rows come from."""
    record: Record
    """How rows become records."""
    destination: Destination
    """Where the records go."""
    delivery: Delivery = Delivery()
    """How they are sent."""
    guards: Guards = Guards()
    """What stops a run."""
    retention: Retention = Retention()
    """How long old rows are kept."""
    connections: Connections = Connections()
    """Airflow connection ids."""

    @model_validator(mode="after")
    def _names_fit_together(self) -> SyncDefinition:
        columns = [column.name for column in self.source.columns]
        properties = [prop.name for prop in self.destination.properties]
        for what, names in (("source column", columns), ("property", properties)):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                msg = f"{what} {min(twice)} is defined twice"
                raise ValueError(msg)
        if self.destination.key_property in properties:
            msg = f"property {self.destination.key_property} is the key property and must not be mapped again"
            raise ValueError(msg)
        for place, used in (
            ("source.unique", self.source.unique),
            ("record.grain", self.record.grain),
            ("record.key", self.record.key_columns),
        ):
            for name in used:
                if name not in columns:
                    msg = f"{place} names the unknown column {name}{_nearest(name, columns)}"
                    raise ValueError(msg)
        if not (SQL_DIR / self.record.select).is_file():
            msg = f"record.select: there is no file include/sql/{self.record.select}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _rows_outlive_the_tasks(self) -> SyncDefinition:
        if self.retention.run_days * _DAY_S <= self.delivery.task_timeout_s:
            msg = "retention.run_days must be longer than delivery.task_timeout_s: a task that runs needs its rows"
            raise ValueError(msg)
        return self

    @property
    def staging_table(self) -> str:
        """Return the name of this sync's staging table."""
        return f"staging_{self.name}"

    @property
    def property_names(self) -> tuple[str, ...]:
        """Return the mapped property names, sorted, without the key property."""
        return tuple(sorted(prop.name for prop in self.destination.properties))

    def mapping_hash(self) -> bytes:
        """Return the 32-byte hash of mapping, key and SQL; pacing, pool and thresholds do not count."""
        select = (SQL_DIR / self.record.select).read_text(encoding="utf-8")
        mapping = {
            "source": self.source.model_dump(mode="json", include={"columns", "unique"}),
            "record": self.record.model_dump(mode="json"),
            "destination": self.destination.model_dump(mode="json", include={"object", "key_property", "properties"}),
        }
        # sorted keys: the order in which a YAML file names things must not re-send every record
        parts = [f"v{HASH_VERSION}", json.dumps(mapping, sort_keys=True), re.sub(r"--[^\n]*", "", select)]
        return hashlib.sha256("\n".join(parts).encode()).digest()


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _known_fields(location: tuple[int | str, ...]) -> list[str]:
    """Return the field names that are valid beside the given location."""
    model: Any = SyncDefinition
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        model = annotation if isinstance(annotation, type) else annotation.__args__[0]
    return list(model.model_fields)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… ({len(text)} characters)"


def _explain(error: ValidationError) -> str:
    """Turn the first validation error into one line: where, what is allowed, what is there, and the nearest name."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _known_fields(first["loc"])
        hint = _nearest(str(first["loc"][-1]), known) or f"; known keys: {', '.join(known)}"
        return f"unknown key {place}{hint}"
    message = first["msg"].removeprefix("Value error, ")
    # of a whole section only its name helps
    given = f", not {_short(first['input'])}" if isinstance(first["input"], str | int | float | None) else ""
    return f"{place}: {message[0].lower()}{message[1:]}{given}" if place else message


def load_definition(path: Path) -> SyncDefinition:
    """Read and check one sync definition.

    Raises:
        ConfigError: the file is missing, not YAML, or breaks the model; names file and key.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_YAML_LOADER)  # noqa: S506  # nosec B506  both are safe
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path.name}:{where} is not valid YAML") from error
    try:
        return SyncDefinition.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path.name}: {_explain(error)}") from error


def _keys_meet(one: SyncDefinition, other: SyncDefinition) -> bool:
    return (one.connections.hubspot, one.destination.key_property) == (
        other.connections.hubspot,
        other.destination.key_property,
    )


def load_definitions(folder: Path = SYNCS_DIR) -> dict[str, SyncDefinition]:
    """Read every sync definition of a folder, by name.

    Raises:
        ConfigError: one is invalid, or two share a name, a DAG id, or the key property of a portal.
    """
    definitions: dict[str, SyncDefinition] = {}
    for path in sorted(folder.glob("*.yaml")):
        definition = load_definition(path)
        for other in definitions.values():
            if definition.name == other.name or definition.dag_id == other.dag_id:
                raise ConfigError(f"{path.name}: name or dag_id is taken by the sync {other.name}")
            if _keys_meet(definition, other):
                raise ConfigError(
                    f"{path.name}: the sync {other.name} has the same key property "
                    f"{definition.destination.key_property} at the connection {definition.connections.hubspot}, and "
                    "each would archive the contacts of the other; give one of them a key property of its own"
                )
        definitions[definition.name] = definition
    return definitions
