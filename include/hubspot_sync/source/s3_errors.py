"""What an error of S3 means, as errors that say whether to try again or what to set right."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.hubspot_sync.errors import (
    ConfigError,
    SourceDataError,
    SourceUnavailableError,
    SyncError,
)


class MissingObjectError(SourceDataError):
    """There is no object with this key."""


class ObjectExistsError(SourceDataError):
    """A conditional write found an object."""


_MISSING = {"NoSuchKey", "404"}
_EXISTS = {"PreconditionFailed", "412"}
_FIXES = {
    "NoSuchBucket": "the bucket does not exist: create it or correct service_config.s3.bucket_name",
    "AccessDenied": "access is denied: allow s3:GetObject, s3:PutObject and s3:ListBucket (and the KMS key)",
    "InvalidAccessKeyId": "the access key is unknown: put a valid one into the connection",
    "SignatureDoesNotMatch": "the secret key is wrong: put the right one into the connection",
    "ExpiredToken": "the session token has expired: renew it",
    "InvalidToken": "the session token is not valid: renew it",
    "PermanentRedirect": "the bucket is in another region: correct region_name of the connection",
    "AuthorizationHeaderMalformed": "the bucket is in another region: correct region_name of the connection",
    "InvalidBucketName": "the bucket name is not valid: correct service_config.s3.bucket_name",
    "KMS.NotFoundException": "the KMS key does not exist: correct its id",
    "KMS.DisabledException": "the KMS key is disabled: enable it",
}
_FIXES |= {
    "AllAccessDisabled": _FIXES["AccessDenied"],
    "Forbidden": _FIXES["AccessDenied"],
    "403": _FIXES["AccessDenied"],
    "IllegalLocationConstraintException": _FIXES["PermanentRedirect"],
}
_TRANSIENT = {
    "BadDigest": "the upload was damaged on the way",
    "XAmzContentSHA256Mismatch": "the upload was damaged on the way",
    "IncompleteBody": "the upload was cut on the way",
    "ConditionalRequestConflict": "another write of this key is under way",
    "OperationAborted": "another write of this key is under way",
    "RequestTimeTooSkewed": "the clocks differ by more than 15 minutes",
}
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "doesn't match")
"""What OpenSSL says of an unknown authority, and urllib3 of another host's certificate."""
_FIRST_SERVER_ERROR, _TOO_MANY = 500, 429


@dataclass(frozen=True, slots=True)
class S3Place:
    """What a message names: never a credential."""

    bucket: str
    key: str
    endpoint: str
    connection_id: str

    def __str__(self) -> str:
        """Return object, address and connection."""
        return f"s3://{self.bucket}/{self.key} at {self.endpoint} (connection {self.connection_id})"


@contextlib.contextmanager
def s3_errors_named(place: S3Place) -> Iterator[None]:
    """Turn errors of boto3 into ours.

    Raises:
        SourceUnavailableError: S3 does not answer or is overloaded.
        ConfigError: bucket, credentials or rights are wrong; says what to set.
        MissingObjectError: there is no such object.
        ObjectExistsError: a conditional write found one.
    """
    from botocore import exceptions as boto  # noqa: PLC0415 - as boto3, only where it is needed

    try:
        yield
    except boto.ClientError as error:
        raise _error_of(error.response, place) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise ConfigError(f"{place}: no credentials: put them into the connection") from error
    except boto.SSLError as error:
        if not any(words in str(error) for words in _UNTRUSTED):
            raise SourceUnavailableError(f"{place}: the TLS connection broke: try again later") from error
        raise ConfigError(
            f"{place}: the server's certificate is not trusted: check endpoint_url and `verify` of the connection"
        ) from error
    except (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError) as error:
        # also covers refused connections, timeouts and bodies that break off
        raise SourceUnavailableError(
            f"{place}: no complete answer ({type(error).__name__}): check address and network"
        ) from error
    except boto.BotoCoreError as error:
        raise ConfigError(
            f"{place}: the request cannot be made ({type(error).__name__}): check the connection"
        ) from error


def _error_of(response: Mapping[str, Any], place: S3Place) -> SyncError:
    """Return the error for a refusal of S3."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return MissingObjectError(f"{place}: the object does not exist: land the file again")
    if code in _EXISTS:
        return ObjectExistsError(f"{place}: the object exists already")
    if code in _FIXES:
        return ConfigError(f"{place}: {_FIXES[code]}")
    if code in _TRANSIENT:
        return SourceUnavailableError(f"{place}: {_TRANSIENT[code]} ({code}): try again")
    if status >= _FIRST_SERVER_ERROR or status == _TOO_MANY or code in ("SlowDown", "RequestTimeout"):
        return SourceUnavailableError(f"{place}: S3 answered {code or status}: try again later")
    return ConfigError(f"{place}: S3 refused with {code or status}: check bucket and rights")
