"""Upsert: create, change, leave alone, clear, come back from the archive."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.hubspot.harness import CONTACTS, READ, UPSERT, Simulator, build, row, rows


def result(reply: Any, key: str) -> dict[str, Any]:
    """Find a result by its key: the order says nothing."""
    return next(item for item in reply.json()["results"] if item["properties"]["baby_name_key"] == key)


def archive(sim: Simulator, *ids: str) -> int:
    return sim.post(f"{CONTACTS}/batch/archive", {"inputs": [{"id": one} for one in ids]}).status


def test_a_new_contact_then_the_same_again(sim: Simulator) -> None:
    first = sim.upsert([row("mary-f", "1", firstname="Mary")])
    sim.advance(60)
    again = sim.upsert([row("mary-f", "1", firstname="Mary")])
    changed = sim.upsert([row("mary-f", "1", firstname="Marie")])

    new, same, updated = (result(reply, "mary-f") for reply in (first, again, changed))
    assert (new["new"], same["new"], updated["new"]) == (True, False, False)
    assert new["id"] == same["id"] == updated["id"]
    assert same["updatedAt"] == new["updatedAt"] < updated["updatedAt"]
    assert updated["properties"]["firstname"] == "Marie"
    stats = sim.stats()
    assert (stats["rows_new"], stats["rows_unchanged"], stats["rows_updated"]) == (1, 1, 1)
    assert (stats["unique_contacts"], stats["dup_row_writes"]) == (1, 2)
    assert stats["write_calls_by_path"] == {UPSERT: 3}


def test_ids_grow_and_results_are_shuffled(sim: Simulator) -> None:
    reply = sim.upsert(rows(50))

    ids = [int(item["id"]) for item in reply.json()["results"]]
    assert ids != sorted(ids)
    assert min(ids) == 100_000_000_001
    assert all(1 <= b - a <= 500 for a, b in zip(sorted(ids), sorted(ids)[1:], strict=False))


def test_the_key_is_set_from_the_id_and_echoed(sim: Simulator) -> None:
    reply = sim.upsert([{"id": "Mary-F", "idProperty": "baby_name_key", "properties": {"firstname": "Mary"}}])

    properties = reply.json()["results"][0]["properties"]
    assert properties["baby_name_key"] == "Mary-F"
    assert sorted(properties) == sorted(
        ["baby_name_key", "firstname", "createdate", "hs_object_id", "lastmodifieddate"]
    )
    assert "objectWriteTraceId" not in reply.json()["results"][0]


def test_keys_match_regardless_of_case_and_blanks(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1")])

    reply = sim.upsert([{"id": " MARY-F ", "idProperty": "baby_name_key", "properties": {"firstname": "M"}}])

    assert reply.json()["results"][0]["new"] is False


@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_value_clears(sim: Simulator, nothing: str | None) -> None:
    sim.upsert([row("mary-f", "1", firstname="Mary")])

    sim.upsert([row("mary-f", "1", firstname=nothing)])

    assert "firstname" not in sim.by_key("mary-f")[0]["properties"]


def test_by_record_id_and_by_two_id_properties(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1", email="mary@example.com")])
    contact_id = sim.by_key("mary-f")[0]["id"]

    reply = sim.upsert(
        [
            {"id": contact_id, "properties": {"firstname": "Mary"}},
            {"id": "MARY@example.com", "idProperty": "email", "properties": {"lastname": "Jones"}},
            {"id": "7", "properties": {"firstname": "Nobody"}},
        ]
    )

    assert (reply.status, len(reply.json()["results"])) == (207, 2)
    assert reply.json()["errors"][0]["context"]["ids"] == ["7"]
    properties = sim.by_key("mary-f")[0]["properties"]
    assert (properties["firstname"], properties["lastname"]) == ("Mary", "Jones")


def test_archiving_frees_the_key_and_a_new_contact_takes_it(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1", firstname="Mary")])
    old_id = sim.by_key("mary-f")[0]["id"]

    statuses = [archive(sim, old_id), archive(sim, old_id), archive(sim, "404")]
    read = {"properties": ["baby_name_key"], "propertiesWithHistory": [], "idProperty": "baby_name_key"}
    gone = sim.post(READ, {**read, "inputs": [{"id": "mary-f"}]})
    binned = sim.post(f"{READ}?archived=true", {**read, "inputs": [{"id": "mary-f"}]})
    reply = sim.upsert([row("mary-f", "1")])

    assert statuses == [204, 204, 204]
    assert gone.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert [c["id"] for c in binned.json()["results"]] == [old_id]
    assert reply.json()["results"][0]["new"] is True
    assert [(c["id"] == old_id, c["archived"]) for c in sim.by_key("mary-f")] == [(True, True), (False, False)]
    assert sim.stats()["live_contacts"] == 1


def test_an_archived_match_can_be_restored_or_refused(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1", firstname="Mary")])
    old_id = sim.by_key("mary-f")[0]["id"]
    archive(sim, old_id)

    sim.config(archived_upsert="error409")
    refused = sim.upsert([row("mary-f", None)])
    sim.config(archived_upsert="restore")
    restored = sim.upsert([row("mary-f", "1", total_births="5")])

    assert refused.status == 409
    assert (restored.json()["results"][0]["id"], restored.json()["results"][0]["new"]) == (old_id, False)
    contacts = sim.by_key("mary-f")
    assert [(c["archived"], c["properties"]["firstname"]) for c in contacts] == [(False, "Mary")]
    assert sim.upsert([row("mary-f", "1")]).json()["results"][0]["id"] == old_id


def test_archive_of_unknown_ids_can_be_reported(sim: Simulator) -> None:
    sim.config(archive_unknown="207")

    assert archive(sim, "404") == 207


def test_merge_gives_a_new_id_and_old_ids_resolve(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1", firstname="Mary"), row("marie-f", "2", lastname="Jones")])
    mary, marie = (sim.by_key(key)[0]["id"] for key in ("mary-f", "marie-f"))

    merged = sim.post(f"{CONTACTS}/merge", {"primaryObjectId": mary, "objectIdToMerge": marie})
    read = {"properties": ["firstname", "lastname"], "propertiesWithHistory": [], "inputs": [{"id": mary}]}
    found = sim.post(READ, read).json()["results"][0]

    assert merged.json()["id"] not in {mary, marie}
    assert found["id"] == merged.json()["id"]
    assert (found["properties"]["firstname"], found["properties"]["lastname"]) == ("Mary", "Jones")
    assert sim.upsert([row("mary-f", "1")]).json()["results"][0]["id"] == merged.json()["id"]
    assert sim.upsert([row("marie-f", "1")]).json()["results"][0]["new"] is True


def test_merge_may_keep_the_primary_id(sim: Simulator) -> None:
    sim.config(merge_new_id=False)
    sim.upsert(rows(2))
    first, second = (sim.by_key(f"name0000{n}-f")[0]["id"] for n in (0, 1))

    merged = sim.post(f"{CONTACTS}/merge", {"primaryObjectId": first, "objectIdToMerge": second})

    assert merged.json()["id"] == first
    assert sim.get(f"{CONTACTS}/{second}").json()["id"] == first
    assert sim.stats()["live_contacts"] == 1


def test_privacy_deletion_is_final_and_blocks_the_email(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1", email="mary@example.com")])

    gone = sim.post(f"{CONTACTS}/gdpr-delete", {"objectId": "mary@example.com", "idProperty": "email"})
    again = sim.upsert([row("mary-f", "1", email="mary@example.com")])

    assert gone.status == 204
    assert sim.dump() == []
    assert again.json()["errors"][0]["errors"][0]["code"] == "INVALID_EMAIL"


def test_echo_knobs(sim: Simulator) -> None:
    sim.config(echo_trace_id="true", number_echo="canonical", return_all_props=True, trim_strings=True)
    sim.upsert([row("mary-f", "1", firstname=" Mary ")])

    reply = sim.upsert([row("mary-f", "9", total_births="010.50")])

    item = reply.json()["results"][0]
    assert item["objectWriteTraceId"] == "9"
    assert (item["properties"]["total_births"], item["properties"]["firstname"]) == ("10.5", "Mary")


def test_property_history_is_newest_first(sim: Simulator) -> None:
    for number in ("1", "2", "3"):
        sim.advance(1)
        sim.upsert([row("mary-f", "1", total_births=number)])
    body = {"properties": [], "propertiesWithHistory": ["total_births"], "idProperty": "baby_name_key"}

    found = sim.post(READ, {**body, "inputs": [{"id": "mary-f"}]}).json()["results"][0]

    assert [v["value"] for v in found["propertiesWithHistory"]["total_births"]] == ["3", "2", "1"]


def test_the_same_contact_in_two_requests_is_locked_for_two_seconds() -> None:
    sim = build(latency="fast")
    call = ("POST", UPSERT, {"inputs": [row("mary-f", "1")]})

    both = sim.together(call, call)
    at_once = sim.upsert([row("mary-f", "1")])
    other = sim.upsert([row("john-m", "1")])
    sim.advance(2)
    later = sim.upsert([row("mary-f", "1")])

    assert sorted(reply.status for reply in both) == [200, 423]
    assert (at_once.status, other.status, later.status) == (423, 200, 200)
    sim.close()


@pytest.mark.parametrize(("knob", "statuses"), [("409", [200, 409]), ("serialize", [200, 200])])
def test_concurrent_writes_are_a_knob(knob: str, statuses: list[int]) -> None:
    sim = build(latency="fast", concurrent_write=knob)
    calls = [("POST", UPSERT, {"inputs": [row("mary-f", "1", total_births=str(n))]}) for n in (1, 2)]

    replies = sim.together(*calls)

    assert sorted(reply.status for reply in replies) == statuses
    assert len(sim.by_key("mary-f")) == 1
    sim.close()


def test_too_many_rows_per_second_lock_everything(sim: Simulator) -> None:
    sim.config(locked_rows_per_s=150)

    statuses = [sim.upsert(rows(100, start=n * 100)).status for n in range(2)]
    sim.advance(2)

    assert statuses == [200, 423]
    assert sim.upsert(rows(100)).status == 200


def test_a_row_takes_a_value_that_an_earlier_row_gave_up(sim: Simulator) -> None:
    sim.upsert([row("a", "1", email="x@example.com"), row("b", "2")])

    reply = sim.upsert([row("a", "1", email=""), row("b", "2", email="x@example.com")])
    twice = sim.upsert([row("a", "1", email="y@example.com"), row("b", "2", email="y@example.com")])

    assert reply.status == 200
    assert len(twice.json()["errors"]) == 1
