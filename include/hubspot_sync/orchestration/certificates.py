"""The certificates that a connection of Airflow trusts: its extra `verify`, read the same way for every service."""

from __future__ import annotations

from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.source.redirects import is_loopback_url


def verify_setting(verify: object, url: str, connection_id: str) -> str | bool:
    """Return the path of a CA bundle, or True for the usual ones; False, no check at all, on loopback only.

    Args:
        verify: What the extra says; a text `true` or `false` counts as that, None and an empty text as True.
        url: Where the connection leads; empty: the service's own address.
        connection_id: For the message.

    Raises:
        ConfigError: the check is switched off for another machine.
    """
    text = str(verify).strip().lower()
    if isinstance(verify, str) and text not in ("true", "false", ""):
        return verify
    if text != "false":
        return True
    if not is_loopback_url(url):
        raise ConfigError(
            f"the connection {connection_id} switches certificate checks off: "
            "give `verify` the path of a CA bundle instead"
        )
    return False
