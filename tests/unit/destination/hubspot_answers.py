"""Builders of changes, clients and HubSpot's answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import httpx

from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient
from include.hubspot_sync.destination.hubspot.exchange import Exchange
from include.hubspot_sync.destination.hubspot.payload import UpsertRequest, upsert_request
from include.hubspot_sync.records import Change, Operation, Outcome

TOKEN = "pat-na1-secret"
KEY = "baby_name_key"
SETTINGS = ClientSettings(
    key_property=KEY,
    property_names=("baby_sex", "firstname", "total_births"),
    trace_prefix="r42",
)
Handler = Callable[[httpx.Request], httpx.Response]
Value = TypeVar("Value")


def change(number: int, **properties: str) -> Change:
    return Change(
        seq=1000 + number,
        operation=Operation.CREATE,
        key_text=f"name{number}-f",
        properties={"firstname": f"Name{number}", "baby_sex": "F", **properties},
    )


def changes(count: int) -> list[Change]:
    return [change(number) for number in range(count)]


def request_for(count: int) -> UpsertRequest:
    return upsert_request(changes(count), key_property=KEY, trace_prefix="r42")


def result(number: int, *, trace: str | None = None, key: str | None = None) -> dict[str, object]:
    """One result as HubSpot sends it: without trace id, named by its key."""
    entry: dict[str, object] = {
        "id": str(100_000_000_000 + number),
        "properties": {KEY: key or f"name{number}-f", "firstname": f"Name{number}"},
        "new": True,
        "archived": False,
    }
    return entry if trace is None else {**entry, "objectWriteTraceId": trace}


def row_error(*traces: str, code: str = "INVALID_OPTION", prop: str = "baby_sex", **extra: object) -> dict[str, object]:
    detail = {"message": "not allowed", "code": code, "context": {"propertyName": [prop]}}
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": "Property values were not valid",
        "context": {"objectWriteTraceId": list(traces)},
        "errors": [detail],
        **extra,
    }


def batch(results: Sequence[object] = (), errors: Sequence[object] = (), **extra: object) -> dict[str, object]:
    return {"status": "COMPLETE", "results": [*results], "errors": [*errors], **extra}


def answered(body: object, status: int = 207) -> Exchange:
    return Exchange(status=status, body=body, is_json=True)


def by_outcome(outcomes: Sequence[object]) -> Mapping[Outcome, set[str]]:
    found: dict[Outcome, set[str]] = {kind: set() for kind in Outcome}
    for item in outcomes:
        found[item.outcome].add(item.key_text)
    return found


def json_response(status: int, body: object, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named)


def client_for(handler: Handler, settings: ClientSettings = SETTINGS, **options) -> HubSpotClient:
    http = httpx.AsyncClient(
        base_url=options.pop("base_url", "https://api.hubapi.com"),
        transport=httpx.MockTransport(handler),
    )
    return HubSpotClient(http, options.pop("token", lambda: TOKEN), settings, **options)


def ask(handler: Handler, call: Callable[[HubSpotClient], Awaitable[Value]], **options) -> Value:
    """Run one call of a client whose requests the handler answers."""

    async def run() -> Value:
        async with client_for(handler, **options) as client:
            return await call(client)

    return asyncio.run(run())


def body_of(request: httpx.Request) -> dict[str, object]:
    return json.loads(request.content)
