"""The dataset versions: files on disk, so that a restart goes on with the same ones."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kaggle_simulator.archives import Variant, write_variant, write_zip
from tools.kaggle_simulator.checksums import Digests, digest_file
from tools.kaggle_simulator.dataset import Dataset, open_plain, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_UPDATE = datetime(2023, 11, 1, 9, 30, tzinfo=UTC)
"""Time of version 1; each later version is a day younger, so that a rebuilt folder is the same."""
_FIRST_GENERATION = 1_698_831_000_000_000
_COPY_BYTES = 1 << 20
_HEADER_BYTES = 4096
_PLAIN, _ARCHIVE, _DETAILS = "plain", "archive.zip", "version.json"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One object of the file storage."""

    path: Path
    digests: Digests
    modified: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the dataset."""

    number: int
    last_updated: str
    """ISO 8601 with Z, as the API states it."""
    notes: str
    columns: tuple[str, ...]
    """Header of the file."""
    plain: StoredFile
    archive: StoredFile


def _write_json(path: Path, content: object) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1), encoding="utf-8")
    part.replace(path)


def _read_columns(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        line = file.readline(_HEADER_BYTES)
    return tuple(line.decode("utf-8", "replace").strip().split(","))


def _stored(path: Path, digests: Digests, number: int, modified: datetime) -> StoredFile:
    return StoredFile(path, digests, modified, _FIRST_GENERATION + number)


def _load_version(folder: Path) -> Version:
    details = json.loads((folder / _DETAILS).read_text(encoding="utf-8"))
    modified = datetime.fromisoformat(details["last_updated"])
    plain, archive = (
        _stored(folder / name, Digests(**details[name]), details["number"], modified) for name in (_PLAIN, _ARCHIVE)
    )
    return Version(
        number=details["number"],
        last_updated=details["last_updated"],
        notes=details["notes"],
        columns=tuple(details["columns"]),
        plain=plain,
        archive=archive,
    )


class VersionStore:
    """All versions of one dataset with one file."""

    def __init__(self, folder: Path, dataset: str, file_name: str) -> None:
        """Open a folder, or start an empty one.

        Raises:
            ValueError: the folder belongs to another dataset or file.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("incoming-*"):
            shutil.rmtree(leftover)
        self.dataset = dataset
        self.file_name = file_name
        self._folder = folder
        self._lock = threading.Lock()
        self._variants: dict[tuple[int, Variant], StoredFile] = {}
        self._versions = {version.number: version for version in map(_load_version, sorted(folder.glob("version-*")))}
        self._current = self._read_state()

    def _read_state(self) -> int:
        path = self._folder / "state.json"
        if not path.is_file():
            return max(self._versions, default=0)
        state = json.loads(path.read_text(encoding="utf-8"))
        if (state["dataset"], state["file"]) != (self.dataset, self.file_name):
            raise ValueError(f"{self._folder} holds {state['dataset']}, file {state['file']}; use another --folder")
        return int(state["current"])

    @property
    def versions(self) -> list[Version]:
        """Return all versions, oldest first."""
        return [self._versions[number] for number in sorted(self._versions)]

    @property
    def current(self) -> Version:
        """Return the version that is current."""
        return self._versions[self._current]

    def find(self, number: int) -> Version | None:
        """Return a version, or None when there is none with this number."""
        return self._versions.get(number)

    def before(self, version: Version) -> Version:
        """Return the version below this one; the lowest one itself."""
        return self._versions[max((n for n in self._versions if n < version.number), default=version.number)]

    def move_to(self, number: int) -> None:
        """Make another version the current one, a newer or an older one.

        Raises:
            ValueError: there is no such version.
        """
        if number not in self._versions:
            raise ValueError(f"there is no version {number}; known are {sorted(self._versions)}")
        state = {"dataset": self.dataset, "file": self.file_name, "current": number}
        _write_json(self._folder / "state.json", state)
        self._current = number

    def add_file(self, source: Path, *, notes: str = "", last_updated: str | None = None) -> Version:
        """Add a CSV or CSV.gz file, unpacked, as the newest version; the current one stays.

        Raises:
            OSError: the file cannot be read or unpacked.
            ValueError: `last_updated` is not a time.
        """

        def copy(target: Path) -> None:
            with open_plain(source) as plain, target.open("wb") as file:
                shutil.copyfileobj(plain, file, _COPY_BYTES)

        return self._add(copy, notes, last_updated)

    def add_dataset(self, dataset: Dataset, *, notes: str = "", last_updated: str | None = None) -> Version:
        """Add a generated dataset as the newest version; the current one stays.

        Raises:
            ValueError: `last_updated` is not a time.
        """
        return self._add(lambda target: write_csv(dataset, target), notes, last_updated)

    def _add(self, write: Callable[[Path], None], notes: str, last_updated: str | None) -> Version:
        with self._lock:
            number = max(self._versions, default=0) + 1
            updated = last_updated or _update_time(number)
            modified = _parse_time(updated)
            incoming = Path(tempfile.mkdtemp(prefix="incoming-", dir=self._folder))
            try:
                write(incoming / _PLAIN)
                self._describe(incoming, number, modified, {"last_updated": updated, "notes": notes})
                # the rename is the commit: a half-written version is never listed
                target = incoming.rename(self._folder / f"version-{number:05d}")
            except BaseException:
                shutil.rmtree(incoming)
                raise
            self._versions[number] = _load_version(target)
            return self._versions[number]

    def _describe(self, folder: Path, number: int, modified: datetime, details: dict[str, object]) -> None:
        """Add the zip and the details of a version to the folder with its plain file."""
        write_zip(folder / _PLAIN, self.file_name, folder / _ARCHIVE)
        for name in (_PLAIN, _ARCHIVE):
            os.utime(folder / name, (modified.timestamp(), modified.timestamp()))
            details[name] = asdict(digest_file(folder / name))
        columns = _read_columns(folder / _PLAIN)
        _write_json(folder / _DETAILS, {"number": number, "columns": columns, **details})

    def variant(self, version: Version, variant: Variant) -> StoredFile:
        """Return another form of a version's file; it is made on first use."""
        with self._lock:
            key = (version.number, variant)
            if key not in self._variants:
                path = version.plain.path.parent / f"variant-{variant}"
                write_variant(variant, version.plain.path, self.file_name, path)
                self._variants[key] = StoredFile(
                    path, digest_file(path), version.plain.modified, version.plain.generation + 500
                )
            return self._variants[key]


def _update_time(number: int) -> str:
    moment = _FIRST_UPDATE + timedelta(days=number - 1)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.1234567Z"


def _parse_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone; end it with Z")
    return moment
