"""The Kaggle hook: from an Airflow connection to the client of `source/kaggle.py`.

Connection `kaggle`, type `http`. All fields may be empty, because public datasets can be read anonymously:
password = API token (Bearer); login + password = user name and legacy key (Basic); host = another address.
Extra: `timeout` (read timeout in seconds), `verify` (path of a CA bundle), `cert`, `proxies`, `trust_env`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.http.hooks.http import HttpHook
from requests import Session
from requests.auth import AuthBase

from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.certificates import verify_setting
from include.hubspot_sync.orchestration.log_redaction import WatchedConnections
from include.hubspot_sync.orchestration.trusted_hosts import trusted_hosts
from include.hubspot_sync.source.http_exchange import RetryPolicy, Timeouts, no_auth
from include.hubspot_sync.source.kaggle import DEFAULT_BASE_URL, KaggleClient
from include.hubspot_sync.source.redirects import check_base_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Connection
    from requests import PreparedRequest, Response

    from include.hubspot_sync.config import SyncDefinition

MAX_READ_TIMEOUT_S = 300.0
_SESSION_KEYS = ("cert", "proxies", "trust_env")


class BearerAuth(AuthBase):
    """Sends an API token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class KaggleHook(WatchedConnections, HttpHook):
    """Gives Kaggle clients made from an Airflow connection.

    Args:
        kaggle_conn_id: connection with the credentials.
    """

    conn_name_attr = "kaggle_conn_id"
    default_conn_name = "kaggle"
    conn_type = "http"
    hook_name = "Kaggle"
    default_host = DEFAULT_BASE_URL

    def __init__(self, kaggle_conn_id: str = default_conn_name) -> None:
        super().__init__(method="POST", http_conn_id=kaggle_conn_id)
        self.kaggle_conn_id = kaggle_conn_id

    def open_client(self, definition: SyncDefinition, *, retry: RetryPolicy | None = None) -> KaggleClient:
        """Return a client for the dataset of a definition; it opens a connection for each request.

        Raises:
            ConfigError: the connection is not usable; says why.
        """
        connection = self.get_connection(self.kaggle_conn_id)
        self._set_base_url(connection)
        return KaggleClient(
            dataset=definition.source.dataset,
            session_factory=self.get_conn,
            storage_session_factory=self.storage_session,
            base_url=self.base_url,
            connection_id=self.kaggle_conn_id,
            timeouts=_timeouts_of(connection, self.kaggle_conn_id),
            retry=retry or RetryPolicy(),
            max_file_bytes=definition.source.max_file_bytes,
            extra_hosts=trusted_hosts(),
        )

    def storage_session(self) -> Session:
        """Return a session with the network settings of the connection, but without its credentials."""
        session: Session = self.get_conn()
        session.auth = no_auth
        return session

    def run(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuse: HttpHook's own way logs whole bodies and loses status, headers and time limits."""
        raise NotImplementedError("use KaggleHook.open_client()")

    def check_response(self, response: Response) -> None:
        """Leave the judgement to the client, which knows what each status means."""

    def _set_base_url(self, connection: Connection) -> None:
        """Complete the address: https unless it says otherwise, which is only allowed on loopback and trusted hosts."""
        host = connection.host or self.default_host
        scheme = connection.schema or "https"
        address = host if "://" in host else f"{scheme}://{host}"
        port = f":{connection.port}" if connection.port else ""
        self.base_url = check_base_url(f"{address.rstrip('/')}{port}", self.kaggle_conn_id, extra_hosts=trusted_hosts())
        self._base_url_initialized = True

    def _extract_auth(self, connection: Connection) -> Callable[[PreparedRequest], PreparedRequest]:
        login, password = _clean(connection.login), _clean(connection.password)
        if login and password:
            basic: Callable[[PreparedRequest], PreparedRequest] = self.auth_type(login, password)
            return basic
        if login:
            raise ConfigError(
                f"the connection {self.kaggle_conn_id} has a login but no password: "
                "put an API token into the password and leave the login empty"
            )
        return BearerAuth(password) if password else no_auth

    def _configure_session_from_extra(
        self, session: Session, connection: Connection, extra_options: dict[str, Any]
    ) -> Session:
        """Apply the known keys of the extra; HttpHook would send all others as request headers."""
        extra: dict[str, Any] = {**connection.extra_dejson, **extra_options}
        for key in _SESSION_KEYS:
            if key in extra:
                setattr(session, key, extra[key])
        session.verify = verify_setting(extra.get("verify"), self.base_url, self.kaggle_conn_id)
        self.merged_extra: dict[str, Any] = {}
        return session


def _clean(value: str | None) -> str:
    """Return a credential without the blanks and line ends that come along when it is pasted."""
    return (value or "").strip()


def _timeouts_of(connection: Connection, connection_id: str) -> Timeouts:
    """Return the limits of a request; the extra may set the read timeout."""
    value = connection.extra_dejson.get("timeout")
    if value is None:
        return Timeouts()
    try:
        read_s = float(value)
    except (TypeError, ValueError):
        read_s = 0.0
    if not 0 < read_s <= MAX_READ_TIMEOUT_S:
        raise ConfigError(
            f"the connection {connection_id} has no usable `timeout`: give seconds up to {MAX_READ_TIMEOUT_S:g}"
        )
    return Timeouts(read_s=read_s)
