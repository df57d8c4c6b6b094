"""Keys and hashes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from include.hubspot_sync.records import record_key, row_hash

PROPERTIES = st.dictionaries(st.text("abc_", min_size=1, max_size=4), st.text(max_size=6), max_size=4)


@given(st.text(), st.text())
def test_different_keys_have_different_hashes(first: str, second: str):
    assert (record_key(first) == record_key(second)) == (first == second)
    assert len(record_key(first)) == 16


@given(PROPERTIES, PROPERTIES)
def test_row_hash_tells_any_two_rows_apart(first: dict[str, str], second: dict[str, str]):
    assert (row_hash(first) == row_hash(second)) == (first == second)


def test_separators_in_values_do_not_collide():
    assert row_hash({"a": "1;1:b", "b": ""}) != row_hash({"a": "1", "b": "b"})


def test_order_of_properties_does_not_count():
    assert row_hash({"a": "1", "b": "2"}) == row_hash({"b": "2", "a": "1"})
