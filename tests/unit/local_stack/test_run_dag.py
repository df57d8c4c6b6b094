from __future__ import annotations

import pytest

from tools.local_stack.airflow_api import TaskInstance
from tools.local_stack.errors import StackError
from tools.local_stack.run_dag import describe_tasks, read_request


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
