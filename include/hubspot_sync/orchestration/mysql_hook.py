"""MySQL through Airflow's hook, with the timeouts that the hook does not pass on."""

from __future__ import annotations

from typing import Any

from airflow.providers.mysql.hooks.mysql import MySqlHook

from include.hubspot_sync.orchestration.log_redaction import WatchedConnections
from include.hubspot_sync.store.connection import ENCRYPTED_MODES, refuse_plain_text

CONNECT_TIMEOUT_S = 5
MYSQL_PORT = 3306
ANSWER_TIMEOUT_S = 300
"""Longest wait for one statement."""
BULK_ANSWER_TIMEOUT_S = 1800
"""The same where one statement works on a whole file: with two million records on two cores that much else was running
on, 300 s were too short for a statement of `stage`."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "", None})


class SyncMySqlHook(WatchedConnections, MySqlHook):
    """Opens connections for the store: LOCAL INFILE on, UTF-8, every wait bounded. No I/O before `get_conn`."""

    def __init__(self, mysql_conn_id: str, *, answer_timeout_s: int = ANSWER_TIMEOUT_S) -> None:
        super().__init__(mysql_conn_id=mysql_conn_id, local_infile=True)
        self._answer_timeout_s = answer_timeout_s

    def _get_conn_config_mysql_client(self, conn: Any) -> dict[str, Any]:
        config: dict[str, Any] = super()._get_conn_config_mysql_client(conn)
        config.setdefault("charset", "utf8mb4")
        return config | {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": self._answer_timeout_s,
            "write_timeout": self._answer_timeout_s,
        }

    def get_conn(self) -> Any:
        """Open a connection.

        Raises:
            ConfigError: it leaves this machine, or asks for TLS, and is not encrypted.
        """
        connection = super().get_conn()
        if self.needs_tls:
            refuse_plain_text(connection, self.where)
        return connection

    @property
    def needs_tls(self) -> bool:
        """Tell whether plain text is refused: it is for a server on this machine, unless TLS is asked for."""
        extra = self.connection.extra_dejson
        if extra.get("unix_socket"):
            return False
        return self.connection.host not in _LOOPBACK or extra.get("ssl_mode") in ENCRYPTED_MODES

    @property
    def is_verified(self) -> bool:
        """Tell whether the server's certificate has to be its own."""
        return bool(self.connection.extra_dejson.get("ssl_mode") == "VERIFY_IDENTITY")

    @property
    def where(self) -> str:
        """Name the connection and its server for messages."""
        name = str(getattr(self, self.conn_name_attr))
        connection = self.connection  # asked for once: `get_conn` uses the same
        server = connection.extra_dejson.get("unix_socket") or f"{connection.host}:{connection.port or MYSQL_PORT}"
        return f"connection {name} ({server}, schema {connection.schema})"
