"""What the simulated portal saw: its own log of requests, nothing that the product says about itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tools.bench.figures import most_in_window

_EVERYTHING = 10_000_000
_TOO_MANY = 429
_KINDS = {"upsert": "upsert", "read": "read", "archive": "archive", "search": "search", "contacts": "create"}
"""Last part of an object's path → kind; everything else is `other`."""
_OBJECTS = "/objects/"
_SIZES = ("request_bytes", "answer_bytes")
DELIVERY = frozenset({"upsert", "read", "archive", "create"})
"""Kinds that deliver records or read them back."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the portal logged it."""

    seq: int
    arrived_ms: int
    answered_ms: int
    kind: str
    status: int
    payload_bytes: int | None
    """Bodies of request and answer; None when the log does not tell."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests of one run, and those just before it that share a window with them."""

    before: tuple[Request, ...]
    requests: tuple[Request, ...]

    @property
    def by_kind(self) -> Mapping[str, int]:
        """Return kind → requests."""
        return dict(sorted(Counter(request.kind for request in self.requests).items()))

    @property
    def refused(self) -> int:
        """Return the answers 429."""
        return sum(request.status == _TOO_MANY for request in self.requests)

    @property
    def writes(self) -> int:
        """Return the upserts that were not refused by a limit."""
        return sum(request.kind == "upsert" and request.status != _TOO_MANY for request in self.requests)

    @property
    def most_in_10s(self) -> int:
        """Return the largest number of arrivals in any 10 s, refused ones included."""
        everything = sorted(request.arrived_ms for request in (*self.before, *self.requests))
        return most_in_window(everything, len(self.before))

    @property
    def delivery_s(self) -> float:
        """Return the seconds from the first arrival of a delivering request to the last answer; 0 without any."""
        delivering = [request for request in self.requests if request.kind in DELIVERY]
        if not delivering:
            return 0.0
        first = min(request.arrived_ms for request in delivering)
        return (max(request.answered_ms for request in delivering) - first) / 1000

    @property
    def payload_bytes(self) -> int | None:
        """Return the bytes of all bodies, without headers; None when the log does not tell."""
        sizes = [request.payload_bytes for request in self.requests]
        return None if None in sizes else sum(size or 0 for size in sizes)


class PortalControl:
    """Sets the portal's knobs, empties it and reads its log."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/__sim", timeout=300, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def set_knobs(self, knobs: Mapping[str, object]) -> None:
        """Change how the portal behaves."""
        self._http.post("/config", json=dict(knobs)).raise_for_status()

    def empty(self, *, keep_properties: bool = False) -> None:
        """Remove contacts, counters and the log, and the properties unless they are to be kept; forget the window."""
        self._http.post("/reset", json={"keep_properties": keep_properties}).raise_for_status()

    def living(self) -> int:
        """Return how many contacts there are."""
        return int(self._stats()["live_contacts"])

    def mark(self) -> int:
        """Return the number of the last request so far."""
        return max((request.seq for request in self._log()), default=0)

    def traffic_since(self, mark: int) -> Traffic:
        """Return the requests after a mark."""
        log = self._log()
        return Traffic(
            before=tuple(request for request in log if request.seq <= mark),
            requests=tuple(request for request in log if request.seq > mark),
        )

    def _stats(self) -> dict[str, Any]:
        answer = self._http.get("/stats").raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    def _log(self) -> list[Request]:
        answer = self._http.get("/requests", params={"limit": _EVERYTHING}).raise_for_status()
        return [parse_request(json.loads(line)) for line in answer.text.splitlines()]


def kind_of(path: str) -> str:
    """Return what a request to this path does."""
    return _KINDS.get(path.rpartition("/")[2], "other") if _OBJECTS in path else "other"


def parse_request(entry: Mapping[str, Any]) -> Request:
    """Read one entry of the log."""
    sizes = [entry[name] for name in _SIZES if name in entry]
    return Request(
        seq=entry["seq"],
        arrived_ms=entry["arrived"],
        answered_ms=entry["answered"],
        kind=kind_of(entry["path"]),
        status=entry["status"],
        payload_bytes=sum(sizes) if len(sizes) == len(_SIZES) else None,
    )
