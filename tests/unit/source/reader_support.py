"""Runs a file through unpacking and validation, with the definition of the baby names."""

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.hubspot_sync.config import SYNCS_DIR, Record, Source, load_definition
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.source.archive import Packing, unpack
from include.hubspot_sync.source.csv_reader import FileCheck, validate_file

DEFINITION = load_definition(SYNCS_DIR / "baby_names.yaml")
SOURCE: Source = DEFINITION.source
RECORD: Record = DEFINITION.record
FILE = SOURCE.file
HEADER = b"YearOfBirth,Name,Sex,Number\n"
GOOD = b"1880,Mary,F,7065\n"
TODAY = date(2026, 6, 1)


@dataclass(frozen=True)
class Reading:
    """What came out of a file."""

    check: FileCheck
    rejected: list[RejectedLine]
    clean: bytes
    packing: Packing

    @property
    def lines(self) -> list[str]:
        return self.clean.decode().split("\n")[:-1]

    @property
    def reasons(self) -> list[str]:
        return [line.reason for line in self.rejected]


def read(
    content: bytes,
    folder: Path,
    *,
    source: Source = SOURCE,
    record: Record = RECORD,
    max_rejects: int = 100,
    expected_bytes: int | None = None,
) -> Reading:
    path = folder / "download"
    path.write_bytes(content)
    return read_path(
        path,
        folder,
        source=source,
        record=record,
        max_rejects=max_rejects,
        expected_bytes=expected_bytes,
    )


def read_path(
    path: Path,
    folder: Path,
    *,
    source: Source = SOURCE,
    record: Record = RECORD,
    max_rejects: int = 100,
    expected_bytes: int | None = None,
) -> Reading:
    unpacked = unpack(path, source, folder)
    rejected: list[RejectedLine] = []
    clean_path = folder / "clean.csv"
    check = validate_file(
        unpacked.path,
        source,
        record,
        clean_path,
        rejected.append,
        max_rejects=max_rejects,
        expected_bytes=expected_bytes,
        today=lambda: TODAY,
    )
    return Reading(check, rejected, clean_path.read_bytes(), unpacked.packing)


def zipped(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
