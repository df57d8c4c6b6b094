"""Starts the simulator as the separate process that it is in use."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ACCEPTED = "Bearer KGAT_kaggle_simulator_token"
OWNER, SLUG = "thedevastator", "us-baby-names-by-year-of-birth"
FILE = "babyNamesUSYOB-full.csv"


@dataclass(slots=True)
class Process:
    """A running simulator and a client without credentials."""

    popen: subprocess.Popen[str]
    port: int
    storage_port: int
    http: httpx.Client
    file: str = FILE

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self, **order) -> dict:
        answer = self.http.post(f"{self.url}/__sim", json=order)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_version(self, **order) -> dict:
        answer = self.http.post(f"{self.url}/__sim/versions", json=order)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def state(self) -> dict:
        return self.http.get(f"{self.url}/__sim/state").json()

    def requests(self) -> list[dict]:
        return self.http.get(f"{self.url}/__sim/requests").json()["requests"]

    def call(self, method: str, *, prefix: str = "/v1", headers: dict | None = None, **body) -> httpx.Response:
        """Call one RPC method, with the token unless other headers are given."""
        return self.http.post(
            f"{self.url}{prefix}/datasets.DatasetApiService/{method}",
            json={"ownerSlug": OWNER, "datasetSlug": SLUG, **body},
            headers={"Authorization": ACCEPTED} if headers is None else headers,
        )

    def signed_url(self, **body) -> str:
        answer = self.call("DownloadDataset", **{"fileName": FILE, **body})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def download(self, headers: dict | None = None, **body) -> httpx.Response:
        """Fetch a file from the storage, without credentials."""
        return self.http.get(self.signed_url(**body), headers={"Accept-Encoding": "identity", **(headers or {})})

    def stop(self) -> int:
        self.http.close()
        if self.popen.poll() is None:
            self.popen.terminate()
        self.popen.communicate(timeout=10)
        return self.popen.returncode


def start_process(folder: Path, *options: str) -> Process:
    port_file = folder / "ports.json"
    popen = subprocess.Popen(
        [sys.executable, "-m", "tools.kaggle_simulator", "--port-file", str(port_file), *options],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = popen.stdout.readline()
    if not line.startswith("kaggle simulator listening on http://127.0.0.1:"):
        _, errors = popen.communicate(timeout=10)
        raise AssertionError(f"simulator did not start: {line}{errors}")
    ports = json.loads(port_file.read_text())
    assert line.strip().endswith(f":{ports['port']}")
    return Process(popen, ports["port"], ports["storage_port"], httpx.Client(timeout=5, trust_env=False))


@pytest.fixture(scope="session")
def shared_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    process = start_process(folder, "--profile", "small", "--folder", str(folder / "versions"))
    yield process
    assert process.stop() == 0


@pytest.fixture
def sim(shared_process):
    """The shared simulator with no fault, default settings, an empty log and version 1 current."""
    shared_process.control(reset=True, version=1)
    return shared_process


@pytest.fixture
def start(tmp_path):
    """Starts further simulators; they are stopped at the end."""
    started = []

    def start_one(*options: str) -> Process:
        started.append(start_process(tmp_path, *options))
        return started[-1]

    yield start_one
    for process in started:
        process.stop()
