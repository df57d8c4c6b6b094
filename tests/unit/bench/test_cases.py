from __future__ import annotations

import pytest

from include.hubspot_sync.config import Delivery
from tools.bench.cases import CASES, QUICK_CASES, Case, PortalKnobs, Source, Suite, Target
from tools.bench.measurement import Measurement
from tools.hubspot_simulator.settings import Settings
from tools.kaggle_simulator.generator import Size

EVERY = [*CASES, *QUICK_CASES]


def by_name(name: str) -> Case:
    return next(case for case in EVERY if case.name == name)


def test_names_are_unique():
    assert len({case.name for case in EVERY}) == len(EVERY)


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_settings_of_a_case_are_settings_of_the_product_and_the_portal(case: Case):
    Delivery.model_validate({**case.delivery, **case.run_parameters})
    settings = Settings()
    settings.change({"tier": case.portal.tier, "latency": case.portal.latency})


@pytest.mark.parametrize("case", [case for case in EVERY if case.after], ids=lambda case: case.name)
def test_case_that_follows_another_has_its_dataset_and_settings(case: Case):
    before = by_name(case.after)

    assert (before.size, before.portal) == (case.size, case.portal)
    assert (before.delivery, before.run_parameters) == (case.delivery, case.run_parameters)


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_only_a_first_sync_begins_with_nothing(case: Case):
    assert (case.source is Source.FIRST) == (case.after == "")


@pytest.mark.parametrize("case", [case for case in EVERY if case.target], ids=lambda case: case.name)
def test_what_is_to_be_reached_is_measured(case: Case):
    assert case.target is not None
    assert case.target.figure in Measurement.__slots__


@pytest.mark.parametrize(
    ("name", "batches", "floor_s"),
    [
        ("full_writes_only", 694, 36.53),
        ("full_read_back", 694, 73.05),
        ("starter_read_back", 694, 138.8),
        ("one_percent", 7, 0.74),
        ("unchanged", 0, 0),
        ("growth_2m", 20_000, 105.26),
    ],
)
def test_floors_of_the_design(name: str, batches: int, floor_s: float):
    case = by_name(name)

    assert case.batches == batches
    assert case.floor_s == pytest.approx(floor_s, abs=0.01)


def test_expected_counts_of_the_changed_dataset():
    expected = by_name("one_percent").expected

    assert expected["records"] == 69_350
    assert (expected["created"], expected["updated"], expected["unchanged"], expected["verified"]) == (
        0,
        694,
        68_656,
        694,
    )


def test_target_grows_with_the_floor():
    assert Target("wall_s", floors=1.15, plus_s=10).limit_s(73.0) == pytest.approx(93.95)


def test_limit_is_the_tiers_unless_overridden():
    assert PortalKnobs().limit == 190
    assert PortalKnobs(tier="free").limit == 100
    assert PortalKnobs(burst_override=1900).limit == 1900


def test_cases_are_chosen_by_name_in_the_order_of_the_table():
    suite = Suite.choose(CASES, ["unchanged", "full_read_back"])

    assert [case.name for case in suite.cases] == ["full_read_back", "unchanged"]
    assert Suite.choose(CASES, None).cases == CASES
    assert Suite.choose(CASES, []).cases == ()


def test_unknown_case_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown case ful: .*full_read_back"):
        Suite.choose(CASES, ["ful"])


def test_way_to_a_case_begins_with_nothing():
    suite = Suite.choose(CASES, ["unchanged"])

    assert [case.name for case in suite.way_to(by_name("unchanged"))] == ["full_read_back", "one_percent"]
    assert suite.way_to(by_name("full_read_back")) == []


def test_a_started_batch_counts_as_a_request():
    assert Case("x", "", Size(rows=301, contacts=101)).batches == 2
