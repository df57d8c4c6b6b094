"""Functions of deploy/aws as AWS calls them, on emulated services; HubSpot and Airflow answer over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import hubspot_simulator
from tests.unit.source.scripted_server import Script, scripted_server


@pytest.fixture(autouse=True)
def _aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def hubspot_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hubspot_simulator(tmp_path_factory.mktemp("hubspot"), latency="zero") as url:
        yield url


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script
