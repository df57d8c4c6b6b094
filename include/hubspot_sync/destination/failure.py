"""From an answer that is not settled to the error that says what happens next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.hubspot_sync.destination.protocol import AnswerHead, Reason, Verdict
from include.hubspot_sync.errors import (
    AuthError,
    ConfigError,
    QuotaExhaustedError,
    RateLimitedError,
    SyncError,
    TerminalError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BY_REASON: Mapping[str, type[SyncError]] = {
    Reason.BAD_CREDENTIAL: AuthError,
    Reason.MISSING_SCOPES: AuthError,
    Reason.NO_PERMISSION: AuthError,
    Reason.FORBIDDEN: AuthError,
    Reason.DAILY_LIMIT: QuotaExhaustedError,
}
_BY_VERDICT: Mapping[Verdict, type[SyncError]] = {
    Verdict.RETRY: TransientError,
    Verdict.SLOW: TransientError,
    Verdict.SPLIT: ConfigError,
    Verdict.DEFER: TerminalError,
    Verdict.REAUTH: AuthError,
    Verdict.STOP: ConfigError,
}
_LIMITS = frozenset({Reason.BURST_LIMIT, Reason.SECOND_LIMIT, Reason.LOCKED})


def error_from(answer: AnswerHead) -> SyncError:
    """Return the error for an answer that is not settled, with status and correlation id.

    Raises:
        ValueError: the answer is settled, so there is no error.
    """
    if answer.verdict is Verdict.SETTLED:
        msg = "a settled answer is no error"
        raise ValueError(msg)
    message = _with_correlation(answer)
    if answer.reason in _LIMITS:
        return RateLimitedError(message, policy=answer.policy, retry_after_s=answer.retry_after_s)
    make: Callable[[str], SyncError] = _BY_REASON.get(answer.reason, _BY_VERDICT[answer.verdict])
    return make(message)


def _with_correlation(answer: AnswerHead) -> str:
    message = answer.message or answer.reason
    parts = [
        f"status {answer.status}" if answer.status is not None else "",
        f"correlation id {answer.correlation_id}" if answer.correlation_id else "",
    ]
    where = ", ".join(part for part in parts if part)
    return f"{message} ({where})" if where else message
