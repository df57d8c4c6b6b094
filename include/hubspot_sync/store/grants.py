"""Print the rights of the login with which the tasks run: `python -m include.hubspot_sync.store.grants USER [HOST]`.

With them nobody changes or removes a row of the append-only tables through that login: what was audited stays. Address
from `HUBSPOT_SYNC_MYSQL_URL`, as for the migration; run it again after every migration, for new tables.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from include.hubspot_sync.errors import ConfigError, SyncError
from include.hubspot_sync.store.connection import Database, Transaction, connect
from include.hubspot_sync.store.migrate import connection_arguments

APPEND_ONLY = frozenset({"audit_event", "suppressed_key"})
READ_ONLY = frozenset({"schema_version"})
_ACCOUNT_PART = re.compile(r"[A-Za-z0-9_.%:-]{1,255}")


def rights_on(table: str) -> str:
    """Return what the tasks may do with the rows of a table."""
    if table in READ_ONLY:
        return "SELECT"
    return "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"


def grants(transaction: Transaction, schema: str, user: str, host: str) -> list[str]:
    """Return the statements that give a login its rights on every table of the schema.

    Raises:
        ConfigError: user or host are none that could stand in a statement.
    """
    if wrong := [part for part in (user, host) if not _ACCOUNT_PART.fullmatch(part)]:
        raise ConfigError(f"{wrong[0]!a} is no name of a mysql user or host: give letters, digits and _ . % : -")
    tables = [str(row["table_name"]) for row in transaction.rows("server/select_tables.sql")]
    return [f"GRANT {rights_on(table)} ON `{schema}`.`{table}` TO '{user}'@'{host}'" for table in tables]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the statements for the login that the command line names."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if len(given) not in (1, 2):
            raise ConfigError("give the mysql user of connection mysql, and its host if it is not %")
        settings = connection_arguments(os.environ.get("HUBSPOT_SYNC_MYSQL_URL", ""))
        database = Database(lambda: connect(settings), where="HUBSPOT_SYNC_MYSQL_URL", attempts=3)
        schema, user, host = str(settings["database"]), given[0], (given[1:] or ["%"])[0]
        lines = database.run(lambda transaction: grants(transaction, schema, user, host))
        database.close()
    except SyncError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  a command line program speaks
        return 1
    print("\n".join(f"{line};" for line in lines))  # noqa: T201  as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
