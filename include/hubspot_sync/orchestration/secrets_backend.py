"""Airflow's connections from AWS Secrets Manager; what is wrong with a secret is said, instead of "isn't defined".

Airflow takes every error of a backend for a connection that is not there, logs the cause at DEBUG only, and asks the
next backend (3.3.2). So a denied or unreachable secret would look like a missing one, and an optional connection would
silently have no effect. One class of errors Airflow hands on: `AirflowSecretsBackendAccessDenied`; ours belong to it.

The settings are those of Airflow's own `SecretsManagerBackend`, with defaults that fit our connections.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend
from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

from include.hubspot_sync.errors import AuthError, ConfigError, TransientError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

CONNECTIONS = ("hubspot", "kaggle", "mysql", "aws", "pagerduty")
"""Ids that are looked up in Secrets Manager unless `connections_lookup_pattern` names others."""
WORDS = {"password": ["HUBSPOT_API_KEY", "KAGGLE_API_TOKEN"], "schema": ["dbname"]}
"""Keys in a secret, besides those that Airflow knows: HubSpot's and Kaggle's own names, and what RDS calls a schema."""
CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS = 3, 5, 3
"""boto would wait for a minute, five times, while the task does nothing."""
_TEXTS = ("conn_type", "host", "login", "password", "schema")
_NOT_THERE = frozenset({"ResourceNotFoundException"})
_DENIED = frozenset({"AccessDeniedException", "DecryptionFailure"})
_NO_LOGIN = frozenset(
    {
        "AccessDenied", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId",
        "InvalidSignatureException", "MissingAuthenticationTokenException", "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)  # fmt: skip
_DELETED = frozenset({"InvalidRequestException"})
_TOO_MANY = 429
_SERVER_ERROR = 500


class SecretDeniedError(AuthError, AirflowSecretsBackendAccessDenied):
    """AWS refuses the secret to this process."""


class SecretUnusableError(ConfigError, AirflowSecretsBackendAccessDenied):
    """The secret holds no connection, or the settings name no place to look for it."""


class SecretUnavailableError(TransientError, AirflowSecretsBackendAccessDenied):
    """Secrets Manager does not answer."""


class ConnectionSecrets(SecretsManagerBackend):
    """Reads `<connections_prefix>/<connection id>` at every lookup, so that a rotated value is seen by the next one.

    Args:
        connections_prefix: Start of the secrets' names, e.g. `baby-names/prod`.
        connections_lookup_pattern: Ids that are looked up here; others cost no call.
        extra_conn_words: More names of keys, by field of the connection.
        settings: As `SecretsManagerBackend`, e.g. `region_name`. Variables and settings are not looked up unless a
            prefix is given.
    """

    def __init__(
        self,
        connections_prefix: str,
        connections_lookup_pattern: str = rf"^({'|'.join(CONNECTIONS)})$",
        extra_conn_words: Mapping[str, list[str]] | None = None,
        **settings: Any,
    ) -> None:
        words = {name: [*more] for name, more in (extra_conn_words or {}).items()}
        for name, more in WORDS.items():
            words[name] = [*dict.fromkeys([*words.get(name, []), *more])]
        super().__init__(
            connections_prefix=connections_prefix,
            connections_lookup_pattern=connections_lookup_pattern,
            extra_conn_words=words,
            **{"variables_prefix": None, "config_prefix": None} | settings,
        )

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return a connection as Airflow's JSON or address; None: there is no such secret.

        Raises:
            SecretUnusableError: the secret is there, but is no connection.
            SecretDeniedError: this process may not read it.
            SecretUnavailableError: Secrets Manager does not answer.
        """
        name = f"secret {self.build_path(self.connections_prefix, conn_id, self.sep)}"
        try:
            value: str | None = super().get_conn_value(conn_id, team_name)
        except (json.JSONDecodeError, AttributeError):
            # the cause would show the secret
            raise SecretUnusableError(f"{name} is no valid json: put it again, from a file") from None
        if value is not None:
            _check(name, value)
        return value

    def _get_secret_value(self, _secret_id: str, secrets_path: str) -> str | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.client.get_secret_value(SecretId=secrets_path)
        except ClientError as error:
            if _code(error) in _NOT_THERE:
                return None
            raise _refusal(f"secret {secrets_path}", error) from None
        except BotoCoreError as error:
            raise _failure(f"secret {secrets_path}", error) from None
        if "SecretString" not in answer:
            raise SecretUnusableError(f"secret {secrets_path} is binary: put a text")
        return str(answer["SecretString"])

    @cached_property
    def client(self) -> Any:
        """Make the client as the base class does, but with waits that a task can afford."""
        from airflow.providers.amazon.aws.hooks.base_aws import SessionFactory
        from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
        from botocore.config import Config

        connection = AwsConnectionWrapper.from_connection_metadata(conn_id="secrets_backend", extra=self.kwargs)
        return (
            SessionFactory(conn=connection)
            .create_session()
            .client(
                "secretsmanager",
                region_name=connection.region_name,
                verify=connection.verify,
                endpoint_url=connection.endpoint_url,
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=READ_TIMEOUT_S,
                    retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                ),
            )
        )


