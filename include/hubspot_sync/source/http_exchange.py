"""One HTTP request with time limits, its transport errors named, and the retries around it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import requests
import tenacity

from include.hubspot_sync.errors import ConfigError, RateLimitedError
from include.hubspot_sync.source.kaggle_errors import KaggleServerError, is_worth_retrying

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a request is repeated."""

    attempts: int = 4
    first_wait_s: float = 2.0
    longest_wait_s: float = 60.0
    """Cap of every wait; a longer Retry-After ends the attempts."""
    sleep: Callable[[float], None] = tenacity.nap.sleep

    def run(self, work: Callable[[], T]) -> T:
        """Do the work until it succeeds, fails for good, or the attempts are used up.

        Raises:
            SyncError: the error of the last attempt.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=self._wait_s,
            retry=tenacity.retry_if_exception(lambda error: is_worth_retrying(error, self.longest_wait_s)),
            sleep=self.sleep,
            before_sleep=_log_retry,
            reraise=True,
        )
        return retrying(work)

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        """Double the wait each time, with jitter; what the server asked for is the least."""
        doubling = tenacity.wait_exponential(multiplier=self.first_wait_s, max=self.longest_wait_s)
        backoff = doubling(state) + tenacity.wait_random(0, self.first_wait_s)(state)
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, RateLimitedError) else None
        return min(self.longest_wait_s, max(backoff, asked or 0.0))


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait_s = state.next_action.sleep if state.next_action else 0.0
    log.warning(
        "kaggle request repeated attempt=%d wait_s=%.1f reason=%s",
        state.attempt_number,
        wait_s,
        error,
    )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one request, in seconds."""

    connect_s: float = 5.0
    read_s: float = 30.0
    """Longest silence of the server, also in the middle of a body."""


def no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send no credentials; without this, requests looks for some in the user's .netrc file."""
    request.headers.pop("Authorization", None)
    return request


@contextlib.contextmanager
def transport_errors_named(what: str, connection_id: str) -> Iterator[None]:
    """Turn errors of the transport into ours; messages hold neither address nor query, which may be signed."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise KaggleServerError(f"{what}: the TLS connection broke: try again later") from None
        raise ConfigError(
            f"{what}: the server's certificate is not trusted; check host and `verify` of the connection "
            f"{connection_id}"
        ) from None
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise KaggleServerError(
            f"{what}: no complete answer from the host of the connection {connection_id} "
            f"({type(error).__name__}): check network and host"
        ) from None
    except requests.exceptions.RequestException as error:
        raise ConfigError(
            f"{what}: the request cannot be made ({type(error).__name__}): check the connection {connection_id}"
        ) from None


def retry_after_s(response: requests.Response) -> float | None:
    """Return the seconds of a Retry-After header, given as a number or as a date; None when it is useless."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return max(0.0, (until - datetime.now(tz=UTC)).total_seconds())
