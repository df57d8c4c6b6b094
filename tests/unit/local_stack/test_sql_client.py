from __future__ import annotations

import os
import stat
import subprocess

import pytest

from tools.local_stack import mysql_binary
from tools.local_stack.errors import StackError
from tools.local_stack.layout import write_private
from tools.local_stack.sql_client import SqlClient, client_command, find_client, settings_text


@pytest.mark.sql
def test_client_opens_the_database_and_runs_a_text(schema, tmp_path):
    settings = tmp_path / "client.cnf"
    write_private(settings, settings_text(schema))
    command = client_command(find_client(os.environ), settings, "SELECT COUNT(*) AS runs FROM sync_run")

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("|")] == ["| runs |", "|    0 |"]
    assert schema.password not in " ".join(command)
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600


@pytest.mark.sql
def test_client_reads_what_is_piped_in(schema, tmp_path):
    settings = tmp_path / "client.cnf"
    write_private(settings, settings_text(schema))
    command = client_command(find_client(os.environ), settings, " ")

    done = subprocess.run(command, input="SELECT 40 + 2", capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[-1] == "42"


def test_password_with_quotes_stays_one_value(schema_address):
    assert r'password = "a\"b\\c"' in settings_text(schema_address)


@pytest.fixture
def schema_address():
    from tools.local_stack.mysql import MysqlAddress

    return MysqlAddress("127.0.0.1", 3306, "u", 'a"b\\c', "s")


def test_mysql_client_gets_no_option_that_only_mariadb_knows(tmp_path):
    assert client_command(SqlClient(tmp_path / "mysql", is_mariadb=False), tmp_path / "c", "") == [
        f"{tmp_path}/mysql",
        f"--defaults-file={tmp_path}/c",
    ]


def test_missing_client_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(mysql_binary, "_SERVER_FOLDERS", ())

    with pytest.raises(StackError, match="sudo apt-get install mariadb-client-core"):
        find_client({"PATH": str(tmp_path)})
