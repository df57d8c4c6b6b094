"""Nothing secret leaves a task's process: what its connections hold is blanked in all that it writes.

It happens in the process itself, before Airflow's supervisor takes the lines: LocalExecutor copies them to the
scheduler's output past Airflow's own masking (measured on 3.3.2).
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from airflow.sdk.configuration import conf

from include.hubspot_sync.redaction import Redactor

SECRETS = Redactor()
"""What this process has learnt; a new process begins without."""
PUBLIC_EXTRAS = frozenset(
    {
        "addressing_style", "bucket_name", "ca", "charset", "cursor", "endpoint_url", "region_name", "runbook_url",
        "signature_version", "ssl_mode", "timeout", "trust_env", "unix_socket", "verify",
    }
)  # fmt: skip
"""Keys of a connection's extra whose values may be read by everybody; every other text there is taken for a secret."""
_OWN_SETTINGS = (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret"))
_SECRET_VARIABLE = re.compile(
    r"AIRFLOW__\w*(SECRET|SECRET_KEY|PASSWORD|FERNET_KEY)|AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)"
)
_DSN_VARIABLE = re.compile(r"(AIRFLOW__SENTRY__)?(SENTRY_)?DSN")
_ADDRESS_VARIABLE = re.compile(
    r"AIRFLOW__\w*(SQL_ALCHEMY_CONN\w*|RESULT_BACKEND|BROKER_URL)|AIRFLOW_CONN_\w+|HUBSPOT_SYNC_MYSQL_URL"
)


class WatchedConnections:
    """Mixed into a hook: whatever secret its connections hold is blanked from then on."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """Fetch a connection."""
        connection = super().get_connection(conn_id)  # type: ignore[misc]  # of the hook
        remember_connection(connection)
        return connection

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Any:
        """Fetch a connection in an event loop."""
        connection = await super().aget_connection(conn_id)  # type: ignore[misc]  # as above
        remember_connection(connection)
        return connection


def remember_connection(connection: Any) -> None:
    """Blank what a connection holds from now on."""
    SECRETS.add([connection.password or "", *_extra_secrets(connection.extra)])


def _extra_secrets(extra: str | None) -> Iterator[str]:
    try:
        yield from _leaves(json.loads(extra or "{}"))
    except ValueError:
        yield str(extra)


def _leaves(content: Any, key: str = "") -> Iterator[str]:
    """Yield the texts inside a JSON value, without those that everybody may read."""
    match content:
        case str() if key not in PUBLIC_EXTRAS:
            yield content
        case dict():
            for name, value in content.items():
                yield from _leaves(value, str(name))
        case list():
            for value in content:
                yield from _leaves(value, key)


def environment_secrets(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield the secrets among the environment's variables: keys, passwords, and those inside of addresses."""
    for name, value in environ.items():
        if _SECRET_VARIABLE.fullmatch(name):
            yield value
        elif _DSN_VARIABLE.fullmatch(name):
            yield from _dsn_key(value)
        elif _ADDRESS_VARIABLE.fullmatch(name):
            yield from _address_secrets(value)


def _dsn_key(value: str) -> Iterator[str]:
    """Yield the key in Sentry's address, with which anybody could send events."""
    try:
        yield urlsplit(value).username or ""
    except ValueError:
        return


def _address_secrets(value: str) -> Iterator[str]:
    if value.lstrip().startswith("{"):
        try:
            content = json.loads(value)
        except ValueError:
            return
        yield str(content.get("password") or "")
        extra = content.get("extra")
        yield from _extra_secrets(extra) if isinstance(extra, str) else _leaves(extra)
        return
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    yield from (password or "", unquote(password or ""))


def redact_output() -> None:
    """Blank secrets in everything that this process logs or prints from now on; a second call changes nothing."""
    SECRETS.add(environment_secrets())
    SECRETS.add(conf.get(section, name, fallback="") or "" for section, name in _OWN_SETTINGS)
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter()))
    _redact_structlog()
    sys.stdout, sys.stderr = _redacting(sys.stdout, 1), _redacting(sys.stderr, 2)


class RedactingFormatter(logging.Formatter):
    """Formats as another one does, traceback included, and blanks secrets in the result."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line."""
        return SECRETS.redact(self._inner.format(record))


def _redact_structlog() -> None:
    """Airflow's own lines, e.g. the traceback of a failed task, do not go through `logging`."""
    import structlog

    # loggers that exist already hold this very list
    processors = structlog.get_config()["processors"]
    if _redact_rendered not in processors:
        processors.append(_redact_rendered)


def _redact_rendered(_logger: Any, _method: str, line: Any) -> Any:
    """Blank secrets in a line that the processors before have finished."""
    match line:
        case bytes():
            return SECRETS.redact_bytes(line)
        case str():
            return SECRETS.redact(line)
    return line


class RedactingStream:
    """A text stream that blanks secrets in what is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; a secret that is written piece by piece is not seen."""
        self._stream.write(SECRETS.redact(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _redacting(stream: Any, descriptor: int) -> Any:
    """Wrap the process's own output; what a test or a library put in its place is left alone."""
    try:
        is_own = stream.fileno() == descriptor
    except (AttributeError, OSError, ValueError):
        return stream
    return RedactingStream(stream) if is_own and not isinstance(stream, RedactingStream) else stream
