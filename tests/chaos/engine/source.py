"""The dataset: versions that a test publishes, as `land` and `stage` ask for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.source.kaggle_answers import DatasetVersion
from include.hubspot_sync.source.landing import LandingKeys, Manifest

HEADER = "YearOfBirth,Name,Sex,Number\n"


@dataclass
class Dataset:
    """Every version of the file; stands for Kaggle and for S3, in which each version has landed already."""

    definition: SyncDefinition
    versions: list[dict[str, int]] = field(default_factory=list)

    def publish(self, births: Mapping[str, int]) -> None:
        """Make a new version: name → births."""
        self.versions.append(dict(births))

    @property
    def current(self) -> dict[str, int]:
        """Return the newest version."""
        return self.versions[-1]

    def get_dataset_version(self, _number: int | None = None) -> DatasetVersion:
        """Answer as Kaggle does."""
        return self._version(len(self.versions))

    def _version(self, number: int) -> DatasetVersion:
        return DatasetVersion(number, f"2026-01-01T00:00:{number:02d}Z", None, "ready")

    def read_manifest(self, key: str) -> Manifest | None:
        """Answer as the landing zone does."""
        for number in range(1, len(self.versions) + 1):
            keys = LandingKeys.of(self.definition.source.dataset, number, self.definition.source.file)
            if keys.manifest == key:
                return self._manifest(number, keys)
        return None

    def _manifest(self, number: int, keys: LandingKeys) -> Manifest:
        content = self._content(number)
        return Manifest(
            dataset=self.definition.source.dataset,
            version=number,
            last_updated=self._version(number).last_updated,
            file=self.definition.source.file,
            key=keys.data,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            source_md5="",
            source_etag="",
            source_generation="",
            created_at="",
            run="",
        )

    def _content(self, number: int) -> bytes:
        rows = [f"1900,{name},F,{births}\n" for name, births in self.versions[number - 1].items()]
        return "".join([HEADER, *rows]).encode()

    def fetch_to_file(self, manifest: Manifest, path: Path) -> None:
        """Write a version's file."""
        path.write_bytes(self._content(manifest.version))
