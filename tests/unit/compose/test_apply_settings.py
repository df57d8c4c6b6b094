from __future__ import annotations

import httpx
import pytest

from tools.compose.apply_settings import SETTINGS_FILE, create_bucket, main, settings_values
from tools.local_stack.errors import StackError
from tools.local_stack.settings_file import read_objects

PASSWORDS = {"MYSQL_PASSWORD": "mysql-pw", "KAGGLE_TOKEN": "kaggle-token"}


def s3_that_answers(status: int) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(status)))


def test_every_reference_of_the_settings_file_has_a_value():
    objects = read_objects(SETTINGS_FILE, settings_values(PASSWORDS))

    assert {connection["connection_id"] for connection in objects.connections} == {"mysql", "aws", "hubspot", "kaggle"}
    assert [pool.name for pool in objects.pools] == ["hubspot_api"]


def test_alerts_go_to_pagerduty_when_the_environment_has_a_key():
    environ = {**PASSWORDS, "HUBSPOT_SYNC_PAGERDUTY_KEY": "k" * 32}

    objects = read_objects(SETTINGS_FILE, settings_values(environ))

    pagerduty = next(entry for entry in objects.connections if entry["connection_id"] == "pagerduty")
    assert pagerduty["password"] == "k" * 32


def test_mysql_is_reached_with_tls():
    objects = read_objects(SETTINGS_FILE, settings_values(PASSWORDS))

    mysql = next(entry for entry in objects.connections if entry["connection_id"] == "mysql")
    assert mysql["extra"]["ssl_mode"] == "REQUIRED"


@pytest.mark.parametrize("name", PASSWORDS)
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_missing_password_says_what_to_do(name, value, capsys):
    environ = (
        {**PASSWORDS, name: value} if value is not None else {key: PASSWORDS[key] for key in PASSWORDS if key != name}
    )

    assert main(environ) == 1
    assert capsys.readouterr().err == f"error: {name} is not set: run `make secrets`\n"


@pytest.mark.parametrize("status", [200, 409], ids=["created", "there-already"])
def test_bucket_is_there_afterwards(status):
    create_bucket(s3_that_answers(status))


def test_refused_bucket_is_an_error():
    with pytest.raises(StackError, match="s3 answers 500"):
        create_bucket(s3_that_answers(500))


def test_silent_s3_is_an_error():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(StackError, match="s3: ConnectError, is it running"):
        create_bucket(httpx.Client(transport=httpx.MockTransport(refuse)))
