"""Accounting of a batch write: which record did the answer name, and as what.

A record is delivered only when a result names it by trace id or key, never by position. All that
the answer leaves open, contradicts or garbles is unknown: read back or sent again, both harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from include.hubspot_sync.destination.hubspot.error_body import (
    ErrorFacts,
    as_mapping,
    read_error,
)
from include.hubspot_sync.destination.hubspot.error_table import (
    describe,
    is_systemic,
    record_outcome,
    record_reason,
)
from include.hubspot_sync.destination.hubspot.exchange import (
    Exchange,
    answered_head,
    failed_head,
)
from include.hubspot_sync.destination.protocol import (
    Answer,
    AnswerHead,
    Reason,
    Verdict,
    head_values,
)
from include.hubspot_sync.records import Outcome, RecordOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.hubspot_sync.destination.hubspot.payload import UpsertRequest

_NO_CONTENT = 204
_UNKNOWN_MESSAGE = "the outcome is unknown ({reason}); read the records back"


class UnusableAnswerError(Exception):
    """A 2xx answer that proves nothing about any of its records."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class _Ledger:
    """What the answer says about each input, by its index."""

    request: UpsertRequest
    failed: dict[int, ErrorFacts]
    delivered: dict[int, int | None]
    """Index → HubSpot id; None when the results contradict each other about it."""

    @property
    def all_failed(self) -> bool:
        return len(self.failed) == len(self.request.changes)

    def outcome(self, index: int) -> RecordOutcome:
        """Return one record's outcome: a refusal outweighs a result that names it too."""
        key_text = self.request.changes[index].key_text
        if index in self.failed:
            return _refused(key_text, self.failed[index])
        hubspot_id = self.delivered.get(index)
        if hubspot_id is None:
            return RecordOutcome(key_text, Outcome.UNKNOWN, reason=Reason.NOT_NAMED)
        return RecordOutcome(key_text, Outcome.DELIVERED, hubspot_id=hubspot_id)


def upsert_answer(exchange: Exchange, request: UpsertRequest, *, connection_id: str) -> Answer:
    """Turn what came back for an upsert into an outcome for each record, or a verdict for all."""
    if not exchange.is_success:
        return _refused_batch(exchange, request, connection_id)
    try:
        ledger = _account(exchange, request)
    except UnusableAnswerError as error:
        return _all_unknown(exchange, request, error.reason)
    if ledger.all_failed and is_systemic(list(ledger.failed.values())):
        return _refused_alike(exchange, ledger)
    outcomes = tuple(ledger.outcome(index) for index in range(len(request.changes)))
    is_open = any(outcome.outcome is Outcome.UNKNOWN for outcome in outcomes)
    reason = Reason.NOT_NAMED if is_open else ""
    return _answer(_settled(exchange, reason), outcomes)


def archive_answer(exchange: Exchange, *, connection_id: str) -> Answer:
    """Turn what came back for an archive into a verdict; it never proves a single record."""
    if not exchange.is_success:
        return _answer(failed_head(exchange, connection_id=connection_id))
    if exchange.status == _NO_CONTENT:
        return _answer(answered_head(exchange, Verdict.SETTLED))
    try:
        batch_body(exchange)
    except UnusableAnswerError as error:
        return _answer(_unclear(exchange, Verdict.RETRY, error.reason))
    return _answer(answered_head(exchange, Verdict.SETTLED))


def batch_body(exchange: Exchange) -> Mapping[str, object]:
    """Return the body of a 2xx batch answer that is finished.

    Raises:
        UnusableAnswerError: no whole JSON object, or a status other than COMPLETE.
    """
    if not exchange.is_json or not isinstance(exchange.body, dict):
        raise UnusableAnswerError(Reason.NOT_JSON)
    if exchange.body.get("status") != "COMPLETE":
        raise UnusableAnswerError(Reason.NOT_COMPLETE)
    return exchange.body


def batch_entries(body: Mapping[str, object], name: str) -> Sequence[object]:
    """Return `results` or `errors`; absent and null mean none.

    Raises:
        UnusableAnswerError: it is no list.
    """
    entries = body.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise UnusableAnswerError(Reason.NOT_JSON)
    return entries


