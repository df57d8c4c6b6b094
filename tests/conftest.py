"""What every test may use: one MySQL-compatible server per test run, a fresh migrated schema per test."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Airflow reads its settings at its first import, so they are made before anything can import it
AIRFLOW_TEST_HOME = Path(tempfile.mkdtemp(prefix="hubspot-sync-airflow-"))
atexit.register(shutil.rmtree, AIRFLOW_TEST_HOME, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ.update(
    {
        "AIRFLOW_HOME": str(AIRFLOW_TEST_HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent.parent / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(AIRFLOW_TEST_HOME / "no_plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_TEST_HOME}/airflow.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64,
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
)

import MySQLdb
import pytest

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.store.connection import Database
from include.hubspot_sync.store.migrate import migrate
from tests.support.mysql_server import TestServer, mysql_server
from tools.local_stack.mysql import MysqlAddress


@pytest.fixture(scope="session")
def mysql() -> Iterator[TestServer]:
    with mysql_server() as server:
        yield server


@pytest.fixture(scope="session")
def definition() -> SyncDefinition:
    return load_definitions()["baby_names"]


@pytest.fixture
def schema(mysql: TestServer, definition: SyncDefinition) -> Iterator[MysqlAddress]:
    """A fresh schema with every table."""
    with mysql.fresh_database() as address:
        migrate(address.url, [definition])
        yield address


@pytest.fixture
def connect(schema: MysqlAddress) -> Callable[[], MySQLdb.connections.Connection]:
    return schema.connect


@pytest.fixture
def database(connect: Callable[[], MySQLdb.connections.Connection]) -> Iterator[Database]:
    database = Database(connect, attempts=1)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("HUBSPOT_SIM_", "KAGGLE_SIM_"))]:
        monkeypatch.delenv(name)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a whole run in which some SQL file was never executed."""
    from include.hubspot_sync.config import SQL_DIR
    from include.hubspot_sync.store.statements import executed

    folders = {str(item.path.parent.name) for item in session.items}
    is_whole = {"sql", "integration"} <= folders and not session.config.option.keyword and _asked_for_all(session)
    if exitstatus != pytest.ExitCode.OK or not is_whole:
        return
    files = {str(path.relative_to(SQL_DIR)) for path in SQL_DIR.rglob("*.sql")}
    if never := sorted(files - executed):
        session.config.get_terminal_writer().line(f"\nsql files that no test ran: {', '.join(never)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _asked_for_all(session: pytest.Session) -> bool:
    tests = Path(__file__).parent
    return all(Path(argument).resolve() in {tests, tests.parent} for argument in session.config.args)
