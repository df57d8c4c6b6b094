"""What Kaggle's JSON answers say, as typed values; fields with default values are left out by Kaggle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from include.hubspot_sync.source.kaggle_errors import KaggleIntegrityError, KaggleNotFoundError

READY = "ready"


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """What Kaggle says about a version."""

    version: int
    last_updated: str
    """As Kaggle writes it: ISO 8601 with Z and up to nine fraction digits."""
    total_bytes: int | None
    status: str
    """Lower case without prefix, e.g. `ready`; empty when Kaggle does not say."""
    is_newest: bool = True
    """Whether it is the one that Kaggle offers at present."""

    @property
    def is_ready(self) -> bool:
        """Return whether the files of the version can be downloaded; an unknown status is given a try."""
        return self.status in ("", READY)


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """One file of a dataset version."""

    name: str
    size_bytes: int | None


def read_version(answer: dict[str, Any], dataset: str, number: int | None = None) -> DatasetVersion:
    """Read what the answer of GetDataset says of the newest version, or of the one with this number.

    Raises:
        KaggleIntegrityError: it names no version.
        KaggleNotFoundError: it does not name the wanted one.
    """
    version = whole_number(answer.get("currentVersionNumber"))
    if not version:
        raise KaggleIntegrityError(f"kaggle GetDataset of {dataset}: the answer has no version number: try again later")
    entries = {whole_number(entry.get("versionNumber")): entry for entry in answer.get("versions") or ()}
    if number is None or number == version:
        return DatasetVersion(
            version=version,
            last_updated=str(answer.get("lastUpdated") or ""),
            total_bytes=whole_number(answer.get("totalBytes")),
            status=plain_status(entries.get(version, {}).get("status")),
        )
    if number not in entries:
        known = ", ".join(str(known) for known in sorted(entry for entry in entries if entry)) or "not told"
        raise KaggleNotFoundError(
            f"kaggle has no version {number} of {dataset}: correct dataset_version; known: {known}"
        )
    entry = entries[number]
    return DatasetVersion(
        version=number,
        last_updated=str(entry.get("creationDate") or ""),
        total_bytes=None,
        status=plain_status(entry.get("status")),
        is_newest=False,
    )


def plain_status(value: object) -> str:
    """Return a status in lower case without the prefix that some answers carry."""
    text = str(value or "").lower()
    return READY if text.rpartition("_")[2] == READY else text


def whole_number(value: object) -> int | None:
    """Return a number that JSON may hold as text, as 64-bit numbers often are; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def error_code(answer: dict[str, Any]) -> int:
    """Return the code of `{"code": …}` or `{"error": {"code": …}}`; 0 when there is none."""
    inner = answer.get("error")
    holder = inner if isinstance(inner, dict) else answer
    return whole_number(holder.get("code")) or 0
