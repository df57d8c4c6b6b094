from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hubspot_sync.config import PropertyType
from include.hubspot_sync.destination.hubspot.compare import differing_properties, is_same_value

NUMBER, TEXT, OPTION = PropertyType.NUMBER, PropertyType.STRING, PropertyType.ENUMERATION


@pytest.mark.parametrize(
    ("wanted", "stored", "kind", "same"),
    [
        ("4125675", "4125675", NUMBER, True),
        ("4125675", "4125675.0", NUMBER, True),
        ("4125675", "4.125675E6", NUMBER, True),
        ("4125675", "+4125675", NUMBER, True),
        ("4125675", "4125676", NUMBER, False),
        ("0", "-0", NUMBER, True),
        ("0", "", NUMBER, False),
        ("0", None, NUMBER, False),
        ("", None, NUMBER, True),
        ("", "0", NUMBER, False),
        ("10234", "10,234", NUMBER, False),
        ("10234", "10_234", NUMBER, False),
        ("10234", " 10234", NUMBER, False),
        ("7", "\u0667", NUMBER, False),
        ("9007199254740993", "9007199254740992", NUMBER, False),
        ("NaN", "NaN", NUMBER, True),
        ("NaN", "nan", NUMBER, False),
        ("sNaN", "1", NUMBER, False),
        ("1", "Infinity", NUMBER, False),
        ("1", "1e99999", NUMBER, False),
        ("Mary", "Mary", TEXT, True),
        ("Mary", "mary", TEXT, False),
        ("Mary ", "Mary", TEXT, False),
        ("1", "1.0", TEXT, False),
        ("", None, TEXT, True),
        ("F", "F", OPTION, True),
        ("F", "f", OPTION, False),
        ("F", None, OPTION, False),
    ],
)
def test_values_are_compared_by_type(wanted, stored, kind, same):
    assert is_same_value(wanted, stored, kind) is same


def test_differing_names_are_sorted_and_foreign_properties_ignored():
    wanted = {"total_births": "5", "firstname": "Mary", "baby_sex": "F", "peak": ""}
    stored = {"total_births": "5.0", "firstname": "MARY", "phone": "1"}
    types = {"total_births": NUMBER, "firstname": TEXT, "baby_sex": OPTION, "peak": NUMBER}

    assert differing_properties(wanted, stored, types) == ("baby_sex", "firstname")


def test_a_property_without_type_is_a_mistake():
    with pytest.raises(KeyError):
        differing_properties({"a": "1"}, {}, {})


@given(st.integers(-(10**15), 10**15), st.integers(0, 5))
@settings(deadline=None)
def test_a_number_equals_every_form_of_itself(number, zeros):
    assert is_same_value(str(number), f"{number}.{'0' * (zeros + 1)}", NUMBER)
    assert not is_same_value(str(number), str(number + 1), NUMBER)


@given(st.text(max_size=6), st.text(max_size=6))
@settings(deadline=None)
def test_comparing_numbers_never_fails(wanted, stored):
    assert is_same_value(wanted, stored, NUMBER) is is_same_value(stored, wanted, NUMBER)
