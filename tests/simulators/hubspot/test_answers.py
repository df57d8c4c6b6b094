"""Answers of every endpoint fit our own schemas, in all three versions."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.simulators.hubspot import schemas
from tests.simulators.hubspot.harness import EXPIRED, NO_SCHEMA_SCOPES, NUMBER_PROPERTY, Simulator, row, rows

TOKEN_INFO = "/oauth/v2/private-apps/get/access-token-info"


def paths(version: str) -> dict[str, str]:
    """Addresses of the four areas in one version."""
    if version == "v3":
        areas = {"objects": "/crm/v3/objects/contacts", "properties": "/crm/v3/properties/contacts"}
        return {**areas, "limits": "/crm/v3/limits", "account": "/account-info/v3"}
    return {
        "objects": f"/crm/objects/{version}/contacts",
        "properties": f"/crm/properties/{version}/contacts",
        "limits": f"/crm/limits/{version}",
        "account": f"/account-info/{version}",
    }


@pytest.fixture(params=["2026-09", "2026-03", "v3"])
def at(request: pytest.FixtureRequest) -> dict[str, str]:
    return paths(request.param)


def check(body: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(body)


def test_batch_answers(sim: Simulator, at: dict[str, str]) -> None:
    batch = f"{at['objects']}/batch"
    good = sim.post(f"{batch}/upsert", {"inputs": rows(3)})
    mixed = sim.post(f"{batch}/upsert", {"inputs": [*rows(2), row("bad", "x", baby_sex="Z")]})
    created = sim.post(f"{batch}/create", {"inputs": [{"properties": {"firstname": "Ada"}, "associations": []}]})
    read = {"properties": ["firstname"], "propertiesWithHistory": [], "idProperty": "baby_name_key"}
    found = sim.post(f"{batch}/read", {**read, "inputs": [{"id": "name00000-f"}]})
    partly = sim.post(f"{batch}/read", {**read, "inputs": [{"id": "name00000-f"}, {"id": "nobody"}]})
    missing = sim.post(f"{batch}/update", {"inputs": [{"id": "5", "properties": {}}]})

    assert [r.status for r in (good, mixed, created, found, partly, missing)] == [200, 207, 201, 200, 207, 207]
    check(good.json(), schemas.batch(schemas.UPSERTED, with_errors=False))
    check(mixed.json(), schemas.batch(schemas.UPSERTED, with_errors=True))
    check(created.json(), schemas.batch(schemas.CONTACT, with_errors=False))
    check(found.json(), schemas.batch(schemas.CONTACT, with_errors=False))
    check(partly.json(), schemas.batch(schemas.CONTACT, with_errors=True))
    check(missing.json(), schemas.batch(schemas.CONTACT, with_errors=True))
    assert partly.json()["errors"][0]["context"]["ids"] == ["nobody"]
    assert missing.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"


def test_single_contacts_and_pages(sim: Simulator, at: dict[str, str]) -> None:
    objects = at["objects"]
    made = sim.post(objects, {"properties": {"email": "Ada@Example.com"}})
    contact_id = made.json()["id"]
    changed = sim.request("PATCH", f"{objects}/{contact_id}", {"properties": {"firstname": "Ada"}})
    one = sim.get(f"{objects}/ada%40example.com?idProperty=email&propertiesWithHistory=firstname")
    page = sim.get(f"{objects}/?limit=1")
    search = sim.post(f"{objects}/search", {"query": "ada", "limit": 5})
    gone = sim.request("DELETE", f"{objects}/{contact_id}")
    archived = sim.get(f"{objects}?archived=true")

    assert [r.status for r in (made, changed, one, page, search, gone)] == [201, 200, 200, 200, 200, 204]
    for reply in (made, changed, one):
        check(reply.json(), schemas.CONTACT)
    assert one.json()["properties"]["email"] == "ada@example.com"
    assert [v["value"] for v in one.json()["propertiesWithHistory"]["firstname"]] == ["Ada"]
    check(page.json(), schemas.PAGE)
    check(search.json(), schemas.SEARCH)
    check(archived.json(), schemas.PAGE)
    assert [c["archived"] for c in archived.json()["results"]] == [True]
    assert gone.content == b""


def test_properties(sim: Simulator, at: dict[str, str]) -> None:
    listed = sim.get(at["properties"])
    made = sim.post(at["properties"], {**NUMBER_PROPERTY, "name": "peak_year"})
    one = sim.get(f"{at['properties']}/baby_sex")
    changed = sim.request("PATCH", f"{at['properties']}/peak_year", {"label": "Peak"})
    groups = sim.get(f"{at['properties']}/groups")

    check(listed.json(), schemas.PROPERTIES)
    assert made.status == 201
    for reply in (made, one, changed):
        check(reply.json(), schemas.PROPERTY)
    assert changed.json()["label"] == "Peak"
    assert groups.json()["results"][0]["name"] == "contactinformation"


def test_account(sim: Simulator, at: dict[str, str]) -> None:
    details = sim.get(f"{at['account']}/details").json()
    usage = sim.get(f"{at['account']}/api-usage/daily/private-apps").json()
    records = sim.get(f"{at['limits']}/records").json()
    properties = sim.get(f"{at['limits']}/custom-properties").json()
    token = sim.post(TOKEN_INFO, {"tokenKey": NO_SCHEMA_SCOPES}).json()

    check(details, schemas.DETAILS)
    check(usage, schemas.USAGE)
    check(records, schemas.RECORD_LIMITS)
    check(properties, schemas.PROPERTY_LIMITS)
    check(token, schemas.TOKEN_INFO)
    assert token["hubId"] == details["portalId"]
    assert "crm.schemas.contacts.write" not in token["scopes"]
    assert properties["overallUsage"] == 3


@pytest.mark.parametrize(
    ("method", "path", "token", "status", "category"),
    [
        ("GET", "/crm/objects/2026-09/contacts", "", 401, "INVALID_AUTHENTICATION"),
        ("GET", "/crm/objects/2026-09/contacts", "pat-unknown", 401, "INVALID_AUTHENTICATION"),
        ("GET", "/crm/objects/2026-09/contacts", EXPIRED, 401, "EXPIRED_AUTHENTICATION"),
        ("GET", "/no/such/path", EXPIRED, 401, "EXPIRED_AUTHENTICATION"),
        ("POST", "/crm/properties/2026-09/contacts", NO_SCHEMA_SCOPES, 403, "MISSING_SCOPES"),
        ("GET", "/crm/objects/2026-09/companies", NO_SCHEMA_SCOPES, 404, "OBJECT_NOT_FOUND"),
        ("GET", "/crm/objects/2020-01/contacts", NO_SCHEMA_SCOPES, 404, "OBJECT_NOT_FOUND"),
        ("GET", "/crm/objects/v3/contacts", NO_SCHEMA_SCOPES, 404, "OBJECT_NOT_FOUND"),
        ("GET", "/crm/objects/2026-09/contacts/1", NO_SCHEMA_SCOPES, 404, "OBJECT_NOT_FOUND"),
        ("PUT", "/crm/objects/2026-09/contacts", NO_SCHEMA_SCOPES, 405, "METHOD_NOT_ALLOWED"),
        ("POST", TOKEN_INFO, NO_SCHEMA_SCOPES, 400, "VALIDATION_ERROR"),
    ],
)
def test_refusals(sim: Simulator, method: str, path: str, token: str, status: int, category: str) -> None:
    reply = sim.request(method, path, token=token)

    assert (reply.status, reply.json()["category"]) == (status, category)
    check(reply.json(), schemas.ERROR)
    assert reply.headers["x-hubspot-correlation-id"] == reply.json()["correlationId"]


def test_a_missing_scope_is_named(sim: Simulator) -> None:
    reply = sim.post("/crm/properties/2026-09/contacts", {}, token=NO_SCHEMA_SCOPES)

    assert reply.json()["errors"][0]["context"]["requiredGranularScopes"] == ["crm.schemas.contacts.write"]


@pytest.mark.parametrize(("token", "status"), [("pat-nobody", 404), (EXPIRED, 401)])
def test_token_info_of_unusable_tokens(sim: Simulator, token: str, status: int) -> None:
    assert sim.post(TOKEN_INFO, {"tokenKey": token}).status == status


def test_a_429_body(sim: Simulator, at: dict[str, str]) -> None:
    sim.config(burst_override=0)

    check(sim.get(at["objects"]).json(), schemas.RATE_LIMITED)


def test_refused_credentials_do_not_use_the_limit(sim: Simulator) -> None:
    before = sim.stats()["accepted"]

    sim.get("/crm/objects/2026-09/contacts", token=EXPIRED)
    sim.get("/nowhere")

    assert sim.stats()["accepted"] == before
