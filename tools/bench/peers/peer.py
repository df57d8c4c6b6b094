"""What a peer is given, and what it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

Contact = Mapping[str, str]
"""Property → value, the key property included."""
Sleep = Callable[[float], Awaitable[object]]
KEY = "baby_name_key"
BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class Destination:
    """The portal, as a peer reaches it."""

    http: httpx.AsyncClient
    """Knows address and token."""
    url: str
    token: str
    limit: int
    """Requests that the portal allows in any 10 s."""
    sleep: Sleep
    now: Callable[[], float]
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to deliver contacts."""

    name: str
    says: str
    sample: int
    """Contacts that it delivers here."""
    send: Callable[[Destination, Sequence[Contact]], Awaitable[None]]


def batch_body(contacts: Sequence[Contact]) -> dict[str, object]:
    """Return the body of an upsert by the key property."""
    return {
        "inputs": [
            {
                "id": contact[KEY],
                "idProperty": KEY,
                "objectWriteTraceId": str(place),
                "properties": dict(contact),
            }
            for place, contact in enumerate(contacts)
        ]
    }


def batches(contacts: Sequence[Contact], size: int = BATCH_SIZE) -> list[Sequence[Contact]]:
    """Cut contacts into batches of at most `size`."""
    return [contacts[start : start + size] for start in range(0, len(contacts), size)]
