"""`/__sim`: look inside, seed, edit, reset, configure. Never counted, never logged."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tools.hubspot_simulator.answers import Json
from tools.hubspot_simulator.calls import Call, Token, TokenKind
from tools.hubspot_simulator.clock import VirtualClock
from tools.hubspot_simulator.dump import Dump, contact_json
from tools.hubspot_simulator.fault_plan import FaultError
from tools.hubspot_simulator.faults import FaultEngine
from tools.hubspot_simulator.portal_user import EditError, PortalUser
from tools.hubspot_simulator.settings import START_ONLY, KnobError
from tools.hubspot_simulator.world import ALL_SCOPES, Portal

_NDJSON = "application/x-ndjson"
_Handler = Callable[[Request], Awaitable[Response]]


class ControlError(ValueError):
    """A control request is wrong."""


class Inspection:
    """The handlers."""

    def __init__(self, portal: Portal, faults: FaultEngine) -> None:
        self._portal = portal
        self._faults = faults
        self._dump = Dump(portal)
        self._user = PortalUser(portal)

    async def health(self, _request: Request) -> Response:
        """Say that the process answers."""
        return JSONResponse({"status": "ok", "portalId": self._portal.settings.portal_id})

    async def stats(self, _request: Request) -> Response:
        """Return the counters; costs no query."""
        return JSONResponse(self._stats())

    async def timeline(self, _request: Request) -> Response:
        """Return what happened per second."""
        seconds = sorted(self._portal.statistics.timeline.items())
        return JSONResponse([{"second": moment, **asdict(what)} for moment, what in seconds])

    async def requests(self, request: Request) -> Response:
        """Return the request log as NDJSON."""
        since, limit = _number(request, "since", 0), _number(request, "limit", 1000)
        self._portal.statistics.save()
        rows = self._portal.store.connection.execute(
            "SELECT entry FROM request_log WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit)
        )
        return PlainTextResponse("".join(f"{row[0]}\n" for row in rows), media_type=_NDJSON)

    async def contacts(self, request: Request) -> Response:
        """Dump the contacts as NDJSON."""
        after = _number(request, "after", 0)
        limit = _number(request, "limit", 0) if "limit" in request.query_params else None
        names = _names(request)
        return StreamingResponse(self._dump.lines(after, limit, names), media_type=_NDJSON)

    async def contacts_by(self, request: Request) -> Response:
        """Return every contact with a value."""
        prop, value = request.path_params["prop"], request.path_params["value"]
        return JSONResponse([contact_json(c) for c in self._dump.by_value(prop, value)])

    async def history(self, request: Request) -> Response:
        """Return the values of the contacts with a value, in order."""
        prop, value = request.path_params["prop"], request.path_params["value"]
        return JSONResponse(self._dump.history(prop, value))

    async def checksum(self, request: Request) -> Response:
        """Return count and checksum of the live contacts."""
        names = _names(request)
        if not names:
            raise ControlError("name the properties, the key first: checksum?props=key,a,b")
        return JSONResponse(await self._dump.checksum(names))

    async def seed(self, request: Request) -> Response:
        """Store contacts from NDJSON."""
        number = 0
        async for lines in _line_chunks(request):
            number += self._user.seed(lines)
        return JSONResponse({"seeded": number})

    async def edit(self, request: Request) -> Response:
        """Change a contact as a portal user would."""
        body = await _body(request)
        return JSONResponse(self._user.edit(body, self._own_call(json.dumps(body))))

    async def reset(self, request: Request) -> Response:
        """Return to an empty portal without faults."""
        body = await _body(request)
        keep = body.get("keep_properties", request.query_params.get("keep_properties", False))
        self._portal.reset(keep_properties=str(keep).lower() in {"true", "1"})
        self._faults.reset()
        return JSONResponse({"status": "ok"})

    async def snapshot(self, request: Request) -> Response:
        """Keep a copy of the portal."""
        self._portal.save_log()
        self._portal.store.snapshot(await _name(request))
        return JSONResponse({"status": "ok"})

    async def restore(self, request: Request) -> Response:
        """Go back to a copy; counters stay."""
        name = await _name(request)
        if not self._portal.store.restore(name):
            raise ControlError(f"there is no snapshot {name}")
        self._portal.reload()
        return JSONResponse({"status": "ok"})

    async def get_config(self, _request: Request) -> Response:
        """Return every knob."""
        return JSONResponse(self._portal.settings.as_dict())

    async def set_config(self, request: Request) -> Response:
        """Change knobs."""
        changes = await _body(request)
        fixed = START_ONLY & changes.keys()
        if fixed:
            raise ControlError(f"knob {min(fixed)} can only be set at the start")
        self._portal.settings.change(changes)
        self._portal.limiter.daily.forget_zone()
        if self._portal.settings.daily_used is not None and "daily_used" in changes:
            self._portal.limiter.daily.roll(self._portal.clock.now_ms())
            self._portal.limiter.daily.used = self._portal.settings.daily_used
        return JSONResponse(self._portal.settings.as_dict())

    async def advance(self, request: Request) -> Response:
        """Move the virtual clock by `ms` or `s`."""
        clock = self._portal.clock
        if not isinstance(clock, VirtualClock):
            raise ControlError("the clock is real; start with --clock virtual")
        body = await _body(request)
        ms = body.get("ms", 0) + 1000 * body.get("s", 0)
        if not isinstance(ms, int | float) or ms < 0:
            raise ControlError("ms or s must be a positive number")
        clock.advance(ms)
        return JSONResponse({"now_ms": clock.now_ms()})

    async def add_fault(self, request: Request) -> Response:
        """Add a fault or a scenario."""
        ids = self._faults.add(await _body(request))
        return JSONResponse({"id": ids[0] if ids else None, "ids": ids}, status_code=201)

    async def list_faults(self, _request: Request) -> Response:
        """Return all faults with their counters."""
        return JSONResponse(self._faults.listed())

    async def remove_fault(self, request: Request) -> Response:
        """Remove one fault or all."""
        fault_id = request.path_params.get("fault_id")
        if not self._faults.remove(fault_id):
            raise ControlError(f"there is no fault {fault_id}")
        return Response(status_code=204)

    async def add_token(self, request: Request) -> Response:
        """Add or replace a token."""
        body = await _body(request)
        try:
            rate = body.get("rate_override")
            token = Token(
                token=str(body["token"]),
                app_id=int(body.get("app_id", 2001)),
                kind=TokenKind(body.get("kind", "service_key")),
                scopes=frozenset(map(str, body.get("scopes", ALL_SCOPES))),
                expired=bool(body.get("expired", False)),
                rate_override=None if rate is None else int(rate),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ControlError("a token needs token, and fitting app_id, kind, scopes") from error
        self._portal.tokens.save(token)
        return JSONResponse({"app_id": token.app_id}, status_code=201)

    async def metrics(self, _request: Request) -> Response:
        """Return the plain counters as Prometheus text."""
        stats = self._stats()
        lines = [f"hubspot_sim_{name} {value}" for name, value in stats.items() if isinstance(value, int | float)]
        lines += [
            f'hubspot_sim_answers_total{{status="{status}"}} {number}' for status, number in stats["by_status"].items()
        ]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    def _stats(self) -> dict[str, Json]:
        portal = self._portal
        shown = portal.statistics.as_json(portal.live_contacts, portal.limiter.daily.used)
        return dict(shown)

    def _own_call(self, text: str) -> Call:
        """Return the request under whose number a change of the portal user is recorded."""
        portal = self._portal
        portal.seq += 1
        now = portal.clock.now_ms()
        chance = portal.randomness.for_request("portal user", text.encode())
        return Call(
            seq=portal.seq, method="", path="", query={}, headers={}, body=b"", arrived_ms=now,
            mono_ms=portal.clock.mono_ms(), body_sha256="", chance=chance, correlation_id="",
        )  # fmt: skip


async def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


def build_inspection(portal: Portal, faults: FaultEngine) -> Starlette:
    """Return the `/__sim` application."""
    seen = Inspection(portal, faults)
    table: dict[str, dict[str, _Handler]] = {
        "/health": {"GET": seen.health},
        "/stats": {"GET": seen.stats},
        "/timeline": {"GET": seen.timeline},
        "/requests": {"GET": seen.requests},
        "/contacts": {"GET": seen.contacts},
        "/contacts/by/{prop}/{value:path}": {"GET": seen.contacts_by},
        "/history/{prop}/{value:path}": {"GET": seen.history},
        "/checksum": {"GET": seen.checksum},
        "/seed": {"POST": seen.seed},
        "/edit": {"POST": seen.edit},
        "/reset": {"POST": seen.reset},
        "/snapshot": {"POST": seen.snapshot},
        "/restore": {"POST": seen.restore},
        "/config": {"GET": seen.get_config, "POST": seen.set_config},
        "/clock/advance": {"POST": seen.advance},
        "/faults": {"GET": seen.list_faults, "POST": seen.add_fault, "DELETE": seen.remove_fault},
        "/faults/{fault_id}": {"DELETE": seen.remove_fault},
        "/tokens": {"POST": seen.add_token},
        "/metrics": {"GET": seen.metrics},
    }
    routes = [
        Route(f"/__sim{path}", handler, methods=[method])
        for path, methods in table.items()
        for method, handler in methods.items()
    ]
    wrong = (ControlError, EditError, FaultError, KnobError)
    handlers: dict[Any, Any] = dict.fromkeys(wrong, _refused)
    return Starlette(routes=routes, exception_handlers=handlers)


async def _body(request: Request) -> dict[str, Json]:
    raw = await request.body()
    try:
        content = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise ControlError("the body is not JSON") from error
    if not isinstance(content, dict):
        raise ControlError("the body must be an object")
    return content


async def _name(request: Request) -> str:
    return str((await _body(request)).get("name", "default"))


async def _line_chunks(request: Request) -> AsyncIterator[list[bytes]]:
    """Yield whole lines as the body comes in, so that a large seed needs little memory."""
    rest = b""
    async for piece in request.stream():
        *lines, rest = (rest + piece).split(b"\n")
        if lines:
            yield lines
    if rest.strip():
        yield [rest]


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise ControlError(f"{name} must be a number")
    return int(text)


def _names(request: Request) -> list[str]:
    return [name for name in request.query_params.get("props", "").split(",") if name]