def record_id(value: object) -> int | None:
    """Return a HubSpot record id, or None when the value is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    is_number = text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004
    return int(text) or None if is_number else None


def _account(exchange: Exchange, request: UpsertRequest) -> _Ledger:
    body = batch_body(exchange)
    results = batch_entries(body, "results")
    errors = batch_entries(body, "errors")
    if not results and not errors:
        raise UnusableAnswerError(Reason.EMPTY_ANSWER)
    by_trace = {trace_id: index for index, trace_id in enumerate(request.trace_ids)}
    failed = _failed(errors, by_trace)
    return _Ledger(request, failed, _delivered(results, request, by_trace))


def _failed(errors: Sequence[object], by_trace: Mapping[str, int]) -> dict[int, ErrorFacts]:
    failed: dict[int, ErrorFacts] = {}
    for entry in errors:
        facts = read_error(entry)
        if not facts.trace_ids:
            raise UnusableAnswerError(Reason.UNNAMED_ERROR)
        # one entry may stand for several records
        for trace_id in facts.trace_ids:
            if trace_id not in by_trace:
                raise UnusableAnswerError(Reason.FOREIGN_RESULT)
            failed.setdefault(by_trace[trace_id], facts)
    return failed


def _delivered(results: Sequence[object], request: UpsertRequest, by_trace: Mapping[str, int]) -> dict[int, int | None]:
    by_key = {change.key_text: index for index, change in enumerate(request.changes)}
    delivered: dict[int, int | None] = {}
    for entry in results:
        result = as_mapping(entry)
        key = as_mapping(result.get("properties")).get(request.key_property)
        index = _named_input(result.get("objectWriteTraceId"), key, by_trace, by_key)
        hubspot_id = record_id(result.get("id"))
        if delivered.get(index, hubspot_id) != hubspot_id:
            hubspot_id = None
        delivered[index] = hubspot_id
    return delivered


def _named_input(trace_id: object, key: object, by_trace: Mapping[str, int], by_key: Mapping[str, int]) -> int:
    """Return the input that a result names: by trace id, else by key."""
    by_its_key = by_key.get(key) if isinstance(key, str) else None
    if not isinstance(trace_id, str) or not trace_id:
        index = by_its_key
    else:
        index = by_trace.get(trace_id)
        # a trace id of one input with the key of another: the answer is not to be trusted
        if by_its_key is not None and by_its_key != index:
            index = None
    if index is None:
        raise UnusableAnswerError(Reason.FOREIGN_RESULT)
    return index


def _refused(key_text: str, facts: ErrorFacts) -> RecordOutcome:
    return RecordOutcome(
        key_text,
        record_outcome(facts),
        hubspot_id=facts.existing_id,
        reason=record_reason(facts),
        reason_text=facts.text,
    )


def _refused_batch(exchange: Exchange, request: UpsertRequest, connection_id: str) -> Answer:
    """Pass the verdict on; a batch of one that would be split has found its bad record."""
    head = failed_head(exchange, connection_id=connection_id)
    if head.verdict is not Verdict.SPLIT or len(request.changes) > 1:
        return _answer(head)
    facts = exchange.facts
    refused = RecordOutcome(
        request.changes[0].key_text,
        Outcome.REJECTED,
        hubspot_id=facts.existing_id,
        reason=head.reason,
        reason_text=facts.text or head.message,
    )
    return _answer(replace(head, verdict=Verdict.SETTLED), (refused,))


def _refused_alike(exchange: Exchange, ledger: _Ledger) -> Answer:
    facts = ledger.failed[0]
    head = answered_head(
        exchange,
        Verdict.STOP,
        reason=Reason.ALL_REFUSED_ALIKE,
        message=f"hubspot refuses all {len(ledger.failed)} records of a batch alike: "
        f"{describe(facts)}; compare the property and the portal's rules with the definition",
    )
    # a result next to its refusal may have been applied
    return _answer(replace(head, sent=bool(ledger.delivered)))


def _all_unknown(exchange: Exchange, request: UpsertRequest, reason: Reason) -> Answer:
    outcomes = tuple(RecordOutcome(change.key_text, Outcome.UNKNOWN, reason=reason) for change in request.changes)
    return _answer(_settled(exchange, reason), outcomes)


def _settled(exchange: Exchange, reason: str) -> AnswerHead:
    return _unclear(exchange, Verdict.SETTLED, reason)


def _unclear(exchange: Exchange, verdict: Verdict, reason: str) -> AnswerHead:
    message = _UNKNOWN_MESSAGE.format(reason=reason) if reason else ""
    return answered_head(exchange, verdict, reason=reason, message=message)


def _answer(head: AnswerHead, outcomes: tuple[RecordOutcome, ...] = ()) -> Answer:
    return Answer(**head_values(head), outcomes=outcomes)
