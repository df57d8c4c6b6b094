from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.hubspot_sync.destination.hubspot.batch_result import archive_answer, upsert_answer
from include.hubspot_sync.destination.hubspot.error_table import SYSTEMIC_ROWS
from include.hubspot_sync.destination.hubspot.exchange import Exchange
from include.hubspot_sync.destination.protocol import Answer, Reason, Verdict
from include.hubspot_sync.records import Outcome
from tests.unit.destination.hubspot_answers import (
    KEY,
    answered,
    batch,
    by_outcome,
    request_for,
    result,
    row_error,
)


def account(body: object, count: int = 3, status: int = 207) -> Answer:
    return upsert_answer(answered(body, status), request_for(count), connection_id="hubspot")


def trace(number: int) -> str:
    return f"r42-1000-{number}"


def test_named_results_are_delivered_with_their_id_whatever_the_order():
    answer = account(batch([result(2), result(0), result(1)]), status=200)

    assert answer.verdict is Verdict.SETTLED
    assert [(item.key_text, item.outcome, item.hubspot_id) for item in answer.outcomes] == [
        (f"name{number}-f", Outcome.DELIVERED, 100_000_000_000 + number) for number in range(3)
    ]
    assert answer.reason == ""


def test_a_result_is_matched_by_trace_id_when_the_key_is_not_echoed():
    unnamed = {"id": "77", "properties": {}, "objectWriteTraceId": trace(1)}

    answer = account(batch([unnamed]))

    assert answer.outcomes[1].hubspot_id == 77
    assert by_outcome(answer.outcomes)[Outcome.DELIVERED] == {"name1-f"}


@pytest.mark.parametrize("status", [200, 201, 207])
def test_refused_rows_are_rejected_with_code_and_text_whatever_the_status(status):
    answer = account(batch([result(0), result(2)], [row_error(trace(1))]), status=status)

    assert by_outcome(answer.outcomes) == {
        Outcome.DELIVERED: {"name0-f", "name2-f"},
        Outcome.REJECTED: {"name1-f"},
        Outcome.UNKNOWN: set(),
        Outcome.RETRYABLE: set(),
    }
    refused = answer.outcomes[1]
    assert (refused.reason, refused.reason_text) == (
        "INVALID_OPTION",
        "Property values were not valid",
    )


def test_one_error_entry_may_stand_for_several_rows():
    answer = account(batch([result(1)], [row_error(trace(0), trace(2))], numErrors=1))

    assert by_outcome(answer.outcomes)[Outcome.REJECTED] == {"name0-f", "name2-f"}


def test_a_row_named_as_result_and_as_error_counts_as_failed():
    answer = account(batch([result(0), result(1), result(2)], [row_error(trace(1))]))

    assert by_outcome(answer.outcomes)[Outcome.REJECTED] == {"name1-f"}


def test_rows_that_are_not_named_stay_open():
    answer = account(batch([result(1)]), status=200)

    assert by_outcome(answer.outcomes)[Outcome.UNKNOWN] == {"name0-f", "name2-f"}
    assert answer.verdict is Verdict.SETTLED
    assert answer.reason == Reason.NOT_NAMED
    assert answer.sent


