"""Each effect of the proxy, seen from both of its ends."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tools.chaos.proxy import Effect, Proxy, Rule

ANSWER = b"x" * 1000


class Server(http.server.ThreadingHTTPServer):
    """Notes what arrives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []

    def handle_error(self, *arguments: object) -> None:
        """Broken connections are what these tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every POST alike."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Server)
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.server_address[1])
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", trust_env=False, timeout=1) as client:
        yield client


def test_without_a_rule_everything_passes(client: httpx.Client, server: Server):
    assert [client.post("/upsert", content=b"a").content for _ in range(3)] == [ANSWER] * 3
    assert server.seen == ["/upsert"] * 3


@pytest.mark.parametrize(
    ("effect", "arrives"),
    [(Effect.RESET_BEFORE, False), (Effect.RESET_AFTER, True), (Effect.CUT, True)],
)
def test_broken_connection(
    client: httpx.Client,
    proxy: Proxy,
    server: Server,
    effect: Effect,
    arrives: bool,  # noqa: FBT001  a column of the table above
):
    proxy.rule = rule = Rule(effect, b"/upsert", left=1, size=300)

    with pytest.raises(httpx.TransportError):
        client.post("/upsert", content=b"a")

    assert server.seen == (["/upsert"] if arrives else [])
    assert (rule.hits, rule.left) == (1, 0)
    assert client.post("/upsert", content=b"a").content == ANSWER


def test_stalled_answer_is_later_than_the_client_waits(client: httpx.Client, proxy: Proxy, server: Server):
    proxy.rule = Rule(Effect.STALL, b"/upsert", left=1, seconds=5)

    with pytest.raises(httpx.ReadTimeout):
        client.post("/upsert", content=b"a", timeout=0.2)

    assert server.seen == ["/upsert"]


def test_answer_that_the_server_never_gave(client: httpx.Client, proxy: Proxy, server: Server):
    content = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    proxy.rule = Rule(Effect.ANSWER, b"POST", left=1, content=content)

    assert client.post("/file", content=b"a").status_code == 503
    assert client.post("/file", content=b"a").status_code == 200
    assert server.seen == ["/file"]


def test_only_marked_requests_are_hit(client: httpx.Client, proxy: Proxy):
    proxy.rule = rule = Rule(Effect.RESET_BEFORE, b"/upsert", left=1)

    assert client.post("/read", content=b"a").status_code == 200
    assert rule.hits == 0


def test_every_connection_breaks_at_once(client: httpx.Client, proxy: Proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        client.post("/read", content=b"a")  # the proxy accepts in order: it has both connections now

        assert proxy.reset_all() == 2
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
