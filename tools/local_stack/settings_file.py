"""Connections, pools and variables of `airflow_settings.yaml`, applied through Airflow's REST API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.local_stack.airflow_api import AirflowApi
from tools.local_stack.errors import StackError

_REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_CONNECTION_FIELDS = {
    "conn_id": "connection_id",
    "conn_type": "conn_type",
    "conn_host": "host",
    "conn_schema": "schema",
    "conn_login": "login",
    "conn_password": "password",
    "conn_port": "port",
    "conn_extra": "extra",
}


@dataclass(frozen=True, slots=True)
class Pool:
    """An Airflow pool."""

    name: str
    slots: int
    description: str


@dataclass(frozen=True, slots=True)
class AirflowObjects:
    """What the file asks for."""

    connections: tuple[Mapping[str, Any], ...]
    pools: tuple[Pool, ...]
    variables: Mapping[str, str]


def substitute(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401  YAML in, YAML out
    """Replace each `${NAME}` in texts, at any depth.

    Raises:
        StackError: a name has no value.
    """
    if isinstance(value, dict):
        return {key: substitute(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, values) for item in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise StackError(f"airflow_settings.yaml: ${{{name}}} has no value")
        return values[name]

    return _REFERENCE.sub(look_up, value)


def read_objects(path: Path, values: Mapping[str, str]) -> AirflowObjects:
    """Read the file with the running stack's values filled in.

    Raises:
        StackError: a value is missing or the file has another form.
    """
    content = substitute(yaml.safe_load(path.read_text(encoding="utf-8")), values)
    try:
        airflow = content["airflow"]
        return AirflowObjects(
            connections=tuple(_connection(entry) for entry in airflow.get("connections") or () if _is_wanted(entry)),
            pools=tuple(
                Pool(entry["pool_name"], int(entry["pool_slot"]), entry.get("pool_description") or "")
                for entry in airflow.get("pools") or ()
            ),
            variables={
                entry["variable_name"]: str(entry["variable_value"]) for entry in airflow.get("variables") or ()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StackError(f"{path.name}: unexpected form near {error}") from error


def _is_wanted(entry: Mapping[str, Any]) -> bool:
    """A connection whose address and secret are references without a value is optional, and nobody asked for it."""
    places = [name for name in ("conn_host", "conn_password") if name in entry]
    return not places or any(entry[name] for name in places)


def _connection(entry: Mapping[str, Any]) -> dict[str, Any]:
    fields = {_CONNECTION_FIELDS[key]: value for key, value in entry.items() if value not in (None, "")}
    if "port" in fields:
        fields["port"] = int(fields["port"])
    if isinstance(fields.get("extra"), str):
        fields["extra"] = json.loads(fields["extra"])
    return fields


def pagerduty_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the optional connection `pagerduty`: where alerts go, and the integration key."""
    return {name: environ.get(f"HUBSPOT_SYNC_{name}", "") for name in ("PAGERDUTY_URL", "PAGERDUTY_KEY")}


def apply_objects(api: AirflowApi, objects: AirflowObjects) -> None:
    """Create what is missing and change what differs."""
    for pool in objects.pools:
        api.put_pool(pool.name, pool.slots, pool.description)
    for connection in objects.connections:
        api.put_connection(connection)
    for key, value in objects.variables.items():
        api.put_variable(key, value)
