"""Ways to drive the simulator: inside this process on a virtual clock, or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tools.hubspot_simulator.server import build_application
from tools.hubspot_simulator.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[3]
FULL_ACCESS = "pat-sim-full-access"
NO_SCHEMA_SCOPES = "pat-sim-no-schema-scopes"
EXPIRED = "pat-sim-expired"
CONTACTS = "/crm/objects/2026-09/contacts"
UPSERT = f"{CONTACTS}/batch/upsert"
READ = f"{CONTACTS}/batch/read"
PROPERTIES = "/crm/properties/2026-09/contacts"

KEY_PROPERTY = {
    "name": "baby_name_key",
    "label": "Baby name key",
    "type": "string",
    "fieldType": "text",
    "groupName": "contactinformation",
    "hasUniqueValue": True,
}
SEX_PROPERTY = {
    "name": "baby_sex",
    "label": "Baby sex",
    "type": "enumeration",
    "fieldType": "select",
    "groupName": "contactinformation",
    "options": [
        {"label": "Female", "value": "F", "displayOrder": 0, "hidden": False},
        {"label": "Male", "value": "M", "displayOrder": 1, "hidden": False},
    ],
}
NUMBER_PROPERTY = {
    "name": "total_births",
    "label": "Total births",
    "type": "number",
    "fieldType": "number",
    "groupName": "contactinformation",
}


def row(key: str, trace: str | None = None, **properties: Any) -> dict[str, Any]:
    """One input of an upsert by key."""
    item: dict[str, Any] = {
        "id": key,
        "idProperty": "baby_name_key",
        "properties": {"baby_name_key": key, **properties},
    }
    if trace is not None:
        item["objectWriteTraceId"] = trace
    return item


def rows(number: int, *, traced: bool = True, start: int = 0, **properties: Any) -> list[dict[str, Any]]:
    """Good inputs with distinct keys."""
    return [row(f"name{n:05d}-f", f"t{n}" if traced else None, **properties) for n in range(start, start + number)]


@dataclass(slots=True)
class Reply:
    """An answer of the simulator inside this process."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(slots=True)
class Simulator:
    """The application inside this process, called without a network."""

    settings: Settings
    application: Any
    portal: Any
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def request(self, method: str, path: str, body: Any = None, *, token: str = FULL_ACCESS, **headers: str) -> Reply:
        return self.runner.run(self.send(method, path, body, token=token, **headers))

    def post(self, path: str, body: Any, **more: Any) -> Reply:
        return self.request("POST", path, body, **more)

    def get(self, path: str, **more: Any) -> Reply:
        return self.request("GET", path, **more)

    def upsert(self, inputs: list[dict[str, Any]], **more: Any) -> Reply:
        return self.post(UPSERT, {"inputs": inputs}, **more)

    def config(self, **knobs: Any) -> None:
        assert self.post("/__sim/config", knobs).status == 200

    def fault(self, action: Any, phase: str | None = None, times: int | None = None, **match: Any) -> str:
        action = {"type": action} if isinstance(action, str) else action
        spec = {"action": action, "match": match, "times": times} | ({"phase": phase} if phase else {})
        reply = self.post("/__sim/faults", spec)
        assert reply.status == 201, reply.content
        return reply.json()["id"]

    def stats(self) -> dict[str, Any]:
        return self.get("/__sim/stats").json()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.get("/__sim/requests").content.splitlines()]

    def dump(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.get("/__sim/contacts").content.splitlines()]

    def by_key(self, key: str) -> list[dict[str, Any]]:
        return self.get(f"/__sim/contacts/by/baby_name_key/{quote(key)}").json()

    def advance(self, seconds: float) -> None:
        self.post("/__sim/clock/advance", {"s": seconds})

    def together(self, *calls: tuple[str, str, Any]) -> list[Reply]:
        async def run() -> list[Reply]:
            return list(await asyncio.gather(*(self.send(*call) for call in calls)))

        return self.runner.run(run())

    async def send(
        self, method: str, path: str, body: Any = None, *, token: str = FULL_ACCESS, **headers: str
    ) -> Reply:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        plain, _, query = path.partition("?")
        sent = {"content-type": "application/json", "authorization": f"Bearer {token}"} if token else {}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": httpx.URL(f"http://x{plain}").path,
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
            "server": ("127.0.0.1", 80),
        }
        return await _exchange(self.application, scope, content)

    def close(self) -> None:
        self.runner.close()
        self.portal.store.close()


async def _exchange(application: Any, scope: dict[str, Any], content: bytes) -> Reply:
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": content, "more_body": False}]
    done = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Reply(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))


def build(**knobs: Any) -> Simulator:
    """Build a simulator inside this process: virtual clock, no latency, three custom properties."""
    settings = Settings()
    settings.change({"clock": "virtual", "latency": "zero", "search_lag_ms": 0, **knobs})
    application, portal = build_application(settings)
    simulator = Simulator(settings, application, portal)
    for definition in (KEY_PROPERTY, SEX_PROPERTY, NUMBER_PROPERTY):
        assert simulator.post(PROPERTIES, definition).status in {201, 409}
    return simulator


@dataclass(slots=True)
class SimulatorProcess:
    """The simulator as users start it."""

    url: str
    process: subprocess.Popen[str]
    client: httpx.Client

    def create_properties(self) -> None:
        for definition in (KEY_PROPERTY, SEX_PROPERTY, NUMBER_PROPERTY):
            assert self.client.post(PROPERTIES, json=definition).status_code in {201, 409}

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(10)


@contextlib.contextmanager
def running(*arguments: str, env: dict[str, str] | None = None) -> Iterator[SimulatorProcess]:
    """Start the simulator on a free port; end exactly that process afterwards."""
    command = [sys.executable, "-m", "tools.hubspot_simulator", "--port", "0", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HUBSPOT_SIM_")} | (env or {})
    with (
        subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process,
        contextlib.ExitStack() as stack,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        prefix = "hubspot simulator listening on "
        assert line.startswith(prefix), f"the simulator did not start: {line!r}"
        url = line.removeprefix(prefix).strip()
        client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {FULL_ACCESS}"}, timeout=20, trust_env=False
        )
        stack.enter_context(client)
        running_process = SimulatorProcess(url, process, client)
        try:
            yield running_process
        finally:
            running_process.stop()
