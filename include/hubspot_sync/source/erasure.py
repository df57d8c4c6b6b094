"""Take one person out of the landed files.

They are rewritten without the person's lines, under a manifest that names its predecessor, and every older version of
an object is deleted. It needs more rights than the tasks have: listing the bucket's objects and versions below `raw/`,
and deleting versions.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from include.hubspot_sync.config import Record, Source
from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.csv_reader import lines_of_key
from include.hubspot_sync.source.disk_errors import disk_errors_named
from include.hubspot_sync.source.landing import COPY_BYTES, MANIFEST_NAME, Landing, LandingKeys, Manifest, sha256_of
from include.hubspot_sync.source.line_blocks import LineBlocks, open_regular_file
from include.hubspot_sync.source.notes import Note
from include.hubspot_sync.source.s3_errors import MissingObjectError, S3Place, s3_errors_named

log = logging.getLogger(__name__)

_RUN = "erase"


class ErasingClient(Protocol):
    """The calls of boto3's S3 client that only an erasure makes."""

    def list_object_versions(self, **kwargs: object) -> Mapping[str, Any]:
        """List some versions of the objects below a prefix."""

    def delete_object(self, **kwargs: object) -> Mapping[str, Any]:
        """Delete one version of an object."""


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of one object."""

    key: str
    version_id: str
    is_latest: bool


@dataclass(frozen=True, slots=True)
class LandedErasure:
    """What was done to the landed files of a dataset."""

    files: int
    """Files that held the person and were written anew."""
    lines: int
    """Lines that were taken out of them."""
    old_versions: int
    """Versions of objects that were deleted."""


def erase_from_landing(landing: Landing, source: Source, record: Record, key_text: str, folder: Path) -> LandedErasure:
    """Take a person out of every landed version of a dataset; repeating it completes what was broken off.

    Args:
        landing: The landing area, with a client that may list and delete.
        source: The dataset.
        record: How its lines make a key.
        key_text: Key of the person's record.
        folder: Room for the largest file, twice.

    Raises:
        SourceDataError: a landed file is damaged.
        SyncError: S3 cannot be used, or a right is missing.
    """
    prefix = LandingKeys.of(source.dataset, 0, source.file).manifest.rpartition("version=")[0]
    manifests = sorted(
        version.key
        for version in _versions(landing, prefix)
        if version.is_latest and version.key.endswith(MANIFEST_NAME)
    )
    done = [_erase_from_file(landing, key, source, record, key_text, folder) for key in manifests]
    removed = _delete_old_versions(landing, prefix)
    return LandedErasure(files=sum(map(bool, done)), lines=sum(done), old_versions=removed)


def _erase_from_file(
    landing: Landing, manifest_key: str, source: Source, record: Record, key_text: str, folder: Path
) -> int:
    """Return how many lines were taken out of one landed file."""
    manifest = landing.read_manifest(manifest_key)
    if manifest is None or manifest.file != source.file:
        return 0
    raw, kept = folder / "landed.csv", folder / "kept.csv"
    try:
        if not _fetch(landing, manifest, raw):
            return 0
        lines = lines_of_key(raw, source, record, key_text, folder / "scratch.csv")
        if not lines and sha256_of(raw) == manifest.sha256:
            return 0
        _copy_without(raw, kept, lines, source.file)
        if sha256_of(raw) == manifest.sha256:
            manifest = _replace_manifest(landing, manifest_key, manifest, kept, erased_lines=len(lines))
        elif sha256_of(kept) != manifest.sha256:
            raise SourceDataError(
                f"s3://{landing.bucket}/{manifest.key}: the erasure of somebody else broke off: repeat that one first"
            )
        landing.replace_data(kept, manifest)
        log.info("landed file rewritten key=%s lines=%d", manifest.key, len(lines))
        return len(lines)
    finally:
        raw.unlink(missing_ok=True)
        kept.unlink(missing_ok=True)


def _fetch(landing: Landing, manifest: Manifest, path: Path) -> bool:
    """Bring the landed bytes; False when there are none.

    An erasure that broke off between manifest and file has left the predecessor's bytes, which are taken as well.

    Raises:
        SourceDataError: the bytes are neither.
    """
    try:
        with _errors_named(landing, manifest.key), disk_errors_named(path, manifest.file):
            answer = landing.client.get_object(Bucket=landing.bucket, Key=manifest.key)
            with contextlib.closing(answer["Body"]) as body, path.open("wb") as output:
                while chunk := body.read(COPY_BYTES):
                    output.write(chunk)
    except MissingObjectError:
        return False
    if sha256_of(path) not in {manifest.sha256, manifest.predecessor_sha256}:
        raise SourceDataError(
            f"s3://{landing.bucket}/{manifest.key}: the object is not the landed one: restore its earlier version, or "
            "delete object and manifest, then erase again"
        )
    return True


def _copy_without(raw: Path, kept: Path, lines: frozenset[int], name: str) -> None:
    """Copy a file as UTF-8 with LF line ends, without some of its lines."""
    notes: Counter[Note] = Counter()
    with open_regular_file(raw, name) as stream, disk_errors_named(kept, name), kept.open("wb") as output:
        for block in LineBlocks(stream, name, notes):
            *whole, rest = block.content.split(b"\n")
            for line_no, line in enumerate(whole, block.first_line):
                if line_no not in lines:
                    output.write(line + b"\n")
            if block.first_line + len(whole) not in lines:
                output.write(rest)


def _replace_manifest(
    landing: Landing, manifest_key: str, manifest: Manifest, kept: Path, *, erased_lines: int
) -> Manifest:
    """Write the manifest before the file: a program that dies in between is found out by `stage`, and made up for."""
    fresh = replace(
        manifest,
        size_bytes=kept.stat().st_size,
        sha256=sha256_of(kept),
        created_at=datetime.now(tz=UTC).isoformat(),
        run=_RUN,
        rows=None,
        predecessor_sha256=manifest.sha256,
        erased_lines=manifest.erased_lines + erased_lines,
    )
    landing.replace_manifest(fresh, manifest_key)
    return fresh


def _delete_old_versions(landing: Landing, prefix: str) -> int:
    client = cast("ErasingClient", landing.client)
    old = [version for version in _versions(landing, prefix) if not version.is_latest]
    for version in old:
        with _errors_named(landing, version.key):
            client.delete_object(Bucket=landing.bucket, Key=version.key, VersionId=version.version_id)
    return len(old)


def _versions(landing: Landing, prefix: str) -> Iterator[_Version]:
    """Yield every version of every object below a prefix; a delete marker is no version."""
    client = cast("ErasingClient", landing.client)
    place: dict[str, object] = {}
    while True:
        with _errors_named(landing, prefix):
            page = client.list_object_versions(Bucket=landing.bucket, Prefix=prefix, **place)
        for entry in page.get("Versions", ()):
            yield _Version(entry["Key"], entry["VersionId"], bool(entry["IsLatest"]))
        if not page.get("IsTruncated"):
            return
        place = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def _errors_named(landing: Landing, key: str) -> contextlib.AbstractContextManager[None]:
    return s3_errors_named(S3Place(landing.bucket, key, landing.client.meta.endpoint_url, landing.connection_id))
