from __future__ import annotations

import pytest

from tools.bench.figures import Spread, floor_s, most_in_window


def test_floor_is_what_the_limit_alone_takes():
    assert floor_s(694, 190) == pytest.approx(36.526, abs=0.001)
    assert floor_s(1388, 100) == pytest.approx(138.8)
    assert floor_s(0, 190) == 0


def test_window_is_ten_seconds_without_its_end():
    assert most_in_window([0, 5_000, 9_999]) == 3
    assert most_in_window([0, 5_000, 10_000]) == 2


def test_window_reaches_back_to_requests_of_the_run_before():
    arrivals = [0, 1_000, 2_000, 9_000, 30_000]

    assert most_in_window(arrivals, first=3) == 4
    assert most_in_window(arrivals, first=4) == 1


def test_no_request_no_window():
    assert most_in_window([]) == 0


def test_median_and_spread():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert Spread.of([1.0, 2.0]).median == 1.5


def test_spread_is_shown_only_when_there_is_one():
    assert Spread.of([1234.56]).text() == "1,234.6"
    assert Spread.of([1.01, 1.02, 1.03]).text(1) == "1.0"
    assert Spread.of([1, 2, 4]).text(1) == "2.0 (1.0 to 4.0)"


def test_figure_without_a_run_is_refused():
    with pytest.raises(ValueError, match="no run"):
        Spread.of([])
