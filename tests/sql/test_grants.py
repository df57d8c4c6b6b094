"""The printed rights are enough for whole runs and the purge, and too little to change what was audited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import MySQLdb
import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.engine.retention import PurgeWork, purge
from include.hubspot_sync.store import erasure, runs
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.erasure import Person
from include.hubspot_sync.store.grants import APPEND_ONLY, main
from tests.support.mysql_server import TestServer
from tests.support.rows import SourceRow
from tests.support.whole_runs import whole_run
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

PASSWORD = "limited-password"
ROWS: list[SourceRow] = [(1880, "Mary", "F", 7), (1880, "Anna", "F", 3)]


@pytest.fixture
def limited(
    mysql: TestServer, schema: MysqlAddress, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MysqlAddress]:
    """The login of the tasks, with exactly the rights that the program prints."""
    if mysql.private is None:
        pytest.skip("the root user of the server in HUBSPOT_SYNC_MYSQL_URL is not known, so no user can be made")
    monkeypatch.setenv("HUBSPOT_SYNC_MYSQL_URL", schema.url)
    assert main(["task_user"]) == 0
    statements = [line.removesuffix(";") for line in capsys.readouterr().out.splitlines()]
    mysql.execute_as_root(f"CREATE USER 'task_user'@'%' IDENTIFIED BY '{PASSWORD}'", *statements)
    yield replace(schema, user="task_user", password=PASSWORD)
    mysql.execute_as_root("DROP USER 'task_user'@'%'")


def test_runs_and_purge_need_no_more_and_the_audit_stays(
    limited: MysqlAddress, definition: SyncDefinition, tmp_path: Path
):
    database = Database(limited.connect, attempts=1)
    run = whole_run(database, definition, tmp_path, "d:1", 1, ROWS)
    database.run(lambda transaction: runs.audit(transaction, run=run, actor="ann", action="approve_guards", reason="r"))
    database.run(lambda transaction: erasure.suppress(transaction, Person(definition.name, "mary-f")))
    purge(PurgeWork(definition, database, sleep=lambda _: None))
    database.close()

    connection = limited.connect()
    with connection.cursor() as cursor:
        for table in sorted(APPEND_ONLY):
            cursor.execute(f"SELECT COUNT(*) FROM {table}")  # noqa: S608  our own names
            assert cursor.fetchone() == (1,), table
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET sync_name = ''", f"DROP TABLE {table}"):  # noqa: S608
                with pytest.raises(MySQLdb.Error) as refused:
                    cursor.execute(statement)
                assert refused.value.args[0] == 1142, statement
    connection.close()


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"], ["it's"], ["user", "host'"]])
def test_odd_names_make_no_statement(
    schema: MysqlAddress, arguments, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HUBSPOT_SYNC_MYSQL_URL", schema.url)

    assert main(arguments) == 1

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
