"""Connections from AWS Secrets Manager on an emulator, in the form in which `docs/deployment.md` puts them there."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.errors import AuthError, ConfigError, SyncError, TransientError
from include.hubspot_sync.orchestration.hubspot_hook import DEFAULT_HOST, HubSpotHook
from include.hubspot_sync.orchestration.kaggle_hook import KaggleHook
from include.hubspot_sync.orchestration.log_redaction import SECRETS
from include.hubspot_sync.orchestration.mysql_hook import SyncMySqlHook
from include.hubspot_sync.orchestration.pagerduty_hook import PagerDutyHook
from include.hubspot_sync.orchestration.s3_landing import open_landing
from include.hubspot_sync.orchestration.task_errors import reports_errors
from tests.support.airflow_runs import SMALL_CONTACTS, SyncStack, airflow_connections, load_dag
from tests.support.servers import aws_emulator
from tests.unit.source.scripted_server import Answer, scripted_server
from tools.local_stack.ports import any_free_port

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
BACKEND = "include.hubspot_sync.orchestration.secrets_backend.ConnectionSecrets"
PREFIX = "baby-names/prod"
ROW = re.compile(rf"^ *\| `{PREFIX}/([\w-]+)` \| `(\{{.*?\}})`", re.MULTILINE)


@dataclass(frozen=True)
class Vault:
    """The secrets of a test."""

    client: Any

    def put(self, name: str, value: str) -> None:
        path = f"{PREFIX}/{name}"
        try:
            self.client.create_secret(Name=path, SecretString=value)
        except self.client.exceptions.ResourceExistsException:
            self.client.put_secret_value(SecretId=path, SecretString=value)

    def remove_all(self) -> None:
        for secret in self.client.list_secrets()["SecretList"]:
            self.client.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with aws_emulator(tmp_path_factory.mktemp("secrets"), "secretsmanager") as url:
        yield url


def use_backend(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Set Airflow up as an image does; what a process has built stays until it is told to forget it."""
    from airflow.sdk import configuration

    for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
        monkeypatch.delenv(name)
    settings = {
        "AIRFLOW__SECRETS__BACKEND": BACKEND,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_prefix": PREFIX, "region_name": "eu-central-1"}),
        # it must not keep a rotated value: what it is for are variables while DAG files are read
        "AIRFLOW__SECRETS__USE_CACHE": "True",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    configuration.clear_secrets_backends_cache()


@pytest.fixture
def vault(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    import boto3
    from airflow.sdk import configuration

    use_backend(monkeypatch, emulator)
    vault = Vault(boto3.client("secretsmanager", endpoint_url=emulator, region_name="eu-central-1"))
    yield vault
    vault.remove_all()
    configuration.clear_secrets_backends_cache()


def documented() -> dict[str, str]:
    """Return the values that the deployment's manual tells people to put, by name."""
    return dict(ROW.findall((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")))


def test_every_documented_secret_is_a_connection(vault: Vault):
    for name, value in documented().items():
        vault.put(name, value.replace("…", f"{name}-canary").replace("<integration key>", f"{name}-canary"))
    aws = {"extra": {"region_name": "eu-central-1", "service_config": {"s3": {"bucket_name": "my-landing"}}}}
    vault.put("aws", json.dumps(aws))
    definition = load_definitions()["baby_names"]

    hubspot = HubSpotHook()
    assert (hubspot.get_token(), hubspot.get_host()) == ("pat-hubspot-canary", DEFAULT_HOST)
    assert KaggleHook.get_connection("kaggle").password == "kaggle-canary"
    assert KaggleHook().open_client(definition) is not None
    mysql = SyncMySqlHook("mysql")
    assert mysql.where == "connection mysql (mysql-canary:3306, schema hubspot_sync)"
    assert mysql.connection.login == "hubspot_sync"
    assert mysql.connection.extra_dejson["ssl_mode"] == "VERIFY_IDENTITY"
    pager = PagerDutyHook().find_pager()
    assert pager
    assert pager.receiver.routing_key == "pagerduty-canary"
    assert open_landing(definition).bucket == "my-landing"
    assert "kaggle-canary" not in SECRETS.redact("the token is kaggle-canary")


def test_a_rotated_token_is_seen_by_the_next_lookup(vault: Vault):
    hook = HubSpotHook()
    vault.put("hubspot", '{"HUBSPOT_API_KEY": "pat-first"}')
    assert hook.get_token() == "pat-first"

    vault.put("hubspot", '{"HUBSPOT_API_KEY": "pat-second"}')

    assert hook.get_token() == "pat-second"


def error_of_lookup(name: str = "hubspot") -> SyncError:
    with pytest.raises(SyncError) as caught:
        HubSpotHook.get_connection(name)
    return caught.value


def test_a_missing_secret_is_named_in_one_line(vault: Vault, caplog: pytest.LogCaptureFixture):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException):
        reports_errors(HubSpotHook().get_token)()

    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert line == (
        "error: ConfigError: The conn_id `hubspot` isn't defined: create the secret baby-names/prod/hubspot, or the "
        "connection in airflow, or correct its id in the sync definition"
    )


def test_optional_connection_without_a_secret_is_no_error(vault: Vault):
    assert PagerDutyHook().find_pager() is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("pat-na1-bare-token", "is a bare text"),
        ('"pat-na1-bare-token"', "is a bare text"),
        ('{"HUBSPOT_API_KEY": "pat-na1-bare-token"', "is no valid json"),
        ('{"HUBSPOT_TOKEN": "pat-na1-bare-token"}', "has no key that is known"),
        ('{"HUBSPOT_API_KEY": ["pat-na1-bare-token"]}', "password is no text"),
    ],
    ids=["bare", "quoted", "cut", "other-key", "list"],
)
def test_what_is_no_connection_is_refused_without_showing_it(vault: Vault, value: str, said: str):
    vault.put("hubspot", value)

    error = error_of_lookup()

    assert isinstance(error, ConfigError)
    assert str(error).startswith("secret baby-names/prod/hubspot")
    assert said in str(error)
    assert "bare-token" not in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDeniedException", 400, AuthError),
        ("DecryptionFailure", 400, AuthError),
        ("ExpiredTokenException", 400, AuthError),
        ("InvalidRequestException", 400, ConfigError),
        ("ValidationException", 400, ConfigError),
        ("ThrottlingException", 400, TransientError),
        ("InternalServiceError", 500, TransientError),
    ],
)
def test_a_refusal_of_aws_says_what_happens_next(
    monkeypatch: pytest.MonkeyPatch, code: str, status: int, kind: type[SyncError]
):
    body = json.dumps({"__type": code, "message": "arn:aws:sts::123456789012:assumed-role/somebody"}).encode()
    with scripted_server() as aws:
        use_backend(monkeypatch, aws.url)
        aws.will(*[Answer(status, body, {"Content-Type": "application/x-amz-json-1.1"})] * 5)

        error = error_of_lookup()

    assert isinstance(error, kind)
    assert code in str(error)
    assert "123456789012" not in str(error)
    assert len(aws.asked) <= 3


