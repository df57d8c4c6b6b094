"""Open the stack's database in the client program of MySQL or MariaDB, or let it run one text."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Stack, write_private
from tools.local_stack.mysql import MysqlAddress, parse_url
from tools.local_stack.mysql_binary import find_program

_CLIENTS = ("mariadb", "mysql")


@dataclass(frozen=True, slots=True)
class SqlClient:
    """A client program and whether it is MariaDB's, whose options differ."""

    path: Path
    is_mariadb: bool


def find_client(environ: Mapping[str, str]) -> SqlClient:
    """Return the first client program that is installed.

    Raises:
        StackError: there is none; says what to install.
    """
    for name in _CLIENTS:
        if path := find_program(name, environ):
            said = subprocess.run(  # noqa: S603  a program of the system
                [path, "--no-defaults", "--version"], capture_output=True, text=True, check=False, timeout=30
            )
            return SqlClient(path, "MariaDB" in said.stdout)
    raise StackError("no client program mariadb or mysql found: sudo apt-get install mariadb-client-core")


def client_command(client: SqlClient, settings: Path, statements: str) -> list[str]:
    """Return the command; the login is in the file `settings`, because others can read a command line.

    Args:
        client: the program.
        settings: option file with address and login.
        statements: SQL to run; empty opens a session, or reads what is piped in.
    """
    # the servers of local stacks have certificates that nobody signed
    unverified = ["--disable-ssl-verify-server-cert"] if client.is_mariadb else []
    run = [f"--execute={statements}", "--table"] if statements.strip() else []
    return [str(client.path), f"--defaults-file={settings}", *unverified, *run]


def settings_text(address: MysqlAddress) -> str:
    """Return the option file for an address."""
    login = {
        "host": address.host,
        "port": str(address.port),
        "protocol": "tcp",
        "user": address.user,
        "password": address.password,
        "default-character-set": "utf8mb4",
    }
    lines = ["[client]", *(f"{name} = {_quoted(value)}" for name, value in login.items())]
    return "\n".join([*lines, "[mysql]", f"database = {_quoted(address.database)}", ""])


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def open_sql(layout: Layout, environ: Mapping[str, str]) -> NoReturn:
    """Become the client program, on the running stack's database; `SQL` is what it runs.

    Raises:
        StackError: the stack is not running, or no client is installed.
    """
    address = parse_url(Stack.need(layout).mysql_url)
    client = find_client(environ)
    settings = layout.folder / "sql_client.cnf"
    write_private(settings, settings_text(address))
    os.execve(client.path, client_command(client, settings, environ.get("SQL", "")), dict(environ))  # noqa: S606
