from __future__ import annotations

import json

import httpx
import pytest

from tools.local_stack.airflow_api import AirflowApi
from tools.local_stack.errors import RefusedError, StackError


class FakeAirflow:
    """Answers by (method, path); a list of answers is used up one by one."""

    def __init__(self, answers):
        self.answers = answers
        self.requests = []
        self.logins = 0

    def __call__(self, request):
        if request.url.path == "/auth/token":
            self.logins += 1
            return httpx.Response(201, json={"access_token": f"token{self.logins}"})
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.method, request.url.path, body, request.headers["Authorization"]))
        answer = self.answers[request.method, request.url.path.removeprefix("/api/v2")]
        return answer.pop(0) if isinstance(answer, list) else answer(request)

    def client(self):
        return AirflowApi("http://airflow", "admin", "pw", transport=httpx.MockTransport(self))


def test_existing_connection_is_changed():
    fake = FakeAirflow(
        {
            ("POST", "/connections"): [httpx.Response(409)],
            ("PATCH", "/connections/aws"): [httpx.Response(200)],
        }
    )

    fake.client().put_connection({"connection_id": "aws", "conn_type": "aws", "extra": {"a": 1}})

    assert [(method, path) for method, path, *_ in fake.requests] == [
        ("POST", "/api/v2/connections"),
        ("PATCH", "/api/v2/connections/aws"),
    ]
    assert fake.requests[1][2]["extra"] == '{"a": 1}'


def test_changed_pool_names_every_field_that_airflow_wants():
    fake = FakeAirflow({("POST", "/pools"): [httpx.Response(409)], ("PATCH", "/pools/p"): [httpx.Response(200)]})

    fake.client().put_pool("p", 5, "text")

    assert fake.requests[1][2] == {"pool": "p", "slots": 5, "include_deferred": False, "description": "text"}


def test_login_is_renewed_when_it_ended():
    run = {"dag_run_id": "r", "state": "running", "end_date": None}
    fake = FakeAirflow({("GET", "/dags/d/dagRuns/r"): [httpx.Response(401), httpx.Response(200, json=run)]})

    found = fake.client().dag_run("d", "r")

    assert not found.is_over
    assert [authorization for *_, authorization in fake.requests] == ["Bearer token1", "Bearer token2"]


def test_manual_run_has_no_logical_date():
    run = {"dag_run_id": "r", "state": "queued", "end_date": None}
    fake = FakeAirflow({("POST", "/dags/d/dagRuns"): [httpx.Response(200, json=run)]})

    assert fake.client().trigger("d", {"mode": "replay"}).dag_run_id == "r"
    assert fake.requests[0][2] == {"logical_date": None, "conf": {"mode": "replay"}}


def test_refused_param_is_one_line_with_airflows_reason():
    answer = httpx.Response(400, json={"detail": "'x' is not one of\n ['a']\n\nFailed validating 'enum' in schema: {}"})
    fake = FakeAirflow({("POST", "/dags/d/dagRuns"): [answer]})

    with pytest.raises(RefusedError, match=r"400 'x' is not one of \['a'\]$"):
        fake.client().trigger("d", {"mode": "x"})


def test_run_that_was_perhaps_started_is_not_called_refused():
    def late(request):
        raise httpx.ReadTimeout("late")

    fake = FakeAirflow({("POST", "/dags/d/dagRuns"): late})

    with pytest.raises(StackError, match="ReadTimeout") as caught:
        fake.client().trigger("d", {})

    assert not isinstance(caught.value, RefusedError)


def test_tasks_are_read_page_by_page():
    items = [
        {"task_id": "deliver", "map_index": index, "state": None if index else "success", "try_number": 1}
        for index in range(120)
    ]

    def page(request):
        offset = int(request.url.params["offset"])
        return httpx.Response(200, json={"task_instances": items[offset : offset + 100], "total_entries": 120})

    tasks = FakeAirflow({("GET", "/dags/d/dagRuns/r/taskInstances"): page}).client().task_instances("d", "r")

    assert [task.map_index for task in tasks] == list(range(120))
    assert (tasks[0].state, tasks[1].state, tasks[1].name) == ("success", "waiting", "deliver[1]")


def test_run_is_asked_for_again_when_the_answer_comes_late():
    def late(request):
        raise httpx.ReadTimeout("late")

    answers = [late, late, lambda _: httpx.Response(200, json={"dag_run_id": "m", "state": "running"})]

    def next_answer(request):
        return answers.pop(0)(request)

    fake = FakeAirflow({("GET", "/dags/d/dagRuns/m"): next_answer})

    assert fake.client().dag_run("d", "m").state == "running"
    assert not answers


def test_health_is_empty_while_nothing_answers():
    def refuse(request):
        raise httpx.ConnectError("refused")

    assert AirflowApi("http://airflow", "a", "b", transport=httpx.MockTransport(refuse)).health() == {}


def test_unreachable_airflow_is_one_line():
    def refuse(request):
        raise httpx.ConnectError("refused")

    with pytest.raises(StackError, match=r"GET /importErrors: ConnectError, is it running\?"):
        AirflowApi("http://airflow", "a", "b", transport=httpx.MockTransport(refuse)).import_errors()
