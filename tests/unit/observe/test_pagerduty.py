from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator

import pytest

from include.hubspot_sync.observe import pagerduty
from include.hubspot_sync.observe.pagerduty import PATH, Receiver, send_event
from tests.unit.source.scripted_server import Answer, Script, json_answer, scripted_server

KEY = "0123456789abcdef0123456789abcdef"
EVENT = {"event_action": "trigger", "dedup_key": "d" * 64}
ACCEPTED = json_answer({"status": "success"}, 202)
LIMIT_S = 5.0


@pytest.fixture
def server() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagerduty, "_FIRST_WAIT_S", 0.01)


def send(url: str, limit_s: float = LIMIT_S) -> pagerduty.Outcome:
    return send_event(Receiver(f"{url}{PATH}", KEY, is_local=True), EVENT, limit_s=limit_s)


def test_event_arrives_with_the_routing_key(server: Script):
    server.will(ACCEPTED)

    outcome = send(server.url)

    assert outcome.is_accepted
    (asked,) = server.asked
    assert (asked.path, asked.json) == (PATH, {"routing_key": KEY, **EVENT})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_is_tried_again(server: Script, status: int):
    server.will(Answer(status), Answer(status), ACCEPTED)

    outcome = send(server.url)

    assert (outcome.is_accepted, outcome.attempts) == (True, 3)


def test_tries_are_capped(server: Script):
    server.will(*[Answer(429)] * 9)

    outcome = send(server.url)

    assert (outcome.status, outcome.attempts) == (429, 3)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 403, 302])
def test_refusal_is_not_repeated(server: Script, status: int, caplog: pytest.LogCaptureFixture):
    server.will(Answer(status, b"body with a secret", {"Location": f"{server.url}/elsewhere"}))

    outcome = send(server.url)

    assert (outcome.status, outcome.attempts, len(server.asked)) == (status, 1, 1)
    assert "refused, check the integration key" in caplog.text
    assert "secret" not in caplog.text


def test_closed_port_is_no_exception():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    outcome = send(f"http://127.0.0.1:{port}")

    assert (outcome.status, outcome.error, outcome.attempts) == (None, "ConnectError", 3)


def test_silent_server_costs_no_more_than_the_limit():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        outcome = send(f"http://127.0.0.1:{silent.getsockname()[1]}", limit_s=0.3)
        spent_s = time.monotonic() - began

    assert not outcome.is_accepted
    assert outcome.error in {"Timeout", "ReadTimeout"}
    assert spent_s < 2


def test_server_that_sends_its_answer_drop_by_drop_costs_no_more_than_the_limit(server: Script):
    server.will(Answer(202, b"x" * 100, {"Content-Length": "1000"}, stall=True))

    began = time.monotonic()
    outcome = send(server.url, limit_s=0.3)

    assert time.monotonic() - began < 2
    assert not outcome.is_accepted


def test_name_server_that_does_not_answer_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch):
    asked_for = []

    def slow(host: str, *arguments: object, **options: object) -> list[object]:
        asked_for.append(host)
        time.sleep(1)  # noqa: TID251  the timeout of the HTTP client does not cover this
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    outcome = send("https://events.pagerduty.example", limit_s=0.3)

    assert time.monotonic() - began < 0.9
    assert asked_for
    assert (outcome.status, outcome.error) == (None, "Timeout")


def test_log_line_says_what_happened_and_holds_no_key(server: Script, caplog: pytest.LogCaptureFixture):
    server.will(Answer(500), ACCEPTED)

    with caplog.at_level(logging.DEBUG):
        send(server.url)

    assert f"pagerduty event accepted action=trigger dedup_key={'d' * 12} status=202 attempts=2" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(Receiver("https://example.org", KEY))
