"""PagerDuty's Events API v2: one event, few tries, and a hard limit of the time that it may take.

https://developer.pagerduty.com/docs/events-api-v2/overview/: 202 accepted; 400 the event or its key is wrong, and a
repetition would be refused as well; 429 and 5xx are worth another try.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import tenacity

log = logging.getLogger(__name__)

PUBLIC_URL = "https://events.pagerduty.com"
PATH = "/v2/enqueue"
ATTEMPTS = 3
ATTEMPT_S = 3.0
"""Longest time for one try to connect, and for each wait for a part of the answer."""
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 1.0
_ACCEPTED = 202
_TOO_MANY = 429
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets the events."""

    url: str
    """Whole address, `/v2/enqueue` included."""
    routing_key: str = field(repr=False)
    is_local: bool = False
    """Whether it is on this machine, where no proxy of the environment may get in between."""


@dataclass(slots=True)
class Outcome:
    """What became of an event."""

    status: int | None = None
    """Status of the last answer; None: there was none."""
    attempts: int = 0
    error: str = ""
    """Class of the last error."""

    @property
    def is_accepted(self) -> bool:
        """Tell whether PagerDuty has the event."""
        return self.status == _ACCEPTED

    @property
    def is_worth_a_retry(self) -> bool:
        """Tell whether the same event may be accepted later."""
        return self.status is None or self.status == _TOO_MANY or self.status >= _SERVER_ERROR


def send_event(receiver: Receiver, event: Mapping[str, object], *, limit_s: float) -> Outcome:
    """Send an event; return after `limit_s` at the latest, whatever the network does. Raises nothing of the network.

    The work is done in a thread, because the timeouts of an HTTP client do not cover the name server, and an answer
    that arrives byte by byte meets none of them. A thread that is late is left behind and ends with the process.
    """
    outcome = Outcome()
    body = {"routing_key": receiver.routing_key, **event}
    worker = threading.Thread(target=_try_often, args=(receiver, body, outcome, limit_s), name="pagerduty", daemon=True)
    began = time.monotonic()
    worker.start()
    worker.join(limit_s)
    result = Outcome(outcome.status, outcome.attempts, outcome.error)
    if worker.is_alive() and not result.is_accepted:
        result.error = result.error or "Timeout"
    _log(event, result, time.monotonic() - began)
    return result


def _try_often(receiver: Receiver, body: Mapping[str, Any], outcome: Outcome, limit_s: float) -> None:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(limit_s),
        wait=tenacity.wait_exponential(_FIRST_WAIT_S, _LONGEST_WAIT_S) + tenacity.wait_random(0, _FIRST_WAIT_S),
        retry=tenacity.retry_if_result(lambda _: outcome.is_worth_a_retry),
        retry_error_callback=lambda _: None,
    )
    timeout_s = min(ATTEMPT_S, limit_s)
    with httpx.Client(timeout=timeout_s, follow_redirects=False, trust_env=not receiver.is_local) as http:
        retrying(_try_once, http, receiver.url, body, outcome)


def _try_once(http: httpx.Client, url: str, body: Mapping[str, Any], outcome: Outcome) -> None:
    outcome.attempts += 1
    outcome.status, outcome.error = None, ""
    try:
        outcome.status = http.post(url, json=body).status_code
    except Exception as error:  # noqa: BLE001  nobody waits for this thread who could handle it
        outcome.error = type(error).__name__


def _log(event: Mapping[str, object], outcome: Outcome, seconds: float) -> None:
    level, verdict = logging.WARNING, "refused, check the integration key"
    if outcome.is_accepted:
        level, verdict = logging.INFO, "accepted"
    elif outcome.is_worth_a_retry:
        verdict = "not sent"
    log.log(
        level,
        "pagerduty event %s action=%s dedup_key=%s status=%s attempts=%d error=%s seconds=%.1f",
        verdict,
        event["event_action"],
        str(event["dedup_key"])[:12],
        outcome.status,
        outcome.attempts,
        outcome.error or None,
        seconds,
    )
