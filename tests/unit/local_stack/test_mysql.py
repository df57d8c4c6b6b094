from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.local_stack.errors import StackError
from tools.local_stack.mysql import MAX_SOCKET_BYTES, MysqlAddress, MysqlServer, parse_url, socket_path
from tools.local_stack.mysql_binary import Flavour, ServerBinary, find_server

ADDRESS = MysqlAddress("127.0.0.1", 3307, "me", "p@ss:w/rd %", "db_1")


def server(tmp_path, flavour):
    return MysqlServer(
        binary=ServerBinary(Path("/opt/mysqld"), flavour, "9.7"),
        folder=tmp_path,
        log=tmp_path / "log",
        address=ADDRESS,
        environ={},
        owner=tmp_path,
    )


def fake_server(tmp_path, script):
    path = tmp_path / "mysqld"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"HUBSPOT_SYNC_MYSQLD": str(path), "PATH": os.environ["PATH"]}


def test_address_survives_its_url():
    assert parse_url(ADDRESS.url) == ADDRESS


def test_port_and_schema_have_defaults():
    address = parse_url("mysql://me@db.example")

    assert (address.port, address.database, address.password) == (3306, "hubspot_sync", "")


@pytest.mark.parametrize(
    "url",
    ["postgres://me:secret@host/db", "mysql://host/db", "mysql://me:secret@host:port/db", "secret"],
)
def test_other_url_is_refused_without_showing_it(url):
    with pytest.raises(StackError, match="HUBSPOT_SYNC_MYSQL_URL must look like") as caught:
        parse_url(url)

    assert "secret" not in str(caught.value)


def test_socket_lies_in_the_folder():
    assert socket_path(Path("/a/b")) == Path("/a/b/mysql.sock")


def test_socket_of_a_deep_checkout_is_short_and_its_own():
    deep = Path("/" + "/".join(["folder"] * 20))

    first, second = socket_path(deep / "one"), socket_path(deep / "two")

    assert first != second
    assert len(os.fsencode(first)) <= MAX_SOCKET_BYTES


def test_no_defaults_is_the_first_option_and_only_loopback_is_served(tmp_path):
    command = server(tmp_path, Flavour.MYSQL).command()

    assert command[:2] == ["/opt/mysqld", "--no-defaults"]
    assert "--bind-address=127.0.0.1" in command
    assert "--local-infile=ON" in command
    assert f"--tmpdir={tmp_path / 'tmp'}" in command


def test_options_that_one_kind_of_server_lacks_go_to_the_other_only(tmp_path):
    mysql, mariadb = (server(tmp_path, flavour).command() for flavour in (Flavour.MYSQL, Flavour.MARIADB))

    assert "--mysqlx=OFF" in mysql
    assert "--mysqlx=OFF" not in mariadb


@pytest.mark.parametrize(
    ("answer", "flavour", "version"),
    [
        ("mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", Flavour.MYSQL, "9.7"),
        ("mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu", Flavour.MARIADB, "10.11"),
    ],
)
def test_kind_of_server_is_read_from_its_version(tmp_path, answer, flavour, version):
    found = find_server(fake_server(tmp_path, f"echo '{answer}'"))

    assert (found.flavour, found.version) == (flavour, version)


def test_program_that_is_no_server_is_refused(tmp_path):
    with pytest.raises(StackError, match="does not run as a MySQL server: cannot open shared object"):
        find_server(fake_server(tmp_path, "echo 'cannot open shared object' >&2; exit 127"))


def test_named_program_must_exist():
    with pytest.raises(StackError, match="HUBSPOT_SYNC_MYSQLD=/no/mysqld is not a program"):
        find_server({"HUBSPOT_SYNC_MYSQLD": "/no/mysqld"})