UNKNOWN_ANSWERS = {
    "nothing_named": (batch(), Reason.EMPTY_ANSWER),
    "lists_absent": ({"status": "COMPLETE"}, Reason.EMPTY_ANSWER),
    "lists_null": ({"status": "COMPLETE", "results": None, "errors": None}, Reason.EMPTY_ANSWER),
    "results_no_list": ({"status": "COMPLETE", "results": {}}, Reason.NOT_JSON),
    "array": ([result(0)], Reason.NOT_JSON),
    "null": (None, Reason.NOT_JSON),
    "pending": (batch([result(0)]) | {"status": "PENDING"}, Reason.NOT_COMPLETE),
    "processing": (batch([result(0)]) | {"status": "PROCESSING"}, Reason.NOT_COMPLETE),
    "canceled": (batch([result(0)]) | {"status": "CANCELED"}, Reason.NOT_COMPLETE),
    "no_status": ({"results": [result(0)]}, Reason.NOT_COMPLETE),
    "foreign_key": (batch([result(0), result(1, key="other-m")]), Reason.FOREIGN_RESULT),
    "foreign_trace": (batch([result(0, trace="r41-9-0")]), Reason.FOREIGN_RESULT),
    "trace_against_key": (batch([result(0, trace="r42-1000-1")]), Reason.FOREIGN_RESULT),
    "result_no_object": (batch(["100000000001"]), Reason.FOREIGN_RESULT),
    "key_no_text": (batch([{"id": "1", "properties": {KEY: 7}}]), Reason.FOREIGN_RESULT),
    "error_without_trace": (batch([result(0)], [row_error()]), Reason.UNNAMED_ERROR),
    "error_no_object": (batch([result(0)], ["boom"]), Reason.UNNAMED_ERROR),
    "error_of_another": (batch([result(0)], [row_error("r41-9-0")]), Reason.FOREIGN_RESULT),
}


@pytest.mark.parametrize(("body", "reason"), UNKNOWN_ANSWERS.values(), ids=UNKNOWN_ANSWERS)
def test_an_answer_that_proves_nothing_leaves_every_row_unknown(body, reason):
    answer = account(body, status=200)

    assert by_outcome(answer.outcomes)[Outcome.UNKNOWN] == {"name0-f", "name1-f", "name2-f"}
    assert answer.verdict is Verdict.SETTLED
    assert answer.sent
    assert answer.reason == reason
    assert str(reason) in answer.message


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_success_without_json_is_never_a_success(status):
    answer = upsert_answer(Exchange(status=status), request_for(2), connection_id="hubspot")

    assert {item.outcome for item in answer.outcomes} == {Outcome.UNKNOWN}
    assert answer.reason == Reason.NOT_JSON


@pytest.mark.parametrize("hubspot_id", [None, "", "abc", "0", 0, True, -4, 1.5, "9" * 19, "٣"])
def test_a_result_without_a_usable_id_stays_open(hubspot_id):
    answer = account(batch([{**result(0), "id": hubspot_id}]), count=1)

    assert answer.outcomes[0].outcome is Outcome.UNKNOWN


def test_an_id_may_come_as_a_number():
    answer = account(batch([{**result(0), "id": 42}]), count=1)

    assert answer.outcomes[0].hubspot_id == 42


@pytest.mark.parametrize("ids", [("1", "2"), ("1", "2", "1"), (None, "2"), ("2", None)])
def test_results_that_contradict_each_other_leave_their_row_open(ids):
    body = batch([{**result(0), "id": hubspot_id} for hubspot_id in ids] + [result(1)])

    answer = account(body, count=2)

    assert [item.outcome for item in answer.outcomes] == [Outcome.UNKNOWN, Outcome.DELIVERED]


def test_the_same_result_twice_counts_once():
    answer = account(batch([result(0), result(0)]), count=1)

    assert answer.outcomes[0].outcome is Outcome.DELIVERED


def test_a_result_with_warnings_is_delivered():
    answer = account(batch([{**result(0), "warnings": ["odd"], "url": "u"}]), count=1)

    assert answer.outcomes[0].outcome is Outcome.DELIVERED


def test_num_errors_is_not_used_for_accounting():
    answer = account(batch([result(0)], numErrors=1), count=1)

    assert answer.outcomes[0].outcome is Outcome.DELIVERED


def test_a_conflict_keeps_the_id_of_the_other_contact():
    body = row_error(trace(0), message="Contact already exists. Existing ID: 4711")

    answer = account(batch([result(1)], [body]), count=2)

    assert answer.outcomes[0].hubspot_id == 4711
    assert answer.outcomes[0].outcome is Outcome.REJECTED


