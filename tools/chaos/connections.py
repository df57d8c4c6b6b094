"""Airflow's connections as environment variables: the way to the parts leads through proxies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.local_stack.layout import Stack
from tools.local_stack.mysql import parse_url
from tools.local_stack.ports import LOOPBACK


def connection_variables(stack: Stack, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the variables of the four connections.

    Args:
        stack: the parts and their logins.
        ports: ports to use instead of those of `mysql`, `hubspot` and `s3`.
    """
    mysql = parse_url(stack.mysql_url)
    connections: dict[str, dict[str, Any]] = {
        "mysql": {
            "conn_type": "mysql",
            "host": LOOPBACK,
            "port": ports["mysql"],
            "login": mysql.user,
            "password": mysql.password,
            "schema": mysql.database,
            "extra": {"charset": "utf8mb4", "ssl_mode": "PREFERRED"},
        },
        "hubspot": {
            "conn_type": "http",
            "host": f"http://{LOOPBACK}:{ports['hubspot']}",
            "password": stack.hubspot_token,
        },
        "kaggle": {"conn_type": "http", "host": stack.kaggle_url, "password": stack.kaggle_token},
        "aws": {
            "conn_type": "aws",
            "login": "local",
            "password": "local",
            "extra": {
                "endpoint_url": f"http://{LOOPBACK}:{ports['s3']}",
                "region_name": "us-east-1",
                "config_kwargs": {"s3": {"addressing_style": "path"}},
                "service_config": {"s3": {"bucket_name": stack.bucket}},
            },
        },
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(content) for name, content in connections.items()}
