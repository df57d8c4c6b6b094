from __future__ import annotations

import pytest

from tools.local_stack.airflow_api import TaskInstance
from tools.local_stack.layout import Stack
from tools.local_stack.result import build_result
from tools.local_stack.run_report import Failure, causes, group_failures, last_error, show_failures, show_result

STACK = Stack(
    airflow_url="http://127.0.0.1:8080",
    airflow_user="admin",
    airflow_password="pw",
    mysql_url="mysql://u:p@127.0.0.1:3306/s",
    s3_url="",
    bucket="",
    hubspot_url="",
    hubspot_token="",
    kaggle_url="",
    kaggle_token="",
)


def test_our_error_line_wins_over_airflows():
    events = [
        {"level": "info", "event": "began"},
        {"level": "error", "event": "error: kaggle refuses the token:\n check connection kaggle"},
        {
            "level": "error",
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "X", "exc_value": "y"}],
        },
    ]

    assert last_error(events) == "kaggle refuses the token: check connection kaggle"


def test_exception_is_named_when_there_is_no_line_of_ours():
    events = [
        {"level": "error", "event": "Task failed", "error_detail": [{"exc_type": "KeyError", "exc_value": "'a'"}]},
        {"level": "info", "event": "Post Execute"},
    ]

    assert last_error(events) == "KeyError: 'a'"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], "no error was logged, as when a task is lost before it begins"),
        ([{"level": "critical", "event": "lost"}], "lost"),
        (
            [
                {
                    "level": "critical",
                    "event": "Process terminated by signal. Likely out of memory error (OOM). See https://x",
                }
            ],
            "the task's process was killed (by hand, or for lack of memory)",
        ),
    ],
    ids=["empty", "plain", "killed"],
)
def test_log_without_details_still_gives_a_line(events, expected):
    assert last_error(events) == expected


def failed(name, index=-1):
    return TaskInstance(name, index, "", "failed", 1)


def test_finish_is_no_cause_unless_nothing_else_failed():
    assert causes([failed("land"), failed("finish")]) == [failed("land")]
    assert causes([failed("finish")]) == [failed("finish")]


def test_shards_that_failed_alike_are_one_error_that_names_its_section():
    messages = [("deliver[0] try 1", "AuthError: a"), ("deliver[3] try 1", "AuthError: a"), ("deliver[5] try 1", "b")]

    found = group_failures(messages)

    assert found == [
        Failure(("deliver[0] try 1", "deliver[3] try 1"), "AuthError: a"),
        Failure(("deliver[5] try 1",), "b"),
    ]
    assert [one.section for one in found] == ["docs/operations.md#autherror", ""]
    assert found[0].describe() == "AuthError: a (task deliver[0] try 1, deliver[3] try 1)"


def test_many_tasks_are_counted_and_not_listed():
    failure = Failure(tuple(f"deliver[{index}] try 1" for index in range(64)), "AuthError: a")

    assert failure.describe().endswith("deliver[4] try 1 and 59 more)")


def printed(summary, capsys, **changes):
    values = {"run_id": 7, "mode": "incremental", "dag_state": "failed", "summary": summary, "wall_s": 1}
    show_result(STACK, build_result(**{**values, **changes}))
    return capsys.readouterr().out


def test_run_that_counted_nothing_has_no_table_of_zeros(capsys):
    text = printed(None, capsys, run_id=None)

    assert text.splitlines()[0] == "Run -: failed"
    assert "created" not in text


def test_run_that_a_guard_stopped_shows_its_plan(capsys):
    summary = {"state": "failed", "records": 100, "planned_archive": 30, "planned_calls": 3, "planned_s": 0.25}

    text = printed(summary, capsys)

    assert ["planned archive", "30"] in [[cell.strip() for cell in line.split("│")[1:3]] for line in text.splitlines()]


def test_success_shows_counts_and_not_what_was_planned(capsys):
    text = printed(
        {"state": "success", "created": 3, "planned_create": 3, "planned_calls": 1}, capsys, dag_state="success"
    )

    assert "created" in text
    assert "planned" not in text


def test_error_is_printed_with_the_place_that_explains_it(capsys):
    show_failures([Failure(("land try 1",), "SourceDataError: the column Sex is missing [red]")])

    assert capsys.readouterr().out.splitlines() == [
        "error: SourceDataError: the column Sex is missing [red] (task land try 1)",
        "       what to do: docs/operations.md#sourcedataerror",
    ]
