"""A failed task arrives at Sentry, by Airflow's own way, with nothing in it that must stay here."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import failing_dag
from tests.support.canaries import find_leaks
from tests.unit.source.scripted_server import Asked, json_answer, scripted_server

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SECRETS = {
    "hubspot": "pat-canary/hubspot+0123456789",
    "neutral": "neutral-canary/4567890123",
    "dsn": "canarykeyofthedsn0123456789",
    "contact": failing_dag.CONTACT,
}


def events_of(asked: list[Asked]) -> list[dict[str, Any]]:
    """Return the events in what Sentry was sent: lines of JSON, a head before each."""
    found = []
    for request in asked:
        lines = body_of(request).splitlines()
        for head, content in zip(lines[1::2], lines[2::2], strict=False):
            if json.loads(head).get("type") == "event":
                found.append(json.loads(content))
    return found


def body_of(request: Asked) -> bytes:
    return gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body


def test_a_failed_task_arrives_without_anything_that_must_stay_here(tmp_path: Path):
    folder = tmp_path / "dags"
    folder.mkdir()
    shutil.copy(failing_dag.__file__, folder)
    with scripted_server() as sentry:
        sentry.will(*[json_answer({})] * 50)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        environ |= {
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
            "AIRFLOW__SENTRY__SENTRY_ON": "True",
            "AIRFLOW__SENTRY__SENTRY_DSN": sentry.url.replace("://", f"://{SECRETS['dsn']}@") + "/1",
            "AIRFLOW_CONN_HUBSPOT": json.dumps(
                {"conn_type": "http", "password": SECRETS["hubspot"], "extra": {"pat": SECRETS["neutral"]}}
            ),
            "PYTHONPATH": str(ROOT),
        }
        finished = subprocess.run(
            [sys.executable, "-m", "tests.support.failing_dag"], cwd=ROOT, env=environ, capture_output=True, check=False
        )
        assert finished.returncode == 0, finished.stderr[-3000:]
        asked = list(sentry.asked)

    events = events_of(asked)
    watched = [event for event in events if event["tags"].get("dag_id") == "watched"]
    control = [event for event in events if event not in watched]
    assert {event["tags"]["task_id"] for event in watched} == {"fails", "breaks"}
    texts = {event["tags"]["task_id"]: event["exception"]["values"][-1]["value"] for event in watched}
    assert texts["fails"] == "the portal refuses every record: <secret> is wrong; repair it"
    assert texts["breaks"] == "<left out>"
    frames = [
        frame for event in watched for one in event["exception"]["values"] for frame in one["stacktrace"]["frames"]
    ]
    assert "body" in {frame["function"] for frame in frames}
    assert {key for frame in frames for key in frame} & {"vars", "context_line", "pre_context", "post_context"} == set()
    assert find_leaks(SECRETS, [("sentry", json.dumps(watched, ensure_ascii=False).encode())]) == set()
    assert {key for event in watched for key in event} & {
        "breadcrumbs",
        "extra",
        "user",
        "request",
        "logentry",
    } == set()

    # without the product's code Airflow sends all of it
    found = find_leaks({"contact": failing_dag.CONTACT, "key": failing_dag.PLANTED},
                       [("sentry", json.dumps(control, ensure_ascii=False).encode())])  # fmt: skip
    assert {leak.secret for leak in found if leak.form == "raw"} == {"contact", "key"}
