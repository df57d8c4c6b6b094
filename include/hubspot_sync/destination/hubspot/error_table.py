"""Every refusal HubSpot is known to send, as a table: first fitting row decides.

Status, category, code and policy decide, never the wording of a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.hubspot_sync.destination.hubspot.error_body import (
    DUPLICATE_IDS,
    UNUSABLE_KEY,
    ErrorFacts,
)
from include.hubspot_sync.destination.protocol import Reason, Verdict
from include.hubspot_sync.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Container

SETUP_CODES = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE", "LIMIT_EXCEEDED"})
"""Codes that blame the portal's set-up, never the record."""

SYSTEMIC_ROWS = 10
"""So many records refused alike, and none accepted, are no coincidence of bad values.

Fewer may be: a replay of three rejected records that are still wrong must reject them again.
"""

_PASSING_CATEGORIES = frozenset({"RATE_LIMITS", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what must fit, and what follows."""

    statuses: Container[int]
    verdict: Verdict
    reason: Reason
    message: str
    """Template with `{connection}`, `{status}`, `{what}` and `{scopes}`."""
    categories: frozenset[str] = frozenset()
    """Any of these; empty fits all."""
    codes: frozenset[str] = frozenset()
    """Any of these; empty fits all."""
    policies: frozenset[str] = frozenset()
    """Any of these; empty fits all."""
    sent: bool = False
    """True when the request may have been applied all the same."""
    capped: bool = False
    """True when only a few retries make sense."""

    def fits(self, status: int, facts: ErrorFacts) -> bool:
        """Say whether this row is about that refusal."""
        return (
            status in self.statuses
            and (not self.categories or facts.category in self.categories)
            and (not self.codes or facts.code in self.codes)
            and (not self.policies or facts.policy in self.policies)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What a refused or failed request means."""

    verdict: Verdict
    reason: str
    message: str
    sent: bool
    capped: bool = False


_ANY = range(1_000_000)

RULES: tuple[Rule, ...] = (
    # credential and permission
    Rule(
        {401},
        Verdict.REAUTH,
        Reason.CREDENTIAL_EXPIRED,
        "the token of connection {connection} has expired; put a new one into the connection",
        categories=frozenset({"EXPIRED_AUTHENTICATION"}),
    ),
    Rule(
        {401, 530},
        Verdict.REAUTH,
        Reason.CREDENTIAL_REFUSED,
        "hubspot refuses the token of connection {connection}; put a valid service key into it",
    ),
    Rule(
        {403},
        Verdict.STOP,
        Reason.MISSING_SCOPES,
        "the token of connection {connection} lacks a scope; add {scopes} to its key in hubspot",
        categories=frozenset({"MISSING_SCOPES"}),
    ),
    Rule(
        {403},
        Verdict.STOP,
        Reason.NO_PERMISSION,
        "the owner of the token of connection {connection} lost a permission in hubspot; use a service key",
        categories=frozenset({"USER_DOES_NOT_HAVE_PERMISSIONS"}),
    ),
    Rule(
        {403},
        Verdict.STOP,
        Reason.FORBIDDEN,
        "hubspot forbids the call for connection {connection}; check the key's permissions and "
        "whether this address is blocked",
    ),
    # limits
    Rule(
        {429},
        Verdict.DEFER,
        Reason.DAILY_LIMIT,
        "the daily quota of the portal is used up; the open records wait for the next run",
        policies=frozenset({"DAILY"}),
    ),
    Rule(
        {429},
        Verdict.SLOW,
        Reason.SECOND_LIMIT,
        "hubspot's limit per second was hit",
        policies=frozenset({"SECONDLY"}),
    ),
    Rule({429}, Verdict.SLOW, Reason.BURST_LIMIT, "hubspot's burst limit was hit"),
    Rule(
        {477},
        Verdict.DEFER,
        Reason.MIGRATION,
        "hubspot is moving the account to another data centre; run again after retry-after",
    ),
    Rule({423}, Verdict.SLOW, Reason.LOCKED, "a record is locked by other writes"),
    # the request as a whole is wrong
    Rule(
        {400},
        Verdict.STOP,
        Reason.DUPLICATE_KEYS,
        "the batch names a key twice as hubspot reads keys; make the keys differ by more than case and spaces",
        codes=frozenset({DUPLICATE_IDS}),
    ),
    Rule(
        {400},
        Verdict.STOP,
        Reason.KEY_UNUSABLE,
        "the key property is archived in hubspot, or not unique, which cannot be changed; "
        "restore it, or choose a new key_property and let the sync create it",
        codes=frozenset({UNUSABLE_KEY}),
    ),
    Rule(
        {400, 409},
        Verdict.STOP,
        Reason.WRONG_SETUP,
        "the portal refuses every record: {what}; repair the property or limit in hubspot",
        codes=SETUP_CODES,
    ),
    Rule({400}, Verdict.SPLIT, Reason.BATCH_REFUSED, "hubspot refused the request: {what}"),
    Rule(
        {409},
        Verdict.SPLIT,
        Reason.CONFLICT,
        "a unique value belongs to another contact: {what}",
    ),
    Rule(
        {413, 414},
        Verdict.SPLIT,
        Reason.TOO_LARGE,
        "hubspot finds the request or a contact in it too large",
    ),
    # host, proxy, version
    Rule(
        {404},
        Verdict.STOP,
        Reason.WRONG_ROUTE,
        "hubspot does not know this route; check the host of connection {connection} and the api version",
    ),
    Rule(
        range(300, 400),
        Verdict.STOP,
        Reason.WRONG_HOST,
        "a redirect ({status}) instead of an answer; check the host of connection {connection} and any proxy",
    ),
    Rule(
        {405, 415},
        Verdict.STOP,
        Reason.WRONG_METHOD,
        "something between us and hubspot refuses the call ({status}); check the host of "
        "connection {connection} and any proxy",
    ),
    # trouble: whether the request was applied is unknown
    Rule({408}, Verdict.RETRY, Reason.TIMEOUT, "hubspot gave up waiting", sent=True),
    Rule(
        {502, 504},
        Verdict.SLOW,
        Reason.GATEWAY_TIMEOUT,
        "hubspot hit its processing limit ({status})",
        sent=True,
    ),
    Rule(
        {500, 503, *range(520, 527)},
        Verdict.RETRY,
        Reason.SERVER_ERROR,
        "hubspot has trouble ({status})",
        sent=True,
    ),
    Rule(
        range(500, 600),
        Verdict.RETRY,
        Reason.UNKNOWN_STATUS,
        "unknown status {status}: {what}",
        sent=True,
        capped=True,
    ),
    Rule(
        _ANY,
        Verdict.STOP,
        Reason.UNKNOWN_STATUS,
        "unknown status {status}: {what}; check the host of connection {connection}",
        sent=True,
    ),
)

FAILURES: dict[Reason, Decision] = {
    reason: Decision(Verdict.RETRY, reason, message, sent=sent)
    for reason, message, sent in (
        (
            Reason.CONNECT_FAILED,
            "hubspot cannot be reached; check the host of connection {connection} and the network",
            False,
        ),
        (Reason.CONNECTION_BROKEN, "the connection broke before the answer was complete", True),
        (Reason.TIMEOUT, "no complete answer in time", True),
    )
} | {
    Reason.BAD_CERTIFICATE: Decision(
        Verdict.STOP,
        Reason.BAD_CERTIFICATE,
        "the server at the host of connection {connection} shows no certificate that is trusted; check the host, and "
        "SSL_CERT_FILE of the workers if a proxy signs certificates of its own",
        sent=False,
    )
}
"""Decisions when no status came."""


def decide(status: int, facts: ErrorFacts, *, connection_id: str) -> Decision:
    """Return what a status outside 2xx means.

    A split keeps HubSpot's own code as reason: it ends up with the rejected record.
    """
    rule = next(rule for rule in RULES if rule.fits(status, facts))
    reason = (facts.code or facts.category) if rule.verdict is Verdict.SPLIT else ""
    message = rule.message.format(
        connection=connection_id,
        status=status,
        what=describe(facts),
        scopes=", ".join(facts.scopes) or "the contact scopes",
    )
    return Decision(rule.verdict, reason or rule.reason, message, rule.sent, rule.capped)


def describe(facts: ErrorFacts) -> str:
    """Name code and property; HubSpot's sentence only for rules and without a code.

    Otherwise the code says it all, and the sentence may quote a record's value.
    """
    code = facts.code or facts.category
    what = f"{code} on property {facts.property_name}" if code and facts.property_name else code
    is_plain = facts.code and facts.code != Reason.PORTAL_RULE
    parts = (what, "" if is_plain else facts.text)
    return ": ".join(part for part in parts if part) or "no reason given"


def record_reason(facts: ErrorFacts) -> str:
    """Return the stable code of one refused record.

    A validation error without code is what rules of portal admins send since 2026-09.
    """
    if not facts.code and facts.category == "VALIDATION_ERROR":
        return Reason.PORTAL_RULE
    return facts.code or facts.category or Reason.BATCH_REFUSED


def record_outcome(facts: ErrorFacts) -> Outcome:
    """Return what a refusal within an accepted batch makes of its record.

    Set-up faults and passing trouble leave it to be sent again: alone it either goes through or
    shows that the whole portal refuses.
    """
    passing = facts.code in SETUP_CODES or facts.category in _PASSING_CATEGORIES
    return Outcome.RETRYABLE if passing else Outcome.REJECTED


def is_systemic(refusals: list[ErrorFacts]) -> bool:
    """Say whether refusals that hit every record of a batch blame the portal."""
    alike = {(record_reason(facts), facts.property_name) for facts in refusals}
    if len(alike) != 1:
        return False
    return refusals[0].code in SETUP_CODES or len(refusals) >= SYSTEMIC_ROWS
