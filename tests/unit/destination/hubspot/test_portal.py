from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.hubspot_sync.destination.hubspot import portal
from include.hubspot_sync.destination.protocol import (
    Account,
    DailyUsage,
    RateHeaders,
    RecordLimit,
    TokenInfo,
)

USAGE = {
    "name": "private-apps-api-calls-daily",
    "usageLimit": 625_000,
    "currentUsage": 1_200,
    "fetchStatus": "SUCCESS",
    "resetsAt": "2026-11-25T00:00:00.000Z",
}


def test_the_token_names_portal_and_scopes():
    body = {"userId": 1, "hubId": 62515, "appId": 3, "scopes": ["oauth", "a", 7]}

    assert portal.parse_token_info(body) == TokenInfo(62515, frozenset({"oauth", "a"}))


def test_the_account_carries_zone_and_limits():
    rate = RateHeaders(max=190)
    body = {"portalId": 62515, "timeZone": "Europe/Berlin", "accountType": "STANDARD"}

    assert portal.parse_account(body, rate) == Account(62515, "Europe/Berlin", account_type="STANDARD", rate=rate)


def test_an_account_without_zone_counts_in_utc():
    assert portal.parse_account({"portalId": 1}, None).time_zone == "UTC"


@pytest.mark.parametrize("status", ["SUCCESS", "CACHED"])
def test_a_known_usage_is_trusted(status):
    usage = portal.parse_daily_usage({"results": [{**USAGE, "fetchStatus": status}]})

    assert usage == DailyUsage(625_000, 1_200, trusted=True, resets_at=datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    [
        *({"results": [{**USAGE, "fetchStatus": status}]} for status in ("FAILURE", "NOTFOUND", "TIMEOUT", None)),
        {"results": []},
        {},
    ],
)
def test_an_unknown_usage_is_not_trusted(body):
    assert not portal.parse_daily_usage(body).trusted


@pytest.mark.parametrize(
    ("resets_at", "moment"),
    [
        (1_795_564_800_000, datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-25T00:00:00", datetime(2026, 11, 25, tzinfo=UTC)),
        ("midnight", None),
        (10**30, None),
        (None, None),
    ],
)
def test_the_reset_is_read_in_any_form(resets_at, moment):
    usage = portal.parse_daily_usage({"results": [{**USAGE, "resetsAt": resets_at}]})

    assert usage.resets_at == moment


@pytest.mark.parametrize(
    ("kinds", "limit"),
    [
        (
            [{"objectTypeId": "0-2", "limit": 1, "usage": 1}, {"objectTypeId": "0-1", "limit": 1_000, "usage": 9}],
            RecordLimit(1_000, 9),
        ),
        ([{"objectTypeId": "0-1", "limit": None, "usage": 9}], RecordLimit(None, 9)),
        ([], RecordLimit(None, 0)),
        (None, RecordLimit(None, 0)),
    ],
)
def test_the_limit_of_contacts_is_found(kinds, limit):
    assert portal.parse_record_limit({"hubspotDefinedObjectTypes": kinds}) == limit


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (portal.parse_token_info, {}),
        (portal.parse_token_info, {"hubId": "1"}),
        (lambda body: portal.parse_account(body, None), {"portalId": True}),
        (portal.parse_daily_usage, {"results": [{**USAGE, "usageLimit": None}]}),
        (portal.parse_record_limit, {"hubspotDefinedObjectTypes": [{"objectTypeId": "0-1"}]}),
        (portal.parse_properties, {"results": {}}),
        (portal.parse_search_total, {"total": -1}),
        (portal.parse_search_total, None),
    ],
)
def test_a_field_that_matters_must_be_there(parse, body):
    with pytest.raises(ValueError, match=r"is no (whole number|list)"):
        parse(body)


def test_properties_without_name_are_left_out():
    found = portal.parse_properties({"results": [{"name": "a"}, {}]})

    assert [item.name for item in found] == ["a"]


def test_a_search_says_its_total():
    assert portal.parse_search_total({"total": 12, "results": []}) == 12


@pytest.mark.parametrize(
    ("granted", "creates", "missing"),
    [
        ([portal.READ_SCOPE, portal.WRITE_SCOPE], False, ()),
        ([portal.READ_SCOPE, portal.WRITE_SCOPE], True, (portal.SCHEMA_SCOPE,)),
        ([portal.READ_SCOPE], False, (portal.WRITE_SCOPE,)),
        ([], True, (portal.READ_SCOPE, portal.WRITE_SCOPE, portal.SCHEMA_SCOPE)),
    ],
)
def test_missing_scopes_are_named(granted, creates, missing):
    assert portal.missing_scopes(granted, creates_properties=creates) == missing


def test_surplus_scopes_are_named():
    granted = ["oauth", portal.READ_SCOPE, "tickets", "files"]

    assert portal.surplus_scopes(granted) == ("files", "tickets")
