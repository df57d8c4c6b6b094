"""The ASGI application: reads requests, sends answers, ends connections."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from tools.hubspot_simulator.answers import Answer, ApiError, Delivery
from tools.hubspot_simulator.calls import Call
from tools.hubspot_simulator.faults import DropConnection, FaultEngine
from tools.hubspot_simulator.pipeline import Pipeline
from tools.hubspot_simulator.world import Portal

CONTROL_PREFIX = "/__sim"
_MAX_BODY = 10 << 20
_DRIP_PIECES = 10
_DRIP_PAUSE_MS = 200
_LINGER_RESET = struct.pack("ii", 1, 0)


class Application:
    """Sends `/__sim` to the inspection and everything else through the pipeline."""

    def __init__(self, portal: Portal, faults: FaultEngine, inspection: ASGIApp) -> None:
        self._portal = portal
        self._pipeline = Pipeline(portal, faults)
        self._inspection = inspection
        self._control_port = portal.settings.control_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        is_control = scope["path"].startswith(CONTROL_PREFIX)
        if is_control and self._is_control_port(scope):
            await self._inspection(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        call = self._call(scope, body)
        self._portal.statistics.arrived(call)
        try:
            await self._answer(call, receive, send)
        finally:
            self._portal.statistics.answered(call)

    def _is_control_port(self, scope: Scope) -> bool:
        if self._control_port.isdigit():
            return bool(scope["server"][1] == int(self._control_port))
        return self._control_port == "same"

    def _call(self, scope: Scope, body: bytes) -> Call:
        portal = self._portal
        portal.seq += 1
        method, path, query = scope["method"], scope["path"], scope["query_string"]
        digest = hashlib.sha256(body)
        line = f"{method} {path}?{query.decode('latin-1')}"
        chance = portal.randomness.for_request(line, digest.digest())
        return Call(
            seq=portal.seq,
            method=method,
            path=path,
            query=parse_qs(query.decode("latin-1"), keep_blank_values=True, errors="replace"),
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
            body=body,
            arrived_ms=portal.clock.now_ms(),
            mono_ms=portal.clock.mono_ms(),
            body_sha256=digest.hexdigest(),
            chance=chance,
            correlation_id=chance.identifier("correlation"),
        )

    async def _answer(self, call: Call, receive: Receive, send: Send) -> None:
        try:
            if len(call.body) > _MAX_BODY:
                error = ApiError(413, "VALIDATION_ERROR", "The request body is too large")
                answer = error.as_answer(call.correlation_id)
            else:
                answer = await self._pipeline.answer(call)
        except DropConnection as dropped:
            await _end_connection(receive, send, reset=dropped.reset)
            return
        call.status = answer.status
        await self._send(call, answer, receive, send)
        call.answer_sent = not getattr(getattr(send, "__self__", None), "disconnected", False)

    async def _send(self, call: Call, answer: Answer, receive: Receive, send: Send) -> None:
        body = answer.body()
        call.answer_bytes = len(body)
        await send(_response_start(answer, len(body)))
        match answer.delivery:
            case Delivery.TRUNCATED:
                half = {"type": "http.response.body", "body": body[: len(body) // 2]}
                await send({**half, "more_body": True})
                await _end_connection(receive, send, reset=False)
            case Delivery.SLOW_DRIP:
                await self._drip(body, send)
            case _:
                await send({"type": "http.response.body", "body": body})

    async def _drip(self, body: bytes, send: Send) -> None:
        size = max(1, len(body) // _DRIP_PIECES)
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._portal.clock.sleep(_DRIP_PAUSE_MS)
        await send({"type": "http.response.body", "body": b""})


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, a little more than the maximum of it, or None when the client left."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > _MAX_BODY or not message.get("more_body", False):
            return b"".join(pieces)


def _response_start(answer: Answer, size: int) -> dict[str, Any]:
    headers = [(b"content-type", answer.content_type.encode())] if size else []
    if answer.status != 204:  # noqa: PLR2004 - no content
        headers.append((b"content-length", str(size).encode()))
    headers += [(name.lower().encode(), text.encode()) for name, text in answer.headers.items()]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _end_connection(receive: Receive, send: Send, *, reset: bool) -> None:
    """Close the TCP connection with FIN or RST.

    Raises:
        ConnectionResetError: there is no connection to close (in-process clients).
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the simulator dropped the connection")
    if reset:
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        transport.abort()
    else:
        transport.close()
    # the server must see that the client is gone, or it would answer 500 for us
    while (await receive())["type"] != "http.disconnect":
        pass
