"""Streams a file from Kaggle's storage to disk, resumes it, and believes nothing before length and md5 agree."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.disk_errors import disk_errors_named
from include.hubspot_sync.source.kaggle_errors import (
    NOT_FOUND,
    TOO_MANY,
    KaggleIntegrityError,
    KaggleRateLimitedError,
    KaggleServerError,
)
from include.hubspot_sync.source.sniff import HEAD_BYTES, HTML_MESSAGE, ContentKind, sniff

CHUNK_BYTES = 1 << 16
"""What is lost at most when a download breaks off."""
OK, PARTIAL, RANGE_NOT_SATISFIABLE = 200, 206, 416

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_MD5_ETAG = re.compile(r'"([0-9a-f]{32})"')
_NOT_DATA = ("text/html", "application/xhtml", "application/xml", "text/xml", "application/json")


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A file on disk that is complete and has the promised checksum."""

    path: Path
    size_bytes: int
    md5: str
    """Hex digest."""
    etag: str
    generation: str
    is_zip: bool
    """By its first bytes; the storage may pack a single file."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """What the storage says about the whole file."""

    etag: str
    generation: str
    md5: str
    """Empty when it says none."""
    size_bytes: int | None
    may_resume: bool

    @classmethod
    def of(cls, headers: Mapping[str, str], size_bytes: int | None) -> _Promise:
        etag = headers.get("ETag", "")
        return cls(
            etag=etag,
            generation=headers.get("x-goog-generation", ""),
            md5=_md5_of(headers.get("x-goog-hash", "")) or _md5_of_etag(etag),
            size_bytes=size_bytes,
            may_resume=headers.get("Accept-Ranges") == "bytes" and etag.startswith('"'),
        )


def _md5_of(goog_hash: str) -> str:
    """Return the md5 of `crc32c=…,md5=…` as hex, empty when there is none."""
    for part in goog_hash.split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            try:
                return base64.b64decode(value, validate=True).hex()
            except binascii.Error:
                return ""
    return ""


def _md5_of_etag(etag: str) -> str:
    match = _MD5_ETAG.fullmatch(etag)
    return match[1] if match else ""


def _size_of(headers: Mapping[str, str]) -> int | None:
    value = headers.get("Content-Length", "")
    return int(value) if value.isascii() and value.isdigit() else None


@dataclass(slots=True)
class PartialFile:
    """The part of a file that is on disk; it outlives one attempt, so that the next one can go on."""

    path: Path
    name: str
    max_bytes: int
    size_bytes: int = 0
    _promise: _Promise | None = None
    _md5: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))

    def request_headers(self) -> dict[str, str]:
        """Return the headers of the next request; If-Range makes a changed file come whole."""
        # without identity the md5 and length would be those of a body packed for the transport
        headers = {"Accept-Encoding": "identity"}
        if self.size_bytes and self._promise and self._promise.may_resume:
            headers["Range"] = f"bytes={self.size_bytes}-"
            headers["If-Range"] = self._promise.etag
        return headers

    def take(self, response: requests.Response) -> DownloadedFile:
        """Write the answer to disk and verify the whole file.

        Raises:
            KaggleServerError: the storage refused, or the link had expired; what is on disk stays.
            KaggleIntegrityError: the bytes are not the promised ones; the part on disk is dropped.
            SourceDataError: the file is larger than the definition allows.
        """
        try:
            _check_status(response, self.name)
            _check_kind(response, self.name)
            promise = self._join(response)
            self._check_limit(promise.size_bytes or 0)
            self._write(response)
            return self._verified(promise)
        except (KaggleIntegrityError, SourceDataError):
            self.drop()
            raise

    def drop(self) -> None:
        """Forget the part on disk."""
        self.path.unlink(missing_ok=True)
        self.size_bytes = 0
        self._promise = None
        self._md5 = hashlib.md5(usedforsecurity=False)

    def _join(self, response: requests.Response) -> _Promise:
        """Decide whether the answer goes on where the part on disk ends, or starts again."""
        if response.status_code == PARTIAL:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            same_file = self._promise and response.headers.get("ETag") == self._promise.etag
            if not match or int(match[1]) != self.size_bytes or not self._promise or not same_file:
                raise KaggleIntegrityError(
                    f"{self.name}: the storage continued another file or at another place: download again"
                )
            return self._promise
        self.drop()
        self._promise = _Promise.of(response.headers, _size_of(response.headers))
        if self._promise.size_bytes is None and not self._promise.md5:
            raise KaggleIntegrityError(
                f"{self.name}: the storage gave neither length nor md5, so the file cannot be verified: download again"
            )
        return self._promise

    def _write(self, response: requests.Response) -> None:
        with disk_errors_named(self.path, self.name), self.path.open("ab") as output:
            for chunk in response.iter_content(CHUNK_BYTES):
                self._check_limit(self.size_bytes + len(chunk))
                output.write(chunk)
                output.flush()
                self._md5.update(chunk)
                self.size_bytes += len(chunk)

    def _check_limit(self, size: int) -> None:
        if size > self.max_bytes:
            raise SourceDataError(
                f"{self.name}: larger than {self.max_bytes} bytes: refused; raise max_file_bytes if the file is genuine"
            )

    def _verified(self, promise: _Promise) -> DownloadedFile:
        if promise.size_bytes is not None and self.size_bytes < promise.size_bytes:
            # what came is good as far as it goes: the next attempt asks for the rest
            raise KaggleServerError(f"{self.name}: {self.size_bytes} of {promise.size_bytes} bytes arrived: try again")
        if not self.size_bytes:
            raise KaggleIntegrityError(f"{self.name}: 0 bytes arrived: check the dataset on kaggle")
        if promise.size_bytes is not None and self.size_bytes > promise.size_bytes:
            raise KaggleIntegrityError(f"{self.name}: more bytes than announced: download again")
        md5 = self._md5.hexdigest()
        if promise.md5 and md5 != promise.md5:
            raise KaggleIntegrityError(f"{self.name}: md5 differs from the storage's: download again")
        kind = self._kind()
        return DownloadedFile(
            path=self.path,
            size_bytes=self.size_bytes,
            md5=md5,
            etag=promise.etag,
            generation=promise.generation,
            is_zip=kind is ContentKind.ZIP,
        )

    def _kind(self) -> ContentKind:
        """Look at the first bytes: a login page may come with any content type."""
        with self.path.open("rb") as stream:
            kind = sniff(stream.read(HEAD_BYTES))
        if kind is ContentKind.HTML:
            raise KaggleIntegrityError(f"{self.name}: {HTML_MESSAGE}")
        if kind in (ContentKind.XML, ContentKind.JSON):
            raise KaggleIntegrityError(f"{self.name}: got {kind} instead of CSV: download again")
        return kind


def _check_status(response: requests.Response, name: str) -> None:
    status = response.status_code
    if status in (OK, PARTIAL):
        return
    if status == TOO_MANY:
        raise KaggleRateLimitedError(f"{name}: the storage answered 429: try again later", policy="storage")
    if status == RANGE_NOT_SATISFIABLE:
        raise KaggleIntegrityError(f"{name}: the storage has less than is on disk: download again")
    what = "not found" if status == NOT_FOUND else "refused or its link has expired"
    raise KaggleServerError(f"{name}: the storage answered {status}, {what}: try again")


def _check_kind(response: requests.Response, name: str) -> None:
    """Look at the headers before the body."""
    content_type = response.headers.get("Content-Type", "").lower()
    if "html" in content_type:
        raise KaggleIntegrityError(f"{name}: {HTML_MESSAGE}")
    if content_type.startswith(_NOT_DATA):
        raise KaggleIntegrityError(f"{name}: got {content_type[:40]!a} instead of CSV: download again")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise KaggleIntegrityError(
            f"{name}: the storage packed the file for the transport although asked not to: download again"
        )
