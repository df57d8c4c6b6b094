"""HubSpot's own client library, used as its page of examples does: one call after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hubspot import HubSpot  # type: ignore[import-untyped]
from hubspot.crm.contacts import (  # type: ignore[import-untyped]
    BatchInputSimplePublicObjectBatchInputUpsert,
    SimplePublicObjectInputForCreate,
)

from tools.bench.peers.peer import Contact, Destination, batch_body, batches


async def create_in_a_loop(portal: Destination, contacts: Sequence[Contact]) -> None:
    """Create one contact per call."""
    await asyncio.to_thread(_create, portal, contacts)


async def upsert_in_a_loop(portal: Destination, contacts: Sequence[Contact]) -> None:
    """Upsert a hundred contacts per call: the best that a plain loop can do."""
    await asyncio.to_thread(_upsert, portal, contacts)


def _create(portal: Destination, contacts: Sequence[Contact]) -> None:
    api = HubSpot(access_token=portal.token, host=portal.url).crm.contacts.basic_api
    for contact in contacts:
        api.create(SimplePublicObjectInputForCreate(properties=dict(contact)))


def _upsert(portal: Destination, contacts: Sequence[Contact]) -> None:
    api = HubSpot(access_token=portal.token, host=portal.url).crm.contacts.batch_api
    for batch in batches(contacts):
        api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(**batch_body(batch)))
