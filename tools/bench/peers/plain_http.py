"""Peers that only need HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import httpx

from tools.bench.figures import WINDOW_S
from tools.bench.peers.peer import Contact, Destination, batch_body, batches

CREATE = "/crm/v3/objects/contacts"
UPSERT = "/crm/v3/objects/contacts/batch/upsert"
CREATES_AT_ONCE = 10
PAUSE_S = 1.0
BACKOFF_S = 10.0
_IN_FLIGHT = 30
_SHARE = 0.974
"""The share of the limit that this product uses as well: the whole of it would bring refusals."""


async def create_ten_then_pause(portal: Destination, contacts: Sequence[Contact]) -> None:
    """Send ten single creates at once, wait for all, sleep a second: the script that this product replaces.

    As there, an answer 409 counts as success and nothing is tried again.
    """
    for group in batches(contacts, CREATES_AT_ONCE):
        await asyncio.gather(*(portal.http.post(CREATE, json={"properties": dict(contact)}) for contact in group))
        await portal.sleep(PAUSE_S)


async def create_one_by_one_at_the_limit(portal: Destination, contacts: Sequence[Contact]) -> None:
    """Send one request per contact, as many at once as the limit needs, evenly paced."""
    waiting = iter(contacts)
    pace = _Pace(portal, WINDOW_S / (portal.limit * _SHARE))
    async with asyncio.TaskGroup() as group:
        for _ in range(_IN_FLIGHT):
            group.create_task(_create_each(portal, waiting, pace))


class _Pace:
    """Hands out sending times."""

    def __init__(self, portal: Destination, interval_s: float) -> None:
        self._portal = portal
        self._interval_s = interval_s
        self._next = portal.now()

    async def wait(self) -> None:
        """Wait for the next sending time; one that passed is not made up for."""
        mine = max(self._next, self._portal.now())
        self._next = mine + self._interval_s
        await self._portal.sleep(mine - self._portal.now())


async def _create_each(portal: Destination, waiting: Iterator[Contact], pace: _Pace) -> None:
    for contact in waiting:
        await _until_accepted(portal, CREATE, {"properties": dict(contact)}, backoff_s=PAUSE_S, pace=pace)


async def upsert_batches_in_turn(portal: Destination, contacts: Sequence[Contact]) -> None:
    """Send batches of 100, the next after the answer to the last; after a refusal wait a fixed time."""
    for batch in batches(contacts):
        await _until_accepted(portal, UPSERT, batch_body(batch), backoff_s=BACKOFF_S)


async def _until_accepted(
    portal: Destination, path: str, body: Mapping[str, object], *, backoff_s: float, pace: _Pace | None = None
) -> None:
    """Send a request until no limit refuses it."""
    while True:
        if pace:
            await pace.wait()
        answer = await portal.http.post(path, json=body)
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            answer.raise_for_status()
            return
        await portal.sleep(backoff_s)
