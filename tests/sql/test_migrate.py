"""The migration program: again after it broke off, and with a user who may not do everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.store.migrate import migrate
from include.hubspot_sync.store.server import SCHEMA_VERSION
from tests.support.mysql_server import TestServer
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

PASSWORD = "a-Password-1"
NEEDED = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX"


def execute(address: MysqlAddress, *statements: str) -> list[tuple]:
    connection = address.connect()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        rows = list(cursor.fetchall())
    connection.commit()
    connection.close()
    return rows


def tables(address: MysqlAddress) -> set[str]:
    return {row[0] for row in execute(address, "SHOW TABLES")}


@pytest.fixture
def limited(mysql: TestServer, request: pytest.FixtureRequest) -> Iterator[MysqlAddress]:
    """A user with the given rights on an empty schema."""
    if mysql.private is None:
        pytest.skip("the root user of the server in HUBSPOT_SYNC_MYSQL_URL is not known, so no user can be made")
    with mysql.fresh_database() as address:
        mysql.execute_as_root(
            f"CREATE USER 'limited'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT {request.param} ON `{address.database}`.* TO 'limited'@'%'",
        )
        yield replace(address, user="limited", password=PASSWORD)
        mysql.execute_as_root("DROP USER 'limited'@'%'")


def test_migration_that_broke_off_is_completed_by_the_next(mysql: TestServer, definition: SyncDefinition):
    with mysql.fresh_database() as address:
        migrate(address.url, [definition])
        expected = tables(address)
        # DDL commits by itself: tables are there, the revision is not
        execute(address, "DELETE FROM schema_version", "DROP TABLE rate_limit, audit_event")

        migrate(address.url, [definition])

        assert tables(address) == expected
        assert execute(address, "SELECT version_num FROM schema_version") == [(SCHEMA_VERSION,)]


@pytest.mark.parametrize("limited", [NEEDED], indirect=True)
def test_documented_rights_suffice(limited: MysqlAddress, definition: SyncDefinition):
    migrate(limited.url, [definition])
    migrate(limited.url, [definition])

    assert "ledger" in tables(limited)


@pytest.mark.parametrize("limited", ["CREATE, ALTER, DROP"], indirect=True)
def test_missing_right_is_named_in_one_line(limited: MysqlAddress, definition: SyncDefinition):
    with pytest.raises(
        ConfigError, match=r"mysql error 1142 .*the migration CREATE, ALTER, DROP, INDEX as well"
    ) as caught:
        migrate(limited.url, [definition])

    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
