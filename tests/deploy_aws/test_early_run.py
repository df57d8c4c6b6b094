"""An event starts one run, however often it is delivered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from early_run import handler
from early_run.airflow import AirflowBehindUrl, AirflowError, ManagedAirflow
from early_run.handler import EventError, run_of, start
from tests.unit.source.scripted_server import Answer, Script, json_answer, redirect

DAG = "baby_names_to_hubspot"
EVENT = {
    "id": "3c1e6a0e",
    "source": "hubspot-sync",
    "detail": {"conf": {"mode": "plan_only"}, "reason": "new names were published"},
}


def airflow(script: Script) -> AirflowBehindUrl:
    return AirflowBehindUrl(script.url, "trigger", "a-password")


def test_an_event_becomes_a_run_with_its_parameters(script: Script):
    script.will(json_answer({"access_token": "a-token"}, status=201), json_answer({}))

    done = start(airflow(script), DAG, EVENT)

    login, trigger = script.asked
    assert done == {"dag_run_id": "early__3c1e6a0e", "outcome": "started"}
    assert (login.path, login.json) == ("/auth/token", {"username": "trigger", "password": "a-password"})
    assert trigger.path == f"/api/v2/dags/{DAG}/dagRuns"
    assert trigger.headers["Authorization"] == "Bearer a-token"
    assert trigger.json == {
        "dag_run_id": "early__3c1e6a0e",
        "logical_date": None,
        "conf": {"mode": "plan_only"},
        "note": "new names were published",
    }


def test_an_event_delivered_twice_starts_one_run(script: Script):
    script.will(json_answer({"access_token": "a-token"}), json_answer({}, status=409))

    assert start(airflow(script), DAG, EVENT)["outcome"] == "exists"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 503])
def test_a_refusal_fails_the_call_so_that_it_is_repeated_and_kept(script: Script, status: int):
    script.will(json_answer({"access_token": "a-token"}), json_answer({}, status=status))

    with pytest.raises(AirflowError, match=f"answers {status} to a run"):
        start(airflow(script), DAG, EVENT)


@pytest.mark.parametrize("answer", [json_answer({}, status=401), Answer(200, b"<html>"), redirect("/login")])
def test_a_failed_login_asks_for_nothing_and_shows_no_password(script: Script, answer: Answer):
    script.will(answer)

    with pytest.raises(AirflowError, match="to the login") as refused:
        start(airflow(script), DAG, EVENT)

    assert len(script.asked) == 1
    assert "a-password" not in str(refused.value)


def test_no_answer_is_an_error():
    with pytest.raises(AirflowError, match="no answer"):
        start(AirflowBehindUrl("http://127.0.0.1:9", "trigger", "a-password"), DAG, EVENT)


@pytest.mark.parametrize("event", [{"detail": {}}, {"id": ""}, {"id": "1", "detail": {"conf": "mode=plan_only"}}])
def test_an_event_of_another_form_is_refused(event: Mapping[str, Any]):
    with pytest.raises(EventError):
        run_of(event)


def test_a_scheduled_event_has_no_parameters():
    assert run_of({"id": "1", "source": "aws.events", "detail": {}})["conf"] == {}


def test_the_login_comes_from_the_secret(script: Script, monkeypatch: pytest.MonkeyPatch):
    import boto3

    script.will(json_answer({"access_token": "a-token"}), json_answer({}))
    with mock_aws():
        login = json.dumps({"username": "from-secret", "password": "p"})
        boto3.client("secretsmanager").create_secret(Name="baby-names/prod/airflow-trigger", SecretString=login)
        settings = {"AIRFLOW_URL": script.url, "LOGIN_SECRET_ID": "baby-names/prod/airflow-trigger", "DAG_ID": DAG}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

        handler.handle(EVENT, None)

    assert script.asked[0].json["username"] == "from-secret"


class ClientRefusalError(ClientError):
    pass


class ServerRefusalError(ClientError):
    pass


class ManagedEnvironment:
    """Answers as the client of boto3 does; no emulator has this call."""

    exceptions = SimpleNamespace(RestApiClientException=ClientRefusalError, RestApiServerException=ServerRefusalError)

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[Mapping[str, Any]] = []

    def invoke_rest_api(self, **arguments: object) -> Mapping[str, Any]:
        self.asked.append(arguments)
        refused = {"Error": {"Code": "x"}, "RestApiStatusCode": self.status}
        if self.status >= 500:
            raise ServerRefusalError(refused, "InvokeRestApi")
        if self.status >= 400:
            raise ClientRefusalError(refused, "InvokeRestApi")
        return {"RestApiStatusCode": self.status}


def test_the_arguments_are_those_that_boto3_knows():
    import boto3

    known = boto3.client("mwaa").meta.service_model.operation_model("InvokeRestApi").input_shape.members
    environment = ManagedEnvironment(200)

    start(ManagedAirflow(environment, "hubspot-sync-prod"), DAG, EVENT)

    assert set(environment.asked[0]) <= set(known)
    assert environment.asked[0]["Path"] == f"/dags/{DAG}/dagRuns"


@pytest.mark.parametrize(("status", "outcome"), [(200, "started"), (409, "exists")])
def test_managed_airflow_starts_one_run(status: int, outcome: str):
    assert start(ManagedAirflow(ManagedEnvironment(status), "e"), DAG, EVENT)["outcome"] == outcome


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_of_managed_airflow_fails_the_call(status: int):
    with pytest.raises(AirflowError, match=f"answers {status}"):
        start(ManagedAirflow(ManagedEnvironment(status), "e"), DAG, EVENT)