def secret_of(conn_id: str) -> str | None:
    """Return the name of the secret in which a connection is looked up; None: nobody looks in Secrets Manager."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        if isinstance(backend, SecretsManagerBackend) and backend.connections_prefix:
            pattern = backend.connections_lookup_pattern
            if not pattern or re.match(pattern, conn_id, re.IGNORECASE):
                return str(backend.build_path(backend.connections_prefix, conn_id, backend.sep))
    return None


def _check(name: str, value: str) -> None:
    """Refuse what Airflow would make a senseless connection of: parts of a token would be its host or its schema."""
    if not value.lstrip().startswith("{"):
        if "://" not in value:
            raise SecretUnusableError(f'{name} is a bare text: put json, e.g. {{"HUBSPOT_API_KEY": "…"}}')
        return
    fields = json.loads(value)
    if not any(fields.values()):
        known = ", ".join(word for words in WORDS.values() for word in words)
        raise SecretUnusableError(f"{name} has no key that is known: use {known}, or those of an airflow connection")
    for field in _TEXTS:
        if not isinstance(fields.get(field), str | None):
            raise SecretUnusableError(f"{name}: {field} is no text: put it in quotes")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(name: str, error: ClientError) -> Exception:
    """Return our error for an answer of AWS, whose text names accounts and roles and stays out of it."""
    code = _code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _DENIED:
        return SecretDeniedError(
            f"{name} may not be read ({code}): "
            "allow the role secretsmanager:GetSecretValue on it and kms:Decrypt on its key"
        )
    if code in _NO_LOGIN:
        return SecretDeniedError(f"{name}: aws refuses the credential of this process ({code}): check its role or keys")
    if code in _DELETED:
        return SecretUnusableError(f"{name} cannot be read ({code}): if it was deleted, restore it or put a new one")
    if status >= _SERVER_ERROR or status == _TOO_MANY or "Throttl" in code:
        return SecretUnavailableError(f"{name} cannot be read at present ({code or status}): it is tried again")
    return SecretUnusableError(f"{name} cannot be read ({code or status}): check prefix and region of the backend")


def _failure(name: str, error: Exception) -> Exception:
    """Return our error for a request without an answer."""
    from botocore import exceptions

    kind = type(error).__name__
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return SecretDeniedError(f"{name}: this process has no credential for aws ({kind}): give it a role or keys")
    if isinstance(error, exceptions.SSLError):
        return SecretUnusableError(f"{name}: the endpoint's certificate is not trusted: check endpoint and `verify`")
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return SecretUnavailableError(f"{name}: secrets manager does not answer ({kind}): check network and endpoint")
    return SecretUnusableError(f"{name} cannot be read ({kind}): check prefix and region of the backend")
