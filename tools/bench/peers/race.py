"""Lets each peer deliver a sample to an empty portal, and extrapolates."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import httpx

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.destination.hubspot.properties import create_body, wanted_properties
from tools.bench.cases import PortalKnobs
from tools.bench.peers.official_client import create_in_a_loop, upsert_in_a_loop
from tools.bench.peers.peer import BATCH_SIZE, Contact, Destination, Peer
from tools.bench.peers.plain_http import (
    create_one_by_one_at_the_limit,
    create_ten_then_pause,
    upsert_batches_in_turn,
)
from tools.bench.portal_log import PortalControl, Traffic

_PROPERTIES = "/crm/v3/properties/contacts"
_TIMEOUT_S = 60

PEERS = (
    Peer(
        "replaced_script",
        "the script that this product replaces: ten single creates at once, then 1 s of sleep",
        200,
        create_ten_then_pause,
    ),
    Peer(
        "one_per_request",
        "one request per contact, evenly paced at the same limit, 30 in flight",
        760,
        create_one_by_one_at_the_limit,
    ),
    Peer(
        "batches_in_turn",
        "batches of 100, one after the other, 10 s of backoff after a refusal",
        30 * BATCH_SIZE,
        upsert_batches_in_turn,
    ),
    Peer(
        "official_client", "`hubspot-api-client`, one create after the other", 200, create_in_a_loop
    ),
    Peer(
        "official_client_batches",
        "`hubspot-api-client`, one upsert of 100 after the other",
        30 * BATCH_SIZE,
        upsert_in_a_loop,
    ),
)  # fmt: skip
_QUICK_SHARE = 10


@dataclass(frozen=True, slots=True)
class PeerRun:
    """What one run of a peer showed."""

    sample: int
    api_s: float
    """From the first arrival to the last answer, as the portal logged them."""
    requests: int
    http_429: int
    most_in_10s: int
    load_before: float
    problems: tuple[str, ...]

    @property
    def records_per_s(self) -> float:
        """Return the contacts per second."""
        return self.sample / self.api_s

    def seconds_for(self, contacts: int) -> float:
        """Extrapolate in proportion: every peer here is as fast at the end as at the beginning."""
        return self.api_s * contacts / self.sample

    def as_json(self) -> dict[str, Any]:
        """Return the figures for results.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PeerRun:
        """Read back what `as_json` wrote."""
        return cls(**{**content, "problems": tuple(content["problems"])})


def quick_peers() -> tuple[Peer, ...]:
    """Return the peers with samples that only show that they work."""
    return tuple(replace(peer, sample=peer.sample // _QUICK_SHARE) for peer in PEERS)


@dataclass(frozen=True, slots=True)
class Race:
    """The portal and the contacts that all peers get."""

    portal: PortalControl
    url: str
    token: str
    contacts: Sequence[Contact]
    knobs: PortalKnobs = field(default_factory=PortalKnobs)

    def run(self, peer: Peer) -> PeerRun:
        """Let a peer deliver its sample to an empty portal.

        Raises:
            httpx.HTTPError: the portal refuses something else than by a limit, or does not answer.
        """
        self.portal.set_knobs(asdict(self.knobs))
        self.portal.empty()
        asyncio.run(self._prepare())
        self.portal.empty(keep_properties=True)  # the requests that made the properties are not the peer's
        mark, load = self.portal.mark(), os.getloadavg()[0]
        asyncio.run(self._send(peer))
        return judge(peer, self.portal.traffic_since(mark), self.portal.living(), load)

    async def _send(self, peer: Peer) -> None:
        async with self._client() as http:
            portal = Destination(http, self.url, self.token, self.knobs.limit, asyncio.sleep, time.monotonic)
            await peer.send(portal, self.contacts[: peer.sample])

    async def _prepare(self) -> None:
        """Create the properties, the unique key included: no peer does that by itself."""
        definition = load_definitions()["baby_names"]
        async with self._client() as http:
            for wanted in wanted_properties(definition.destination):
                answer = await http.post(_PROPERTIES, json=create_body(wanted))
                if answer.status_code != httpx.codes.CONFLICT:
                    answer.raise_for_status()

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)


def judge(peer: Peer, traffic: Traffic, living: int, load_before: float) -> PeerRun:
    """Put together what was seen; a peer that left contacts out is not comparable."""
    wrong = [] if living == peer.sample else [f"the portal holds {living} contacts instead of {peer.sample}"]
    return PeerRun(
        sample=peer.sample,
        api_s=traffic.delivery_s,
        requests=len(traffic.requests),
        http_429=traffic.refused,
        most_in_10s=traffic.most_in_10s,
        load_before=round(load_before, 2),
        problems=tuple(wrong),
    )
