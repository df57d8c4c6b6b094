"""Create bucket, pool and connections of the composed stack: `python -m tools.compose.apply_settings`.

The same file and the same applier as the local stack. Hosts are the service names of docker-compose.yaml; passwords
come from the environment. Running it again changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tools.local_stack.airflow_api import AirflowApi
from tools.local_stack.errors import StackError
from tools.local_stack.settings_file import apply_objects, pagerduty_values, read_objects

SETTINGS_FILE = Path(__file__).resolve().parents[2] / "airflow_settings.yaml"
AIRFLOW_URL = "http://airflow-apiserver:8080"
AIRFLOW_USER = "admin"
BUCKET = "hubspot-sync"
S3_URL = "http://s3:4566"
_S3_KEY = "local"
"""MiniStack takes any."""
_HUBSPOT_TOKEN = "pat-sim-full-access"  # noqa: S105  a made-up credential that only the simulator knows


def settings_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what airflow_settings.yaml may refer to.

    Raises:
        StackError: a password is not in the environment.
    """
    return {
        "MYSQL_HOST": "mysql",
        "MYSQL_PORT": "3306",
        "MYSQL_USER": "hubspot_sync",
        "MYSQL_PASSWORD": _need(environ, "MYSQL_PASSWORD"),
        "MYSQL_DATABASE": "hubspot_sync",
        "MYSQL_SSL_MODE": "REQUIRED",
        "S3_URL": S3_URL,
        "S3_BUCKET": BUCKET,
        "S3_ACCESS_KEY": _S3_KEY,
        "S3_SECRET_KEY": _S3_KEY,
        "HUBSPOT_URL": "http://hubspot-simulator:41820",
        "HUBSPOT_TOKEN": _HUBSPOT_TOKEN,
        "KAGGLE_URL": "http://kaggle-simulator:41830",
        "KAGGLE_TOKEN": _need(environ, "KAGGLE_TOKEN"),
        **pagerduty_values(environ),
    }


def _need(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise StackError(f"{name} is not set: run `make secrets`")
    return environ[name]


def create_bucket(http: httpx.Client) -> None:
    """Create the bucket unless it is there.

    Raises:
        StackError: S3 refuses or does not answer.
    """
    try:
        answer = http.put(f"{S3_URL}/{BUCKET}")
    except httpx.HTTPError as error:
        raise StackError(f"s3: {type(error).__name__}, is it running?") from error
    if answer.status_code not in (httpx.codes.OK, httpx.codes.CONFLICT):
        raise StackError(f"bucket {BUCKET} cannot be created: s3 answers {answer.status_code}")


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Apply everything."""
    try:
        objects = read_objects(SETTINGS_FILE, settings_values(environ))
        # service names of a private network: a proxy of the environment must not get in between
        with httpx.Client(trust_env=False) as http:
            create_bucket(http)
        password = _need(environ, "AIRFLOW_ADMIN_PASSWORD")
        with contextlib.closing(AirflowApi(AIRFLOW_URL, AIRFLOW_USER, password)) as api:
            apply_objects(api, objects)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"bucket {BUCKET}, {len(objects.pools)} pool, {len(objects.connections)} connections")
    return 0


if __name__ == "__main__":
    sys.exit(main())
