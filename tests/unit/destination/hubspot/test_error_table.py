"""Every line of HubSpot's list of statuses, and what must follow from it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hubspot_sync.destination.failure import error_from
from include.hubspot_sync.destination.hubspot.error_body import ErrorFacts
from include.hubspot_sync.destination.hubspot.error_table import (
    RULES,
    SYSTEMIC_ROWS,
    decide,
    describe,
    is_systemic,
    record_outcome,
    record_reason,
)
from include.hubspot_sync.destination.hubspot.exchange import Exchange, failed_head
from include.hubspot_sync.destination.protocol import (
    AnswerHead,
    RateHeaders,
    Reason,
    Verdict,
)
from include.hubspot_sync.errors import (
    AuthError,
    ConfigError,
    QuotaExhaustedError,
    RateLimitedError,
    SyncError,
    TerminalError,
    TransientError,
)
from include.hubspot_sync.records import Outcome

V, R = Verdict, Reason


def facts(category: str = "", code: str = "", policy: str = "") -> ErrorFacts:
    return ErrorFacts(category=category, code=code, policy=policy)


STATUSES = [
    # status, facts, verdict, reason, may have been applied, error class
    (301, facts(), V.STOP, R.WRONG_HOST, False, ConfigError),
    (302, facts(), V.STOP, R.WRONG_HOST, False, ConfigError),
    (304, facts(), V.STOP, R.WRONG_HOST, False, ConfigError),
    (400, facts("VALIDATION_ERROR"), V.SPLIT, "VALIDATION_ERROR", False, ConfigError),
    (400, facts("VALIDATION_ERROR", "INVALID_EMAIL"), V.SPLIT, "INVALID_EMAIL", False, ConfigError),
    (400, facts(), V.SPLIT, R.BATCH_REFUSED, False, ConfigError),
    (400, facts(code="CONFLICTING_UNIQUE_VALUE"), V.SPLIT, "CONFLICTING_UNIQUE_VALUE", False, ConfigError),
    (400, facts(code="DUPLICATE_IDS"), V.STOP, R.DUPLICATE_KEYS, False, ConfigError),
    (400, facts(code="UNUSABLE_KEY"), V.STOP, R.KEY_UNUSABLE, False, ConfigError),
    (400, facts(code="PROPERTY_DOESNT_EXIST"), V.STOP, R.WRONG_SETUP, False, ConfigError),
    (400, facts(code="READ_ONLY_VALUE"), V.STOP, R.WRONG_SETUP, False, ConfigError),
    (400, facts(code="LIMIT_EXCEEDED"), V.STOP, R.WRONG_SETUP, False, ConfigError),
    (401, facts("INVALID_AUTHENTICATION"), V.REAUTH, R.CREDENTIAL_REFUSED, False, AuthError),
    (401, facts("EXPIRED_AUTHENTICATION"), V.REAUTH, R.CREDENTIAL_EXPIRED, False, AuthError),
    (401, facts(), V.REAUTH, R.CREDENTIAL_REFUSED, False, AuthError),
    (402, facts(), V.STOP, R.UNKNOWN_STATUS, True, ConfigError),
    (403, facts("MISSING_SCOPES"), V.STOP, R.MISSING_SCOPES, False, AuthError),
    (403, facts("USER_DOES_NOT_HAVE_PERMISSIONS"), V.STOP, R.NO_PERMISSION, False, AuthError),
    (403, facts(), V.STOP, R.FORBIDDEN, False, AuthError),
    (404, facts("OBJECT_NOT_FOUND"), V.STOP, R.WRONG_ROUTE, False, ConfigError),
    (404, facts(), V.STOP, R.WRONG_ROUTE, False, ConfigError),
    (405, facts(), V.STOP, R.WRONG_METHOD, False, ConfigError),
    (408, facts(), V.RETRY, R.TIMEOUT, True, TransientError),
    (409, facts("CONFLICT"), V.SPLIT, "CONFLICT", False, ConfigError),
    (409, facts(), V.SPLIT, R.CONFLICT, False, ConfigError),
    (413, facts(), V.SPLIT, R.TOO_LARGE, False, ConfigError),
    (414, facts(), V.SPLIT, R.TOO_LARGE, False, ConfigError),
    (415, facts(), V.STOP, R.WRONG_METHOD, False, ConfigError),
    (418, facts(), V.STOP, R.UNKNOWN_STATUS, True, ConfigError),
    (423, facts(), V.SLOW, R.LOCKED, False, RateLimitedError),
    (429, facts(policy="TEN_SECONDLY_ROLLING"), V.SLOW, R.BURST_LIMIT, False, RateLimitedError),
    (429, facts("RATE_LIMITS"), V.SLOW, R.BURST_LIMIT, False, RateLimitedError),
    (429, facts(), V.SLOW, R.BURST_LIMIT, False, RateLimitedError),
    (429, facts(policy="SECONDLY"), V.SLOW, R.SECOND_LIMIT, False, RateLimitedError),
    (429, facts(policy="DAILY"), V.DEFER, R.DAILY_LIMIT, False, QuotaExhaustedError),
    (477, facts(), V.DEFER, R.MIGRATION, False, TerminalError),
    (500, facts(), V.RETRY, R.SERVER_ERROR, True, TransientError),
    (501, facts(), V.RETRY, R.UNKNOWN_STATUS, True, TransientError),
    (502, facts(), V.SLOW, R.GATEWAY_TIMEOUT, True, TransientError),
    (503, facts(), V.RETRY, R.SERVER_ERROR, True, TransientError),
    (504, facts(), V.SLOW, R.GATEWAY_TIMEOUT, True, TransientError),
    *((status, facts(), V.RETRY, R.SERVER_ERROR, True, TransientError) for status in range(520, 527)),
    (527, facts(), V.RETRY, R.UNKNOWN_STATUS, True, TransientError),
    (530, facts(), V.REAUTH, R.CREDENTIAL_REFUSED, False, AuthError),
    (599, facts(), V.RETRY, R.UNKNOWN_STATUS, True, TransientError),
    (100, facts(), V.STOP, R.UNKNOWN_STATUS, True, ConfigError),
    (999, facts(), V.STOP, R.UNKNOWN_STATUS, True, ConfigError),
]


@pytest.mark.parametrize(
    ("status", "said", "verdict", "reason", "sent", "error"),
    STATUSES,
    ids=[f"{row[0]}-{row[1].category}{row[1].code}{row[1].policy}" for row in STATUSES],
)
def test_each_status_has_its_verdict(status, said, verdict, reason, sent, error):
    decision = decide(status, said, connection_id="hubspot")

    assert (decision.verdict, decision.reason, decision.sent) == (verdict, reason, sent)
    raised = error_from(AnswerHead(decision.verdict, status=status, reason=decision.reason, message=decision.message))
    assert type(raised) is error
    assert f"status {status}" in str(raised)


def test_every_row_of_the_table_is_reached():
    reached = {id(next(rule for rule in RULES if rule.fits(status, said))) for status, said, *_ in STATUSES}

    assert reached == {id(rule) for rule in RULES}


@given(st.integers(-5, 2000), st.text(max_size=5), st.text(max_size=5), st.text(max_size=9))
@settings(deadline=None)
def test_any_status_has_a_one_line_message_and_a_verdict(status, category, code, policy):
    decision = decide(abs(status), facts(category, code, policy), connection_id="hubspot")

    assert decision.verdict is not Verdict.SETTLED
    assert decision.message
    assert "{" not in decision.message.replace(code, "").replace(category, "")


@pytest.mark.parametrize(("status", "capped"), [(500, False), (501, True), (529, True)])
def test_only_undocumented_server_errors_are_capped(status, capped):
    assert decide(status, facts(), connection_id="hubspot").capped is capped


def test_missing_scopes_and_the_connection_are_named():
    said = ErrorFacts(category="MISSING_SCOPES", scopes=("a.write", "b.read"))

    message = decide(403, said, connection_id="crm").message

    assert "connection crm" in message
    assert "add a.write, b.read" in message


def test_a_missing_scope_that_is_not_named_still_gets_advice():
    assert "the contact scopes" in decide(403, facts("MISSING_SCOPES"), connection_id="h").message


FAILURES = [
    (R.CONNECT_FAILED, V.RETRY, False, TransientError),
    (R.BAD_CERTIFICATE, V.STOP, False, ConfigError),
    (R.CONNECTION_BROKEN, V.RETRY, True, TransientError),
    (R.TIMEOUT, V.RETRY, True, TransientError),
    (R.BAD_CREDENTIAL, V.STOP, False, AuthError),
    (None, V.RETRY, True, TransientError),
]


@pytest.mark.parametrize(("failure", "verdict", "sent", "error"), FAILURES)
def test_a_request_without_status_says_whether_it_may_have_been_applied(failure, verdict, sent, error):
    exchange = Exchange(failure=failure, failure_message="no token")

    head = failed_head(exchange, connection_id="hubspot")

    assert (head.verdict, head.sent, head.status) == (verdict, sent, None)
    assert type(error_from(head)) is error
    assert head.message


@pytest.mark.parametrize(
    ("body", "daily_remaining", "policy", "verdict"),
    [
        ({"policyName": "DAILY"}, 100, "DAILY", V.DEFER),
        ({"policyName": "daily"}, None, "DAILY", V.DEFER),
        ({"category": "RATE_LIMITS"}, 0, "DAILY", V.DEFER),
        ({"policyName": "TEN_SECONDLY_ROLLING"}, 0, "TEN_SECONDLY_ROLLING", V.SLOW),
        ({"errorType": "RATE_LIMIT"}, 5, "", V.SLOW),
        ({"errorType": "RATE_LIMIT"}, None, "", V.SLOW),
    ],
)
def test_a_429_without_policy_is_read_by_what_is_left_of_the_day(body, daily_remaining, policy, verdict):
    exchange = Exchange(status=429, body=body, is_json=True, rate=RateHeaders(daily_remaining=daily_remaining))

    head = failed_head(exchange, connection_id="hubspot")

    assert (head.policy, head.verdict) == (policy, verdict)


def test_a_429_without_headers_is_a_burst():
    head = failed_head(Exchange(status=429), connection_id="hubspot")

    assert (head.verdict, head.reason) == (V.SLOW, R.BURST_LIMIT)


def test_other_statuses_are_no_daily_limit_on_a_used_up_day():
    exchange = Exchange(status=500, rate=RateHeaders(daily_remaining=0))

    assert failed_head(exchange, connection_id="hubspot").verdict is V.RETRY


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (ErrorFacts(code="INVALID_OPTION", property_name="sex", text="'x'"), "INVALID_OPTION on property sex"),
        (ErrorFacts(code="INVALID_OPTION", text="'x'"), "INVALID_OPTION"),
        (ErrorFacts(category="CONFLICT", text="exists"), "CONFLICT: exists"),
        (
            ErrorFacts(code="PORTAL_RULE", property_name="owner", text="owner is required"),
            "PORTAL_RULE on property owner: owner is required",
        ),
        (ErrorFacts(text="odd"), "odd"),
        (ErrorFacts(), "no reason given"),
    ],
)
def test_a_description_quotes_hubspot_only_where_no_value_can_be_in_it(said, text):
    assert describe(said) == text


@pytest.mark.parametrize(
    ("said", "reason", "outcome"),
    [
        (facts("VALIDATION_ERROR", "INVALID_NUMBER"), "INVALID_NUMBER", Outcome.REJECTED),
        (facts("VALIDATION_ERROR", "INVALID_LENGTH"), "INVALID_LENGTH", Outcome.REJECTED),
        (facts("VALIDATION_ERROR"), "PORTAL_RULE", Outcome.REJECTED),
        (facts("CONFLICT"), "CONFLICT", Outcome.REJECTED),
        (facts("OBJECT_NOT_FOUND"), "OBJECT_NOT_FOUND", Outcome.REJECTED),
        (facts(), "batch_refused", Outcome.REJECTED),
        (facts("VALIDATION_ERROR", "LIMIT_EXCEEDED"), "LIMIT_EXCEEDED", Outcome.RETRYABLE),
        (facts("RATE_LIMITS"), "RATE_LIMITS", Outcome.RETRYABLE),
    ],
)
def test_each_row_error_has_a_stable_reason(said, reason, outcome):
    assert (record_reason(said), record_outcome(said)) == (reason, outcome)


@pytest.mark.parametrize(
    ("refusals", "systemic"),
    [
        ([], False),
        ([facts(code="INVALID_OPTION")] * (SYSTEMIC_ROWS - 1), False),
        ([facts(code="INVALID_OPTION")] * SYSTEMIC_ROWS, True),
        ([facts(code="INVALID_OPTION")] * SYSTEMIC_ROWS + [facts(code="INVALID_DATE")], False),
        ([facts(code="READ_ONLY_VALUE")], True),
    ],
)
def test_many_refusals_alike_blame_the_portal(refusals, systemic):
    assert is_systemic(refusals) is systemic


def test_a_limit_keeps_policy_and_waiting_time():
    head = AnswerHead(V.SLOW, status=429, reason=R.BURST_LIMIT, message="slow", policy="P", retry_after_s=3.5)

    error = error_from(head)

    assert isinstance(error, RateLimitedError)
    assert (error.policy, error.retry_after_s) == ("P", 3.5)


def test_an_error_carries_the_correlation_id():
    head = AnswerHead(V.RETRY, status=500, message="trouble", correlation_id="abc-1")

    assert str(error_from(head)) == "trouble (status 500, correlation id abc-1)"


def test_an_error_without_status_and_message_still_says_why():
    assert str(error_from(AnswerHead(V.RETRY, reason="timeout"))) == "timeout"


def test_a_settled_answer_is_no_error():
    with pytest.raises(ValueError, match="settled"):
        error_from(AnswerHead(V.SETTLED))


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not V.SETTLED])
def test_every_other_verdict_has_an_error(verdict):
    assert isinstance(error_from(AnswerHead(verdict, message="m")), SyncError)
