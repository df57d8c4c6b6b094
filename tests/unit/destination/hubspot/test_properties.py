from __future__ import annotations

from dataclasses import replace

import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.destination.hubspot.properties import (
    PropertyProblem,
    compare_properties,
    create_body,
    parse_property,
    wanted_properties,
)

DESTINATION = load_definitions()["baby_names"].destination
WANTED = wanted_properties(DESTINATION)
BY_NAME = {item.name: item for item in WANTED}


def findings(**changed):
    """Compare with a portal that has everything, except for these (None: absent)."""
    active = {**BY_NAME, **changed}
    return compare_properties(WANTED, [item for item in active.values() if item], [])


def test_the_key_comes_first_and_is_unique_text():
    assert create_body(WANTED[0]) == {
        "name": "baby_name_key",
        "label": "Baby name key",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
        "hasUniqueValue": True,
    }


def test_an_enumeration_is_created_with_all_its_options():
    assert create_body(BY_NAME["baby_sex"]) == {
        "name": "baby_sex",
        "label": "Baby sex",
        "type": "enumeration",
        "fieldType": "select",
        "groupName": "contactinformation",
        "options": [
            {"label": "Female", "value": "F", "displayOrder": 0, "hidden": False},
            {"label": "Male", "value": "M", "displayOrder": 1, "hidden": False},
        ],
    }


def test_a_number_is_created_as_a_number():
    body = create_body(BY_NAME["total_births"])

    assert (body["type"], body["fieldType"]) == ("number", "number")


def test_a_portal_that_has_everything_needs_nothing():
    assert findings() == ()


def test_an_empty_portal_lacks_everything_and_all_of_it_can_be_created():
    found = compare_properties(WANTED, [], [])

    assert [item.wanted.name for item in found] == [item.name for item in WANTED]
    assert all(item.can_create for item in found)


KEY, SEX, BIRTHS = BY_NAME["baby_name_key"], BY_NAME["baby_sex"], BY_NAME["total_births"]
DIFFERENCES = {
    "missing": ({"total_births": None}, PropertyProblem.MISSING, "does not exist"),
    "archived_flag": (
        {"total_births": replace(BIRTHS, is_archived=True)},
        PropertyProblem.ARCHIVED,
        "is archived",
    ),
    "wrong_type": (
        {"total_births": replace(BIRTHS, type="string")},
        PropertyProblem.WRONG_TYPE,
        "is of type string in hubspot, not number",
    ),
    "no_type": (
        {"total_births": replace(BIRTHS, type="")},
        PropertyProblem.WRONG_TYPE,
        "of type unknown",
    ),
    "not_unique": (
        {"baby_name_key": replace(KEY, is_unique=False)},
        PropertyProblem.NOT_UNIQUE,
        "cannot be changed; choose another key_property",
    ),
    "unique": (
        {"total_births": replace(BIRTHS, is_unique=True)},
        PropertyProblem.UNIQUE,
        "allows no value twice",
    ),
    "read_only": (
        {"total_births": replace(BIRTHS, is_read_only=True)},
        PropertyProblem.READ_ONLY,
        "is read-only",
    ),
    "missing_option": (
        {"baby_sex": replace(SEX, options=SEX.options[:1])},
        PropertyProblem.MISSING_OPTION,
        "lacks the option M",
    ),
    "no_enumeration": (
        {"baby_sex": replace(SEX, type="string", options=())},
        PropertyProblem.WRONG_TYPE,
        "is of type string",
    ),
}


@pytest.mark.parametrize(("changed", "problem", "text"), DIFFERENCES.values(), ids=DIFFERENCES.keys())
def test_each_difference_is_found_once_and_explained(changed, problem, text):
    (finding,) = findings(**changed)

    assert finding.problem is problem
    assert text in finding.message
    assert finding.can_create is (problem is PropertyProblem.MISSING)


def test_an_archived_name_is_never_created_again():
    (finding,) = compare_properties([KEY], [], [replace(KEY, is_archived=True)])

    assert finding.problem is PropertyProblem.ARCHIVED
    assert not finding.can_create


@pytest.mark.parametrize(
    "changed",
    [
        {"baby_sex": replace(SEX, label="Sex", field_type="radio", group_name="other")},
        {"baby_sex": replace(SEX, options=(*reversed(SEX.options), SEX.options[0]))},
    ],
    ids=["labels", "order"],
)
def test_what_does_not_matter_for_writing_is_left_alone(changed):
    assert findings(**changed) == ()


def test_several_differences_of_one_property_are_all_named():
    found = findings(baby_name_key=replace(KEY, type="number", is_unique=False))

    assert [item.problem for item in found] == [
        PropertyProblem.WRONG_TYPE,
        PropertyProblem.NOT_UNIQUE,
    ]


def test_a_definition_survives_the_way_to_hubspot_and_back():
    assert [parse_property(create_body(item)) for item in WANTED] == list(WANTED)


@pytest.mark.parametrize("extra", [{"modificationMetadata": {"readOnlyValue": True}}, {"calculated": True}])
def test_a_value_that_hubspot_computes_is_read_only(extra):
    assert parse_property({"name": "score", "type": "number", **extra}).is_read_only


def test_an_archived_property_says_so():
    assert parse_property({"name": "old", "archived": True}).is_archived


@pytest.mark.parametrize("entry", [None, {}, {"name": 7}])
def test_an_entry_without_name_is_no_property(entry):
    assert parse_property(entry) is None
