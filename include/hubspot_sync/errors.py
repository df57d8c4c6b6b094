"""Every error the product raises, named by what happens next.

SyncError
├── ConfigError                 stop before any work; a person fixes the file or the setting
├── TransientError              retry the same work with backoff
│   ├── RateLimitedError        after `retry_after_s`
│   ├── SourceUnavailableError
│   ├── StoreUnavailableError
│   ├── LockHeldError           another run writes to this portal
│   └── LeaseLostError          the batch belongs to another try now
├── RecordRejectedError         isolate the record, keep the batch going
└── TerminalError               stop the run
    ├── AuthError
    ├── SourceDataError         the file must not be loaded
    ├── GuardError              the numbers are suspicious; a person approves or fixes the source
    ├── QuotaExhaustedError     the portal's daily quota is used up; the next run continues
    ├── PlanMovedOnError        a stored plan no longer fits; a person looks at a new one
    ├── SupersededError         a newer run took over; nothing was written
    └── IncompleteRunError      something is still open or differs at the end
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of all errors. The message is one lower-case line: what, where, what to do; no secret."""


class ConfigError(SyncError):
    """A definition, connection or setting is wrong; nothing has been done yet."""


class TransientError(SyncError):
    """The same work may succeed later."""


class RateLimitedError(TransientError):
    """A service asked us to slow down."""

    def __init__(self, message: str, *, policy: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.policy = policy
        self.retry_after_s = retry_after_s


class SourceUnavailableError(TransientError):
    """Kaggle or S3 cannot be reached, or sent something damaged."""


class StoreUnavailableError(TransientError):
    """MySQL cannot be reached, or gave up on a lock."""


class LockHeldError(TransientError):
    """Another run holds the run lock of this portal and sync, or its requests are still draining."""

    def __init__(self, message: str, *, wait_s: float = 0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class LeaseLostError(TransientError):
    """The batch was claimed by another try, or the run lock by another run."""


class RecordRejectedError(SyncError):
    """One record cannot be delivered; the others can."""

    def __init__(self, message: str, *, reason: str, key_text: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.key_text = key_text


class TerminalError(SyncError):
    """The run must stop; a retry would fail the same way."""


class AuthError(TerminalError):
    """A credential is missing, wrong or lacks a scope."""


class SourceDataError(TerminalError):
    """The source file or dataset is not what the sync definition expects."""


class GuardError(TerminalError):
    """A plausibility guard stopped the run before any write."""


class QuotaExhaustedError(TerminalError):
    """The portal's daily quota is used up; open rows stay pending for the next run."""


class PlanMovedOnError(TerminalError):
    """The plan that was to be applied is not what the run would do now; nothing was sent."""


class SupersededError(TerminalError):
    """A newer run has planned these records; this one must not write."""


class IncompleteRunError(TerminalError):
    """The run ended with open, unverified or mismatched rows."""
