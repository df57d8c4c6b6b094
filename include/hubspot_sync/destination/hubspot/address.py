"""Where requests may go, which paths they use, and what a usable token looks like."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from include.hubspot_sync.errors import AuthError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Container

PUBLIC_URL = "https://api.hubapi.com"
"""HubSpot itself; a connection names another host for the simulator."""
TOKEN_INFO_PATH = "/oauth/v2/private-apps/get/access-token-info"  # noqa: S105
_DOMAIN = "hubapi.com"


class ApiVersion(enum.StrEnum):
    """Versions of HubSpot's API that the sync can speak."""

    V2026_09 = "2026-09"
    V2026_03 = "2026-03"
    V3 = "v3"


API_VERSION = ApiVersion.V2026_09
"""The version in use; supported until about March 2028."""


@dataclass(frozen=True, slots=True)
class ApiPaths:
    """Start of the paths of one version."""

    objects: str
    properties: str
    limits: str
    account: str


def api_paths(version: ApiVersion) -> ApiPaths:
    """Return the paths of a version: dated ones end in it, v3 starts with it."""
    if version is ApiVersion.V3:
        return ApiPaths(
            "/crm/v3/objects/contacts",
            "/crm/v3/properties/contacts",
            "/crm/v3/limits",
            "/account-info/v3",
        )
    return ApiPaths(
        f"/crm/objects/{version}/contacts",
        f"/crm/properties/{version}/contacts",
        f"/crm/limits/{version}",
        f"/account-info/{version}",
    )


def check_base_url(url: str, *, connection_id: str, extra_hosts: Container[str] = ()) -> str:
    """Return the address without a trailing slash if the token may be sent there.

    Args:
        url: Address with scheme.
        connection_id: Named in the error.
        extra_hosts: Other hosts that a deployment trusts, e.g. a simulator in its private
            network; they may speak plain http.

    Raises:
        ConfigError: not https to HubSpot, a loopback address or an extra host, or more than an
            address in it. The message shows the host only.
    """
    where = f"connection {connection_id}"
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"{where}: the host is no valid address") from error
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        raise ConfigError(f"{where}: the host holds more than scheme, name and port; remove it")
    trusted = is_loopback(host) or host in extra_hosts
    if not trusted and host != _DOMAIN and not host.endswith(f".{_DOMAIN}"):
        raise ConfigError(f"{where}: host {host or '(none)'} is not hubspot; use {PUBLIC_URL}")
    if parts.scheme != "https" and not (trusted and parts.scheme == "http"):
        raise ConfigError(f"{where}: host {host} needs https")
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Say whether a host name is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clean_token(raw: str, *, connection_id: str) -> str:
    """Return the token without the white space around it, as pasting leaves it.

    Raises:
        AuthError: empty, or with a character that no token has; the message does not show it.
    """
    token = raw.strip()
    if not token:
        raise AuthError(f"connection {connection_id} has no token; put a service key into it")
    if not all("!" <= char <= "~" for char in token):
        raise AuthError(
            f"the token of connection {connection_id} has white space or odd characters inside; "
            "paste the service key again"
        )
    return token
