"""Landing in S3: the raw file first, its manifest last and only if there is none; readers start from the manifest."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from include.hubspot_sync.errors import SourceDataError, SourceUnavailableError
from include.hubspot_sync.source.disk_errors import disk_errors_named
from include.hubspot_sync.source.s3_errors import (
    MissingObjectError,
    ObjectExistsError,
    S3Place,
    s3_errors_named,
)

if TYPE_CHECKING:
    from botocore.config import Config

log = logging.getLogger(__name__)

MANIFEST_NAME = "_manifest.json"
COPY_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 1 << 16
MAX_SINGLE_PUT_BYTES = 5 << 30
"""S3 takes no more in one request, and only one request gives a checksum of the whole file."""


class S3Meta(Protocol):
    """What the client knows about itself."""

    @property
    def endpoint_url(self) -> str:
        """Return the address of S3."""


class S3Client(Protocol):
    """The calls of boto3's S3 client that are used here."""

    @property
    def meta(self) -> S3Meta:
        """Return what knows the address."""

    def put_object(self, **kwargs: object) -> Mapping[str, Any]:
        """Write one object."""

    def get_object(self, **kwargs: object) -> Mapping[str, Any]:
        """Read one object."""


def client_config() -> Config:
    """Return the botocore settings of the client: short waits and few retries, because the task retries too."""
    from botocore.config import Config  # noqa: PLC0415 - as boto3, only where it is needed

    return Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known about a landed file; once written only an erasure replaces it."""

    dataset: str
    """As owner/slug."""
    version: int
    last_updated: str
    """Of the dataset, as Kaggle writes it."""
    file: str
    key: str
    """Object key of the data."""
    size_bytes: int
    sha256: str
    """Hex digest of the object."""
    source_md5: str
    """Hex digest of the download, before unpacking."""
    source_etag: str
    source_generation: str
    created_at: str
    """ISO 8601 in UTC."""
    run: str
    """Airflow run that landed the file."""
    rows: int | None = None
    """Data lines, when they were counted before landing."""
    predecessor_sha256: str = ""
    """Hex digest of the object that this one replaced when somebody was erased; empty: it is as it was landed."""
    erased_lines: int = 0
    """Lines that erasures took out of the landed file, all together."""

    def to_json(self) -> str:
        """Return the manifest as it is stored."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes, key: str) -> Manifest:
        """Read a stored manifest.

        Raises:
            SourceDataError: it is damaged; names the key.
        """
        try:
            content = json.loads(text)
            known = {field.name for field in fields(cls)}
            manifest = cls(**{name: value for name, value in content.items() if name in known})
            bytes.fromhex(manifest.sha256)
        except (ValueError, TypeError, AttributeError) as error:
            raise SourceDataError(f"{key}: the manifest is damaged: delete it to land the file again") from error
        return manifest


