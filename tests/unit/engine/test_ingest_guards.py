"""Guards of a staged file: pure arithmetic; the runs that they stop are in the table of bad input."""

from __future__ import annotations

import pytest

from include.hubspot_sync.config import Guards
from include.hubspot_sync.engine.ingest import sum_warnings


@pytest.mark.parametrize(
    ("before", "now", "warned"),
    [
        pytest.param({"number": 100}, {"number": 125}, [], id="at the limit"),
        pytest.param({"number": 100}, {"number": 126}, ["number"], id="grown"),
        pytest.param({"number": 100}, {"number": 74}, ["number"], id="shrunk"),
        pytest.param({"number": 0}, {"number": 1}, ["number"], id="from nothing"),
        pytest.param({}, {"number": 1}, [], id="no file before"),
        pytest.param({"year": 10, "number": 100}, {"year": 10, "number": 200}, ["number"], id="one of two columns"),
    ],
)
def test_sum_that_moves_far_is_named_with_both_numbers(before: dict[str, int], now: dict[str, int], warned: list[str]):
    texts = sum_warnings(before, now, Guards(warn_sum_change=0.25))

    assert texts == [
        f"the sum of {name} went from {before[name]} to {now[name]} (guards.warn_sum_change 0.25): "
        "compare the file with the one before"
        for name in warned
    ]
