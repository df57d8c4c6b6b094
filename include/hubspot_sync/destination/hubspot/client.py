"""HubSpot over HTTP: one request per method call, no retry, no waiting, no surprise exception."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from include.hubspot_sync.destination.failure import error_from
from include.hubspot_sync.destination.hubspot import portal
from include.hubspot_sync.destination.hubspot.address import (
    API_VERSION,
    TOKEN_INFO_PATH,
    ApiVersion,
    api_paths,
    check_base_url,
    clean_token,
    is_loopback,
)
from include.hubspot_sync.destination.hubspot.batch_result import archive_answer, upsert_answer
from include.hubspot_sync.destination.hubspot.exchange import (
    Exchange,
    answered_head,
    failed_head,
)
from include.hubspot_sync.destination.hubspot.payload import (
    JsonObject,
    archive_body,
    read_body,
    upsert_request,
)
from include.hubspot_sync.destination.hubspot.properties import create_body
from include.hubspot_sync.destination.hubspot.rate_limit import (
    parse_rate_headers,
    parse_retry_after,
)
from include.hubspot_sync.destination.hubspot.read_result import read_answer
from include.hubspot_sync.destination.hubspot.search_result import search_answer, search_body
from include.hubspot_sync.destination.protocol import (
    Account,
    Answer,
    AnswerHead,
    DailyUsage,
    PropertyDefinition,
    ReadAnswer,
    Reason,
    RecordLimit,
    SearchAnswer,
    TokenInfo,
    Verdict,
)
from include.hubspot_sync.errors import AuthError
from include.hubspot_sync.records import HeardAnswer
from include.hubspot_sync.redaction import Redactor

if TYPE_CHECKING:
    from types import TracebackType

    from include.hubspot_sync.config import SyncDefinition
    from include.hubspot_sync.records import Change

log = logging.getLogger(__name__)

TokenProvider = Callable[[], str]
"""Fetches the token, e.g. from a connection. Asked at the first request and again after a 401."""

Hear = Callable[[HeardAnswer], None]
"""Told of every request that was sent, when it ended."""

CONNECT_TIMEOUT_S = 5.0
_UNAUTHORIZED = frozenset({401, 530})
_CONFLICT = 409
_NOT_FOUND = 404
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the client needs to know of a sync."""

    key_property: str
    property_names: tuple[str, ...]
    """Mapped properties without the key property: what a read asks for."""
    request_timeout_s: float = 10.0
    """Longest time for one request and its whole answer."""
    connection_id: str = "hubspot"
    """Named in messages."""
    version: ApiVersion = API_VERSION
    trace_prefix: str = "sync"
    """Start of the trace ids, e.g. the run: `r42`."""

    @classmethod
    def from_definition(cls, definition: SyncDefinition, *, trace_prefix: str) -> ClientSettings:
        """Take the settings out of a sync definition."""
        return cls(
            key_property=definition.destination.key_property,
            property_names=definition.property_names,
            request_timeout_s=definition.delivery.request_timeout_s,
            connection_id=definition.connections.hubspot,
            trace_prefix=trace_prefix,
        )


