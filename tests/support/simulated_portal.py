"""The HubSpot simulator within the test's own process."""

from __future__ import annotations

import httpx

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.hubspot.properties import create_body, wanted_properties
from tools.hubspot_simulator.application import Application
from tools.hubspot_simulator.world import FULL_ACCESS


async def create_properties(application: Application, definition: SyncDefinition) -> None:
    """Create what `preflight` would create."""
    headers = {"authorization": f"Bearer {FULL_ACCESS}"}
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        for wanted in wanted_properties(definition.destination):
            answer = await client.post("/crm/properties/2026-09/contacts", json=create_body(wanted))
            assert answer.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}, answer.text
