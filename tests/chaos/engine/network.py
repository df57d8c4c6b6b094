"""The way between a task and the simulator: requests arrive late or never, and answers get lost."""

from __future__ import annotations

import asyncio
import enum
import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from tests.chaos.engine.processes import CURRENT, Process

LIFE_S = 10.0
"""Longest life of a request: the timeout of the client."""


class Fate(enum.StrEnum):
    """What the network does with one request."""

    REFUSED = "refused"
    """No connection: it certainly never left."""
    RESET_BEFORE = "reset_before"
    """The connection breaks and nothing arrives."""
    RESET_AFTER = "reset_after"
    """It is applied, then the connection breaks."""
    RESET_THEN_APPLIED = "reset_then_applied"
    """The connection breaks at once; what was sent is applied at the very end of its life."""
    LATE = "late"
    """It arrives so late that the client has given up."""
    CUT = "cut"
    """It is applied; the answer's JSON is cut."""
    EMPTY = "empty"
    """It is applied; the answer has no body."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that is on its way."""

    request: httpx.Request
    process: Process
    order: tuple[int, int]
    at: float


@dataclass
class Network(httpx.AsyncBaseTransport):
    """Carries requests of all processes; each travels by itself, whatever becomes of its sender."""

    application: httpx.ASGITransport
    applied: Callable[[Sent], None]
    """Told after each request that the simulator worked on."""
    fates: deque[Fate | None] = field(default_factory=deque)
    """What happens to the next writes."""
    sent_at: list[float] = field(default_factory=list)
    on_the_way: set[asyncio.Task[httpx.Response]] = field(default_factory=set)
    counts: dict[Fate, int] = field(default_factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and wait for its answer as long as the client does."""
        process = CURRENT.get()
        is_write = request.url.path.endswith(("/upsert", "/archive"))
        loop = asyncio.get_running_loop()
        self.sent_at.append(loop.time())
        sent = Sent(request, process, process.order, loop.time())
        fate = self.fates.popleft() if is_write and self.fates else None
        if fate is not None:
            self.counts[fate] = self.counts.get(fate, 0) + 1
        return await self._travel(sent, fate)

    async def _travel(self, sent: Sent, fate: Fate | None) -> httpx.Response:
        there, back = random.uniform(0.01, 1.2), random.uniform(0.01, 0.6)  # noqa: S311  seeded by hypothesis
        match fate:
            case Fate.REFUSED:
                raise httpx.ConnectError("refused", request=sent.request)
            case Fate.RESET_BEFORE:
                raise httpx.ReadError("reset", request=sent.request)
            case Fate.RESET_THEN_APPLIED:
                self._start(sent, LIFE_S, 0)
                raise httpx.ReadError("reset", request=sent.request)
            case Fate.LATE:
                there = LIFE_S - 0.1
                back = 1.0
        answer = await asyncio.shield(self._start(sent, there, back))
        match fate:
            case Fate.RESET_AFTER:
                raise httpx.ReadError("reset", request=sent.request)
            case Fate.CUT:
                return _with_content(answer, answer.content[: len(answer.content) // 2])
            case Fate.EMPTY:
                return _with_content(answer, b"")
        return answer

    def _start(self, sent: Sent, there_s: float, back_s: float) -> asyncio.Task[httpx.Response]:
        journey = asyncio.get_running_loop().create_task(self._journey(sent, there_s, back_s))
        self.on_the_way.add(journey)
        journey.add_done_callback(self._arrived)
        return journey

    def _arrived(self, journey: asyncio.Task[httpx.Response]) -> None:
        self.on_the_way.discard(journey)
        if not journey.cancelled():
            journey.exception()  # seen here, so that the loop does not complain when nobody waits

    async def _journey(self, sent: Sent, there_s: float, back_s: float) -> httpx.Response:
        await asyncio.sleep(there_s)
        try:
            response = await self.application.handle_async_request(sent.request)
            await response.aread()
        except ConnectionResetError as error:
            raise httpx.ReadError("dropped", request=sent.request) from error
        finally:
            self.applied(sent)
        await asyncio.sleep(back_s)
        return response


def _with_content(answer: httpx.Response, content: bytes) -> httpx.Response:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return httpx.Response(answer.status_code, headers=headers, content=content)


def written_values(request: httpx.Request) -> Mapping[str, str]:
    """Return key → value of `total_births` of an upsert."""
    inputs = json.loads(request.content)["inputs"]
    return {item["id"]: item["properties"].get("total_births", "") for item in inputs}