class HubSpotClient:
    """A `Destination` that is a HubSpot portal. Closes the HTTP client it is given."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: TokenProvider,
        settings: ClientSettings,
        *,
        extra_hosts: Container[str] = (),
        hear: Hear | None = None,
    ) -> None:
        """Use an HTTP client whose `base_url` is set.

        Args:
            http: Sends the requests.
            token: Fetches the credential.
            settings: What the sync asks for.
            extra_hosts: Other hosts to which the token may be sent in plain text.
            hear: Told of the end of every request.

        Raises:
            ConfigError: the token must not be sent to that address.
        """
        self._base_url = check_base_url(
            str(http.base_url), connection_id=settings.connection_id, extra_hosts=extra_hosts
        )
        self._http = http
        self._fetch_token = token
        self._token: str | None = None
        self._settings = settings
        self._paths = api_paths(settings.version)
        self._hear = hear

    @classmethod
    def connect(
        cls,
        base_url: str,
        token: TokenProvider,
        settings: ClientSettings,
        *,
        max_in_flight: int = 10,
        extra_hosts: Container[str] = (),
        hear: Hear | None = None,
    ) -> HubSpotClient:
        """Make a client with its own connection pool; opens no connection yet.

        Raises:
            ConfigError: the token must not be sent to that address.
        """
        address = check_base_url(base_url, connection_id=settings.connection_id, extra_hosts=extra_hosts)
        host = httpx.URL(address).host
        http = httpx.AsyncClient(
            base_url=address,
            timeout=httpx.Timeout(settings.request_timeout_s, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=max_in_flight, max_keepalive_connections=max_in_flight),
            follow_redirects=False,
            # a proxy of the environment is for the outside world only
            trust_env=not (is_loopback(host) or host in extra_hosts),
        )
        return cls(http, token, settings, extra_hosts=extra_hosts, hear=hear)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def upsert(self, changes: Sequence[Change]) -> Answer:
        """Create or update up to 100 contacts by key.

        Raises:
            ValueError: the batch itself is wrong, e.g. names a key twice.
            TypeError: a property value is no text.
        """
        request = upsert_request(
            changes,
            key_property=self._settings.key_property,
            trace_prefix=self._settings.trace_prefix,
        )
        path = f"{self._paths.objects}/batch/upsert"
        exchange = await self._send("upsert", "POST", path, request.body)
        return upsert_answer(exchange, request, connection_id=self._settings.connection_id)

    async def archive(self, hubspot_ids: Sequence[int]) -> Answer:
        """Archive up to 100 contacts by record id.

        Raises:
            ValueError: the batch itself is wrong.
        """
        path = f"{self._paths.objects}/batch/archive"
        exchange = await self._send("archive", "POST", path, archive_body(hubspot_ids))
        return archive_answer(exchange, connection_id=self._settings.connection_id)

    async def read(self, key_texts: Sequence[str]) -> ReadAnswer:
        """Read up to 100 contacts by key with every mapped property.

        Raises:
            ValueError: the batch itself is wrong.
        """
        settings = self._settings
        body = read_body(
            key_texts,
            key_property=settings.key_property,
            property_names=settings.property_names,
        )
        path = f"{self._paths.objects}/batch/read"
        exchange = await self._send("read", "POST", path, body)
        return read_answer(
            exchange,
            key_texts,
            key_property=settings.key_property,
            connection_id=settings.connection_id,
        )

    async def erase(self, hubspot_id: int) -> AnswerHead:
        """Delete a contact for good, as the GDPR asks for. SETTLED: HubSpot has taken it, or knows no such contact.

        Source: developers.hubspot.com, crm-contacts-v3/basic/post-crm-v3-objects-contacts-gdpr-delete
        """
        path = f"{self._paths.objects}/gdpr-delete"
        exchange = await self._send("erase", "POST", path, {"objectId": str(hubspot_id)})
        is_gone = exchange.status == _NOT_FOUND and exchange.facts.category == "OBJECT_NOT_FOUND"
        if exchange.is_success or is_gone:
            return answered_head(exchange, Verdict.SETTLED)
        return failed_head(exchange, connection_id=self._settings.connection_id)

    async def token_info(self) -> TokenInfo:
        """Ask what the token is. The body holds the secret."""
        try:
            body = {"tokenKey": self._current_token()}
        except AuthError:
            body = {}
        exchange = await self._send("token_info", "POST", TOKEN_INFO_PATH, body)
        return self._value(exchange, portal.parse_token_info)

    async def account(self) -> Account:
        """Ask which portal answers, its time zone and its real limits."""
        exchange = await self._send("account", "GET", f"{self._paths.account}/details")
        return self._value(exchange, lambda body: portal.parse_account(body, exchange.rate))

    async def daily_usage(self) -> DailyUsage:
        """Ask how much of the daily quota is used."""
        path = f"{self._paths.account}/api-usage/daily/private-apps"
        exchange = await self._send("daily_usage", "GET", path)
        return self._value(exchange, portal.parse_daily_usage)

    async def record_limit(self) -> RecordLimit:
        """Ask how many contacts the portal holds and may hold."""
        exchange = await self._send("record_limit", "GET", f"{self._paths.limits}/records")
        return self._value(exchange, portal.parse_record_limit)

    async def list_properties(self, *, archived: bool) -> tuple[PropertyDefinition, ...]:
        """List the active or the archived contact properties."""
        path = f"{self._paths.properties}?archived={'true' if archived else 'false'}"
        exchange = await self._send("list_properties", "GET", path)
        return self._value(exchange, portal.parse_properties)

    async def create_property(self, wanted: PropertyDefinition) -> bool:
        """Create a property; False when another one was quicker. Read it back before use."""
        path = self._paths.properties
        exchange = await self._send("create_property", "POST", path, create_body(wanted))
        if exchange.status == _CONFLICT:
            return False
        return self._value(exchange, lambda _: True)

    async def search_total(self, property_name: str) -> int:
        """Count the contacts that have a value in this property; search lags by seconds."""
        has_property = {"propertyName": property_name, "operator": "HAS_PROPERTY"}
        body = {
            "filterGroups": [{"filters": [has_property]}],
            "properties": [property_name],
            "limit": 1,
        }
        exchange = await self._send("search_total", "POST", f"{self._paths.objects}/search", body)
        return self._value(exchange, portal.parse_search_total)

    async def search_keys(self, after_id: int, up_to_id: int | None = None) -> SearchAnswer:
        """Find the next contacts that have a key, by rising record id."""
        settings = self._settings
        body = search_body(settings.key_property, after_id, up_to_id)
        exchange = await self._send("search_keys", "POST", f"{self._paths.objects}/search", body)
        return search_answer(exchange, key_property=settings.key_property, connection_id=settings.connection_id)

    def _value(self, exchange: Exchange, parse: Callable[[object], _Value]) -> _Value:
        """Return what a preflight answer says, or raise the error that fits it."""
        if not exchange.is_success:
            raise error_from(failed_head(exchange, connection_id=self._settings.connection_id))
        if not exchange.is_json:
            raise error_from(_unreadable(exchange, "no json"))
        try:
            return parse(exchange.body)
        except ValueError as error:
            raise error_from(_unreadable(exchange, str(error))) from error

    def _current_token(self) -> str:
        if self._token is None:
            raw = self._fetch_token()
            self._token = clean_token(raw, connection_id=self._settings.connection_id)
        return self._token

    async def _send(self, call: str, method: str, path: str, body: JsonObject | None = None) -> Exchange:
        """Send one request once, within the time limit."""
        try:
            token = self._current_token()
        except AuthError as error:
            return Exchange(failure=Reason.BAD_CREDENTIAL, failure_message=str(error))
        clock = asyncio.get_running_loop().time
        started = clock()
        exchange = await self._exchange(self._request(method, path, body, token))
        exchange = replace(exchange, latency_ms=round((clock() - started) * 1000))
        if self._hear is not None:
            self._hear(HeardAnswer(exchange.status, exchange.latency_ms))
        if exchange.status in _UNAUTHORIZED and self._token == token:
            self._token = None
        log.debug(
            "hubspot answered call=%s status=%s failure=%s latency_ms=%d correlation_id=%s",
            call,
            exchange.status,
            exchange.failure,
            exchange.latency_ms,
            exchange.correlation_id,
        )
        return exchange

    def _request(self, method: str, path: str, body: JsonObject | None, token: str) -> httpx.Request:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, separators=(",", ":")).encode()
        return self._http.build_request(method, f"{self._base_url}{path}", content=content, headers=headers)

    async def _exchange(self, request: httpx.Request) -> Exchange:
        response: httpx.Response | None = None
        content: bytes | None = None
        failure: Reason | None = None
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                response = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    content = await response.aread()
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            # httpx has no class of its own for it, OpenSSL's words are all that is left
            is_untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            failure = Reason.BAD_CERTIFICATE if is_untrusted else Reason.CONNECT_FAILED
        except (TimeoutError, httpx.TimeoutException):
            failure = Reason.TIMEOUT
        except httpx.RequestError:
            failure = Reason.CONNECTION_BROKEN
        # a status that arrived decides even when the body behind it did not
        if response is None:
            return Exchange(failure=failure)
        if content is not None and not response.is_success:
            content = _without_token(content, request)
        return _arrived(response, content)


def _without_token(content: bytes, request: httpx.Request) -> bytes:
    """Blank the token in a refusal, whose text may end up in messages and tables."""
    return Redactor([request.headers["authorization"].removeprefix("Bearer ")]).redact_bytes(content)


def _arrived(response: httpx.Response, content: bytes | None) -> Exchange:
    headers: Mapping[str, str] = response.headers
    is_json, body = _parse_json(headers.get("content-type"), content)
    return Exchange(
        status=response.status_code,
        body=body,
        is_json=is_json,
        correlation_id=headers.get("x-hubspot-correlation-id", ""),
        retry_after_s=parse_retry_after(headers.get("retry-after"), datetime.now(tz=UTC)),
        rate=parse_rate_headers(headers),
    )


def _parse_json(content_type: str | None, content: bytes | None) -> tuple[bool, object]:
    # a captive portal answers 200 with HTML: the type is checked before the text
    if not content or (content_type is not None and "json" not in content_type.lower()):
        return False, None
    try:
        return True, json.loads(content)
    except (ValueError, RecursionError):
        return False, None


def _unreadable(exchange: Exchange, why: str) -> AnswerHead:
    message = f"hubspot's answer cannot be read ({why})"
    return answered_head(exchange, Verdict.RETRY, reason=Reason.NOT_JSON, message=message)
