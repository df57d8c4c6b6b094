"""The properties API: what fits, what is unique, what comes back from the archive."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.hubspot.harness import KEY_PROPERTY, PROPERTIES, SEX_PROPERTY, Simulator, row


def create(sim: Simulator, **changes: Any) -> Any:
    return sim.post(PROPERTIES, {**KEY_PROPERTY, "hasUniqueValue": False, "name": "extra", **changes})


def test_an_existing_name_is_409(sim: Simulator) -> None:
    reply = sim.post(PROPERTIES, KEY_PROPERTY)

    assert (reply.status, reply.json()["category"]) == (409, "OBJECT_ALREADY_EXISTS")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Extra"},
        {"name": "1extra"},
        {"name": ""},
        {"label": None},
        {"type": "float"},
        {"type": "number"},
        {"type": "enumeration", "fieldType": "select"},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A"}]},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A", "value": "a"}] * 2},
        {"groupName": "nowhere"},
        {"hasUniqueValue": "yes"},
        {"type": "bool", "fieldType": "booleancheckbox", "hasUniqueValue": True},
    ],
)
def test_definitions_that_do_not_fit(sim: Simulator, changes: dict[str, Any]) -> None:
    assert create(sim, **changes).status == 400
    assert sim.get(f"{PROPERTIES}/extra").status == 404


def test_at_most_ten_unique_properties(sim: Simulator) -> None:
    statuses = [create(sim, name=f"key{n}", hasUniqueValue=True).status for n in range(10)]

    assert statuses == [201] * 9 + [400]


def test_uniqueness_can_never_be_changed(sim: Simulator) -> None:
    create(sim)

    refused = sim.request("PATCH", f"{PROPERTIES}/extra", {"hasUniqueValue": True})
    harmless = sim.request("PATCH", f"{PROPERTIES}/extra", {"hasUniqueValue": False, "label": "New"})

    assert (refused.status, harmless.status) == (400, 200)


def test_an_archived_name_comes_back_with_its_old_definition(sim: Simulator) -> None:
    create(sim)
    gone = sim.request("DELETE", f"{PROPERTIES}/extra")
    listed = [prop["name"] for prop in sim.get(f"{PROPERTIES}?archived=true").json()["results"]]
    refused = sim.upsert([row("a", "1", extra="x")])

    back = create(sim, hasUniqueValue=True, label="Wished")

    assert (gone.status, listed, refused.status) == (204, ["extra"], 207)
    assert (back.status, back.json()["hasUniqueValue"], back.json()["label"]) == (201, False, "Baby name key")


def test_built_in_properties_stay_as_they_are(sim: Simulator) -> None:
    assert sim.request("DELETE", f"{PROPERTIES}/email").status == 400
    assert sim.request("PATCH", f"{PROPERTIES}/email", {"label": "Mail"}).status == 400


def test_options_are_replaced_as_a_whole(sim: Simulator) -> None:
    options = [{"label": "Other", "value": "X", "displayOrder": 0, "hidden": False}]

    sim.request("PATCH", f"{PROPERTIES}/baby_sex", {"options": options})
    reply = sim.upsert([row("a", "1", baby_sex="X"), row("b", "2", baby_sex="F")])

    assert len(reply.json()["errors"]) == 1


def test_a_new_property_can_take_time_to_appear(sim: Simulator) -> None:
    sim.config(property_lag_ms=5000)
    created = create(sim)
    early = (sim.get(f"{PROPERTIES}/extra").status, sim.upsert([row("a", "1", extra="x")]).status)
    sim.advance(5)
    late = (sim.get(f"{PROPERTIES}/extra").status, sim.upsert([row("a", "1", extra="x")]).status)

    assert created.status == 201
    assert (early, late) == ((404, 207), (200, 200))


def test_several_at_once(sim: Simulator) -> None:
    inputs = [{**SEX_PROPERTY, "name": "one"}, {**SEX_PROPERTY, "name": "two"}, SEX_PROPERTY]

    good = sim.post(f"{PROPERTIES}/batch/create", {"inputs": inputs[:1]})
    mixed = sim.post(f"{PROPERTIES}/batch/create", {"inputs": inputs[1:]})

    assert (good.status, mixed.status) == (201, 207)
    assert mixed.json()["errors"][0]["context"]["name"] == ["baby_sex"]


def test_groups(sim: Simulator) -> None:
    group = {"name": "babies", "label": "Babies"}

    assert [sim.post(f"{PROPERTIES}/groups", group).status for _ in range(2)] == [201, 409]
    assert create(sim, groupName="babies").status == 201


@pytest.mark.parametrize(
    ("kind", "field_type", "good", "bad"),
    [
        ("date", "date", ["2026-01-31", "0", "86400000"], ["2026-02-30", "1", "soon"]),
        ("datetime", "date", ["2026-01-31T10:00:00Z", "1"], ["soon"]),
        ("bool", "booleancheckbox", ["true", "false"], ["yes"]),
        ("number", "number", ["1", "-2.5", "007"], ["1e3", "1.", "+1", " 1"]),
        ("phone_number", "phonenumber", ["+1 555"], []),
    ],
)
def test_values_of_each_type(sim: Simulator, kind: str, field_type: str, good: list[str], bad: list[str]) -> None:
    create(sim, type=kind, fieldType=field_type)
    inputs = [row(f"k{n}", str(n), extra=value) for n, value in enumerate([*good, *bad])]

    reply = sim.upsert(inputs)

    failed = {e["context"]["objectWriteTraceId"][0] for e in reply.json().get("errors", [])}
    assert failed == {str(len(good) + n) for n in range(len(bad))}


def test_several_choices_of_a_checkbox(sim: Simulator) -> None:
    options = [{"label": value, "value": value} for value in "abc"]
    create(sim, type="enumeration", fieldType="checkbox", options=options)

    reply = sim.upsert([row("k1", "1", extra="a;c"), row("k2", "2", extra="a;d")])

    assert len(reply.json()["errors"]) == 1
