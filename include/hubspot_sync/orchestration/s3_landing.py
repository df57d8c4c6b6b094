"""From the connection `aws` to the landing area: the bucket is named in the connection's extra."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.certificates import verify_setting
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
    verify = verify_setting(hook.conn_config.verify, endpoint or "", connection_id)
    # told nothing, boto looks at AWS_CA_BUNDLE too
    trusted = None if verify is True else verify
    client = hook.get_session().client("s3", endpoint_url=endpoint, verify=trusted, config=config)
    return Landing(client, bucket, connection_id)


def _style_config(style: dict[str, str]) -> Any:
    from botocore.config import Config

    return Config(s3=style)
