"""Bring the schema up to date: `python -m include.hubspot_sync.store.migrate`.

Address from `HUBSPOT_SYNC_MYSQL_URL` (mysql://user:password@host:port/schema, for TLS with
`?ssl_mode=VERIFY_IDENTITY&ssl_ca=/path/to/ca.pem`). The user needs SELECT, INSERT, UPDATE,
DELETE, CREATE, ALTER, DROP and INDEX; the tasks run with the first four only. Running it again changes nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.errors import ConfigError, SyncError
from include.hubspot_sync.store.connection import Database, connect, translate
from include.hubspot_sync.store.staging import ensure_staging

MIGRATIONS = Path(__file__).parent / "migrations"


def connection_arguments(url: str) -> dict[str, object]:
    """Turn mysql://user:password@host:port/schema into arguments of `MySQLdb.connect`.

    Raises:
        ConfigError: the URL lacks a host, user or schema.
    """
    parts = urlsplit(url)
    schema = parts.path.lstrip("/")
    if not (parts.hostname and parts.username and schema):
        raise ConfigError("HUBSPOT_SYNC_MYSQL_URL must look like mysql://user:password@host:port/schema")
    query = dict(parse_qsl(parts.query))
    tls: dict[str, object] = {"ssl_mode": query["ssl_mode"]} if "ssl_mode" in query else {}
    if "ssl_ca" in query:
        tls["ssl"] = {"ca": query["ssl_ca"]}
    return tls | {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "database": schema,
        "charset": "utf8mb4",
        "local_infile": 1,
        "connect_timeout": 5,
    }


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's settings for our revisions on this engine."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def migrate(url: str, definitions: Iterable[SyncDefinition]) -> None:
    """Create or upgrade every table, the staging tables of the definitions included.

    Raises:
        ConfigError, StoreUnavailableError: the server cannot be used as it is.
    """
    arguments = connection_arguments(url)
    where = f"HUBSPOT_SYNC_MYSQL_URL ({arguments.get('host')}, schema {arguments.get('database')})"
    database = Database(lambda: connect(arguments), where=where, attempts=3)
    database.run(lambda _: None)
    engine = create_engine("mysql+mysqldb://", creator=lambda: connect(arguments), poolclass=NullPool)
    try:
        command.upgrade(alembic_config(engine), "head")
    except DBAPIError as error:
        raise translate(error.orig if isinstance(error.orig, Exception) else error, where) from error
    for definition in definitions:
        database.run(partial(ensure_staging, definition=definition))
    database.close()


def main() -> int:
    """Migrate the server that the environment names."""
    try:
        migrate(os.environ.get("HUBSPOT_SYNC_MYSQL_URL", ""), load_definitions().values())
    except SyncError as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201  a command line program speaks
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
