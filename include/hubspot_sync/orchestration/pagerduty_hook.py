"""From the connection `pagerduty` to the receiver of alerts: address, integration key, runbook."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from include.hubspot_sync.destination.hubspot.address import is_loopback
from include.hubspot_sync.errors import AuthError, ConfigError
from include.hubspot_sync.observe.pagerduty import PATH, PUBLIC_URL, Receiver
from include.hubspot_sync.orchestration.log_redaction import WatchedConnections


@dataclass(frozen=True, slots=True)
class Pager:
    """Where alerts go, and the address of the runbook that they link to."""

    receiver: Receiver
    runbook_url: str = ""


class PagerDutyHook(WatchedConnections, BaseHook):
    """Thin: the integration key is the connection's password, the host may name another endpoint. No I/O in `__init__`.

    The connection is optional: without it there are no alerts, and nothing else changes.
    """

    conn_name_attr = "pagerduty_conn_id"
    default_conn_name = "pagerduty"
    conn_type = "pagerduty"
    hook_name = "PagerDuty (Events API v2)"

    def __init__(self, pagerduty_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.pagerduty_conn_id = pagerduty_conn_id

    def find_pager(self) -> Pager | None:
        """Return where alerts go; None: there is no such connection.

        Raises:
            ConfigError: the address is none that an integration key may be sent to.
            AuthError: the connection has no key.
        """
        try:
            return self._pager(self.get_connection(self.pagerduty_conn_id))
        except AirflowNotFoundException:
            return None

    async def find_pager_async(self) -> Pager | None:
        """Do the same in an event loop, e.g. in the triggerer."""
        try:
            return self._pager(await self.aget_connection(self.pagerduty_conn_id))
        except AirflowNotFoundException:
            return None

    def _pager(self, connection: Any) -> Pager:
        where = f"connection {self.pagerduty_conn_id}"
        key = (connection.password or "").strip()
        if not key:
            raise AuthError(f"{where} has no password: put the integration key of a pagerduty service there")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise AuthError(f"{where}: the integration key has white space or odd characters inside; paste it again")
        url = event_url(connection.host or "", connection.port, where=where)
        return Pager(Receiver(url, key, is_local=url.startswith("http:")), _runbook_url(connection.extra, where=where))


def event_url(host: str, port: int | None = None, *, where: str) -> str:
    """Return the address to which events are posted.

    Args:
        host: Host of the connection, with or without scheme and path; empty: PagerDuty itself.
        port: Port of the connection.
        where: Names the connection in messages.

    Raises:
        ConfigError: neither https nor a loopback address, or more than an address in it.
    """
    text = host.strip() or PUBLIC_URL
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        name, own_port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"{where}: the host is no valid address") from error
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.rstrip("/") not in ("", PATH):
        raise ConfigError(f"{where}: the host holds more than scheme, name, port and {PATH}; remove it")
    if not name or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(name))):
        raise ConfigError(f"{where}: host {name or '(none)'} needs https; plain http is for this machine only")
    netloc = parts.netloc if own_port or not port else f"{parts.netloc}:{port}"
    return f"{parts.scheme}://{netloc}{PATH}"


def _runbook_url(extra: str | None, *, where: str) -> str:
    try:
        content = json.loads(extra or "{}")
    except ValueError as error:
        raise ConfigError(f"{where}: the extra is no json") from error
    url = content.get("runbook_url") or ""
    if url and urlsplit(str(url)).scheme not in ("https", "http"):
        raise ConfigError(f"{where}: runbook_url in the extra is no address; example: https://host/path")
    return str(url)