@pytest.mark.parametrize("code", ["PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE", "LIMIT_EXCEEDED"])
def test_a_set_up_fault_in_part_of_a_batch_blames_no_record(code):
    answer = account(batch([result(0), result(2)], [row_error(trace(1), code=code)]))

    assert answer.outcomes[1].outcome is Outcome.RETRYABLE
    assert answer.outcomes[1].reason == code


@pytest.mark.parametrize("count", [1, 3, 100])
def test_a_set_up_fault_of_every_row_stops_the_run(count):
    traces = [trace(number) for number in range(count)]

    answer = account(batch([], [row_error(*traces, code="PROPERTY_DOESNT_EXIST")]), count)

    assert answer.verdict is Verdict.STOP
    assert answer.reason == Reason.ALL_REFUSED_ALIKE
    assert answer.outcomes == ()
    assert not answer.sent
    assert "PROPERTY_DOESNT_EXIST on property baby_sex" in answer.message


def test_a_batch_refused_alike_stops_the_run_instead_of_rejecting_everything():
    errors = [row_error(trace(number)) for number in range(SYSTEMIC_ROWS)]

    answer = account(batch([], errors), SYSTEMIC_ROWS)

    assert answer.verdict is Verdict.STOP
    assert f"all {SYSTEMIC_ROWS} records" in answer.message


def test_a_few_rows_refused_alike_are_rejected():
    count = SYSTEMIC_ROWS - 1
    errors = [row_error(trace(number)) for number in range(count)]

    answer = account(batch([], errors), count)

    assert {item.outcome for item in answer.outcomes} == {Outcome.REJECTED}


def test_rows_refused_for_different_reasons_are_rejected():
    errors = [row_error(trace(number), prop="baby_sex" if number else "firstname") for number in range(SYSTEMIC_ROWS)]

    answer = account(batch([], errors), SYSTEMIC_ROWS)

    assert answer.verdict is Verdict.SETTLED
    assert {item.outcome for item in answer.outcomes} == {Outcome.REJECTED}


def test_refusals_next_to_results_may_have_been_applied():
    errors = [row_error(trace(number)) for number in range(SYSTEMIC_ROWS)]

    answer = account(batch([result(3)], errors), SYSTEMIC_ROWS)

    assert answer.verdict is Verdict.STOP
    assert answer.sent


def test_a_portal_rule_stops_with_its_text_and_without_e_mail_addresses():
    rule = {
        "category": "VALIDATION_ERROR",
        "message": "Owner is required, ask admin.one@example.org\nplease",
        "context": {"objectWriteTraceId": [trace(number) for number in range(SYSTEMIC_ROWS)]},
    }

    answer = account(batch([], [rule]), SYSTEMIC_ROWS)

    assert answer.verdict is Verdict.STOP
    assert "Owner is required, ask <e-mail> please" in answer.message


def test_a_portal_rule_that_hits_one_row_has_its_own_reason():
    rule = row_error(trace(0), code="", message="Owner is required")

    answer = account(batch([result(1)], [rule]), count=2)

    assert (answer.outcomes[0].reason, answer.outcomes[0].reason_text) == (
        "PORTAL_RULE",
        "Owner is required",
    )


def test_a_row_that_hit_passing_trouble_is_sent_again():
    error = {"category": "RATE_LIMITS", "context": {"objectWriteTraceId": trace(0)}}

    answer = account(batch([result(1)], [error]), count=2)

    assert answer.outcomes[0].outcome is Outcome.RETRYABLE
    assert answer.outcomes[0].reason == "RATE_LIMITS"


def test_an_error_that_says_nothing_but_its_row_rejects_it():
    error = {"context": {"objectWriteTraceId": [trace(0)]}}

    answer = account(batch([result(1)], [error]), count=2)

    assert answer.outcomes[0].outcome is Outcome.REJECTED
    assert answer.outcomes[0].reason == Reason.BATCH_REFUSED


