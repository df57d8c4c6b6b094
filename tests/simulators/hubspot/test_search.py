"""Search: operators, order, paging, limits, and how far behind it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.hubspot.harness import CONTACTS, Simulator, row, rows

SEARCH = f"{CONTACTS}/search"


@pytest.fixture
def people(sim: Simulator) -> Simulator:
    sim.upsert(
        [
            row("ada-f", "1", firstname="Ada", total_births="5", baby_sex="F"),
            row("bob-m", "2", firstname="Bob", total_births="40", baby_sex="M"),
            row("cid-m", "3", firstname="Cid Lee", total_births="300", baby_sex="M"),
            row("dan-m", "4", baby_sex="M"),
        ]
    )
    return sim


def found(sim: Simulator, *filters: dict[str, Any], **more: Any) -> list[str]:
    sim.advance(1)
    groups = [{"filters": list(filters)}] if filters else []
    reply = sim.post(SEARCH, {"filterGroups": groups, "properties": ["baby_name_key"], "limit": 100, **more})
    assert reply.status == 200, reply.content
    return [item["properties"]["baby_name_key"].split("-")[0] for item in reply.json()["results"]]


@pytest.mark.parametrize(
    ("name", "operator", "more", "expected"),
    [
        ("firstname", "EQ", {"value": "ADA"}, ["ada"]),
        ("firstname", "NEQ", {"value": "Ada"}, ["bob", "cid", "dan"]),
        ("total_births", "LT", {"value": "40"}, ["ada"]),
        ("total_births", "LTE", {"value": "40"}, ["ada", "bob"]),
        ("total_births", "GT", {"value": "40"}, ["cid"]),
        ("total_births", "GTE", {"value": "40"}, ["bob", "cid"]),
        ("total_births", "BETWEEN", {"value": "6", "highValue": "300"}, ["bob", "cid"]),
        ("firstname", "IN", {"values": ["ada", "bob"]}, ["ada", "bob"]),
        ("firstname", "NOT_IN", {"values": ["ada", "bob"]}, ["cid", "dan"]),
        ("firstname", "HAS_PROPERTY", {}, ["ada", "bob", "cid"]),
        ("firstname", "NOT_HAS_PROPERTY", {}, ["dan"]),
        ("baby_name_key", "HAS_PROPERTY", {}, ["ada", "bob", "cid", "dan"]),
        ("email", "HAS_PROPERTY", {}, []),
        ("firstname", "CONTAINS_TOKEN", {"value": "lee"}, ["cid"]),
        ("firstname", "CONTAINS_TOKEN", {"value": "a*"}, ["ada"]),
        ("firstname", "NOT_CONTAINS_TOKEN", {"value": "cid"}, ["ada", "bob", "dan"]),
        ("hs_object_id", "GTE", {"value": "100000000001"}, ["ada", "bob", "cid", "dan"]),
        ("hs_object_id", "EQ", {"value": "100000000001"}, ["ada"]),
        ("createdate", "GT", {"value": "4000000000000"}, []),
    ],
)
def test_operators(people: Simulator, name: str, operator: str, more: dict[str, Any], expected: list[str]) -> None:
    assert found(people, {"propertyName": name, "operator": operator, **more}) == expected


def test_groups_are_alternatives_and_filters_conditions(people: Simulator) -> None:
    male = {"propertyName": "baby_sex", "operator": "EQ", "value": "M"}
    many = {"propertyName": "total_births", "operator": "GT", "value": "50"}
    ada = {"propertyName": "firstname", "operator": "EQ", "value": "Ada"}

    reply = people.post(SEARCH, {"filterGroups": [{"filters": [male, many]}, {"filters": [ada]}]})

    assert [item["properties"]["firstname"] for item in reply.json()["results"]] == ["Ada", "Cid Lee"]


def test_order_and_query(people: Simulator) -> None:
    down = {"propertyName": "total_births", "direction": "DESCENDING"}

    assert found(people, sorts=[down])[:3] == ["cid", "bob", "ada"]
    assert found(people, query="le") == ["cid"]
    assert found(people, query="100%") == []


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"limit": 200, "after": "9801"},
        {"after": "x"},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 7}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 5}] * 4},
        {"filterGroups": [{"filters": [{"propertyName": "nothing", "operator": "HAS_PROPERTY"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "total_births", "operator": "GT", "value": "many"}]}]},
        {"filterGroups": "all"},
        {"sorts": [{"propertyName": "email"}, {"propertyName": "phone"}]},
        {"query": "x" * 3001},
    ],
)
def test_limits(sim: Simulator, body: dict[str, Any]) -> None:
    assert sim.post(SEARCH, body).status == 400


def test_five_per_second(sim: Simulator) -> None:
    replies = [sim.post(SEARCH, {}) for _ in range(6)]
    sim.advance(1)

    assert [reply.status for reply in replies] == [200] * 5 + [429]
    assert replies[-1].json()["policyName"] == "SECONDLY"
    assert sim.post(SEARCH, {}).status == 200


def test_search_is_behind_but_archived_contacts_vanish_at_once(sim: Simulator) -> None:
    sim.config(search_lag_ms=5000)
    sim.upsert([row("ada-f", "1", firstname="Ada"), row("bob-m", "2", firstname="Bob")])
    at_first = found(sim)
    sim.advance(5)
    sim.upsert([row("ada-f", "1", firstname="Adele")])
    old_name = found(sim, {"propertyName": "firstname", "operator": "EQ", "value": "Ada"})
    bob = sim.by_key("bob-m")[0]["id"]
    sim.request("DELETE", f"{CONTACTS}/{bob}")
    without_bob = found(sim, {"propertyName": "baby_name_key", "operator": "HAS_PROPERTY"})
    sim.advance(5)
    new_name = found(sim, {"propertyName": "firstname", "operator": "EQ", "value": "Adele"})

    assert (at_first, old_name, without_bob, new_name) == ([], ["ada"], ["ada"], ["ada"])


def test_pages_past_each_other(sim: Simulator) -> None:
    sim.upsert(rows(45))
    seen: list[str] = []
    after = "0"
    while after:
        sim.advance(1)
        body = sim.post(SEARCH, {"limit": 20, "after": after, "properties": ["baby_name_key"]}).json()
        seen += [item["properties"]["baby_name_key"] for item in body["results"]]
        after = body.get("paging", {}).get("next", {}).get("after", "")

    assert body["total"] == 45
    assert sorted(seen) == [f"name{n:05d}-f" for n in range(45)]
