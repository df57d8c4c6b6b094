"""The tables that are written from the figures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.bench.airflow_times import TaskTime
from tools.bench.cases import CASES, Case
from tools.bench.growth_plot import growth_points, growth_svg
from tools.bench.machine import Machine
from tools.bench.measurement import Measurement, problems
from tools.bench.peers.race import PeerRun
from tools.bench.portal_log import Request, Traffic
from tools.bench.process_use import TASKS, Use
from tools.bench.report import BEGIN, END, PAGE, duration, render, replace_between, write_page
from tools.bench.results import Results

MACHINE = Machine("Some CPU", 2, 8.0, "Linux x86_64", "3.11.7", "mariadb 10.11", 0.1)
RUN = Measurement(
    wall_s=92.0,
    deliver_s=75.6,
    prepare_s=5.5,
    api_s=76.0,
    ratio=1.0404,
    records_per_s=912.5,
    requests={"upsert": 694, "read": 694, "other": 12},
    http_429=0,
    most_in_10s=187,
    payload_bytes=None,
    processes={TASKS: Use(61.2, 310.4), "mysql": Use(20.0, 600.0)},
    phases={"schedule": 4.0, "stage": 3.0, "limit_wait": 300.0},
    tasks=(TaskTime("stage", 1.0, 10.0, 1, 0.0),),
    load_before=0.2,
    problems=(),
)
PEER = PeerRun(300, 30.0, 300, 0, 100, 0.1, ())


def results(**more: Any) -> Results:
    return Results(MACHINE, "python -m tools.bench", "abc1234", "2026-11-25", **more)


def cells(page: str, name: str) -> list[str]:
    """Return the cells of the first line that names a case."""
    line = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_line_of_a_case_has_median_and_spread():
    runs = [replace(RUN, wall_s=wall_s) for wall_s in (94.0, 91.0, 92.0)]

    line = cells(render(results(cases={"full_read_back": runs})), "full_read_back")

    assert line[1:] == [
        "3",
        "69,350",
        "73.1",
        "92.0 (91.0 to 94.0)",
        "75.6",
        "1.04",
        "912",
        "1,400",
        "0",
        "187 of 190",
        "-",
        "wall ≤ 94.0 s: yes",
    ]


def test_number_that_is_missed_says_by_how_much():
    missed = replace(RUN, wall_s=11.5)

    assert cells(render(results(cases={"one_percent": [missed]})), "one_percent")[-1] == "wall ≤ 8.0 s: missed by 3.5 s"


def test_exceeded_limit_does_not_vanish_in_the_median():
    runs = [RUN, replace(RUN, http_429=2, most_in_10s=193), RUN]

    line = cells(render(results(cases={"full_read_back": runs})), "full_read_back")

    assert (line[9], line[10]) == ("2", "193 of 190")


def test_figure_that_a_run_does_not_have_is_a_dash():
    idle = replace(RUN, ratio=None, records_per_s=None)

    line = cells(render(results(cases={"unchanged": [idle]})), "unchanged")

    assert (line[6], line[7]) == ("-", "-")


def test_phases_and_processes_have_a_table_each():
    page = render(results(cases={"full_read_back": [RUN]}))

    assert "| case | between tasks | around bodies | stage | limit wait |" in page
    assert "| `full_read_back` | 82.0 | 7.0 | 3.0 | 300.0 |" in page
    assert "| case | mysql | tasks |" in page
    assert "| `full_read_back` | 20.0 / 600 | 61.2 / 310 |" in page


def test_peers_are_extrapolated_and_compared_with_the_run_that_reads_nothing_back():
    ours = replace(RUN, api_s=38.0)

    page = render(results(cases={"full_writes_only": [ours]}, peers={"replaced_script": [PEER]}))

    assert "| 300 | 1 | 10.0 | 0 | 100 | 116 min (extrapolated) | 182 times as long |" in page
    assert "| this product (`full_writes_only`) | 69,350 | 1 | 912 | 0 | 187 | 38 s | 1 |" in page


def test_peers_alone_are_compared_with_nothing():
    page = render(results(peers={"replaced_script": [PEER]}))

    assert "116 min (extrapolated) |" in page
    assert "compared" not in page


def test_only_what_was_measured_is_written():
    page = render(results(cases={"unchanged": [RUN]}))

    assert "full_read_back" not in page
    assert "Other ways" not in page
    assert ".svg" not in page


def test_text_around_the_markers_stays():
    page = replace_between(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new")

    assert page == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END} {BEGIN}"])
def test_page_without_markers_is_left_alone(text: str, tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match="the page needs the lines"):
        write_page(results(), page)
    assert page.read_text(encoding="utf-8") == text


def test_the_real_page_has_the_markers():
    text = PAGE.read_text(encoding="utf-8")

    assert replace_between(text, "x").count("x") >= 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(38.2, "38 s"), (119.4, "119 s"), (600, "10 min"), (7199, "120 min"), (9000, "2.5 h")]
)
def test_duration(seconds: float, text: str):
    assert duration(seconds) == text


def test_results_come_back_as_they_were_written(tmp_path: Path):
    written = results(cases={"unchanged": [RUN]}, peers={"replaced_script": [PEER]})

    written.write(tmp_path / "bench" / "results.json")

    assert Results.read(tmp_path / "bench" / "results.json") == written


def test_problems_of_all_runs_are_found():
    bad = replace(RUN, problems=("created is 1 instead of 2",))
    lossy = replace(PEER, problems=("the portal holds 299 contacts instead of 300",))

    found = results(cases={"unchanged": [RUN, bad]}, peers={"replaced_script": [lossy]}).problems

    assert found == [
        "unchanged: created is 1 instead of 2",
        "replaced_script: the portal holds 299 contacts instead of 300",
    ]


def test_plot_has_a_point_for_every_size_and_figure():
    runs = {
        "growth_69k": [replace(RUN, wall_s=69.35, api_s=34.675)],
        "growth_2m": [replace(RUN, wall_s=1000.0, api_s=500.0)],
    }

    points = growth_points(runs)
    picture = ET.fromstring(growth_svg(points))  # noqa: S314  our own text

    assert [point.ms_per_contact for point in points] == [
        pytest.approx({"wall_s": 1.0, "api_s": 0.5}),
        pytest.approx({"wall_s": 0.5, "api_s": 0.25}),
    ]
    circles = picture.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 4
    heights = [float(circle.attrib["cy"]) for circle in circles]
    assert heights[0] < heights[1]
    assert heights[2] < heights[3]


def test_no_plot_of_a_single_size():
    assert growth_svg(growth_points({"growth_69k": [RUN]})) == ""


def good_result(case: Case) -> dict[str, Any]:
    return {"state": "success", "message": "", **case.expected}


def good_traffic(case: Case) -> Traffic:
    apart_ms = 100
    return Traffic((), tuple(Request(n, n * apart_ms, 0, "upsert", 200, None) for n in range(case.batches)))


def test_run_as_expected_has_no_problem():
    one = case("one_percent")

    assert problems(one, good_result(one), good_traffic(one), living=69_350) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"updated": 693}, "updated is 693 instead of 694"),
        ({"open": 1}, "open is 1 instead of 0"),
        ({"verified": 0}, "verified is 0 instead of 694"),
        ({"state": "failed", "message": "why"}, "the run ended as failed: why"),
    ],
)
def test_wrong_count_is_a_problem(change: dict[str, Any], problem: str):
    one = case("one_percent")

    assert problems(one, good_result(one) | change, good_traffic(one), living=69_350) == [problem]


def test_contact_too_many_is_a_problem():
    one = case("one_percent")

    found = problems(one, good_result(one), good_traffic(one), living=69_351)

    assert found == ["the portal holds 69351 contacts instead of 69350"]


def test_refusal_exceeded_limit_and_extra_write_are_problems():
    one = case("one_percent")
    crowd = Traffic((), tuple(Request(n, n, 0, "upsert", 429 if n == 190 else 200, None) for n in range(191)))

    assert problems(one, good_result(one), crowd, living=69_350) == [
        "1 answers 429",
        "191 arrivals in 10 s, allowed are 190",
        "190 writes instead of 7",
    ]