def test_a_refused_batch_is_split():
    body = row_error() | {"context": {}}

    answer = account(body, count=2, status=400)

    assert answer.verdict is Verdict.SPLIT
    assert answer.outcomes == ()
    assert not answer.sent


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, row_error() | {"context": {}}, "INVALID_OPTION"),
        (409, {"category": "CONFLICT", "message": "… Existing ID: 5"}, "CONFLICT"),
        (413, None, Reason.TOO_LARGE),
        (414, None, Reason.TOO_LARGE),
    ],
)
def test_a_refused_batch_of_one_rejects_its_record(status, body, reason):
    exchange = Exchange(status=status, body=body, is_json=body is not None)

    answer = upsert_answer(exchange, request_for(1), connection_id="hubspot")

    assert answer.verdict is Verdict.SETTLED
    assert answer.outcomes[0].outcome is Outcome.REJECTED
    assert answer.outcomes[0].reason == reason
    assert answer.outcomes[0].reason_text
    assert not answer.sent


def test_a_server_error_settles_nothing_even_for_one_record():
    answer = upsert_answer(Exchange(status=500), request_for(1), connection_id="hubspot")

    assert answer.verdict is Verdict.RETRY
    assert answer.outcomes == ()


@pytest.mark.parametrize(
    ("exchange", "verdict"),
    [
        (Exchange(status=204), Verdict.SETTLED),
        (answered(batch([], [{"category": "OBJECT_NOT_FOUND"}])), Verdict.SETTLED),
        (Exchange(status=200), Verdict.RETRY),
        (answered({"status": "PENDING"}, 200), Verdict.RETRY),
        (answered({"category": "VALIDATION_ERROR"}, 400), Verdict.SPLIT),
        (Exchange(failure=Reason.TIMEOUT), Verdict.RETRY),
    ],
    ids=["no_content", "unknown_id", "html", "pending", "refused", "timeout"],
)
def test_an_archive_names_no_record(exchange, verdict):
    answer = archive_answer(exchange, connection_id="hubspot")

    assert answer.verdict is verdict
    assert answer.outcomes == ()


COUNT = 6
_results = st.builds(
    lambda number, named, hubspot_id: {
        **result(number, trace=trace(number) if named in {"trace", "both"} else None),
        "id": hubspot_id,
        **({"properties": {}} if named == "trace" else {}),
    },
    st.integers(0, COUNT + 1),
    st.sampled_from(["key", "trace", "both"]),
    st.sampled_from(["1", "2", None]),
)
_errors = st.builds(
    lambda numbers, code: row_error(*(trace(number) for number in numbers), code=code),
    st.lists(st.integers(0, COUNT), max_size=3),
    st.sampled_from(["INVALID_OPTION", "PROPERTY_DOESNT_EXIST", ""]),
)


@given(results=st.lists(_results, max_size=8), errors=st.lists(_errors, max_size=3))
@example(results=[result(number) for number in range(COUNT)], errors=[])
@settings(max_examples=300, deadline=None)
def test_every_record_has_one_outcome_and_none_is_delivered_unnamed(results, errors):
    answer = account(batch(results, errors), COUNT)

    if answer.verdict is Verdict.STOP:
        assert answer.outcomes == ()
        return
    assert [item.key_text for item in answer.outcomes] == [f"name{n}-f" for n in range(COUNT)]
    named = {entry["properties"].get(KEY) for entry in results}
    named |= {f"name{n}-f" for n in range(COUNT) for e in results if trace(n) in e.values()}
    failed = {f"name{n}-f" for n in range(COUNT) for e in errors if trace(n) in str(e["context"])}
    outcomes = by_outcome(answer.outcomes)
    assert outcomes[Outcome.DELIVERED] <= named - failed
    assert outcomes[Outcome.REJECTED] | outcomes[Outcome.RETRYABLE] <= failed


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["status", "results", "errors", "context", "objectWriteTraceId", "id", "properties"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_arbitrary_json_never_delivers_and_never_fails(body):
    answer = account(body)

    assert all(item.outcome is Outcome.UNKNOWN for item in answer.outcomes)
    assert len(answer.outcomes) == 3
