from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hubspot_sync.destination.hubspot.rate_limit import (
    START_LIMITS,
    WINDOW_MS,
    Tier,
    parse_rate_headers,
    parse_retry_after,
    pause_after,
    send_interval_us,
)
from include.hubspot_sync.destination.protocol import AnswerHead, RateHeaders, Reason, Verdict

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
HEADERS = {
    "x-hubspot-ratelimit-max": "190",
    "x-hubspot-ratelimit-remaining": "0",
    "x-hubspot-ratelimit-interval-milliseconds": "10000",
    "x-hubspot-ratelimit-daily": "625000",
    "x-hubspot-ratelimit-daily-remaining": "624999",
}


def test_rate_headers_become_numbers():
    assert parse_rate_headers(HEADERS) == RateHeaders(190, 0, 10_000, 625_000, 624_999)


def test_an_oauth_app_gets_no_daily_headers():
    burst = {name: value for name, value in HEADERS.items() if "daily" not in name}

    assert parse_rate_headers(burst) == RateHeaders(190, 0, 10_000)


@pytest.mark.parametrize("headers", [{}, {"x-hubspot-ratelimit-max": "many"}])
def test_an_answer_without_rate_headers_says_nothing(headers):
    assert parse_rate_headers(headers) is None


@pytest.mark.parametrize("text", ["-5", "1.5", "", " ", "¹", "ten", "1e3"])
def test_a_senseless_header_counts_as_absent(text):
    assert parse_rate_headers({**HEADERS, "x-hubspot-ratelimit-max": text}).max is None


def test_an_absurdly_large_header_is_bounded():
    headers = {"x-hubspot-ratelimit-max": "9" * 5000}

    assert parse_rate_headers(headers).max == 1_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 12:00:30 -0000", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("Tue, 99 Nov 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(text, seconds):
    assert parse_retry_after(text, NOW) == seconds


def test_the_interval_of_a_professional_portal():
    assert send_interval_us(190, 10_000, 0.974) == 54_037


@given(st.integers(1, 5000), st.integers(1, 100_000), st.floats(0.01, 1))
@settings(deadline=None)
def test_no_window_holds_more_sends_than_the_share_allows(limit, window_ms, share):
    interval_us = send_interval_us(limit, window_ms, share)

    assert window_ms * 1000 / interval_us <= limit * share * (1 + 1e-9)


@pytest.mark.parametrize(("limit", "window_ms", "share"), [(0, 10_000, 0.9), (190, 0, 0.9), (190, 1, 0), (190, 1, 1.1)])
def test_a_senseless_limit_is_refused(limit, window_ms, share):
    with pytest.raises(ValueError, match="no pace"):
        send_interval_us(limit, window_ms, share)


def test_every_tier_has_start_values_with_a_known_window():
    assert set(START_LIMITS) == set(Tier)
    assert START_LIMITS[Tier.PRO].per_window == 190
    assert START_LIMITS[Tier.OAUTH].per_day is None
    assert WINDOW_MS == 10_000


@pytest.mark.parametrize(
    ("verdict", "reason", "retry_after_s", "interval_ms", "pause_s"),
    [
        (Verdict.SLOW, Reason.BURST_LIMIT, None, None, 10.0),
        (Verdict.SLOW, Reason.BURST_LIMIT, None, 5_000, 5.0),
        (Verdict.SLOW, Reason.BURST_LIMIT, 3.0, 10_000, 3.0),
        (Verdict.SLOW, Reason.BURST_LIMIT, 0.0, None, 0.0),
        (Verdict.SLOW, Reason.SECOND_LIMIT, None, None, 1.0),
        (Verdict.SLOW, Reason.LOCKED, None, None, 2.0),
        (Verdict.SLOW, Reason.LOCKED, 1.0, None, 2.0),
        (Verdict.SLOW, Reason.LOCKED, 7.0, None, 7.0),
        (Verdict.SLOW, Reason.GATEWAY_TIMEOUT, None, None, 1.0),
        (Verdict.RETRY, Reason.SERVER_ERROR, None, None, 0.0),
        (Verdict.RETRY, Reason.SERVER_ERROR, 20.0, None, 20.0),
        (Verdict.DEFER, Reason.MIGRATION, 3600.0, None, 3600.0),
        (Verdict.DEFER, Reason.DAILY_LIMIT, None, None, 0.0),
        (Verdict.SETTLED, "", 9.0, None, 0.0),
        (Verdict.STOP, Reason.FORBIDDEN, 9.0, None, 0.0),
    ],
)
def test_the_pause_fits_the_reason(verdict, reason, retry_after_s, interval_ms, pause_s):
    answer = AnswerHead(
        verdict,
        reason=reason,
        retry_after_s=retry_after_s,
        rate=RateHeaders(interval_ms=interval_ms),
    )

    assert pause_after(answer) == pause_s
