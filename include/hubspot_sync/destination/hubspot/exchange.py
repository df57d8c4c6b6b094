"""One request and what came back, free of any HTTP library."""

from __future__ import annotations

from dataclasses import dataclass, replace

from include.hubspot_sync.destination.hubspot.error_body import ErrorFacts, read_error
from include.hubspot_sync.destination.hubspot.error_table import FAILURES, Decision, decide
from include.hubspot_sync.destination.protocol import AnswerHead, RateHeaders, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Exchange:
    """The result of sending one request once."""

    status: int | None = None
    """HTTP status; None when none arrived."""
    body: object = None
    """Parsed JSON; None when there was none, or none that was whole."""
    is_json: bool = False
    """True when a whole JSON body arrived."""
    failure: Reason | None = None
    """Why there is no status."""
    failure_message: str = ""
    """Sentence that replaces the table's, for a credential that was not even sent."""
    correlation_id: str = ""
    latency_ms: int = 0
    retry_after_s: float | None = None
    rate: RateHeaders | None = None

    @property
    def is_success(self) -> bool:
        """True for a 2xx status."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def facts(self) -> ErrorFacts:
        """Return what the body says as an error."""
        return read_error(self.body)


def failed_head(exchange: Exchange, *, connection_id: str) -> AnswerHead:
    """Judge an exchange that brought no 2xx."""
    facts = exchange.facts
    policy = _policy(exchange, facts)
    decision = _decision(exchange, facts, policy, connection_id)
    return AnswerHead(
        decision.verdict,
        status=exchange.status,
        sent=decision.sent,
        reason=decision.reason,
        message=decision.message,
        correlation_id=exchange.correlation_id or facts.correlation_id,
        latency_ms=exchange.latency_ms,
        retry_after_s=exchange.retry_after_s,
        policy=policy,
        rate=exchange.rate,
        capped=decision.capped,
    )


def answered_head(exchange: Exchange, verdict: Verdict, *, reason: str = "", message: str = "") -> AnswerHead:
    """Return the head for a 2xx answer with this verdict."""
    return AnswerHead(
        verdict,
        status=exchange.status,
        reason=reason,
        message=message,
        correlation_id=exchange.correlation_id or exchange.facts.correlation_id,
        latency_ms=exchange.latency_ms,
        retry_after_s=exchange.retry_after_s,
        rate=exchange.rate,
    )


def _decision(exchange: Exchange, facts: ErrorFacts, policy: str, connection_id: str) -> Decision:
    if exchange.failure is Reason.BAD_CREDENTIAL:
        return Decision(Verdict.STOP, Reason.BAD_CREDENTIAL, exchange.failure_message, sent=False)
    if exchange.status is None:
        failure = FAILURES[exchange.failure or Reason.CONNECTION_BROKEN]
        return replace(failure, message=failure.message.format(connection=connection_id))
    return decide(exchange.status, replace(facts, policy=policy), connection_id=connection_id)


def _policy(exchange: Exchange, facts: ErrorFacts) -> str:
    # some 429 bodies name no policy; a day with nothing left is then the better explanation
    if exchange.status != 429 or facts.policy:  # noqa: PLR2004
        return facts.policy
    exhausted = exchange.rate is not None and exchange.rate.daily_remaining == 0
    return "DAILY" if exhausted else ""
