"""Shards and guards: pure arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.hubspot_sync.config import Delivery, Guards
from include.hubspot_sync.engine.gate import pace_for
from include.hubspot_sync.engine.guards import removals_trip, rewrites_trip
from include.hubspot_sync.engine.plan import requests_at_once, shard_count, trip_error
from include.hubspot_sync.errors import GuardError
from include.hubspot_sync.records import GuardTrip
from include.hubspot_sync.store.delta import Removals, Rewrites


@pytest.mark.parametrize(
    ("batches", "shards"),
    [
        pytest.param(0, 0, id="nothing to send"),
        pytest.param(1, 1, id="one batch"),
        pytest.param(20, 1, id="a small plan stays in one task"),
        pytest.param(21, 5, id="more fills the pool"),
        pytest.param(694, 5, id="69,350 records"),
        pytest.param(1_150, 10, id="two waves"),
        pytest.param(20_000, 60, id="two million records: whole waves below 64"),
    ],
)
def test_shards_come_in_whole_waves_of_the_pool(batches: int, shards: int):
    assert shard_count(batches, Delivery()) == shards


@pytest.mark.parametrize(("shards", "requests"), [(0, 25), (1, 25), (2, 10), (5, 5), (10, 5)])
def test_few_shards_have_as_many_requests_under_way_as_all_would_have(shards: int, requests: int):
    assert requests_at_once(shards, Delivery(shards_at_once=5, in_flight=5)) == requests


@given(
    batches=st.integers(0, 100_000),
    slots=st.integers(1, 64),
    max_shards=st.integers(1, 64),
    per_shard=st.integers(1, 500),
)
def test_shards_never_exceed_the_limit_or_the_batches(batches: int, slots: int, max_shards: int, per_shard: int):
    delivery = Delivery(shards_at_once=slots, max_shards=max_shards, batches_per_shard=per_shard)

    count = shard_count(batches, delivery)

    assert 0 <= count <= min(max_shards, batches)
    assert (count == 0) == (batches == 0)


@given(limit=st.integers(10, 5_000), share=st.floats(0.1, 0.98))
def test_no_window_ever_holds_more_sends_than_the_portal_allows(limit: int, share: float):
    pace = pace_for(limit, share)

    burst = pace.burst_us // pace.interval_us
    in_any_window = 10_000_000 // pace.interval_us + 1 + burst

    assert in_any_window <= limit


def stop_at(trip: GuardTrip | None) -> None:
    """Do what planning does with a guard."""
    if trip:
        raise trip_error(trip)


def test_many_removals_stop_the_run_and_say_how_to_approve():
    with pytest.raises(GuardError, match=r"30 of 1000 .*max_archive_share.* approve_guards"):
        stop_at(removals_trip(Removals(active=1_000, removed=30), Guards(max_archive_share=0.02)))


def test_few_removals_pass():
    stop_at(removals_trip(Removals(active=1_000, removed=20), Guards(max_archive_share=0.02)))
    stop_at(removals_trip(Removals(active=3, removed=1), Guards(max_archive_share=0.02)))


def test_many_changes_stop_the_run_and_say_how_to_approve():
    with pytest.raises(GuardError, match=r"501 of 1000 .*more than 50%.*max_change_share.* approve_guards"):
        stop_at(rewrites_trip(Rewrites(active=1_000, changed=501), Guards(max_change_share=0.5)))


def test_few_changes_pass():
    stop_at(rewrites_trip(Rewrites(active=1_000, changed=500), Guards(max_change_share=0.5)))
    stop_at(rewrites_trip(Rewrites(active=1, changed=1), Guards(max_change_share=0.5)))
    stop_at(rewrites_trip(Rewrites(active=0, changed=0), Guards(max_change_share=0.5)))
