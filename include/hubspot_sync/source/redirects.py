"""Which addresses may be asked: https only, Kaggle's own storage hosts; for simulators loopback and trusted hosts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from urllib.parse import SplitResult, urljoin, urlsplit

from include.hubspot_sync.errors import ConfigError, SourceDataError

STORAGE_DOMAINS = ("googleapis.com", "kaggle.com", "kaggleusercontent.com")

# Parsers disagree on backslashes, blanks and user names in addresses: none of them is ever genuine here.
_HOST_AND_PORT = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_PLAIN_URL = re.compile(r"[\x21-\x5b\x5d-\x7e]+")


def is_loopback(host: str) -> bool:
    """Return whether a host name is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Return whether an address is on this machine."""
    parts = _split(url)
    return parts is not None and is_loopback(parts.hostname or "")


def check_base_url(url: str, connection_id: str, *, extra_hosts: Container[str] = ()) -> str:
    """Return the address of the API without a final slash.

    Args:
        url: address with scheme.
        connection_id: named in the error.
        extra_hosts: hosts that a deployment trusts, e.g. a simulator in its private network; they may speak plain http.

    Raises:
        ConfigError: it is not https, and neither on loopback nor an extra host.
    """
    parts = _split(url)
    if parts is None or not _is_encrypted_or_local(parts, extra_hosts):
        raise ConfigError(
            f"the connection {connection_id} must give an https address: "
            "plain http is only for loopback and the hosts of HUBSPOT_SYNC_TRUSTED_HOSTS"
        )
    return url.rstrip("/")


def check_redirect(location: str, *, asked: str, extra_hosts: Container[str] = ()) -> str:
    """Return where a redirect of the API or of its storage leads, when it may be followed.

    Args:
        location: the Location header, which comes from outside.
        asked: the address that answered with it.
        extra_hosts: hosts that a deployment trusts; only they may redirect to each other.

    Raises:
        SourceDataError: it leads to a host that is not Kaggle's.
    """
    target = _join(asked, location)
    parts, origin = _split(target), _split(asked)
    if parts is None or origin is None or not _may_follow(parts, origin, extra_hosts):
        host = (parts.hostname if parts else None) or location.partition("?")[0][:60]
        raise SourceDataError(
            f"kaggle redirected the download to {host!a}, which is no kaggle storage host: refused; "
            "check the host of the kaggle connection"
        )
    return target


def _join(asked: str, location: str) -> str:
    """Complete a relative address; empty when it cannot be read."""
    try:
        return urljoin(asked, location)
    except ValueError:
        return ""


def _split(url: str) -> SplitResult | None:
    """Split an address that every parser reads the same way; None for all others."""
    if not _PLAIN_URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if _HOST_AND_PORT.fullmatch(parts.netloc) else None


def _is_encrypted_or_local(parts: SplitResult, extra_hosts: Container[str]) -> bool:
    host = parts.hostname or ""
    return parts.scheme == "https" or (parts.scheme == "http" and (is_loopback(host) or host in extra_hosts))


def _may_follow(parts: SplitResult, origin: SplitResult, extra_hosts: Container[str]) -> bool:
    host, asked_host = parts.hostname or "", origin.hostname or ""
    if is_loopback(host):
        return is_loopback(asked_host) and _is_encrypted_or_local(parts, extra_hosts)
    if host in extra_hosts:
        return asked_host in extra_hosts and _is_encrypted_or_local(parts, extra_hosts)
    is_storage = any(host == domain or host.endswith(f".{domain}") for domain in STORAGE_DOMAINS)
    return is_storage and parts.scheme == "https" and parts.port in (None, 443)
