"""From the connection `aws` to the landing area: the bucket is named in the connection's extra."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.hubspot.address import is_loopback
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.log_redaction import WatchedConnections
from include.hubspot_sync.source.landing import Landing, client_config


class LandingHook(WatchedConnections, S3Hook):
    """Airflow's hook, whose keys are blanked in logs."""


def open_landing(definition: SyncDefinition) -> Landing:
    """Return the landing area of a sync.

    Raises:
        ConfigError: the connection names no bucket, or its keys have blanks around them.
    """
    connection_id = definition.connections.aws
    hook = LandingHook(connection_id)
    connection = hook.get_connection(connection_id)
    # boto would sign with them, or fail on a line end inside a header, and name neither
    if any(key != key.strip() for key in (connection.login or "", connection.password or "")):
        raise ConfigError(f"connection {connection_id}: login or password begins or ends with a blank: remove it")
    extra = connection.extra_dejson
    bucket = extra.get("service_config", {}).get("s3", {}).get("bucket_name")
    if not bucket:
        raise ConfigError(f"connection {connection_id} names no bucket: set service_config.s3.bucket_name in its extra")
    style = extra.get("config_kwargs", {}).get("s3", {})
    config = client_config().merge(_style_config(style)) if style else client_config()
    endpoint = hook.conn_config.endpoint_url
    verify = _verify_of(hook.conn_config.verify, endpoint or "", connection_id)
    client = hook.get_session().client("s3", endpoint_url=endpoint, verify=verify, config=config)
    return Landing(client, bucket, connection_id)


def _verify_of(verify: Any, endpoint: str, connection_id: str) -> str | bool | None:
    """Return the CA bundle, None for the usual one; certificates are always verified except on loopback."""
    if verify is None or (isinstance(verify, str) and verify.strip().lower() not in ("true", "false", "")):
        return verify
    if str(verify).strip().lower() != "false":
        return None
    if not is_loopback(urlsplit(endpoint).hostname or ""):
        raise ConfigError(
            f"the connection {connection_id} switches certificate checks off: "
            "give `verify` the path of a CA bundle instead"
        )
    return False


def _style_config(style: dict[str, str]) -> Any:
    from botocore.config import Config

    return Config(s3=style)
