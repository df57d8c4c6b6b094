"""Arithmetic of HubSpot's limits; the shared gate itself lives in MySQL."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from include.hubspot_sync.destination.protocol import AnswerHead, RateHeaders, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "x-hubspot-ratelimit-"
_MAX_HEADER = 1_000_000_000
WINDOW_MS = 10_000
"""Length of HubSpot's rolling burst window."""

_PAUSES_S: Mapping[str, float] = {
    Reason.BURST_LIMIT: WINDOW_MS / 1000,
    Reason.SECOND_LIMIT: 1.0,
    Reason.LOCKED: 2.0,  # the lock lasts 2 s; add jitter
    Reason.GATEWAY_TIMEOUT: 1.0,
}


class Tier(enum.StrEnum):
    """Subscription of the portal, as far as the limits know it."""

    FREE = "free"
    OAUTH = "oauth"
    PRO = "pro"
    ENTERPRISE = "enterprise"
    INCREASE = "increase"


@dataclass(frozen=True, slots=True)
class TierLimits:
    """Requests per burst window of an app and per day of the account."""

    per_window: int
    per_day: int | None


START_LIMITS: Mapping[Tier, TierLimits] = {
    Tier.FREE: TierLimits(100, 250_000),
    Tier.OAUTH: TierLimits(110, None),
    Tier.PRO: TierLimits(190, 625_000),
    Tier.ENTERPRISE: TierLimits(190, 1_000_000),
    Tier.INCREASE: TierLimits(250, 2_000_000),
}
"""Published limits: start values only, the headers of every answer correct them."""


def parse_rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """Read the rate headers (lower-case names); None when the answer has none."""
    values = RateHeaders(
        max=_count(headers.get(f"{_PREFIX}max")),
        remaining=_count(headers.get(f"{_PREFIX}remaining")),
        interval_ms=_count(headers.get(f"{_PREFIX}interval-milliseconds")),
        daily=_count(headers.get(f"{_PREFIX}daily")),
        daily_remaining=_count(headers.get(f"{_PREFIX}daily-remaining")),
    )
    return None if values == RateHeaders() else values


def _count(text: str | None) -> int | None:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return min(int(digits[:10]), _MAX_HEADER)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header, seconds or date; None when absent or senseless."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, now)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)


def send_interval_us(limit_per_window: int, window_ms: int, share: float) -> int:
    """Return the microseconds between two sends that use this share of the limit.

    Rounded up, so that no window ever holds more than `limit_per_window * share` steps.

    Raises:
        ValueError: a limit or window below 1, or a share outside ]0, 1].
    """
    if limit_per_window < 1 or window_ms < 1 or not 0 < share <= 1:
        msg = f"no pace from limit {limit_per_window}, window {window_ms} ms, share {share}"
        raise ValueError(msg)
    return math.ceil(window_ms * 1000 / (limit_per_window * share))


def pause_after(answer: AnswerHead) -> float:
    """Return for how many seconds nobody may send after this answer; jitter is the caller's.

    A waiting time that HubSpot names wins, but never below the known length of the condition
    that has no header of its own: a record lock.
    """
    if answer.verdict not in {Verdict.SLOW, Verdict.DEFER, Verdict.RETRY}:
        return 0.0
    default = _PAUSES_S.get(answer.reason, 0.0) if answer.verdict is Verdict.SLOW else 0.0
    if answer.reason == Reason.BURST_LIMIT and answer.rate and answer.rate.interval_ms:
        default = answer.rate.interval_ms / 1000
    if answer.retry_after_s is None:
        return default
    return max(answer.retry_after_s, default if answer.reason == Reason.LOCKED else 0.0)
