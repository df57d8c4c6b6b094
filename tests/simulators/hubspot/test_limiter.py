"""The limiter: exact in every window, the day before the burst, midnight where the portal is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulators.hubspot.harness import CONTACTS, Simulator, build, rows
from tools.hubspot_simulator.limiter import AppLimits, Limiter, Policy
from tools.hubspot_simulator.settings import Settings

APP = AppLimits(1001)
GAPS = st.lists(
    st.one_of(st.just(0.0), st.floats(0, 30), st.floats(0, 6000), st.just(10_000.0)), min_size=1, max_size=150
)


def limiter_with(**knobs: object) -> Limiter:
    knobs_set = Settings()
    knobs_set.change(knobs)
    return Limiter(knobs_set)


@settings(max_examples=150, deadline=None)
@given(limit=st.integers(1, 12), gaps=GAPS)
def test_never_more_than_the_limit_in_any_window_and_never_a_refusal_below_it(limit: int, gaps: list[float]) -> None:
    limiter = limiter_with(burst_override=limit)
    admitted: list[float] = []
    now = 0.0

    for gap in gaps:
        now += gap
        refusal = limiter.admit(APP, mono_ms=now, now_ms=int(now), is_search=False)
        in_window = sum(now - moment < 10_000 for moment in admitted)
        assert (refusal is None) == (in_window < limit)
        if refusal is None:
            admitted.append(now)
        else:
            assert refusal.policy is Policy.BURST

    for moment in admitted:
        # half-open windows of exactly 10 s, starting at every accepted request
        end = bisect_left(admitted, moment + 10_000)
        assert end - bisect_left(admitted, moment) <= limit
        assert bisect_right(admitted, moment) > 0


def test_a_fixed_window_lets_two_bursts_meet_at_the_border() -> None:
    limiter = limiter_with(burst_override=5, window="fixed")

    late = [limiter.admit(APP, mono_ms=9_990, now_ms=0, is_search=False) for _ in range(6)]
    early = [limiter.admit(APP, mono_ms=10_010, now_ms=0, is_search=False) for _ in range(6)]

    assert [refusal is None for refusal in late + early] == [True] * 5 + [False] + [True] * 5 + [False]


def test_rejected_requests_count_in_the_window_when_the_knob_says_so() -> None:
    limiter = limiter_with(burst_override=1, count_rejected_in_window=True)
    moments = [0, 6_000, 12_000, 18_000, 28_001]

    admitted = [limiter.admit(APP, mono_ms=m, now_ms=0, is_search=False) is None for m in moments]

    assert admitted == [True, False, False, False, True]


def test_apps_have_windows_of_their_own_but_share_the_day() -> None:
    limiter = limiter_with(burst_override=1, daily_override=2)
    other = AppLimits(2002)

    answers = [limiter.admit(app, mono_ms=0, now_ms=0, is_search=False) for app in (APP, other, other)]

    assert answers[:2] == [None, None]
    assert answers[2] is not None
    assert answers[2].policy is Policy.DAILY


def test_the_day_wins_over_the_burst() -> None:
    limiter = limiter_with(burst_override=1, daily_override=1)
    limiter.admit(APP, mono_ms=0, now_ms=0, is_search=False)

    refusal = limiter.admit(APP, mono_ms=1, now_ms=1, is_search=False)

    assert refusal is not None
    assert refusal.policy is Policy.DAILY


def test_search_has_its_own_second_and_does_not_use_the_burst() -> None:
    limiter = limiter_with(burst_override=1)

    answers = [limiter.admit(APP, mono_ms=ms, now_ms=0, is_search=True) for ms in (0, 1, 2, 3, 4, 5, 1000)]
    burst = limiter.admit(APP, mono_ms=1000, now_ms=0, is_search=False)

    assert [answer is None for answer in answers] == [True] * 5 + [False, True]
    assert answers[5] is not None
    assert answers[5].policy is Policy.SEARCH
    assert burst is None


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        pytest.param("America/New_York", (2026, 3, 8), 23, id="clocks go forward"),
        pytest.param("America/New_York", (2026, 11, 1), 25, id="clocks go back"),
        pytest.param("Asia/Kolkata", (2026, 6, 1), 24, id="half-hour zone"),
    ],
)
def test_the_day_resets_at_local_midnight(zone: str, day: tuple[int, int, int], hours: int) -> None:
    limiter = limiter_with(time_zone=zone, daily_override=1)
    midnight = int(datetime(*day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    last_ms = midnight + hours * 3_600_000 - 1

    first = limiter.admit(APP, mono_ms=0, now_ms=midnight, is_search=False)
    same_day = limiter.admit(APP, mono_ms=20_000, now_ms=last_ms, is_search=False)
    next_day = limiter.admit(APP, mono_ms=40_000, now_ms=last_ms + 1, is_search=False)

    assert first is None
    assert same_day is not None
    assert same_day.retry_after_s == 1
    assert next_day is None


def test_background_traffic_of_the_own_app_takes_room() -> None:
    limiter = limiter_with(burst_override=100, background_own_rps=9, background_other_rps=4)
    limiter.admit(APP, mono_ms=0, now_ms=0, is_search=False)

    limiter.admit(APP, mono_ms=9_000, now_ms=9_000, is_search=False)

    headers = limiter.headers(APP, mono_ms=9_000, now_ms=9_000)
    assert headers["X-HubSpot-RateLimit-Remaining"] == str(100 - 81 - 2)
    assert limiter.daily.used == 2 + 81 + 36


def test_headers_count_down_and_a_429_names_the_policy(sim: Simulator) -> None:
    sim.config(burst_override=5)
    sim.advance(10)

    replies = [sim.get(CONTACTS) for _ in range(6)]

    assert [reply.status for reply in replies] == [200] * 5 + [429]
    left = [reply.headers["x-hubspot-ratelimit-remaining"] for reply in replies]
    assert left == ["4", "3", "2", "1", "0", "0"]
    assert replies[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert "retry-after" not in replies[-1].headers
    assert sim.stats()["by_status"]["429"] == 1
    assert sim.stats()["max_in_any_10s_window"] == 5


def test_a_reset_empties_the_window(sim: Simulator) -> None:
    sim.config(burst_override=2)
    while sim.get(CONTACTS).status != 429:
        pass

    sim.post("/__sim/reset", {"keep_properties": True})

    assert sim.get(CONTACTS).status == 200
    assert sim.stats()["by_status"] == {"200": 1}


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"rate_body_style": "errorType"}, {"errorType": "RATE_LIMIT"}),
        ({"rate_body_style": "category"}, {"category": "RATE_LIMITS"}),
        ({"rate_body_style": "both"}, {"errorType": "RATE_LIMIT", "category": "RATE_LIMITS"}),
    ],
)
def test_the_body_style_of_a_429_is_a_knob(sim: Simulator, knobs: dict[str, str], expected: dict[str, str]) -> None:
    sim.config(burst_override=0, retry_after_on_429="seconds", **knobs)

    reply = sim.get(CONTACTS)

    body = reply.json()
    assert {name: body[name] for name in ("errorType", "category") if name in body} == expected
    assert int(reply.headers["retry-after"]) >= 1


def test_daily_429_until_midnight_of_the_portal() -> None:
    sim = build(daily_override=10, time_zone="UTC")
    for _ in range(7):
        sim.get(CONTACTS)

    refused = sim.get(CONTACTS)
    sim.advance(86_400)
    next_day = sim.get(CONTACTS)

    assert (refused.status, refused.json()["policyName"]) == (429, "DAILY")
    assert refused.headers["x-hubspot-ratelimit-daily-remaining"] == "0"
    assert next_day.status == 200
    sim.close()


def test_oauth_answers_have_no_daily_headers(sim: Simulator) -> None:
    sim.post("/__sim/tokens", {"token": "pat-sim-oauth", "kind": "oauth", "app_id": 7})

    headers = sim.get(CONTACTS, token="pat-sim-oauth").headers

    assert headers["x-hubspot-ratelimit-max"] == "110"
    assert "x-hubspot-ratelimit-daily" not in headers


def test_search_answers_carry_no_rate_headers(sim: Simulator) -> None:
    headers = sim.post(f"{CONTACTS}/search", {"limit": 1}).headers

    assert not [name for name in headers if "ratelimit" in name]


def test_every_request_of_a_batch_counts_once(sim: Simulator) -> None:
    before = sim.stats()["accepted"]

    sim.upsert(rows(100))

    assert sim.stats()["accepted"] == before + 1
