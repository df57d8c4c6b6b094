"""What an answer of Kaggle or of its storage means, as errors that say whether to try again."""

from __future__ import annotations

from include.hubspot_sync.errors import (
    AuthError,
    RateLimitedError,
    SourceDataError,
    SourceUnavailableError,
    TransientError,
)

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 401, 403, 404, 429


class KaggleAuthError(AuthError):
    """The token is wrong, or a newer one has replaced it."""


class KaggleForbiddenError(AuthError):
    """The dataset is private, or its terms were not accepted."""


class KaggleNotFoundError(SourceDataError):
    """The dataset, version or file does not exist."""


class KaggleRateLimitedError(RateLimitedError):
    """Kaggle asked us to slow down; its limits are not published."""


class KaggleServerError(SourceUnavailableError):
    """Kaggle or its storage could not answer."""


class KaggleIntegrityError(SourceUnavailableError):
    """What arrived is not what was promised."""


KaggleError = KaggleAuthError | KaggleForbiddenError | KaggleNotFoundError | KaggleRateLimitedError | KaggleServerError


def error_of_status(status: int, what: str, *, connection_id: str, retry_after_s: float | None = None) -> KaggleError:
    """Return the error for an answer of the API.

    Args:
        status: HTTP status, or the code in the body when the status was 200.
        what: what was asked for, for the message.
        connection_id: Airflow connection that holds the credentials.
        retry_after_s: seconds that the answer asked to wait.
    """
    match status:
        case 401:
            return KaggleAuthError(
                f"kaggle answered 401 for {what}: the token of the connection {connection_id} is wrong or "
                "was replaced by a newer one; put a valid token into its password"
            )
        case 403:
            return KaggleForbiddenError(
                f"kaggle answered 403 for {what}: the dataset is private or its terms are not accepted; "
                f"give the account of the connection {connection_id} access"
            )
        case 404:
            return KaggleNotFoundError(
                f"kaggle answered 404 for {what}: renamed or removed; correct source.dataset or source.file"
            )
        case 429:
            return KaggleRateLimitedError(
                f"kaggle answered 429 for {what}: too many requests; try again later",
                policy="kaggle",
                retry_after_s=retry_after_s,
            )
        case _:
            return KaggleServerError(f"kaggle answered {status} for {what}: try again later")


def is_worth_retrying(error: BaseException, longest_wait_s: float) -> bool:
    """Return whether the same request may succeed soon; a longer Retry-After is left to the next try of the task."""
    if isinstance(error, RateLimitedError):
        return (error.retry_after_s or 0) <= longest_wait_s
    return isinstance(error, TransientError)
