"""The HubSpot key is replaced by one that works, and by nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from key_rotation import rotate
from key_rotation.hubspot import Hubspot, HubspotError, KeyRefusedError
from key_rotation.rotate import Rotation, RotationError
from tests.unit.source.scripted_server import Answer, Script, json_answer, redirect
from tools.aws_functions import pack

SECRET = "baby-names/prod/hubspot"
OLD, NEW, EXPIRED = "pat-sim-full-access", "pat-sim-no-schema-scopes", "pat-sim-expired"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
SCOPES = ["crm.objects.contacts.read", "crm.objects.contacts.write"]
TOKEN = "11111111-2222-3333-4444-555555555555"


def value(key: str) -> str:
    return json.dumps({"HUBSPOT_API_KEY": key})


@pytest.fixture
def secrets() -> Iterator[Any]:
    """Secrets Manager with the current key; as in AWS, a rotation makes a pending version without a value."""
    import boto3

    with mock_aws(config={"lambda": {"use_docker": False}}):
        client = boto3.client("secretsmanager")
        client.create_secret(Name=SECRET, SecretString=value(OLD))
        yield client


@pytest.fixture
def begin(secrets: Any, tmp_path: Any) -> Any:
    """Begin a rotation as the clock of Secrets Manager does."""
    import boto3

    trust = json.dumps({"Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    role = boto3.client("iam").create_role(RoleName="rotate", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    function = boto3.client("lambda").create_function(
        FunctionName="rotate-key",
        Runtime="python3.13",
        Role=role,
        Handler="key_rotation.rotate.handle",
        Code={"ZipFile": pack("key_rotation", tmp_path).read_bytes()},
    )

    def begin() -> str:
        started = secrets.rotate_secret(
            SecretId=SECRET,
            RotationLambdaARN=function["FunctionArn"],
            ClientRequestToken=TOKEN,
            RotationRules={"AutomaticallyAfterDays": 90},
        )
        return started["VersionId"]

    return begin


def put_next(secrets: Any, key: str) -> None:
    secrets.put_secret_value(SecretId=SECRET, SecretString=value(key), VersionStages=["NEXT"])


def current(secrets: Any) -> str:
    found = secrets.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")
    return json.loads(found["SecretString"])["HUBSPOT_API_KEY"]


def stages(secrets: Any) -> list[str]:
    described = secrets.describe_secret(SecretId=SECRET)
    return sorted(stage for of_version in described["VersionIdsToStages"].values() for stage in of_version)


def run(step: str, version: str = TOKEN) -> None:
    rotate.handle({"SecretId": SECRET, "ClientRequestToken": version, "Step": step}, None)


@pytest.fixture
def at_hubspot(hubspot_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_URL", hubspot_url)


@pytest.mark.usefixtures("at_hubspot")
@pytest.mark.parametrize("times", [1, 2], ids=["once", "every step twice"])
def test_a_waiting_key_becomes_the_current_one(secrets: Any, begin: Any, times: int):
    put_next(secrets, NEW)
    version = begin()

    for step in STEPS:
        for _ in range(times):
            run(step, version)

    assert current(secrets) == NEW
    assert "NEXT" not in stages(secrets)
    assert stages(secrets).count("AWSCURRENT") == 1


@pytest.mark.usefixtures("at_hubspot")
def test_without_a_waiting_key_the_rotation_fails_and_says_what_to_do(secrets: Any, begin: Any):
    begin()

    with pytest.raises(RotationError, match=r"no new key waits .* put it with stage NEXT"):
        run("createSecret")

    assert current(secrets) == OLD


@pytest.mark.usefixtures("at_hubspot")
def test_a_refused_key_never_becomes_pending_so_a_better_one_can_follow(secrets: Any, begin: Any):
    put_next(secrets, EXPIRED)
    begin()
    with pytest.raises(KeyRefusedError):
        run("createSecret")

    put_next(secrets, NEW)
    for step in STEPS:
        run(step)

    assert current(secrets) == NEW


@pytest.mark.usefixtures("at_hubspot")
def test_the_current_key_is_no_new_key(secrets: Any, begin: Any):
    put_next(secrets, OLD)
    begin()

    with pytest.raises(RotationError, match="is the current one"):
        run("createSecret")


@pytest.mark.usefixtures("at_hubspot")
def test_a_key_put_after_the_choice_keeps_waiting(secrets: Any, begin: Any):
    put_next(secrets, NEW)
    begin()
    run("createSecret")
    put_next(secrets, "pat-of-the-day-after")
    for step in STEPS[1:]:
        run(step)

    assert current(secrets) == NEW
    assert "NEXT" in stages(secrets)


@pytest.mark.usefixtures("at_hubspot")
def test_a_version_that_is_not_pending_is_refused(secrets: Any, begin: Any):
    put_next(secrets, NEW)
    begin()

    with pytest.raises(RotationError, match="is not pending"):
        run("createSecret", "99999999-2222-3333-4444-555555555555")


@pytest.mark.usefixtures("at_hubspot")
def test_a_secret_that_does_not_rotate_is_refused(secrets: Any):
    with pytest.raises(RotationError, match="is off"):
        run("createSecret")


@pytest.mark.usefixtures("at_hubspot", "secrets")
def test_other_calls_are_refused():
    with pytest.raises(RotationError, match="unknown step deleteSecret"):
        run("deleteSecret")


def info(portal: int, scopes: list[str]) -> Answer:
    return json_answer({"hubId": portal, "scopes": scopes})


def rotation(secrets: Any, script: Script) -> Rotation:
    return Rotation(secrets, Hubspot(script.url), SECRET, TOKEN)


def test_a_key_of_another_portal_is_refused(secrets: Any, script: Script):
    put_next(secrets, NEW)
    contacts = json_answer({"results": []})
    script.will(info(2, SCOPES), contacts, info(1, SCOPES), contacts)

    with pytest.raises(RotationError, match="of portal 2, the current one of 1"):
        rotation(secrets, script).create()

    assert "AWSPENDING" not in stages(secrets)


def test_a_dead_current_key_does_not_stop_its_replacement(secrets: Any, script: Script):
    put_next(secrets, NEW)
    script.will(info(2, SCOPES), json_answer({"results": []}), json_answer({}, status=401))

    rotation(secrets, script).create()

    assert "AWSPENDING" in stages(secrets)


def test_a_key_without_a_needed_scope_is_refused(script: Script):
    script.will(info(1, SCOPES[:1]))

    with pytest.raises(KeyRefusedError, match=r"lacks the scopes crm.objects.contacts.write"):
        Hubspot(script.url).portal_of(NEW)


@pytest.mark.parametrize(
    "answer",
    [Answer(503), Answer(429), Answer(200, b"<html>"), Answer(200, b"{}")],
    ids=["503", "429", "html", "empty"],
)
def test_no_clear_answer_is_no_refusal(script: Script, answer: Answer):
    script.will(answer)

    with pytest.raises(HubspotError):
        Hubspot(script.url).portal_of(NEW)


def test_the_key_does_not_follow_a_redirect(script: Script):
    script.will(redirect(f"{script.url}/elsewhere"), info(1, SCOPES))

    with pytest.raises(HubspotError):
        Hubspot(script.url).portal_of(NEW)

    assert len(script.asked) == 1


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"HUBSPOT_API_KEY": " "}', '{"HUBSPOT_API_KEY": 7}'])
def test_a_value_of_another_form_is_refused_without_showing_it(secrets: Any, script: Script, content: str):
    secrets.put_secret_value(SecretId=SECRET, SecretString=content, VersionStages=["NEXT"])

    with pytest.raises(RotationError, match="HUBSPOT_API_KEY") as refused:
        rotation(secrets, script).create()

    assert "no json" not in str(refused.value)


@pytest.mark.usefixtures("at_hubspot")
def test_no_key_is_in_the_log_or_an_error(secrets: Any, begin: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "key_rotation")
    put_next(secrets, EXPIRED)
    begin()
    with pytest.raises(KeyRefusedError) as refused:
        run("createSecret")
    put_next(secrets, NEW)
    for step in STEPS:
        run(step)

    told = [str(refused.value), *(record.getMessage() for record in caplog.records)]
    assert len(told) > len(STEPS)
    assert [line for line in told if "pat-" in line] == []
