"""Simulators and the local S3 as processes of a test run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx

from tools.local_stack.ports import any_free_port

START_S = 60


@contextlib.contextmanager
def server_process(command: list[str], environ: Mapping[str, str], url: Callable[[], str], log: Path) -> Iterator[str]:
    """Run a server until the block ends; yields its address once it answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield _wait_until_it_answers(process, url, log)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen, url: Callable[[], str], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        with contextlib.suppress(httpx.HTTPError, OSError, ValueError):
            address = url()
            if httpx.get(address).status_code < 500:
                return address.split("/__sim")[0].split("/health")[0].split("/_localstack")[0]
        time.sleep(0.05)  # noqa: TID251  a real process has to come up
    raise AssertionError(f"no answer within {START_S} s: {log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def hubspot_simulator(folder: Path, **knobs: str) -> Iterator[str]:
    """Run the HubSpot simulator; knobs as in its settings, e.g. `latency="zero"`."""
    port_file = folder / "hubspot.port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tools.hubspot_simulator", "--port", "0", "--port-file", str(port_file)]
    command += ["--db", str(folder / "hubspot.db")]
    environ = {f"HUBSPOT_SIM_{name.upper()}": value for name, value in knobs.items()}

    def url() -> str:
        return f"http://127.0.0.1:{int(port_file.read_text())}/__sim/health"

    with server_process(command, environ, url, folder / "hubspot.log") as address:
        yield address


@contextlib.contextmanager
def kaggle_simulator(folder: Path, csv: Path) -> Iterator[str]:
    """Run the Kaggle simulator with this file as version 1."""
    port = any_free_port()
    command = [sys.executable, "-m", "tools.kaggle_simulator", "--port", str(port), "--csv", str(csv)]
    with server_process(command, {}, lambda: f"http://127.0.0.1:{port}/health", folder / "kaggle.log") as address:
        yield address


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run MiniStack's S3."""
    with aws_emulator(folder, "s3") as address:
        yield address


@contextlib.contextmanager
def aws_emulator(folder: Path, services: str) -> Iterator[str]:
    """Run MiniStack with these services, separated by commas."""
    port = any_free_port()
    # without the last two it also listens for MQTT and SFTP, on every address
    environ = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": services}
    environ |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    command = [str(Path(sys.executable).parent / "ministack")]
    url = f"http://127.0.0.1:{port}/_localstack/health"
    with server_process(command, environ, lambda: url, folder / "aws.log") as address:
        yield address
