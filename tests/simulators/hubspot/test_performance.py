"""Budgets of the simulator itself; excluded from the fast suite."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import httpx
import psutil
import pytest

from tests.simulators.hubspot.harness import FULL_ACCESS, UPSERT, SimulatorProcess, row, running

pytestmark = [pytest.mark.performance, pytest.mark.timeout(240)]
HEADERS = {"Authorization": f"Bearer {FULL_ACCESS}", "Content-Type": "application/json"}


def batch(number: int) -> bytes:
    inputs = [row(f"b{number}-{n}", f"{number}-{n}", firstname=f"N{n}", total_births=str(n)) for n in range(100)]
    return json.dumps({"inputs": inputs}).encode()


async def push(url: str, batches: int, in_flight: int, per_s: float | None) -> tuple[float, Counter[int]]:
    """Send batches, paced or not; a 429 is repeated after one second. Return seconds and statuses."""
    statuses: Counter[int] = Counter()
    queue = iter(range(batches))
    started = time.monotonic()
    sent = 0

    async def turn() -> None:
        nonlocal sent
        place, sent = sent, sent + 1
        if per_s is not None:
            await asyncio.sleep(max(0.0, started + place / per_s - time.monotonic()))

    async def work(client: httpx.AsyncClient) -> None:
        for number in queue:
            while True:
                await turn()
                reply = await client.post(UPSERT, content=batch(number))
                statuses[reply.status_code] += 1
                if reply.status_code != 429:
                    break
                await asyncio.sleep(1)

    limits = httpx.Limits(max_connections=in_flight)
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, limits=limits, timeout=60, trust_env=False) as client:
        await asyncio.gather(*(work(client) for _ in range(in_flight)))
    return time.monotonic() - started, statuses


def test_paced_clients_see_no_429() -> None:
    with running() as server:
        server.create_properties()
        time_s, statuses = asyncio.run(push(server.url, 690, in_flight=24, per_s=18.5))
        stats = server.client.get("/__sim/stats").json()

    assert statuses == {200: 690}
    assert 36 < time_s < 42
    assert stats["max_in_any_10s_window"] <= 190


def test_unpaced_clients_see_many_429s() -> None:
    with running() as server:
        server.create_properties()
        _, statuses = asyncio.run(push(server.url, 690, in_flight=30, per_s=None))

    assert statuses[200] == 690
    assert statuses[429] / statuses.total() > 0.3


def cpu_ms_per_call(server: SimulatorProcess, bodies: list[bytes]) -> float:
    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    for body in bodies:
        assert server.client.post(UPSERT, content=body, headers=HEADERS).status_code == 200
    after = process.cpu_times()
    return 1000 * (after.user + after.system - before.user - before.system) / len(bodies)


def test_cpu_per_call_dump_and_checksum(tmp_path: object) -> None:
    database = f"{tmp_path}/portal.db"
    with running("--db", database, "--latency", "zero", "--burst-override", "1000000") as server:
        server.create_properties()
        bodies = [batch(number) for number in range(1000)]
        create_ms = cpu_ms_per_call(server, bodies)
        unchanged_ms = cpu_ms_per_call(server, bodies[:200])
        started = time.monotonic()
        dump = server.client.get("/__sim/contacts").text
        dump_s = time.monotonic() - started
        started = time.monotonic()
        checksum = server.client.get("/__sim/checksum?props=baby_name_key,firstname").json()
        checksum_s = time.monotonic() - started

    assert dump.count("\n") == checksum["count"] == 100_000
    assert create_ms <= 8
    assert unchanged_ms <= 8
    assert dump_s <= 10
    assert checksum_s <= 3
