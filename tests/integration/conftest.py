"""The real DAG in real Airflow (`dag.test`), real MySQL and S3, the simulators as processes of their own."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.airflow_runs import SMALL_CONTACTS, SMALL_ROWS, SyncStack, airflow_connections
from tests.support.servers import hubspot_simulator, kaggle_simulator, s3_server
from tools.kaggle_simulator.dataset import write_csv
from tools.kaggle_simulator.generator import make_dataset
from tools.local_stack.mysql import MysqlAddress

BUCKET = "landing"


@pytest.fixture(scope="session")
def source_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,500 contacts: 25 batches, so that a first load has several shards."""
    path = tmp_path_factory.mktemp("source") / "version1.csv"
    write_csv(make_dataset(rows=7_500, contacts=2_500, seed=11), path)
    return path


@pytest.fixture(scope="session")
def hubspot_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hubspot_simulator(
        tmp_path_factory.mktemp("hubspot"), latency="zero", burst_override="1900", search_lag_ms="0"
    ) as url:
        yield url


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture
def kaggle_url(tmp_path: Path, source_file: Path) -> Iterator[str]:
    with kaggle_simulator(tmp_path, source_file) as url:
        yield url


@pytest.fixture(scope="session")
def small_source_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for runs that end early."""
    path = tmp_path_factory.mktemp("small") / "version1.csv"
    write_csv(make_dataset(rows=SMALL_ROWS, contacts=SMALL_CONTACTS, seed=1), path)
    return path


@pytest.fixture(scope="session")
def lasting_kaggle(tmp_path_factory: pytest.TempPathFactory, small_source_file: Path) -> Iterator[str]:
    """One process for many tests, which offers the small file."""
    with kaggle_simulator(tmp_path_factory.mktemp("kaggle"), small_source_file) as url:
        yield url


@pytest.fixture
def small_kaggle_url(lasting_kaggle: str) -> str:
    httpx.post(f"{lasting_kaggle}/__sim", json={"reset": True, "version": 1}).raise_for_status()
    return lasting_kaggle


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between repeated requests have tests of their own; after a failure `dag.test` adds three seconds."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    from airflow.utils import db

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        db.initdb()


@pytest.fixture
def stack(
    airflow_database: None,
    schema: MysqlAddress,
    hubspot_url: str,
    kaggle_url: str,
    s3_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SyncStack:
    """A portal, a dataset, a bucket and a schema that are new for each test."""
    bucket = f"{BUCKET}-{tmp_path.name}".lower().replace("_", "-")[:60].strip("-")
    httpx.put(f"{s3_url}/{bucket}").raise_for_status()
    httpx.post(f"{hubspot_url}/__sim/reset", json={}).raise_for_status()
    connections = airflow_connections(
        schema, hubspot_url=hubspot_url, kaggle_url=kaggle_url, s3_url=s3_url, bucket=bucket
    )
    for name, content in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(content))
    return SyncStack(schema, hubspot_url, kaggle_url, monkeypatch)
