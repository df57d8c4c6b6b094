"""What alerts meet outside, as one process: PagerDuty's Events API, a heartbeat service, and the health of an Airflow.

`python -m tests.support.outside_world PORT`. `GET /events`, `GET /incidents` and `GET /heartbeats` tell what arrived.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SEVERITIES = {"critical", "error", "warning", "info"}
ROUTING_KEY = "0123456789abcdef0123456789abcdef"

events: list[dict[str, Any]] = []
heartbeats: Counter[str] = Counter()


def problems(event: dict[str, Any]) -> list[str]:
    """Return what PagerDuty would refuse."""
    checks = {
        "routing_key": event.get("routing_key") == ROUTING_KEY,
        "event_action": event.get("event_action") in {"trigger", "acknowledge", "resolve"},
        "dedup_key": 0 < len(event.get("dedup_key") or "") <= 255,
        **(_payload_checks(event.get("payload") or {}) if event.get("event_action") == "trigger" else {}),
        "links": all(link.get("href", "").startswith("http") for link in event.get("links") or []),
    }
    return [name for name, is_right in checks.items() if not is_right]


def _payload_checks(payload: dict[str, Any]) -> dict[str, bool]:
    return {
        "severity": payload.get("severity") in SEVERITIES,
        "summary": 0 < len(payload.get("summary") or "") <= 1024,
        "source": bool(payload.get("source")),
    }


def incidents() -> dict[str, dict[str, int]]:
    """Return the open and closed incidents that the events make, by dedup key."""
    found: dict[str, dict[str, int]] = {}
    for event in events:
        if event["problems"]:
            continue
        incident = found.setdefault(event["dedup_key"], {"open": 0, "closed": 0})
        if event["event_action"] == "trigger":
            incident["open"] = 1
        elif event["event_action"] == "resolve":
            incident["closed"] += incident["open"]
            incident["open"] = 0
    return found


async def enqueue(request: Request) -> JSONResponse:
    event = await request.json()
    events.append(event | {"problems": problems(event)})
    if found := events[-1]["problems"]:
        return JSONResponse({"status": "invalid event", "message": "", "errors": found}, 400)
    return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}, 202)


async def beat(request: Request) -> JSONResponse:
    for alert in (await request.json())["alerts"]:
        heartbeats[alert["labels"]["alertname"]] += 1
    return JSONResponse({})


async def airflow(_: Request) -> JSONResponse:
    now = datetime.now(tz=UTC).isoformat()
    return JSONResponse({"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": now}})


app = Starlette(
    routes=[
        Route("/v2/enqueue", enqueue, methods=["POST"]),
        Route("/heartbeat", beat, methods=["POST"]),
        Route("/events", lambda _: JSONResponse(events)),
        Route("/incidents", lambda _: JSONResponse(incidents())),
        Route("/heartbeats", lambda _: JSONResponse(heartbeats)),
        Route("/api/v2/monitor/health", airflow),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