@dataclass(frozen=True, slots=True)
class LandingKeys:
    """Where a version of a dataset is; its number is in the key, dates only in the manifest."""

    data: str
    manifest: str

    @classmethod
    def of(cls, dataset: str, version: int, file: str) -> LandingKeys:
        """Return the keys of one file of one version."""
        folder = f"raw/kaggle/dataset={dataset.replace('/', '__')}/version={version:05d}"
        return cls(f"{folder}/{file}", f"{folder}/{MANIFEST_NAME}")


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Landing:
    """The landing area of one bucket."""

    client: S3Client
    bucket: str
    connection_id: str = "aws"
    kms_key_id: str | None = None
    """Encrypt with this key instead of the bucket's default."""

    def land(self, path: Path, manifest: Manifest) -> Manifest:
        """Put the file and then its manifest; return the manifest that counts, which may be an older equal one.

        Raises:
            SourceDataError: the version has been landed with other bytes.
            SourceUnavailableError: S3 does not answer.
            ConfigError: bucket or rights are wrong.
        """
        keys = LandingKeys.of(manifest.dataset, manifest.version, manifest.file)
        existing = self.read_manifest(keys.manifest)
        if existing is not None:
            return _same_or_refuse(existing, manifest, keys.manifest)
        self._put_data(path, manifest)
        if self._put_manifest(manifest, keys.manifest):
            log.info("file landed key=%s bytes=%d", manifest.key, manifest.size_bytes)
            return manifest
        winner = self.read_manifest(keys.manifest)
        if winner is None:
            raise SourceUnavailableError(f"{keys.manifest}: the manifest was written and removed meanwhile: try again")
        return _same_or_refuse(winner, manifest, keys.manifest)

    def read_manifest(self, key: str) -> Manifest | None:
        """Return a manifest; None when there is none.

        Raises:
            SyncError: as for `land`.
        """
        try:
            with self._errors_named(key):
                answer = self.client.get_object(Bucket=self.bucket, Key=key)
                with contextlib.closing(answer["Body"]) as body:
                    return Manifest.from_json(body.read(MAX_MANIFEST_BYTES), key)
        except MissingObjectError:
            return None

    def fetch_to_file(self, manifest: Manifest, path: Path) -> None:
        """Copy a landed file to disk and compare its SHA-256 with the manifest.

        Raises:
            SourceDataError: the object is missing, or was overwritten after landing.
            SyncError: as for `land`.
        """
        digest, size = hashlib.sha256(), 0
        with self._errors_named(manifest.key), disk_errors_named(path, manifest.file):
            answer = self.client.get_object(Bucket=self.bucket, Key=manifest.key)
            with contextlib.closing(answer["Body"]) as body, path.open("wb") as output:
                while chunk := body.read(COPY_BYTES):
                    digest.update(chunk)
                    size += output.write(chunk)
        if (digest.hexdigest(), size) != (manifest.sha256, manifest.size_bytes):
            path.unlink()
            raise SourceDataError(
                f"s3://{self.bucket}/{manifest.key}: the object is not the landed one (sha256 differs from "
                "the manifest's): restore its earlier version, or delete the manifest to land it again"
            )

    def replace_data(self, path: Path, manifest: Manifest) -> None:
        """Put other bytes in the place of a landed file; only an erasure does so.

        Raises:
            SyncError: as for `land`.
        """
        self._put_data(path, manifest)

    def replace_manifest(self, manifest: Manifest, key: str) -> None:
        """Put another manifest in the place of the one at `key`; only an erasure does so.

        Raises:
            SyncError: as for `land`.
        """
        with self._errors_named(key):
            self.client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=manifest.to_json().encode(),
                ContentType="application/json",
                **self._encryption(),
            )

    def _put_data(self, path: Path, manifest: Manifest) -> None:
        if manifest.size_bytes > MAX_SINGLE_PUT_BYTES:
            raise SourceDataError(f"{manifest.file}: larger than one S3 request may be: lower max_extracted_bytes")
        digest = bytes.fromhex(manifest.sha256)
        with self._errors_named(manifest.key), path.open("rb") as body:
            self.client.put_object(
                Bucket=self.bucket,
                Key=manifest.key,
                Body=body,
                # S3 compares: a damaged upload is refused, not stored
                ChecksumSHA256=base64.b64encode(digest).decode(),
                ContentType="text/csv",
                Metadata={"sha256": manifest.sha256},
                **self._encryption(),
            )

    def _put_manifest(self, manifest: Manifest, key: str) -> bool:
        """Write the manifest unless there is one; return whether it was written."""
        try:
            with self._errors_named(key):
                self.client.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=manifest.to_json().encode(),
                    ContentType="application/json",
                    IfNoneMatch="*",
                    **self._encryption(),
                )
        except ObjectExistsError:
            return False
        return True

    def _errors_named(self, key: str) -> contextlib.AbstractContextManager[None]:
        endpoint = self.client.meta.endpoint_url
        return s3_errors_named(S3Place(self.bucket, key, endpoint, self.connection_id))

    def _encryption(self) -> dict[str, str]:
        if self.kms_key_id is None:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id}


def _same_or_refuse(existing: Manifest, wanted: Manifest, key: str) -> Manifest:
    """Return the existing manifest when it stands for the same bytes."""
    if existing.sha256 != wanted.sha256:
        raise SourceDataError(
            f"{key}: version {wanted.version} was landed before with other bytes "
            f"(sha256 {existing.sha256[:12]}…, now {wanted.sha256[:12]}…): a version must not change; "
            "find out why, then delete the manifest to land it again"
        )
    return existing
