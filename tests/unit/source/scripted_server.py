"""A loopback server that gives prepared answers one after the other and remembers what it was asked."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """One prepared answer; with `cut`, only so many bytes of the body are sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def method_name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


@dataclass
class Script:
    """What a server will answer and was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Ends the silence of stalled answers."""

    def will(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if self.answers else Answer(599, b"the script has no more answers")


def json_answer(content: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **named})


def redirect(location: str, status: int = 302) -> Answer:
    return Answer(status, headers={"Location": location})


def file_answer(body: bytes, *, etag: str | None = None, **changes: object) -> Answer:
    """Answer as the storage does for a whole file."""
    digest = hashlib.md5(body, usedforsecurity=False)
    headers = {
        "Content-Type": "text/csv",
        "ETag": etag or f'"{digest.hexdigest()}"',
        "Accept-Ranges": "bytes",
        "x-goog-hash": f"crc32c=AAAAAA==,md5={base64.b64encode(digest.digest()).decode()}",
        "x-goog-generation": "17",
    }
    headers.update(changes.pop("headers", {}))
    return Answer(200, body, {name: value for name, value in headers.items() if value}, **changes)


def rest_answer(body: bytes, start: int, **changes: object) -> Answer:
    """Answer a Range request with the rest of a file."""
    whole = file_answer(body)
    headers = {**whole.headers, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
    headers.update(changes.pop("headers", {}))
    return Answer(206, body[start:], headers, **changes)


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.script.asked.append(Asked(self.path, dict(self.headers), self.rfile.read(size)))
        answer = self.script.next_answer()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in answer.headers and "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        if answer.stall:
            self.wfile.flush()
            self.script.released.wait(10)
        self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def scripted_server() -> Iterator[Script]:
    script = Script()
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
