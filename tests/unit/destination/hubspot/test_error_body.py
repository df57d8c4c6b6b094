from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hubspot_sync.destination.hubspot.error_body import ErrorFacts, read_error

EMBEDDED = json.dumps(
    [
        {
            "isValid": False,
            "message": "X was not one of the allowed options",
            "error": "INVALID_OPTION",
            "name": "baby_sex",
        }
    ]
)


@pytest.mark.parametrize("entry", [None, 7, "text", [], {}, {"message": None, "errors": None}])
def test_an_error_that_says_nothing_is_read_all_the_same(entry):
    assert read_error(entry) == ErrorFacts()


def test_code_and_property_come_from_the_details():
    entry = {
        "category": "VALIDATION_ERROR",
        "errors": [{"code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}],
        "subCategory": "OTHER",
    }

    facts = read_error(entry)

    assert (facts.category, facts.code, facts.property_name) == (
        "VALIDATION_ERROR",
        "INVALID_EMAIL",
        "email",
    )


def test_code_and_property_come_from_the_list_in_the_message_otherwise():
    facts = read_error({"message": f"Property values were not valid: {EMBEDDED}"})

    assert (facts.code, facts.property_name) == ("INVALID_OPTION", "baby_sex")
    assert facts.text == "X was not one of the allowed options"


@pytest.mark.parametrize("tail", ["[{cut", "[{" * 5, "[{}]", '[{"name": 1}]'])
def test_a_broken_list_in_the_message_is_left_out(tail):
    facts = read_error({"message": f"Property values were not valid: {tail}"})

    assert facts.code == ""
    assert facts.text == "Property values were not valid"


def test_a_sub_category_serves_as_code_when_there_is_no_other():
    assert read_error({"subCategory": "crm.odd"}).code == "crm.odd"


def test_duplicate_ids_get_a_code_of_our_own():
    entry = {
        "category": "VALIDATION_ERROR",
        "message": "Duplicate IDs found in batch input: [mary-f]",
        "context": {"ids": ["mary-f"]},
    }

    facts = read_error(entry)

    assert (facts.code, facts.ids) == ("DUPLICATE_IDS", ("mary-f",))


@pytest.mark.parametrize(
    "entry",
    [
        {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["a"]}, "message": "gone"},
        {"category": "VALIDATION_ERROR", "context": {"ids": ["a"]}, "message": "odd"},
    ],
)
def test_ids_alone_are_no_duplicates(entry):
    assert read_error(entry).code == ""


@pytest.mark.parametrize("kind", ["non-unique", "unknown", "Non-Unique"])
def test_a_key_property_that_cannot_serve_gets_a_code_of_our_own(kind):
    message = f"Unable to read objects by {kind} 0-1 property baby_name_key"

    assert read_error({"category": "VALIDATION_ERROR", "message": message}).code == "UNUSABLE_KEY"


def test_the_word_unknown_alone_is_no_key_property():
    assert read_error({"message": "unknown property of 0-1 objects"}).code == ""


@pytest.mark.parametrize("traces", [["r-1", "r-2"], ["r-1", 7, None, "", "r-2"]])
def test_all_trace_ids_are_taken(traces):
    assert read_error({"context": {"objectWriteTraceId": traces}}).trace_ids == ("r-1", "r-2")


def test_a_single_trace_id_may_stand_without_a_list():
    assert read_error({"context": {"objectWriteTraceId": "r-1"}}).trace_ids == ("r-1",)


@pytest.mark.parametrize("place", ["context", "errors"])
def test_scopes_are_found_in_either_place(place):
    context = {"requiredGranularScopes": ["crm.b", "crm.a"]}
    entry = {"context": context} if place == "context" else {"errors": [{"context": context}]}

    assert read_error(entry).scopes == ("crm.a", "crm.b")


@pytest.mark.parametrize(
    ("message", "existing_id"),
    [
        ("Contact already exists. Existing ID: 4711", 4711),
        ("Contact already exists. Existing ID: none", None),
        ("Existing ID: 1234567890123456789012", None),
        ("", None),
    ],
)
def test_the_id_of_the_other_contact_is_read(message, existing_id):
    assert read_error({"message": message}).existing_id == existing_id


def test_the_text_is_one_short_line_without_addresses():
    facts = read_error({"message": "a\nb\tmary.jones+x@mail.example.co.uk\x00" + "z" * 900})

    assert facts.text.startswith("a b <e-mail> zzz")
    assert len(facts.text) == 300
    assert facts.text.isprintable()


@pytest.mark.parametrize("entry", [{"policyName": " daily "}, {"context": {"policyName": "daily"}}])
def test_the_policy_is_upper_case(entry):
    assert read_error(entry).policy == "DAILY"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "category",
                    "message",
                    "errors",
                    "context",
                    "ids",
                    "code",
                    "propertyName",
                    "objectWriteTraceId",
                    "subCategory",
                    "policyName",
                    "correlationId",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(json_values)
@settings(deadline=None)
def test_reading_an_error_never_fails(entry):
    assert isinstance(read_error(entry), ErrorFacts)


@given(json_values)
@settings(deadline=None)
def test_reading_a_message_with_any_list_never_fails(details):
    assert isinstance(read_error({"message": f"not valid: [{json.dumps(details)}]"}), ErrorFacts)
