from __future__ import annotations

import pytest

from include.hubspot_sync.destination.hubspot.exchange import Exchange
from include.hubspot_sync.destination.hubspot.read_result import read_answer
from include.hubspot_sync.destination.protocol import ReadAnswer, Reason, Verdict
from tests.unit.destination.hubspot_answers import KEY, answered, batch, result

KEYS = ["name0-f", "name1-f", "name2-f"]


def read(exchange: Exchange) -> ReadAnswer:
    return read_answer(exchange, KEYS, key_property=KEY, connection_id="hubspot")


def not_found(*keys: str) -> dict[str, object]:
    return {"category": "OBJECT_NOT_FOUND", "context": {"ids": list(keys)}}


def test_contacts_are_found_by_key_and_missing_by_name():
    answer = read(answered(batch([result(2), result(0)], [not_found("name1-f")])))

    assert answer.verdict is Verdict.SETTLED
    assert {key: item.hubspot_id for key, item in answer.found.items()} == {
        "name0-f": 100_000_000_000,
        "name2-f": 100_000_000_002,
    }
    assert answer.missing == {"name1-f"}
    assert answer.reason == ""


def test_a_cleared_property_is_the_empty_text():
    entry = result(0)
    entry["properties"] |= {"total_births": None, "is_new": True, "peak": 7}

    stored = read(answered(batch([entry]))).found["name0-f"]

    assert stored.properties["total_births"] == ""
    assert (stored.properties["is_new"], stored.properties["peak"]) == ("true", "7")
    assert not stored.merged


@pytest.mark.parametrize(("value", "merged"), [("5;6", True), ("", False), (None, False)])
def test_a_merged_contact_says_so(value, merged):
    entry = result(0)
    entry["properties"]["hs_merged_object_ids"] = value

    assert read(answered(batch([entry]))).found["name0-f"].merged is merged


def test_a_key_that_is_not_named_is_unknown():
    answer = read(answered(batch([result(0)], [not_found("name1-f")])))

    assert set(answer.found) == {"name0-f"}
    assert answer.missing == {"name1-f"}
    assert answer.reason == Reason.NOT_NAMED


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        {},
        {"id": "1", "properties": {}},
        {"id": None, "properties": {KEY: "name1-f"}},
        {"id": "1", "properties": {KEY: "name1-f"}, "archived": True},
        {"id": "1", "properties": {KEY: "Name1-F"}},
    ],
    ids=["no_object", "empty", "no_key", "no_id", "archived", "key_reformatted"],
)
def test_a_result_that_proves_nothing_leaves_its_key_unknown(entry):
    answer = read(answered(batch([result(0), entry])))

    assert set(answer.found) == {"name0-f"}
    assert answer.missing == frozenset()


def test_two_contacts_for_one_key_are_neither_found_nor_missing():
    answer = read(answered(batch([result(0), {**result(0), "id": "7"}, result(1)])))

    assert set(answer.found) == {"name1-f"}
    assert "name0-f" not in answer.missing


def test_the_same_contact_twice_is_found():
    assert set(read(answered(batch([result(0), result(0)]))).found) == {"name0-f"}


def test_a_key_named_as_found_and_as_missing_is_unknown():
    answer = read(answered(batch([result(0), result(1)], [not_found("name0-f")])))

    assert set(answer.found) == {"name1-f"}
    assert answer.missing == frozenset()


def test_other_errors_and_foreign_ids_are_not_missing():
    errors = [{"category": "CONFLICT", "context": {"ids": ["name1-f"]}}, not_found("other-m")]

    answer = read(answered(batch([result(0)], errors)))

    assert answer.missing == frozenset()


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        (answered(batch(), 200), Reason.EMPTY_ANSWER),
        (answered(batch([result(9)]), 200), Reason.FOREIGN_RESULT),
        (answered(batch([result(0)]) | {"status": "PENDING"}, 200), Reason.NOT_COMPLETE),
        (answered({"status": "COMPLETE", "errors": 7}, 200), Reason.NOT_JSON),
        (answered([], 200), Reason.NOT_JSON),
        (Exchange(status=200), Reason.NOT_JSON),
    ],
    ids=["empty", "foreign", "pending", "odd", "array", "html"],
)
def test_an_answer_that_names_none_of_the_keys_is_read_again(exchange, reason):
    answer = read(exchange)

    assert (answer.verdict, answer.reason) == (Verdict.RETRY, reason)
    assert not answer.found
    assert not answer.missing


@pytest.mark.parametrize(("status", "verdict"), [(400, Verdict.SPLIT), (401, Verdict.REAUTH), (503, Verdict.RETRY)])
def test_a_refused_read_has_the_verdict_of_its_status(status, verdict):
    assert read(Exchange(status=status)).verdict is verdict
