"""Guards of a staged file: pure arithmetic; the runs that they stop are in the table of bad input."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from include.hubspot_sync.config import Guards
from include.hubspot_sync.engine.ingest import guard_file, guard_records, sum_warnings
from include.hubspot_sync.errors import GuardError
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.source.csv_reader import FileCheck
from include.hubspot_sync.store.runs import Run
from include.hubspot_sync.store.snapshot import SnapshotCount


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


def accepted_run(**numbers: int) -> Run:
    nothing = Run(**dict.fromkeys((field.name for field in fields(Run)), None))
    return replace(nothing, **numbers)


def check_of(source_rows: int, **numbers: Any) -> FileCheck:
    counted = {"rejected_lines": 0, "unreadable_key_lines": 0, **numbers}
    return FileCheck(
        rows=source_rows - counted["rejected_lines"],
        source_rows=source_rows,
        sums={},
        distinct_records=source_rows,
        withheld_keys=frozenset(),
        sha256="",
        size_bytes=0,
        notes={},
        **counted,
    )


NO_KEY = "lines without a readable key: 3, and with such lines a run archives nothing; nothing was loaded"
FIRST = RejectedLine(2, "Name", "empty", "Name is empty", None, "")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        pytest.param(
            check_of(50), "the file shrank from 100 to 50 rows (guards.min_row_share 0.9); nothing", id="sound"
        ),
        pytest.param(
            check_of(50, rejected_lines=4, unreadable_key_lines=3),
            f"(guards.min_row_share 0.9); 4 of its lines are wrong; {NO_KEY}",
            id="unreadable keys as well",
        ),
    ],
)
def test_shrunk_file_is_refused_with_its_wrong_lines(check: FileCheck, expected: str):
    with pytest.raises(GuardError) as caught:
        guard_file(check, accepted_run(source_rows=100), Guards(max_rejected_line_share=1), [])

    assert expected in str(caught.value)


def test_file_with_too_many_wrong_lines_says_how_many_have_no_key():
    with pytest.raises(GuardError) as caught:
        guard_file(check_of(50, rejected_lines=4, unreadable_key_lines=3), None, Guards(), [FIRST])

    assert str(caught.value).startswith("4 of 50 lines are wrong, more than 0.1%")
    assert f"the first is line 2, column Name: Name is empty; {NO_KEY}" in str(caught.value)


def test_file_with_too_few_records_is_refused_with_its_wrong_lines():
    check = check_of(100, rejected_lines=4, unreadable_key_lines=3)
    with pytest.raises(GuardError) as caught:
        guard_records(SnapshotCount(records=40, withheld=1), check, accepted_run(records=100), Guards())

    assert str(caught.value).startswith("the file has 41 records, the last one had 100")
    assert f"; 4 of its lines are wrong; {NO_KEY}" in str(caught.value)
