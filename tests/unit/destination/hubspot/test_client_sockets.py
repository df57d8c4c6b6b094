"""The client on real loopback sockets: what the network does is an answer, never an exception."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from include.hubspot_sync.destination.hubspot.client import HubSpotClient
from include.hubspot_sync.destination.protocol import Answer, Reason, Verdict
from include.hubspot_sync.records import Outcome
from tests.unit.destination.hubspot_answers import SETTINGS, TOKEN, batch, changes, result

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD = json.dumps(batch([result(0)])).encode()


def http_answer(body: bytes, *, length: int | None = None, status: str = "200 OK") -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + body


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
    await reader.readexactly(size)


def talk(peer: Peer, *, calls: int = 1, timeout_s: float = 5.0) -> list[Answer]:
    """Let the client upsert one record `calls` times against a scripted server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        finally:
            writer.close()

    async def run() -> list[Answer]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = replace(SETTINGS, request_timeout_s=timeout_s)
        client = HubSpotClient.connect(f"http://127.0.0.1:{port}", lambda: TOKEN, settings)
        async with server, client:
            return [await client.upsert(changes(1)) for _ in range(calls)]

    return asyncio.run(run())


def test_a_connection_serves_several_calls():
    connections = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(3):
            await read_request(reader)
            writer.write(http_answer(GOOD))

    answers = talk(peer, calls=3)

    assert [item.outcomes[0].outcome for item in answers] == [Outcome.DELIVERED] * 3
    assert connections == 1


def test_a_refused_connection_was_never_sent():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"

        async def run() -> Answer:
            async with HubSpotClient.connect(address, lambda: TOKEN, SETTINGS) as client:
                return await client.upsert(changes(1))

        answer = asyncio.run(run())

    assert (answer.verdict, answer.reason, answer.sent) == (
        Verdict.RETRY,
        Reason.CONNECT_FAILED,
        False,
    )


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_a_dropped_connection_leaves_the_outcome_unknown(reset):
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if reset:
            writer.transport.abort()

    (answer,) = talk(peer)

    assert (answer.verdict, answer.reason, answer.sent) == (
        Verdict.RETRY,
        Reason.CONNECTION_BROKEN,
        True,
    )


def test_an_answer_that_is_cut_leaves_the_outcome_unknown():
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(http_answer(GOOD, length=len(GOOD) + 10))

    (answer,) = talk(peer)

    assert (answer.status, answer.reason) == (200, Reason.NOT_JSON)
    assert answer.outcomes[0].outcome is Outcome.UNKNOWN


def test_a_server_error_that_is_cut_is_still_a_server_error():
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(http_answer(b"{", length=10, status="502 Bad Gateway"))

    (answer,) = talk(peer)

    assert (answer.verdict, answer.status) == (Verdict.SLOW, 502)


def test_a_silent_server_runs_into_the_time_limit():
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    (answer,) = talk(peer, timeout_s=0.1)

    assert (answer.verdict, answer.reason, answer.sent) == (Verdict.RETRY, Reason.TIMEOUT, True)
    assert answer.latency_ms >= 90


def test_a_server_that_drips_runs_into_the_time_limit():
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(http_answer(b"", length=1000))
        # every byte comes in time for a read timeout; only a limit on the whole ends it
        while not writer.transport.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)

    (answer,) = talk(peer, timeout_s=0.15)

    assert answer.latency_ms < 2_000
    assert answer.outcomes[0].outcome is Outcome.UNKNOWN
