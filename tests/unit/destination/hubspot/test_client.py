from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.destination.hubspot.address import ApiVersion
from include.hubspot_sync.destination.hubspot.client import ClientSettings, HubSpotClient
from include.hubspot_sync.destination.hubspot.properties import wanted_properties
from include.hubspot_sync.destination.protocol import (
    Answer,
    Destination,
    RateHeaders,
    Reason,
    Verdict,
)
from include.hubspot_sync.errors import (
    AuthError,
    ConfigError,
    QuotaExhaustedError,
    RateLimitedError,
    SyncError,
    TransientError,
)
from include.hubspot_sync.records import HeardAnswer, Outcome
from tests.unit.destination.hubspot_answers import (
    KEY,
    SETTINGS,
    TOKEN,
    Handler,
    ask,
    batch,
    body_of,
    by_outcome,
    changes,
    client_for,
    json_response,
    result,
    row_error,
)


def upsert(handler: Handler, count: int = 2, **options) -> Answer:
    return ask(handler, lambda client: client.upsert(changes(count)), **options)


class BrokenBody(httpx.AsyncByteStream):
    """A body that stops with an error, or never ends."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"status":"COMPLETE","results":['
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error or AssertionError


def failing(error: Exception) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    return handler


def test_the_client_is_a_destination():
    destination: Destination = client_for(lambda request: httpx.Response(204))

    assert isinstance(destination, HubSpotClient)


def test_one_upsert_is_one_request_with_token_and_compact_json():
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return json_response(200, batch([result(number) for number in range(100)]))

    answer = upsert(handler, 100)

    (request,) = seen
    assert request.method == "POST"
    assert request.url == "https://api.hubapi.com/crm/objects/2026-09/contacts/batch/upsert"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert len(body_of(request)["inputs"]) == 100
    assert b": " not in request.content
    assert {item.outcome for item in answer.outcomes} == {Outcome.DELIVERED}


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (ApiVersion.V2026_03, "/crm/objects/2026-03/contacts/batch/upsert"),
        (ApiVersion.V3, "/crm/v3/objects/contacts/batch/upsert"),
    ],
)
def test_another_version_can_be_selected(version, path):
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == path
        return json_response(200, batch([result(0), result(1)]))

    answer = upsert(handler, settings=replace(SETTINGS, version=version))

    assert answer.verdict is Verdict.SETTLED


def test_archive_and_read_use_their_own_routes():
    paths = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path.rpartition("/")[2])
        if paths[-1] == "archive":
            return httpx.Response(204)
        return json_response(200, batch([result(0)]))

    async def both(client: HubSpotClient):
        return await client.archive([5]), await client.read(["name0-f"])

    archived, read = ask(handler, both)

    assert paths == ["archive", "read"]
    assert (archived.verdict, archived.outcomes) == (Verdict.SETTLED, ())
    assert set(read.found) == {"name0-f"}


def test_headers_become_rate_correlation_id_latency_and_waiting_time():
    def handler(request: httpx.Request) -> httpx.Response:
        return json_response(
            429,
            {"policyName": "TEN_SECONDLY_ROLLING", "correlationId": "of-the-body"},
            x_hubspot_ratelimit_max="190",
            x_hubspot_ratelimit_remaining="0",
            x_hubspot_correlation_id="of-the-header",
            retry_after="3",
        )

    answer = upsert(handler)

    assert answer.rate == RateHeaders(max=190, remaining=0)
    assert answer.correlation_id == "of-the-header"
    assert answer.policy == "TEN_SECONDLY_ROLLING"
    assert answer.retry_after_s == 3.0
    assert 0 <= answer.latency_ms < 5_000


def test_the_correlation_id_of_the_body_serves_without_header():
    answer = upsert(lambda request: json_response(500, {"correlationId": "of-the-body"}))

    assert answer.correlation_id == "of-the-body"


FAILURES = [
    (httpx.ConnectError("refused"), Reason.CONNECT_FAILED, False),
    (httpx.ConnectTimeout("slow"), Reason.CONNECT_FAILED, False),
    (httpx.PoolTimeout("busy"), Reason.CONNECT_FAILED, False),
    (httpx.ProxyError("proxy"), Reason.CONNECT_FAILED, False),
    (httpx.ReadTimeout("slow"), Reason.TIMEOUT, True),
    (httpx.WriteTimeout("slow"), Reason.TIMEOUT, True),
    (httpx.ReadError("reset"), Reason.CONNECTION_BROKEN, True),
    (httpx.WriteError("reset"), Reason.CONNECTION_BROKEN, True),
    (httpx.RemoteProtocolError("cut"), Reason.CONNECTION_BROKEN, True),
]


@pytest.mark.parametrize(("error", "reason", "sent"), FAILURES, ids=[type(row[0]).__name__ for row in FAILURES])
def test_a_failed_connection_says_whether_the_request_may_have_been_applied(error, reason, sent):
    answer = upsert(failing(error))

    assert (answer.verdict, answer.reason, answer.sent) == (Verdict.RETRY, reason, sent)
    assert answer.status is None
    assert answer.outcomes == ()


@pytest.mark.parametrize("stalled", ["before the answer", "within the body"])
def test_the_time_limit_covers_the_whole_request(stalled):
    async def handler(request: httpx.Request) -> httpx.Response:
        if stalled == "before the answer":
            await asyncio.Event().wait()
        return httpx.Response(503, stream=BrokenBody(None))

    answer = upsert(handler, settings=replace(SETTINGS, request_timeout_s=0.02))

    assert answer.verdict is Verdict.RETRY
    assert answer.sent
    assert answer.status == (None if stalled == "before the answer" else 503)


@pytest.mark.parametrize("error", [httpx.ReadError("reset"), httpx.RemoteProtocolError("cut")])
def test_a_success_whose_body_breaks_off_is_unknown(error):
    answer = upsert(lambda request: httpx.Response(200, stream=BrokenBody(error)))

    assert (answer.status, answer.reason) == (200, Reason.NOT_JSON)
    assert {item.outcome for item in answer.outcomes} == {Outcome.UNKNOWN}


def test_a_limit_whose_body_breaks_off_still_counts():
    body = BrokenBody(httpx.ReadError("reset"))

    answer = upsert(lambda request: httpx.Response(429, stream=body))

    assert (answer.verdict, answer.reason) == (Verdict.SLOW, Reason.BURST_LIMIT)


def test_cancelling_the_call_is_passed_on():
    async def run() -> None:
        async def hang(request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async with client_for(hang) as client:
            call = asyncio.create_task(client.upsert(changes(1)))
            await asyncio.sleep(0)
            call.cancel()
            await call

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


GOOD = batch([result(0), result(1)])
SILENT = {
    "html_200": httpx.Response(200, html="<html>please log in</html>"),
    "html_type_json_body": httpx.Response(200, headers={"content-type": "text/html"}, json=GOOD),
    "empty_200": httpx.Response(200),
    "no_content": httpx.Response(204),
    "cut_json": httpx.Response(
        200, headers={"content-type": "application/json"}, content=b'{"status":"COMPLETE","resu'
    ),
    "deep_json": httpx.Response(200, headers={"content-type": "application/json"}, content=b"[" * 200_000),
    "not_utf8": httpx.Response(200, headers={"content-type": "application/json"}, content=b'{"status":"\xff"}'),
    "broken_gzip": httpx.Response(
        200,
        headers={"content-type": "application/json", "content-encoding": "gzip"},
        stream=httpx.ByteStream(b"no gzip at all"),
    ),
    "empty_lists": json_response(200, batch()),
    "empty_object": json_response(200, {}),
}


@pytest.mark.parametrize("response", SILENT.values(), ids=SILENT)
def test_an_answer_that_only_looks_fine_delivers_nothing(response):
    answer = upsert(lambda request: response)

    assert answer.verdict is Verdict.SETTLED
    assert {item.outcome for item in answer.outcomes} == {Outcome.UNKNOWN}
    assert answer.sent


def test_compressed_and_untyped_answers_are_read():
    content = gzip.compress(httpx.Response(200, json=GOOD).content)
    headers = {"content-encoding": "gzip"}

    answer = upsert(lambda request: httpx.Response(207, content=content, headers=headers))

    assert {item.outcome for item in answer.outcomes} == {Outcome.DELIVERED}


def test_a_redirect_is_not_followed():
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(302, headers={"location": "https://evil.example/"})

    async def run() -> Answer:
        http = httpx.AsyncClient(
            base_url="https://api.hubapi.com",
            transport=httpx.MockTransport(handler),
            follow_redirects=True,
        )
        async with HubSpotClient(http, lambda: TOKEN, SETTINGS) as client:
            return await client.upsert(changes(1))

    answer = asyncio.run(run())

    assert (answer.verdict, answer.reason) == (Verdict.STOP, Reason.WRONG_HOST)
    assert seen == ["api.hubapi.com"]


@pytest.mark.parametrize("base_url", ["http://api.hubapi.com", "https://evil.example", ""])
def test_a_client_for_another_host_is_refused(base_url):
    with pytest.raises(ConfigError, match="connection hubspot"):
        client_for(lambda request: httpx.Response(204), base_url=base_url)


def test_an_own_client_is_made_from_an_address():
    client = HubSpotClient.connect("http://127.0.0.1:9", lambda: TOKEN, SETTINGS)

    asyncio.run(client.aclose())
    with pytest.raises(ConfigError):
        HubSpotClient.connect("http://10.0.0.1", lambda: TOKEN, SETTINGS)


@pytest.mark.parametrize("status", [401, 530])
def test_after_a_refusal_the_next_request_uses_a_fresh_token(status):
    tokens = iter(["old", "new", "never"])
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        if seen[-1] == "Bearer old":
            return json_response(status, {"category": "EXPIRED_AUTHENTICATION"})
        return json_response(200, batch([result(0)]))

    async def three_calls(client: HubSpotClient) -> list[Verdict]:
        return [(await client.upsert(changes(1))).verdict for _ in range(3)]

    verdicts = ask(handler, three_calls, token=lambda: next(tokens))

    assert verdicts == [Verdict.REAUTH, Verdict.SETTLED, Verdict.SETTLED]
    assert seen == ["Bearer old", "Bearer new", "Bearer new"]


def test_a_late_refusal_of_the_old_token_does_not_drop_the_new_one():
    tokens = iter(["old", "new", "never"])

    async def run() -> list[str]:
        seen: list[str] = []
        new_is_used = asyncio.Event()

        async def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["authorization"])
            if seen[-1] == "Bearer new":
                new_is_used.set()
                return json_response(200, batch([result(0)]))
            if len(seen) == 1:
                await new_is_used.wait()
            return httpx.Response(401)

        async with client_for(handler, token=lambda: next(tokens)) as client:
            slow = asyncio.create_task(client.upsert(changes(1)))
            await asyncio.sleep(0)
            for _ in range(2):
                await client.upsert(changes(1))
            await slow
            await client.upsert(changes(1))
        return seen

    assert asyncio.run(run()) == ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak"])
def test_an_unusable_token_stops_before_any_request(token):
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    answer = upsert(handler, token=lambda: token)

    assert (answer.verdict, answer.reason) == (Verdict.STOP, Reason.BAD_CREDENTIAL)
    assert not answer.sent
    with pytest.raises(AuthError, match="connection hubspot"):
        ask(handler, lambda client: client.token_info(), token=lambda: token)


@pytest.mark.parametrize(("token", "shown"), [(TOKEN, "odd <secret>"), ("t", "odd text")])
def test_a_token_that_hubspot_echoes_is_blanked(token, shown):
    body = {"message": f"odd {token if token == TOKEN else 'text'}"}

    answer = upsert(lambda request: json_response(400, body), 2, token=lambda: token)

    assert answer.message == f"hubspot refused the request: {shown}"


def test_neither_token_nor_record_is_ever_logged(caplog):
    caplog.set_level(logging.DEBUG, logger="include")

    def handler(request: httpx.Request) -> httpx.Response:
        return json_response(400, {"message": f"odd {TOKEN}", "category": "VALIDATION_ERROR"})

    upsert(handler)

    assert "call=upsert status=400" in caplog.text
    assert TOKEN not in caplog.text
    assert "name0" not in caplog.text.lower()


# what other connectors get wrong


def test_a_partial_success_is_not_a_full_one():
    body = batch([result(0)], [row_error("r42-1000-1")])

    answer = upsert(lambda request: json_response(207, body))

    assert by_outcome(answer.outcomes)[Outcome.REJECTED] == {"name1-f"}


def test_one_delivered_record_does_not_deliver_its_batch():
    answer = upsert(lambda request: json_response(200, batch([result(1)])), 3)

    assert by_outcome(answer.outcomes)[Outcome.DELIVERED] == {"name1-f"}
    assert by_outcome(answer.outcomes)[Outcome.UNKNOWN] == {"name0-f", "name2-f"}


def test_a_conflict_of_a_batch_is_neither_success_nor_final():
    body = {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 5"}

    answer = upsert(lambda request: json_response(409, body), 3)

    assert (answer.verdict, answer.reason, answer.outcomes) == (Verdict.SPLIT, "CONFLICT", ())


def test_a_key_that_hubspot_reformatted_is_not_missing():
    entry = result(0, key="Name0-F")

    answer = ask(lambda request: json_response(200, batch([entry])), lambda client: client.read(["name0-f"]))

    assert "name0-f" not in answer.missing
    assert "name0-f" not in answer.found


def test_duplicates_are_refused_before_they_cost_a_batch():
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    with pytest.raises(ValueError, match="repeat"):
        ask(handler, lambda client: client.upsert([*changes(2), *changes(1)]))


@pytest.mark.parametrize("status", [408, 409, 423, 429, 477, 500, 502, 503, 504, 520])
def test_the_client_itself_never_repeats_a_request(status):
    count = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        return httpx.Response(status)

    upsert(handler)

    assert count == 1


# preflight


def test_the_token_is_asked_about_with_both_forms_of_the_secret():
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/oauth/v2/private-apps/get/access-token-info"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert body_of(request) == {"tokenKey": TOKEN}
        return json_response(200, {"hubId": 7, "scopes": ["oauth"]})

    info = ask(handler, lambda client: client.token_info())

    assert (info.hub_id, info.scopes) == (7, frozenset({"oauth"}))


def test_the_account_call_shows_the_real_limit():
    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("GET", "/account-info/2026-09/details")
        assert "content-type" not in request.headers
        return json_response(200, {"portalId": 7, "timeZone": "US/Eastern"}, x_hubspot_ratelimit_max="100")

    account = ask(handler, lambda client: client.account())

    assert (account.portal_id, account.time_zone) == (7, "US/Eastern")
    assert account.rate == RateHeaders(max=100)


def test_usage_and_contact_limit_are_read():
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/account-info/2026-09/api-usage/daily/private-apps":
            usage = {"usageLimit": 10, "currentUsage": 4, "fetchStatus": "CACHED"}
            return json_response(200, {"results": [usage]})
        assert request.url.path == "/crm/limits/2026-09/records"
        contacts = {"objectTypeId": "0-1", "limit": 100, "usage": 5}
        return json_response(200, {"hubspotDefinedObjectTypes": [contacts]})

    usage = ask(handler, lambda client: client.daily_usage())
    limit = ask(handler, lambda client: client.record_limit())

    assert (usage.limit, usage.current, usage.trusted) == (10, 4, True)
    assert (limit.limit, limit.usage) == (100, 5)


def test_erasure_is_one_request_by_id():
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    answer = ask(handler, lambda client: client.erase(17))

    (request,) = seen
    assert request.url.path == "/crm/objects/2026-09/contacts/gdpr-delete"
    assert body_of(request) == {"objectId": "17"}
    assert answer.verdict is Verdict.SETTLED


@pytest.mark.parametrize(
    ("status", "category", "verdict"),
    [
        (404, "OBJECT_NOT_FOUND", Verdict.SETTLED),
        (404, "", Verdict.STOP),
        (403, "MISSING_SCOPES", Verdict.STOP),
        (503, "", Verdict.RETRY),
    ],
)
def test_only_a_contact_that_does_not_exist_is_as_good_as_erased(status, category, verdict):
    answer = ask(
        lambda request: json_response(status, {"status": "error", "category": category, "message": "m"}),
        lambda client: client.erase(17),
    )

    assert answer.verdict is verdict


@pytest.mark.parametrize(("archived", "query"), [(True, "archived=true"), (False, "archived=false")])
def test_active_and_archived_properties_are_listed(archived, query):
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/crm/properties/2026-09/contacts"
        assert request.url.query.decode() == query
        return json_response(200, {"results": [{"name": KEY, "hasUniqueValue": True}]})

    found = ask(handler, lambda client: client.list_properties(archived=archived))

    assert [(item.name, item.is_unique) for item in found] == [(KEY, True)]


@pytest.mark.parametrize(("status", "created"), [(201, True), (409, False)])
def test_a_property_is_created_unless_another_run_was_quicker(status, created):
    wanted = wanted_properties(load_definitions()["baby_names"].destination)[0]

    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.method, body_of(request)["name"]) == ("POST", KEY)
        return json_response(status, {"name": KEY, "category": "OBJECT_ALREADY_EXISTS"})

    assert ask(handler, lambda client: client.create_property(wanted)) is created


def test_contacts_with_a_key_are_counted_by_one_search():
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/crm/objects/2026-09/contacts/search"
        body = body_of(request)
        assert body["filterGroups"] == [{"filters": [{"propertyName": KEY, "operator": "HAS_PROPERTY"}]}]
        assert body["limit"] == 1
        return json_response(200, {"total": 69_350, "results": [{}]})

    assert ask(handler, lambda client: client.search_total(KEY)) == 69_350


PREFLIGHT_ERRORS = [
    (401, {"category": "INVALID_AUTHENTICATION"}, AuthError, "token of connection hubspot"),
    (
        403,
        {
            "category": "MISSING_SCOPES",
            "errors": [{"context": {"requiredGranularScopes": ["crm.schemas.contacts.write"]}}],
        },
        AuthError,
        r"crm\.schemas\.contacts\.write.*correlation id c-1",
    ),
    (404, {}, ConfigError, "api version"),
    (
        400,
        {"category": "VALIDATION_ERROR", "message": "limit of 10 unique properties"},
        ConfigError,
        "limit of 10 unique properties",
    ),
    (423, {}, RateLimitedError, "locked"),
    (429, {"policyName": "SECONDLY"}, RateLimitedError, "per second"),
    (429, {"policyName": "DAILY"}, QuotaExhaustedError, "daily quota"),
    (503, {}, TransientError, "trouble"),
    (200, "text", TransientError, "cannot be read"),
    (200, {"total": "many"}, TransientError, "total is no whole number"),
]


@pytest.mark.parametrize(("status", "body", "error", "text"), PREFLIGHT_ERRORS)
def test_a_preflight_call_raises_the_error_that_says_what_next(status, body, error, text):
    def handler(request: httpx.Request) -> httpx.Response:
        return json_response(status, body, x_hubspot_correlation_id="c-1")

    with pytest.raises(error, match=text):
        ask(handler, lambda client: client.search_total(KEY))


def test_a_preflight_call_on_html_is_passing_trouble():
    with pytest.raises(TransientError, match="no json"):
        ask(lambda request: httpx.Response(200, html="<p>"), lambda client: client.account())


def test_a_preflight_call_without_connection_is_passing_trouble():
    with pytest.raises(TransientError, match="cannot be reached"):
        ask(failing(httpx.ConnectError("refused")), lambda client: client.account())


def test_settings_come_from_the_definition():
    definition = load_definitions()["baby_names"]

    settings = ClientSettings.from_definition(definition, trace_prefix="r7")

    assert settings.key_property == KEY
    assert settings.property_names == definition.property_names
    assert settings.request_timeout_s == definition.delivery.request_timeout_s
    assert (settings.connection_id, settings.trace_prefix) == ("hubspot", "r7")
    assert settings.version == "2026-09"


EVERY_CALL = {
    "upsert": lambda client: client.upsert(changes(1)),
    "archive": lambda client: client.archive([1]),
    "read": lambda client: client.read(["name0-f"]),
    "erase": lambda client: client.erase(1),
    "token_info": lambda client: client.token_info(),
    "account": lambda client: client.account(),
    "daily_usage": lambda client: client.daily_usage(),
    "record_limit": lambda client: client.record_limit(),
    "list_properties": lambda client: client.list_properties(archived=False),
    "create_property": lambda client: client.create_property(
        wanted_properties(load_definitions()["baby_names"].destination)[0]
    ),
    "search_total": lambda client: client.search_total(KEY),
    "search_keys": lambda client: client.search_keys(0),
}
"""Every method that sends a request."""


def heard_of(call: str, handler: Handler, **options) -> list[HeardAnswer]:
    heard: list[HeardAnswer] = []
    with contextlib.suppress(SyncError):
        ask(handler, EVERY_CALL[call], hear=heard.append, **options)
    return heard


def test_calls_are_those_of_the_client():
    methods = inspect.getmembers(HubSpotClient, inspect.iscoroutinefunction)

    assert {name for name, _ in methods if not name.startswith("_")} - {"aclose"} == set(EVERY_CALL)


@pytest.mark.parametrize("status", [200, 401, 429, 503])
@pytest.mark.parametrize("call", EVERY_CALL)
def test_every_request_is_heard_once_with_its_status(call: str, status: int):
    heard = heard_of(call, lambda request: json_response(status, {}))

    assert [answer.status for answer in heard] == [status]
    assert heard[0].latency_ms >= 0


@pytest.mark.parametrize("call", EVERY_CALL)
def test_request_without_an_answer_is_heard_as_none(call: str):
    assert [answer.status for answer in heard_of(call, failing(httpx.ReadError("gone")))] == [None]


def test_request_that_was_not_sent_for_want_of_a_token_is_not_heard():
    def no_token() -> str:
        raise AuthError("connection hubspot has no password")

    assert heard_of("account", lambda request: json_response(200, {}), token=no_token) == []
