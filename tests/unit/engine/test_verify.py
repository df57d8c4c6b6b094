"""Comparing what was read with what was written."""

from __future__ import annotations

from include.hubspot_sync.config import PropertyType
from include.hubspot_sync.destination.protocol import ReadAnswer, Verdict
from include.hubspot_sync.engine.recover import canonical
from include.hubspot_sync.engine.verify import compare
from include.hubspot_sync.records import Change, Operation, StoredRecord

TYPES = {"firstname": PropertyType.STRING, "total_births": PropertyType.NUMBER}


def change(seq: int, key: str, operation: Operation = Operation.UPDATE) -> Change:
    return Change(seq, operation, key, {"firstname": "Mary", "total_births": "10"})


def stored(key: str, births: str = "10") -> StoredRecord:
    return StoredRecord(key, 7, {"firstname": "Mary", "total_births": births})


def answer(*found: StoredRecord, missing: frozenset[str] = frozenset()) -> ReadAnswer:
    return ReadAnswer(Verdict.SETTLED, found={record.key_text: record for record in found}, missing=missing)


def test_equal_numbers_may_look_different():
    assert compare([change(1, "a")], answer(stored("a", "10.0")), TYPES).equal == {1: 7}


def test_differing_property_is_named():
    assert compare([change(1, "a")], answer(stored("a", "11")), TYPES).different == {1: "differs: total_births"}


def test_missing_contact_is_a_difference_for_an_update_and_the_proof_of_an_archive():
    seen = compare([change(1, "a"), change(2, "b", Operation.ARCHIVE)], answer(missing=frozenset({"a", "b"})), TYPES)

    assert (seen.different, seen.equal) == ({1: "not_found"}, {2: None})


def test_archived_contact_that_is_still_there_differs():
    assert compare([change(1, "a", Operation.ARCHIVE)], answer(stored("a")), TYPES).different == {1: "still_active"}


def test_key_that_the_answer_passes_over_is_unread():
    assert compare([change(1, "a")], answer(), TYPES).unread == {1}


def test_stored_numbers_become_canonical_and_absent_properties_empty():
    record = StoredRecord("a", 1, {"total_births": "0010.00", "other": "x"})

    assert canonical(record, TYPES).properties == {"firstname": "", "total_births": "10"}


def test_number_that_is_none_stays_as_it_is():
    record = StoredRecord("a", 1, {"total_births": "ten"})

    assert canonical(record, TYPES).properties["total_births"] == "ten"
