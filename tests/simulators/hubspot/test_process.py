"""The command: start, knobs, signals, and what a kill -9 leaves."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.simulators.hubspot.harness import CONTACTS, FULL_ACCESS, REPOSITORY, UPSERT, row, rows, running
from tools.hubspot_simulator.settings import KnobError, Settings, load_settings


def test_start_and_graceful_stop(tmp_path: Path) -> None:
    port_file = tmp_path / "port"

    with running("--port-file", str(port_file), "--latency", "zero") as server:
        assert server.url == f"http://127.0.0.1:{port_file.read_text().strip()}"
        assert server.client.get("/__sim/health").json()["status"] == "ok"
        assert server.stop() == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""


def test_environment_command_line_and_config_file(tmp_path: Path) -> None:
    config = tmp_path / "sim.yaml"
    config.write_text("tier: free\nlatency: slow\nseed: 5\n")
    env = {"HUBSPOT_SIM_LATENCY": "zero", "HUBSPOT_SIM_BURST_OVERRIDE": "7", "HUBSPOT_SIM_SEED": "6"}

    with running("--config", str(config), "--seed", "9", env=env) as server:
        knobs = server.client.get("/__sim/config").json()

    assert (knobs["tier"], knobs["latency"], knobs["burst_override"], knobs["seed"]) == ("free", "zero", 7, 9)


@pytest.mark.parametrize(
    ("arguments", "env", "text"),
    [
        ([], {"HUBSPOT_SIM_TEIR": "pro"}, "unknown knob teir; did you mean tier?"),
        (["--tier", "gold"], {}, "knob tier: 'gold' is not allowed"),
        (["--burst-override", "-1"], {}, "knob burst_override"),
        (["--scenario", "rain"], {}, "unknown scenario rain"),
        (["--no-such-knob", "1"], {}, "unrecognized arguments"),
    ],
)
def test_a_wrong_knob_refuses_to_start(arguments: list[str], env: dict[str, str], text: str) -> None:
    command = [sys.executable, "-m", "tools.hubspot_simulator", "--port", "0", *arguments]

    done = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | env, capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 2
    assert text in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retry_after_on_429", "sometimes(2)"),
        ("control_port", "here"),
        ("time_zone", "Mars/Olympus"),
        ("portal_rules", "[{}]"),
        ("lock_ms", "nan"),
        ("accept_numbers", "maybe"),
        ("seed", True),
    ],
)
def test_values_that_do_not_fit(name: str, value: object) -> None:
    with pytest.raises(KnobError, match=name):
        Settings().change({name: value})


def test_a_config_file_must_be_a_map(tmp_path: Path) -> None:
    config = tmp_path / "sim.yaml"
    config.write_text("- tier\n")

    with pytest.raises(KnobError, match=r"sim\.yaml"):
        load_settings(config, {}, {})


def test_the_control_can_have_a_port_of_its_own_or_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with running("--control-port", str(port), "--latency", "zero") as server:
        elsewhere = httpx.get(f"http://127.0.0.1:{port}/__sim/health", trust_env=False)
        assert elsewhere.json()["status"] == "ok"
        assert server.client.get("/__sim/health").status_code == 404
        assert server.client.get(CONTACTS).status_code == 200
    with running("--control-port", "off", "--latency", "zero") as server:
        assert server.client.get("/__sim/stats").status_code == 404


def test_a_kill_leaves_only_whole_batches(tmp_path: Path) -> None:
    database = str(tmp_path / "portal.db")
    answered: set[int] = set()
    arguments = ("--db", database, "--latency", "zero", "--burst-override", "100000")

    with running(*arguments) as server:
        server.create_properties()

        def send(first: int) -> None:
            with httpx.Client(
                base_url=server.url, headers={"Authorization": f"Bearer {FULL_ACCESS}"}, trust_env=False
            ) as client:
                for batch in range(first, 400, 4):
                    inputs = [row(f"b{batch}-{n}", f"{n}") for n in range(100)]
                    try:
                        client.post(UPSERT, json={"inputs": inputs})
                    except httpx.HTTPError:
                        return
                    answered.add(batch)
                    if batch > 60:
                        half_way.set()

        half_way = threading.Event()
        threads = [threading.Thread(target=send, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        assert half_way.wait(20)
        server.kill()
        for thread in threads:
            thread.join(20)

    with running(*arguments) as again:
        dump = [json.loads(line) for line in again.client.get("/__sim/contacts").text.splitlines()]
        sizes = Counter(int(c["properties"]["baby_name_key"][1:].split("-")[0]) for c in dump)
        repeated = again.client.post(UPSERT, json={"inputs": [row(f"b0-{n}", f"{n}") for n in range(100)]})
        fresh = again.client.post(UPSERT, json={"inputs": rows(100)})

    assert len(answered) < 400
    assert set(sizes.values()) == {100}
    assert answered <= sizes.keys()
    assert {item["new"] for item in repeated.json()["results"]} == {False}
    assert min(int(item["id"]) for item in fresh.json()["results"]) > max(int(c["id"]) for c in dump)


def test_a_restart_keeps_contacts_properties_and_the_used_day(tmp_path: Path) -> None:
    database = str(tmp_path / "portal.db")
    with running("--db", database, "--latency", "zero") as server:
        server.create_properties()
        server.client.post(UPSERT, json={"inputs": rows(5)})
        used = server.client.get("/__sim/stats").json()["daily_used"]
        assert server.stop() == 0

    with running("--db", database, "--latency", "zero") as again:
        stats = again.client.get("/__sim/stats").json()
        reply = again.client.post(UPSERT, json={"inputs": rows(5)})

    assert (stats["live_contacts"], stats["daily_used"]) == (5, used)
    assert {item["new"] for item in reply.json()["results"]} == {False}
