"""A TCP proxy that misbehaves on command: resets, stalls, cut streams, and answers that the server never gave."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from dataclasses import dataclass, field

_CHUNK = 1 << 16
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends RST instead of FIN and drops what is buffered."""


class Effect(enum.StrEnum):
    """What happens to a request."""

    RESET_BEFORE = "reset_before"
    """The connection breaks; the server sees nothing of it."""
    RESET_AFTER = "reset_after"
    """The server gets it; the connection breaks when the answer begins."""
    STALL = "stall"
    """The server gets it; the answer waits for `seconds`."""
    CUT = "cut"
    """The server gets it; the connection breaks after `size` bytes of the answer."""
    ANSWER = "answer"
    """The server gets nothing; the client gets `content` and the end of the connection."""


@dataclass(slots=True)
class Rule:
    """Which requests are hit, how often and how."""

    effect: Effect
    marker: bytes
    """The request's first bytes must contain it."""
    left: int
    """Requests that are still to be hit."""
    seconds: float = 0.0
    size: int = 0
    content: bytes = b""
    hits: int = 0


@dataclass(eq=False, slots=True)
class _Link:
    """One connection of a client and the one to the server that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    rule: Rule | None = None
    """Waits for the answer to the request that it hit."""

    def reset(self) -> None:
        for writer in (self.client, self.server):
            connection: socket.socket = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()


@dataclass
class Proxy:
    """Stands between clients and one server, both on loopback; runs in a thread of its own."""

    target_port: int
    port: int = 0
    """Where it listens; 0 until it is started."""
    rule: Rule | None = None
    _links: set[_Link] = field(default_factory=set)
    _serving: set[asyncio.Task[None] | None] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen on a free port."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Break every connection and end."""
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def reset_all(self) -> int:
        """Break every connection now; return how many there were."""
        links = len(self._links)
        if self._loop:
            self._loop.call_soon_threadsafe(self._reset_all)
        return links

    def _reset_all(self) -> None:
        for link in list(self._links):
            link.reset()

    async def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopping.wait()
        server.close()
        self._reset_all()
        await asyncio.gather(*filter(None, self._serving), return_exceptions=True)

    async def _serve(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._connect(from_client, client)
        finally:
            self._serving.discard(task)

    async def _connect(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            client.transport.abort()
            return
        link = _Link(client, server)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._forward(from_client, link)),
            asyncio.create_task(self._backward(from_server, link)),
        ]
        try:
            # the end of either side ends the link: HTTP and MySQL know no half-open connections
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._links.discard(link)
            for writer in (client, server):
                writer.close()

    async def _forward(self, reader: asyncio.StreamReader, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while content := await reader.read(_CHUNK):
                rule = self._take(content)
                if rule is not None and rule.effect is Effect.RESET_BEFORE:
                    link.reset()
                    return
                if rule is not None and rule.effect is Effect.ANSWER:
                    link.client.write(rule.content)
                    await link.client.drain()
                    return
                link.rule = rule or link.rule
                link.server.write(content)
                await link.server.drain()

    async def _backward(self, reader: asyncio.StreamReader, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while content := await reader.read(_CHUNK):
                rule, link.rule = link.rule, None
                if rule is not None and not await self._spoil(rule, link, content):
                    return
                if rule is None or rule.effect is Effect.STALL:
                    link.client.write(content)
                    await link.client.drain()

    async def _spoil(self, rule: Rule, link: _Link, content: bytes) -> bool:
        """Do to an answer what the rule says; return whether the connection goes on."""
        if rule.effect is Effect.STALL:
            await asyncio.sleep(rule.seconds)
            return True
        if rule.effect is Effect.CUT:
            link.client.write(content[: rule.size])
            await link.client.drain()
        link.reset()
        return False

    def _take(self, content: bytes) -> Rule | None:
        """Return the rule when it hits this request."""
        rule = self.rule
        if rule is None or rule.left <= 0 or rule.marker not in content:
            return None
        rule.left -= 1
        rule.hits += 1
        return rule
