"""The other ways against the simulator's own handler, in time that takes no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.hubspot_sync.config import SyncDefinition
from tests.support.servers import hubspot_simulator
from tests.support.simulated_portal import create_properties
from tests.support.virtual_time import LoopClock, VirtualLoop
from tools.bench.peers.official_client import create_in_a_loop, upsert_in_a_loop
from tools.bench.peers.peer import Contact, Destination, Peer, batch_body, batches
from tools.bench.peers.plain_http import (
    create_one_by_one_at_the_limit,
    create_ten_then_pause,
    upsert_batches_in_turn,
)
from tools.bench.peers.race import PEERS, Race, judge, quick_peers
from tools.bench.portal_log import PortalControl, Traffic, parse_request
from tools.hubspot_simulator.application import Application
from tools.hubspot_simulator.faults import FaultEngine
from tools.hubspot_simulator.inspection import build_inspection
from tools.hubspot_simulator.settings import Settings
from tools.hubspot_simulator.world import FULL_ACCESS, open_portal

HEADERS = {"authorization": f"Bearer {FULL_ACCESS}"}
Send = Callable[[Destination, Sequence[Contact]], Awaitable[None]]


def contacts(number: int) -> list[Contact]:
    return [{"baby_name_key": f"name{n:05d}-f", "firstname": f"Name{n}", "baby_sex": "F"} for n in range(number)]


@dataclass
class VirtualPortal:
    """The simulator within the test, on a loop whose clock jumps."""

    loop: VirtualLoop
    application: Application
    limit: int

    def run(self, send: Send, number: int) -> None:
        self.loop.run_until_complete(self._send(send, number))

    async def _send(self, send: Send, number: int) -> None:
        async with self.http() as http:
            await send(Destination(http, "", "", self.limit, asyncio.sleep, self.loop.time), contacts(number))

    def http(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.application)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=HEADERS)

    def look(self, path: str) -> httpx.Response:
        async def get() -> httpx.Response:
            async with self.http() as http:
                return await http.get(f"/__sim{path}")

        return self.loop.run_until_complete(get())

    def stats(self) -> dict[str, Any]:
        return self.look("/stats").json()

    def traffic(self) -> Traffic:
        log = self.look("/requests?limit=100000").text.splitlines()
        requests = [parse_request(json.loads(line)) for line in log]
        return Traffic((), tuple(request for request in requests if request.kind != "other"))


@pytest.fixture
def open_virtual(definition: SyncDefinition) -> Iterator[Callable[..., VirtualPortal]]:
    opened: list[tuple[VirtualLoop, Any]] = []

    def build(limit: int, latency: str = "default") -> VirtualPortal:
        settings = Settings()
        loop = VirtualLoop()
        portal = open_portal(settings, LoopClock(loop))
        opened.append((loop, portal))
        faults = FaultEngine(portal)
        virtual = VirtualPortal(loop, Application(portal, faults, build_inspection(portal, faults)), limit)
        loop.run_until_complete(create_properties(virtual.application, definition))
        settings.change({"burst_override": limit, "latency": latency})
        loop.run_until_complete(asyncio.sleep(10))  # the requests that created them leave the window
        return virtual

    yield build
    for loop, portal in opened:
        loop.close()
        portal.store.close()


def test_replaced_script_sends_ten_and_sleeps_a_second(open_virtual: Callable[..., VirtualPortal]):
    portal = open_virtual(190)

    portal.run(create_ten_then_pause, 95)

    traffic = portal.traffic()
    assert portal.stats()["live_contacts"] == 95
    assert portal.stats()["max_inflight"] == 10
    assert 9 <= traffic.delivery_s < 20
    assert traffic.most_in_10s <= 100
    assert traffic.refused == 0


def test_replaced_script_forgets_what_is_refused(open_virtual: Callable[..., VirtualPortal]):
    portal = open_virtual(15, "zero")

    portal.run(create_ten_then_pause, 30)

    assert (portal.traffic().refused, portal.stats()["live_contacts"]) == (15, 15)


def test_one_per_request_uses_the_limit_and_keeps_it(open_virtual: Callable[..., VirtualPortal]):
    portal = open_virtual(190)

    portal.run(create_one_by_one_at_the_limit, 400)

    traffic = portal.traffic()
    assert portal.stats()["live_contacts"] == 400
    assert 180 <= traffic.most_in_10s <= 190
    assert traffic.refused == 0
    assert traffic.delivery_s == pytest.approx(400 * 10 / (190 * 0.974), abs=1)


def test_one_per_request_sends_again_what_is_refused(open_virtual: Callable[..., VirtualPortal]):
    portal = open_virtual(20, "zero")
    portal.limit = 40  # it believes in more than there is

    portal.run(create_one_by_one_at_the_limit, 50)

    assert portal.stats()["live_contacts"] == 50
    assert portal.traffic().refused > 0


def test_batches_follow_one_after_the_other(open_virtual: Callable[..., VirtualPortal]):
    portal = open_virtual(190)

    portal.run(upsert_batches_in_turn, 1250)

    assert portal.traffic().by_kind == {"upsert": 13}
    assert (portal.stats()["max_inflight"], portal.stats()["live_contacts"]) == (1, 1250)


def test_refused_batch_waits_ten_seconds_and_comes_again(open_virtual: Callable[..., VirtualPortal]):
    portal = open_virtual(2, "zero")

    portal.run(upsert_batches_in_turn, 300)

    traffic = portal.traffic()
    assert (traffic.writes, portal.stats()["live_contacts"]) == (3, 300)
    assert traffic.refused > 0
    assert traffic.delivery_s == pytest.approx(10 * traffic.refused, abs=0.5)


def test_batch_body_is_an_upsert_by_key_with_a_trace_per_row():
    body = batch_body(contacts(2))

    assert body["inputs"] == [
        {
            "id": f"name0000{n}-f",
            "idProperty": "baby_name_key",
            "objectWriteTraceId": str(n),
            "properties": {"baby_name_key": f"name0000{n}-f", "firstname": f"Name{n}", "baby_sex": "F"},
        }
        for n in range(2)
    ]


def test_last_batch_holds_the_rest():
    assert [len(batch) for batch in batches(contacts(250))] == [100, 100, 50]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(("send", "requests"), [(create_in_a_loop, 20), (upsert_in_a_loop, 1)])
def test_official_client_delivers_every_contact(tmp_path: Path, send: Send, requests: int):
    with hubspot_simulator(tmp_path, latency="zero") as url:
        control = PortalControl(url)
        run = Race(control, url, FULL_ACCESS, contacts(20)).run(Peer("official", "", 20, send))
        control.close()

    assert (run.requests, run.most_in_10s, run.problems) == (requests, requests, ())
    assert run.api_s > 0


def test_peer_that_loses_contacts_is_reported():
    run = judge(Peer("lossy", "", 100, create_ten_then_pause), Traffic((), ()), 99, 0.0)

    assert run.problems == ("the portal holds 99 contacts instead of 100",)


def test_extrapolation_is_in_proportion():
    entry = {"seq": 1, "arrived": 0, "answered": 30_000, "path": "/crm/v3/objects/contacts", "status": 201}
    run = judge(Peer("x", "", 300, create_ten_then_pause), Traffic((), (parse_request(entry),)), 300, 0.0)

    assert run.records_per_s == 10
    assert run.seconds_for(69_350) == 6_935


def test_quick_samples_are_smaller():
    assert [peer.name for peer in quick_peers()] == [peer.name for peer in PEERS]
    assert all(quick.sample < whole.sample for quick, whole in zip(quick_peers(), PEERS, strict=True))
