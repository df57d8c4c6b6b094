"""Check that the MySQL server is set up as the product needs it; every problem at once, each with its fix."""

from __future__ import annotations

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.staging import staging_fits

SCHEMA_VERSION = "0008"
"""Revision that this code works with; a test compares it with the newest migration."""
_MIGRATE = "run `python -m include.hubspot_sync.store.migrate`"
MIN_PACKET_BYTES = 1 << 20
"""The driver builds statements of many rows up to this size."""
_CONVERT = "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_OLDEST = {"mysql": (8, 0), "mariadb": (10, 6)}


def _version(text: str) -> tuple[str, tuple[int, int]]:
    kind = "mariadb" if "mariadb" in text.lower() else "mysql"
    major, minor = text.split("-", maxsplit=1)[0].split(".")[:2]
    return kind, (int(major), int(minor))


def server_problems(transaction: Transaction, definition: SyncDefinition) -> list[str]:
    """Return what is wrong with server and schema, each with the fix."""
    found = transaction.rows("server/select_settings.sql")[0]
    kind, version = _version(str(found["version"]))
    schema = transaction.rows("server/select_schema_version.sql")[0]["version_num"]
    params = {"staging_table": definition.staging_table}
    collated = [str(row["table_name"]) for row in transaction.rows("server/select_other_collations.sql", params)]
    oldest = ".".join(map(str, _OLDEST[kind]))
    candidates = (
        (f"{kind} {found['version']} is too old: use {oldest} or newer", version < _OLDEST[kind]),
        ("local_infile is off: set local_infile=ON on the server", not found["local_infile"]),
        (
            f"max_allowed_packet is {found['max_packet_bytes']} bytes: set at least {MIN_PACKET_BYTES} on the server",
            int(found["max_packet_bytes"]) < MIN_PACKET_BYTES,
        ),
        ("the server is read-only: connect to the writer", bool(found["is_read_only"])),
        (f"the schema is at revision {schema}, not {SCHEMA_VERSION}: {_MIGRATE}", schema != SCHEMA_VERSION),
        (
            f"{definition.staging_table} does not fit the columns of {definition.name}: {_MIGRATE}",
            not staging_fits(transaction, definition),
        ),
        (f"{', '.join(collated)} must have utf8mb4_bin throughout, or keys collide: {_CONVERT}", bool(collated)),
    )
    return [text for text, is_wrong in candidates if is_wrong]


def check_server(transaction: Transaction, definition: SyncDefinition) -> None:
    """Refuse a server that would lose or change data.

    Raises:
        ConfigError: names every problem and its fix.
    """
    problems = server_problems(transaction, definition)
    if problems:
        raise ConfigError(f"connection {definition.connections.mysql}: {'; '.join(problems)}")
