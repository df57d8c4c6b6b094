"""What a process has learnt from its connections and its environment appears in none of its lines."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog
from airflow.sdk import BaseHook, Connection

from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration import log_redaction
from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
from include.hubspot_sync.orchestration.log_redaction import (
    RedactingFormatter,
    RedactingStream,
    environment_secrets,
    redact_output,
    remember_connection,
)
from include.hubspot_sync.orchestration.task_errors import reports_errors
from include.hubspot_sync.redaction import Redactor


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_redaction, "SECRETS", Redactor())


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the root logger writes; its handlers and those of structlog are as before afterwards."""
    output = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(output)])
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    yield output
    structlog.configure(**before)


def test_password_and_every_unknown_extra_of_a_connection_are_secrets(lines):
    extra = {
        "pat": "neutral-key-1",
        "service_config": {"s3": {"bucket_name": "my-landing"}},
        "nested": [{"anything": "deep-secret-2"}],
        "region_name": "eu-central-1",
    }
    remember_connection(Connection(conn_id="c", conn_type="http", password="pass-word-0", extra=json.dumps(extra)))
    redact_output()

    logging.getLogger("any").warning("%s", "pass-word-0 neutral-key-1 deep-secret-2 my-landing eu-central-1")

    assert lines.getvalue() == "<secret> <secret> <secret> my-landing eu-central-1\n"


def test_secret_that_a_hook_fetched_is_blanked_in_traceback_and_structlog(lines, monkeypatch):
    connection = Connection(conn_id="hubspot", conn_type="http", password="fetched-token-1")
    monkeypatch.setattr(BaseHook, "get_connection", classmethod(lambda cls, conn_id: connection))

    @reports_errors
    def body() -> None:
        token = HubSpotHook().get_token()
        structlog.get_logger().error("structlog", token=token)
        raise ValueError(f"odd header {token}")

    try:
        body()
    except ValueError:
        logging.getLogger("any").exception("failed")
        structlog.get_logger().exception("failed")

    text = lines.getvalue()
    assert text.count("odd header <secret>") == 2
    assert "fetched-token-1" not in text
    assert '"token": "<secret>"' in text


def test_without_redaction_the_same_lines_are_readable(lines):
    """The test above could not fail if the secret were in no line at all."""
    logging.getLogger("any").warning("fetched-token-1")

    assert "fetched-token-1" in lines.getvalue()


def test_redacting_twice_wraps_once(lines):
    redact_output()
    redact_output()

    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    assert {type(formatter) for formatter in formatters} == {RedactingFormatter}
    assert RedactingFormatter not in {type(formatter._inner) for formatter in formatters}
    assert len(structlog.get_config()["processors"]) == 3


def test_prints_are_blanked_and_a_replaced_output_is_left_alone(monkeypatch):
    log_redaction.SECRETS.add(["printed-secret"])
    output = io.StringIO()
    print("a printed-secret b", file=RedactingStream(output))
    assert output.getvalue() == "a <secret> b\n"

    monkeypatch.setattr(sys, "stdout", output)
    redact_output()
    assert sys.stdout is output


def test_secrets_of_the_environment_are_known():
    environ = {
        "AIRFLOW__CORE__FERNET_KEY": "fernet",
        "AIRFLOW__API__SECRET_KEY": "api",
        "AIRFLOW__API_AUTH__JWT_SECRET": "jwt",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:p%40ss@db/airflow",
        "AIRFLOW_CONN_HUBSPOT": json.dumps({"password": "token", "extra": {"pat": "other"}}),
        "AIRFLOW_CONN_AWS": json.dumps({"password": "key", "extra": json.dumps({"role": "arn"})}),
        "AIRFLOW_CONN_MYSQL": "mysql://user:third@host/schema",
        "AIRFLOW__CORE__DAGS_FOLDER": "/dags",
        "AIRFLOW__SECRETS__BACKEND": "a.class",
        "AIRFLOW__SENTRY__SENTRY_DSN": "https://dsn-key@sentry.example/1",
        "SENTRY_DSN": "http://[broken",
        "AWS_SECRET_ACCESS_KEY": "aws-key",
        "AWS_SESSION_TOKEN": "aws-token",
        "HOME": "/root",
    }

    found = set(environment_secrets(environ)) - {""}

    of_airflow = {"fernet", "api", "jwt", "p%40ss", "p@ss", "token", "other", "key", "arn", "third", "dsn-key"}
    assert found == of_airflow | {"aws-key", "aws-token"}


@pytest.mark.parametrize("value", ["{broken", "http://[broken"])
def test_broken_variables_hold_up_nothing(value):
    assert set(environment_secrets({"AIRFLOW_CONN_X": value})) == set()


def test_error_that_is_reported_keeps_its_words(lines):
    @reports_errors
    def body() -> None:
        raise ConfigError("connection hubspot has no password: put the token there")

    with pytest.raises(Exception, match="put the token there"):
        body()

    assert lines.getvalue() == "error: ConfigError: connection hubspot has no password: put the token there\n"
