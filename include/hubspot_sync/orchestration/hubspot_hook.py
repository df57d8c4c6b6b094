"""From the connection `hubspot` to the client: address, token, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from include.hubspot_sync.errors import AuthError
from include.hubspot_sync.orchestration.log_redaction import WatchedConnections
from include.hubspot_sync.orchestration.trusted_hosts import trusted_hosts

if TYPE_CHECKING:
    from include.hubspot_sync.config import SyncDefinition
    from include.hubspot_sync.destination.hubspot.client import Hear, HubSpotClient

DEFAULT_HOST = "https://api.hubapi.com"


class HubSpotHook(WatchedConnections, BaseHook):
    """Thin: the token is the connection's password, the host may point at a simulator. No I/O in `__init__`."""

    conn_name_attr = "hubspot_conn_id"
    default_conn_name = "hubspot"
    conn_type = "hubspot"
    hook_name = "HubSpot"

    def __init__(self, hubspot_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.hubspot_conn_id = hubspot_conn_id

    def get_token(self) -> str:
        """Fetch the token anew; a rotated secret is seen by the next call.

        Raises:
            AuthError: the connection has no password.
        """
        token = self.get_connection(self.hubspot_conn_id).password
        if not token or not token.strip():
            raise AuthError(f"connection {self.hubspot_conn_id} has no password: put the HubSpot token there")
        return str(token)

    def get_host(self) -> str:
        """Return the address to call; secrets backends that hold only the token leave it to us."""
        connection = self.get_connection(self.hubspot_conn_id)
        if not connection.host:
            return DEFAULT_HOST
        return str(connection.host) if "://" in connection.host else f"https://{connection.host}"

    def open_client(
        self, definition: SyncDefinition, *, trace_prefix: str, max_in_flight: int, hear: Hear | None = None
    ) -> HubSpotClient:
        """Return a client for this portal; it opens connections when it sends, and tells `hear` of each answer."""
        from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient

        settings = ClientSettings.from_definition(definition, trace_prefix=trace_prefix)
        return HubSpotClient.connect(
            self.get_host(),
            self.get_token,
            settings,
            max_in_flight=max_in_flight,
            extra_hosts=trusted_hosts(),
            hear=hear,
        )
