from __future__ import annotations

import pytest

from tools.local_stack.airflow_api import TaskInstance
from tools.local_stack.errors import StackError
from tools.local_stack.run_dag import describe_tasks, last_error, read_request


def task(name, state, map_index=-1):
    return TaskInstance(name, map_index, "", state, 1)


def test_mode_and_params_become_the_conf_of_the_run():
    request = read_request({"MODE": "full_resync", "CONF": '{"approve_guards": "yes"}', "FILE": ""})

    assert request.conf == {"approve_guards": "yes", "mode": "full_resync"}
    assert request.mode == "full_resync"
    assert request.file is None


def test_nothing_asked_for_is_an_incremental_run():
    assert read_request({}).mode == "incremental"
    assert read_request({}).conf == {}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"FILE": "/no/such.csv"}, "FILE=/no/such.csv does not exist"),
        ({"CONF": "{mode}"}, "CONF is not JSON"),
        ({"CONF": "[1]"}, "CONF must be a JSON object"),
    ],
    ids=["file", "no json", "no object"],
)
def test_wrong_request_is_refused_before_anything_is_triggered(environ, message):
    with pytest.raises(StackError, match=message):
        read_request(environ)


def test_description_names_what_is_under_way():
    tasks = [
        task("preflight", "success"),
        task("deliver", "running", 0),
        task("deliver", "success", 1),
        task("finish", "waiting"),
    ]

    assert describe_tasks(tasks) == "deliver: 1 running, 1 success"
    assert describe_tasks([task("land", "up_for_retry"), task("stage", "waiting")]) == "land up_for_retry"
    assert describe_tasks([task("land", "waiting")]) == "scheduling"


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
    [([], "no error was logged"), ([{"level": "critical", "event": "killed"}], "killed")],
    ids=["empty", "plain"],
)
def test_log_without_details_still_gives_a_line(events, expected):
    assert last_error(events) == expected
