"""A private server starts, serves only its own users on loopback, stops, and leaves nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path

import MySQLdb
import psutil
import pytest

from tests.support.mysql_server import mysql_server, private_server
from tools.local_stack import processes
from tools.local_stack.errors import StackError
from tools.local_stack.mysql import socket_path
from tools.local_stack.ports import is_free

pytestmark = [pytest.mark.integration, pytest.mark.sql]


@pytest.fixture
def server(tmp_path):
    described = private_server(tmp_path)
    yield described
    processes.stop(processes.all_of(described.owner))


def one_value(address, query):
    with contextlib.closing(address.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def with_password(server, password):
    return dataclasses.replace(server, address=dataclasses.replace(server.address, password=password))


def test_server_is_ready_for_the_sync_and_leaves_nothing(server):
    process = server.start()
    assert one_value(server.address, "SELECT @@local_infile") == 1
    assert one_value(server.address, "SELECT @@collation_database") == "utf8mb4_bin"

    processes.stop([process])

    assert processes.all_of(server.owner) == []
    assert is_free(server.address.port)


def test_server_listens_on_loopback_only(server):
    process = server.start()

    listening = {line.laddr.ip for line in process.net_connections("tcp") if line.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_nobody_gets_in_without_a_password(server):
    server.start()

    with pytest.raises(MySQLdb.OperationalError, match="Access denied"):
        MySQLdb.connect(unix_socket=str(socket_path(server.folder)), user="root")
    with pytest.raises(MySQLdb.OperationalError, match="Access denied"):
        with_password(server, "wrong").address.connect()


def test_data_survives_a_kill_and_a_new_password_replaces_the_old_one(server):
    process = server.start()
    with contextlib.closing(server.address.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (a INT)")
        cursor.execute("INSERT INTO kept VALUES (7)")
        connection.commit()
    process.kill()
    process.wait()

    again = with_password(server, "new")
    again.start()

    assert one_value(again.address, "SELECT a FROM kept") == 7
    assert not server.answers()


def test_deep_folder_gets_a_short_socket(tmp_path):
    deep = tmp_path / ("deep" * 10) / ("deeper" * 10)
    described = private_server(deep)
    socket = socket_path(deep)
    try:
        described.start()
        assert described.answers()
        assert deep not in socket.parents
    finally:
        processes.stop(processes.all_of(deep))
        socket.parent.rmdir() if not any(socket.parent.iterdir()) else None


def test_taken_port_is_explained(server):
    server.start()
    with contextlib.ExitStack() as stack:
        other = dataclasses.replace(server, folder=server.folder / "other", log=server.folder / "other.log")
        wrong = with_password(other, "x")
        stack.callback(lambda: processes.stop(processes.all_of(server.owner)))
        with pytest.raises(StackError, match=r"mysql stopped at once: .*(bind|port|in use)"):
            wrong.start()


def test_session_server_gives_empty_schemas_and_ends_with_its_block():
    with mysql_server() as session:
        with session.fresh_database() as first, session.fresh_database() as second:
            assert first.database != second.database
            assert (
                one_value(first, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()") == 0
            )
        with pytest.raises(MySQLdb.OperationalError, match="Unknown database"):
            first.connect()
        port = session.address.port

    assert "HUBSPOT_SYNC_MYSQL_URL" in os.environ or is_free(port)
    assert Path("/proc/self").exists()
