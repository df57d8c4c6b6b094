"""The log of all requests except the control calls, in memory and as JSON lines."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT = 10_000
"""Requests that are kept in memory; the file has them all."""
_BODY_CHARACTERS = 10_000
_UNLOGGED = ("/__sim", "/health")


class RequestLog:
    """What was asked, in the order of the answers."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def add(self, entry: dict[str, Any]) -> None:
        """Add one request."""
        self._entries.append(entry)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        """Return the requests that are kept, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget the requests in memory; the file keeps them."""
        self._entries.clear()


def _header_text(name: str, value: str) -> str:
    """Hide the secret of an Authorization header and keep its scheme."""
    return f"{value.partition(' ')[0]} ***" if name == "authorization" else value


def _entry(scope: Scope, body: bytes, status: int) -> dict[str, Any]:
    query = scope["query_string"].decode("latin-1")
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    return {
        "port": scope["server"][1],
        "method": scope["method"],
        "path": scope["path"] + (f"?{query}" if query else ""),
        "headers": {name: _header_text(name, value) for name, value in pairs},
        "body": body.decode("utf-8", "replace")[:_BODY_CHARACTERS],
        "status": status,
    }


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


class LoggedApp:
    """An ASGI application that writes every request down before it is answered."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_UNLOGGED):
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        async def note_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.add(_entry(scope, body, message["status"]))
            await send(message)

        await self._app(scope, replay, note_and_send)