def test_an_unreachable_secrets_manager_is_no_missing_connection(monkeypatch: pytest.MonkeyPatch):
    use_backend(monkeypatch, f"http://127.0.0.1:{any_free_port()}")

    assert isinstance(error_of_lookup(), TransientError)
    with pytest.raises(TransientError, match="does not answer"):
        PagerDutyHook().find_pager()


def test_ids_of_others_cost_no_call(monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk.exceptions import AirflowNotFoundException

    use_backend(monkeypatch, f"http://127.0.0.1:{any_free_port()}")

    with pytest.raises(AirflowNotFoundException):
        HubSpotHook.get_connection("aws_default")


@pytest.fixture
def source_file(small_source_file: Path) -> Path:
    return small_source_file


def test_a_run_takes_a_token_that_is_rotated_between_its_tasks(stack: SyncStack, vault: Vault, s3_url: str):
    """A service key at first, from `stage` on the token of a private app; the first one is refused by then."""
    bucket = "landing-of-the-secrets"
    httpx.put(f"{s3_url}/{bucket}").raise_for_status()
    made = airflow_connections(
        stack.schema, hubspot_url=stack.hubspot_url, kaggle_url=stack.kaggle_url, s3_url=s3_url, bucket=bucket
    )
    for name, content in made.items():
        vault.put(name, json.dumps(content))
    stack.hubspot("tokens", {"token": "pat-canary-service-key", "kind": "service_key"})
    address = {"conn_type": "http", "host": stack.hubspot_url}
    vault.put("hubspot", json.dumps(address | {"HUBSPOT_API_KEY": "pat-canary-service-key"}))
    rotated: list[str] = []

    def rotate(_context: Any) -> None:
        stack.hubspot("tokens", {"token": "pat-canary-private-app", "kind": "private_app"})
        stack.hubspot("tokens", {"token": "pat-canary-service-key", "kind": "service_key", "expired": True})
        vault.put("hubspot", json.dumps(address | {"HUBSPOT_API_KEY": "pat-canary-private-app"}))
        rotated.append("stage")

    dag = load_dag()
    dag.task_dict["stage"].pre_execute = rotate

    result = stack._result(dag.test())

    assert rotated == ["stage"]
    assert result.state == "success"
    assert result.summary["created"] == SMALL_CONTACTS
