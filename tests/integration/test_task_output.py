"""What a task process hands to Airflow's supervisor holds no secret; without the redaction it holds every one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.canaries import find_leaks
from tests.support.leaking_task import KEYS

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent.parent
SECRETS = {
    "hubspot": "pat-canary/hubspot+0123456789",
    "neutral": "neutral-canary/4567890123",
    "mysql": "mysql-canary/0123+456789%",
    "kaggle": "kaggle-canary=0123456789",
    "aws": "aws-canary/8901+234567",
    "pagerduty": "0123456789abcdef0123456789abcdef",
    "fernet": "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTEyMzQ=",
    "api": "api-canary-0123456789",
    "jwt": "jwt-canary-0123456789-0123456789",
}


def output_of(folder: Path, how: str) -> list[tuple[str, bytes]]:
    """Run a leaking task process; return what it logged and printed."""
    connections = {
        name: {"conn_type": "http", "host": "http://127.0.0.1:1", "login": "user", "password": SECRETS[name]}
        for name in ("hubspot", "mysql", "kaggle", "aws", "pagerduty")
    }
    connections["hubspot"]["extra"] = json.dumps({"pat": SECRETS["neutral"], "region_name": "eu-central-1"})
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environ |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(content) for name, content in connections.items()}
    environ |= dict(zip(KEYS, (SECRETS["fernet"], SECRETS["api"], SECRETS["jwt"]), strict=True))
    environ |= {"AIRFLOW_HOME": str(folder), "PYTHONPATH": str(ROOT), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    lines = folder / f"{how}.jsonl"
    finished = subprocess.run(
        [sys.executable, "-m", "tests.support.leaking_task", str(lines), how],
        cwd=ROOT, env=environ, capture_output=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-2000:]
    return [("log", lines.read_bytes()), ("stdout", finished.stdout), ("stderr", finished.stderr)]


def test_no_secret_leaves_the_process_of_a_task(tmp_path: Path):
    written = output_of(tmp_path, "redacted")

    assert find_leaks(SECRETS, written) == set()
    log, stdout, stderr = (content for _, content in written)
    events = [json.loads(line) for line in log.splitlines()]
    failure = next(event for event in events if event["event"] == "Task failed with exception")
    assert "outer [" in json.dumps(failure)
    assert "inner [" in json.dumps(failure)
    forms = 6
    assert log.count(b"<secret>") >= 3 * forms * len(SECRETS)
    for printed in (stdout, stderr):
        assert printed.count(b"leak") >= forms * len(SECRETS)


def test_search_finds_every_secret_when_nothing_is_redacted(tmp_path: Path):
    written = output_of(tmp_path, "open")

    by_place: dict[tuple[str, str], set[str]] = {}
    for leak in find_leaks(SECRETS, written):
        by_place.setdefault((leak.sink, leak.form.partition("_")[0]), set()).add(leak.secret)
    for sink in ("log", "stdout", "stderr"):
        for form in ("raw", "quoted", "hex", "base64", "reversed"):
            assert by_place[sink, form] == set(SECRETS), (sink, form)
