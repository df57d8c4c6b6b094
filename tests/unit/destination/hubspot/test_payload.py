from __future__ import annotations

from dataclasses import replace

import pytest

from include.hubspot_sync.destination.hubspot.payload import archive_body, read_body, upsert_request
from include.hubspot_sync.records import Operation
from tests.unit.destination.hubspot_answers import KEY, change, changes


def build(items):
    return upsert_request(items, key_property=KEY, trace_prefix="r42")


def test_an_input_names_its_key_twice_and_has_its_own_trace_id():
    request = build(changes(2))

    assert request.body["inputs"][1] == {
        "id": "name1-f",
        "idProperty": KEY,
        "objectWriteTraceId": "r42-1000-1",
        "properties": {KEY: "name1-f", "firstname": "Name1", "baby_sex": "F"},
    }


def test_trace_ids_are_distinct_and_the_same_when_sent_again():
    first, second = build(changes(100)), build(changes(100))

    assert len(set(first.trace_ids)) == 100
    assert first == second


def test_halves_of_a_batch_have_other_trace_ids():
    items = changes(4)

    assert not set(build(items[:2]).trace_ids) & set(build(items[2:]).trace_ids)


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_holds_one_to_a_hundred(count):
    with pytest.raises(ValueError, match=f"not {count}"):
        build(changes(count))


def test_a_key_twice_never_leaves():
    with pytest.raises(ValueError, match="repeat"):
        build([change(1), change(2), replace(change(3), key_text="name1-f")])


@pytest.mark.parametrize(
    "wrong",
    [
        replace(change(1), operation=Operation.ARCHIVE),
        replace(change(1), key_text=""),
        replace(change(1), properties={KEY: "other-f"}),
    ],
    ids=["archive", "no_key", "other_key"],
)
def test_a_change_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="change 1001"):
        build([wrong])


@pytest.mark.parametrize("value", [7, None, True, 1.5])
def test_values_are_always_text(value):
    with pytest.raises(TypeError, match="total_births"):
        build([change(1, total_births=value)])


def test_an_empty_value_is_sent_because_it_clears():
    request = build([change(1, firstname="")])

    assert request.body["inputs"][0]["properties"]["firstname"] == ""


def test_an_archive_holds_record_ids_only():
    assert archive_body([5, 6]) == {"inputs": [{"id": "5"}, {"id": "6"}]}


@pytest.mark.parametrize("ids", [[], [1, 1], [0], [3, -1], list(range(1, 102))])
def test_senseless_ids_are_never_archived(ids):
    with pytest.raises(ValueError, match=r"batch|record id"):
        archive_body(ids)


def test_a_read_asks_for_key_mapped_properties_and_merges():
    body = read_body(["mary-f"], key_property=KEY, property_names=("firstname",))

    assert body == {
        "idProperty": KEY,
        "properties": [KEY, "firstname", "hs_merged_object_ids"],
        "propertiesWithHistory": [],
        "inputs": [{"id": "mary-f"}],
    }


@pytest.mark.parametrize("keys", [[], ["a", "a"], ["a", ""], [str(n) for n in range(101)]])
def test_senseless_keys_are_never_read(keys):
    with pytest.raises(ValueError, match=r"batch|empty"):
        read_body(keys, key_property=KEY, property_names=())
