from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools.compose.answers import main


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_good_answer_is_healthy(url):
    assert main([f"{url}/200"]) == 0


def test_bad_answer_is_not_healthy(url):
    assert main([f"{url}/503"]) == 1


def test_no_answer_is_not_healthy(capsys):
    assert main(["http://127.0.0.1:1/health"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err
