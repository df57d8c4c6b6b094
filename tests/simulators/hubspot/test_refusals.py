"""What refuses a whole batch, what refuses one row, and that a refusal writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.hubspot.harness import CONTACTS, READ, UPSERT, Simulator, build, row, rows


def written(sim: Simulator) -> int:
    return len(sim.dump())


def with_bad_row(*, traced: bool, **bad: Any) -> list[dict[str, Any]]:
    inputs = rows(100, traced=traced)
    inputs[41]["properties"].update(bad)
    return inputs


BAD_VALUES = [
    pytest.param({"baby_sex": "X"}, "INVALID_OPTION", id="option"),
    pytest.param({"total_births": "1,000"}, "INVALID_NUMBER", id="number"),
    pytest.param({"email": "nobody"}, "INVALID_EMAIL", id="email"),
    pytest.param({"no_such": "1"}, "PROPERTY_DOESNT_EXIST", id="unknown property"),
    pytest.param({"hs_object_id": "1"}, "READ_ONLY_VALUE", id="read only"),
    pytest.param({"firstname": "x" * 65_537}, "INVALID_LENGTH", id="length"),
]


@pytest.mark.parametrize(("bad", "code"), BAD_VALUES)
def test_one_bad_row_fails_alone_when_every_row_has_a_trace_id(sim: Simulator, bad: dict[str, str], code: str) -> None:
    reply = sim.upsert(with_bad_row(traced=True, **bad))

    body = reply.json()
    assert (reply.status, len(body["results"]), body["numErrors"]) == (207, 99, 1)
    error = body["errors"][0]
    assert error["context"]["objectWriteTraceId"] == ["t41"]
    assert error["errors"][0]["code"] == code
    assert error["errors"][0]["context"]["propertyName"] == list(bad)
    assert written(sim) == 99


@pytest.mark.parametrize(("bad", "code"), BAD_VALUES)
def test_one_bad_row_refuses_everything_without_trace_ids(sim: Simulator, bad: dict[str, str], code: str) -> None:
    reply = sim.upsert(with_bad_row(traced=False, **bad))

    body = reply.json()
    assert (reply.status, body["category"]) == (400, "VALIDATION_ERROR")
    assert body["message"].startswith("Property values were not valid: [")
    assert [error["code"] for error in body["errors"]] == [code]
    assert written(sim) == 0


def a_lot() -> list[dict[str, Any]]:
    return rows(101)


STRUCTURAL = [
    pytest.param(b"{", id="malformed"),
    pytest.param(b"[]", id="list"),
    pytest.param(b'{"inputs":[{"id":"\\ud800","properties":{}}]}', id="lone surrogate"),
    pytest.param({}, id="no inputs"),
    pytest.param({"inputs": {}}, id="inputs is an object"),
    pytest.param({"inputs": []}, id="empty"),
    pytest.param({"inputs": a_lot()}, id="101 inputs"),
    pytest.param({"inputs": [row("a", "1"), row("a", "2")]}, id="same id twice"),
    pytest.param({"inputs": [row("a", "1"), row(" A ", "2")]}, id="same normalised id"),
    pytest.param({"inputs": [row("a", "1"), row("b", "1")]}, id="same trace id twice"),
    pytest.param({"inputs": [row("a", "1"), row("b")]}, id="some trace ids"),
    pytest.param({"inputs": [{"idProperty": "baby_name_key", "properties": {}}]}, id="no id"),
    pytest.param({"inputs": [{"id": "a", "properties": []}]}, id="properties is a list"),
    pytest.param({"inputs": [row("a", "1", total_births=7)]}, id="number as value"),
    pytest.param({"inputs": [{**row("a", "1"), "idProperty": "firstname"}]}, id="idProperty not unique"),
    pytest.param({"inputs": [{**row("a", "1"), "idProperty": "nothing"}]}, id="idProperty unknown"),
]


@pytest.mark.parametrize("body", STRUCTURAL)
def test_structural_faults_refuse_everything(sim: Simulator, body: Any) -> None:
    reply = sim.post(UPSERT, body)

    assert (reply.status, reply.json()["category"]) == (400, "VALIDATION_ERROR")
    assert written(sim) == 0


@pytest.mark.parametrize("traced", [True, False])
def test_a_duplicate_id_refuses_with_and_without_trace_ids(sim: Simulator, traced: bool) -> None:  # noqa: FBT001
    inputs = rows(99, traced=traced)
    inputs.append(row("name00007-f", "again" if traced else None))

    reply = sim.upsert(inputs)

    assert reply.status == 400
    assert reply.json()["message"].startswith("Duplicate IDs found in batch input")
    assert reply.json()["context"]["ids"] == ["name00007-f"]
    assert written(sim) == 0


def test_the_non_unique_property_is_named(sim: Simulator) -> None:
    reply = sim.upsert([{**row("a"), "idProperty": "firstname"}])

    assert reply.json()["message"].endswith("by non-unique 0-1 property firstname")


def test_another_content_type_is_415(sim: Simulator) -> None:
    assert sim.post(UPSERT, {"inputs": rows(1)}, content_type="text/plain").status == 415


def test_no_partial_success_by_email(sim: Simulator) -> None:
    good = {"id": "a@example.com", "idProperty": "email", "objectWriteTraceId": "1", "properties": {}}
    bad = {"id": "b@example.com", "idProperty": "email", "objectWriteTraceId": "2", "properties": {"baby_sex": "Q"}}

    reply = sim.upsert([good, bad])

    assert reply.status == 400
    assert written(sim) == 0


def test_a_taken_email_is_409_and_names_only_the_first(sim: Simulator) -> None:
    sim.upsert([row("a", email="a@example.com"), row("b", email="b@example.com")])
    owner = sim.by_key("a")[0]["id"]

    reply = sim.upsert([row("c", email="A@example.com"), row("d", email="b@example.com")])

    assert (reply.status, reply.json()["category"]) == (409, "CONFLICT")
    assert reply.json()["message"] == f"Contact already exists. Existing ID: {owner}"
    assert written(sim) == 2


def test_a_taken_email_with_trace_ids_is_a_row_error(sim: Simulator) -> None:
    sim.upsert([row("a", email="a@example.com")])

    reply = sim.upsert([row("c", "1", email="a@example.com"), row("d", "2")])

    assert reply.status == 207
    assert reply.json()["errors"][0]["category"] == "CONFLICT"
    assert reply.json()["errors"][0]["context"]["objectWriteTraceId"] == ["1"]


def test_a_taken_custom_value_is_a_validation_error(sim: Simulator) -> None:
    sim.upsert(rows(2))

    reply = sim.upsert([{**row("name00000-f", "1"), "properties": {"baby_name_key": "name00001-f"}}])

    error = reply.json()["errors"][0]
    assert (error["category"], error["errors"][0]["code"]) == ("VALIDATION_ERROR", "CONFLICTING_UNIQUE_VALUE")


def test_create_of_an_existing_contact(sim: Simulator) -> None:
    sim.upsert(rows(1))
    again = {"properties": {"baby_name_key": "name00000-f"}}

    whole = sim.post(f"{CONTACTS}/batch/create", {"inputs": [again]})
    one = sim.post(f"{CONTACTS}/batch/create", {"inputs": [{**again, "objectWriteTraceId": "1"}]})

    assert (whole.status, one.status) == (409, 207)
    assert one.json()["errors"][0]["category"] == "CONFLICT"


def test_the_contact_cap(sim: Simulator) -> None:
    sim.config(contact_limit=5)

    reply = sim.upsert(rows(7))
    again = sim.upsert(rows(5))

    assert [error["errors"][0]["code"] for error in reply.json()["errors"]] == ["LIMIT_EXCEEDED"] * 2
    assert again.status == 200
    assert written(sim) == 5


def test_portal_rules_are_enforced_since_2026_09(sim: Simulator) -> None:
    rule = {"name": "boys need a name", "if_prop": "baby_sex", "equals": "M", "then_required": "firstname"}
    sim.config(portal_rules=[rule])
    bad = {"inputs": [row("a", "1", baby_sex="M")]}

    new = sim.post(UPSERT, bad)
    old = sim.post(UPSERT.replace("2026-09", "2026-03"), bad)
    sim.config(enforce_rules_all=True)
    old_enforced = sim.post("/crm/v3/objects/contacts/batch/upsert", {"inputs": [row("b", "1", baby_sex="M")]})

    assert (new.status, old.status, old_enforced.status) == (207, 200, 207)
    assert "boys need a name" in new.json()["errors"][0]["message"]


def test_update_of_unknown_ids_is_207(sim: Simulator) -> None:
    sim.upsert(rows(1))
    inputs = [{"id": "12", "properties": {}}, {"id": "13", "properties": {}}]
    known = {"id": sim.by_key("name00000-f")[0]["id"], "properties": {"firstname": "Ada"}}

    reply = sim.post(f"{CONTACTS}/batch/update", {"inputs": [*inputs, known]})

    assert (reply.status, len(reply.json()["results"])) == (207, 1)
    assert reply.json()["errors"][0]["context"]["ids"] == ["12", "13"]


def test_reading_duplicates_and_too_many_with_history(sim: Simulator) -> None:
    twice = {"properties": [], "propertiesWithHistory": [], "inputs": [{"id": "1"}, {"id": "1"}]}
    many = {"properties": [], "propertiesWithHistory": ["firstname"], "inputs": [{"id": str(n)} for n in range(51)]}

    assert sim.post(READ, twice).status == 400
    assert sim.post(READ, many).status == 400
    sim.config(read_duplicates="ok")
    assert sim.post(READ, twice).status == 207


KNOBS = [
    pytest.param({"empty_inputs": "200_empty"}, [], 200, id="empty inputs are fine"),
    pytest.param({"accept_numbers": True}, [row("a", "1", total_births=7)], 200, id="numbers are fine"),
    pytest.param({"mixed_trace_ids": "partial"}, [row("a", "1", baby_sex="Q"), row("b")], 207, id="some trace ids"),
    pytest.param({"partial_status": "200"}, [row("a", "1", baby_sex="Q")], 200, id="200 with errors"),
    pytest.param({"unique_case_insensitive": False}, [row("a", "1"), row("A", "2")], 200, id="case matters"),
]


@pytest.mark.parametrize(("knobs", "inputs", "status"), KNOBS)
def test_knobs_change_the_verdict(knobs: dict[str, Any], inputs: list[dict[str, Any]], status: int) -> None:
    sim = build(**knobs)

    reply = sim.upsert(inputs)

    assert reply.status == status
    sim.close()


def test_errors_can_be_grouped_and_counted_by_row(sim: Simulator) -> None:
    sim.config(group_errors=True, numerrors_mode="rows")

    body = sim.upsert([row("a", "1", baby_sex="Q"), row("b", "2", baby_sex="Q"), row("c", "3")]).json()

    assert [entry["context"]["objectWriteTraceId"] for entry in body["errors"]] == [["1", "2"]]
    assert body["numErrors"] == 2
