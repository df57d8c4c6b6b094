"""What a plan costs, when it is another plan, and how it is kept: pure arithmetic."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from include.hubspot_sync.config import Delivery, Guards, ReadBack
from include.hubspot_sync.destination.protocol import RecordLimit
from include.hubspot_sync.engine.guards import contacts_trip, quota_trip, removals_trip
from include.hubspot_sync.engine.plan import trip_error
from include.hubspot_sync.engine.run_plan import cost_of, moved_on, refuse_other_version, selection_of, trips_text
from include.hubspot_sync.errors import GuardError, PlanMovedOnError, QuotaExhaustedError
from include.hubspot_sync.records import GuardTrip, PlanCost, RunMode, read_plan, read_samples
from include.hubspot_sync.store.delta import EVERYTHING, Bound, Removals, Selection
from tests.support.stored_plans import SAMPLE, basis, run_plan

CHANGES = {"create": 250, "update": 51, "archive": 101}


@pytest.mark.parametrize(
    ("read_back", "reads"),
    [
        pytest.param(ReadBack.FULL, 2 + 6, id="every batch, and a look-up for each batch of archives"),
        pytest.param(ReadBack.SAMPLE, 2 + 1, id="one batch in ten"),
        pytest.param(ReadBack.NONE, 2, id="only the look-ups"),
    ],
)
def test_calls_of_a_plan_are_batches_read_backs_and_look_ups(read_back: ReadBack, reads: int):
    cost = cost_of(CHANGES, Delivery(read_back=read_back), 54_000, None)

    assert (cost.write_calls, cost.read_calls) == (4 + 2, reads)
    assert cost.seconds == pytest.approx(0.054 * (6 + reads))
    assert cost.share_of_rest is None


def test_benchmark_load_costs_what_it_is_known_to_cost():
    cost = cost_of({"create": 69_350, "update": 0, "archive": 0}, Delivery(), 52_632, (500_000, 250_000))

    assert cost.calls == 1_388
    assert cost.seconds == pytest.approx(73, abs=0.1)
    assert cost.share_of_rest == pytest.approx(0.00555, abs=0.0001)


def test_nothing_to_do_costs_nothing_and_meets_no_limit():
    nothing = {"create": 0, "update": 0, "archive": 0}
    cost = cost_of(nothing, Delivery(), 54_000, (1_000, 0))

    assert (cost.calls, cost.seconds, cost.share_of_rest) == (0, 0, None)
    assert quota_trip(cost, Delivery()) is None
    assert contacts_trip(nothing, RecordLimit(limit=10, usage=11)) is None


OTHER: dict[str, Any] = {
    "mode": RunMode.FULL_RESYNC,
    "portal_id": 7,
    "source_version": 4,
    "source_sha256": "ee" * 32,
    "mapping_hash": "ee" * 32,
    "snapshot_sum": 12,
    "changes_sum": 23,
    "previous_sum": 34,
    "record_limit": 5,
    "bounds": (("total_births", 5, None),),
}


@pytest.mark.parametrize("field", OTHER)
def test_plan_that_would_send_something_else_has_another_fingerprint(field: str):
    assert basis(**{field: OTHER[field]}).fingerprint() != basis().fingerprint()


@pytest.mark.parametrize("field", ["rejects_sum", "active", "with_archives", "source_last_updated"])
def test_what_only_explains_a_difference_is_not_in_the_fingerprint(field: str):
    assert basis(**{field: 99}).fingerprint() == basis().fingerprint()


SOURCE = "the source (version 3 with 120 records then, version 3 with 120 now)"
REJECTS = "the rejects (2 records left out then, 2 now)"
ARCHIVES = "whether removed records are archived (True then, False now)"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"portal_id": 7}, ["the portal (4242 then, 7 now)"]),
        ({"mapping_hash": "x"}, ["the mapping"]),
        ({"source_sha256": "x"}, [SOURCE]),
        ({"snapshot_sum": 1, "previous_sum": 1}, [SOURCE]),
        ({"rejects_sum": 1, "changes_sum": 1}, [REJECTS]),
        ({"with_archives": False, "changes_sum": 1}, [ARCHIVES]),
        ({"changes_sum": 1}, ["the ledger (100 active contacts then, 100 now)"]),
        ({"rejects_sum": 1, "active": 101}, [REJECTS, "the ledger (100 active contacts then, 101 now)"]),
    ],
)
def test_what_moved_on_is_named(changed: dict[str, Any], named: list[str]):
    assert moved_on(run_plan(), run_plan(basis(**changed))) == named


def test_version_of_the_plan_is_accepted_and_another_one_named():
    at = "2026-01-01T00:00:00Z"
    refuse_other_version(basis(), 3, at, is_newest=True)
    refuse_other_version(basis(), 3, "unknown", is_newest=False)

    with pytest.raises(PlanMovedOnError, match=r"version 3 of 2026.* then, version 4 .*or give dataset_version 3"):
        refuse_other_version(basis(), 4, at, is_newest=True)
    with pytest.raises(PlanMovedOnError, match=r"version 3 of 2026-02-02 now.*apply that one$"):
        refuse_other_version(basis(), 3, "2026-02-02", is_newest=True)


def test_plan_is_read_as_it_was_kept():
    plan = run_plan(
        basis(record_limit=5, bounds=(("first_year", 1900, None),)),
        trips=(GuardTrip("max_archive_share", 3, 2.5, "x"),),
    )

    assert read_plan(json.loads(json.dumps(asdict(plan)))) == plan
    assert read_samples(json.loads(json.dumps([asdict(SAMPLE)]))) == (SAMPLE,)


def test_selection_of_a_trial_run_comes_back():
    limited = basis(record_limit=5, bounds=(("first_year", 1900, 1950),))

    assert selection_of(limited) == Selection(5, (Bound("first_year", 1900, 1950),))
    assert limited.is_limited
    assert selection_of(basis()) == EVERYTHING
    assert not basis().is_limited


def test_guard_says_number_limit_field_and_remedy():
    removals = removals_trip(Removals(active=100, removed=3), Guards())
    assert removals is not None
    with pytest.raises(
        GuardError, match=r"3 of 100 .*more than 2% \(guards.max_archive_share\): nothing was sent.*approve"
    ):
        raise trip_error(removals)
    quota = quota_trip(PlanCost(600, 600, 60.0, 10_000, 1_500), Delivery(daily_reserve=0.05))
    assert quota is not None
    assert (quota.found, quota.allowed) == (1_200, 1_000)
    assert isinstance(trip_error(quota), QuotaExhaustedError)


def test_guards_of_a_plan_are_one_sentence_or_nothing():
    trips = (GuardTrip("a", 1, 0, "one is wrong"), GuardTrip("b", 1, 0, "two are wrong"))

    assert trips_text(()) == ""
    assert trips_text(trips) == "guards stop this plan: one is wrong; two are wrong"
