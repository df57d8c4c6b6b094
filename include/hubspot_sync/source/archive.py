"""Unpacks a downloaded file: zip or gzip, told by the first bytes, within limits and in constant memory.

Archives come from outside. Member names are compared, never used as paths; whatever is unusual is refused.
"""

from __future__ import annotations

import contextlib
import enum
import gzip
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from include.hubspot_sync.config import Source
from include.hubspot_sync.errors import SourceDataError, SourceUnavailableError
from include.hubspot_sync.source.disk_errors import disk_errors_named
from include.hubspot_sync.source.line_blocks import open_regular_file
from include.hubspot_sync.source.sniff import HEAD_BYTES, ContentKind, sniff

UNPACKED_NAME = "unpacked.csv"
COPY_BYTES = 1 << 18
RATIO_FREE_BYTES = 1 << 20
"""Below this size the compression ratio is not judged: a short, repetitive file is no bomb."""
MAX_DIRECTORY_BYTES = 1 << 20
"""Largest list of members; `zipfile` reads it into memory as a whole."""
SHOWN_NAMES = 10

_END_RECORD = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_ZIP64_MAGIC = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Packing(enum.StrEnum):
    """How the file was packed."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """A file ready for validation."""

    path: Path
    size_bytes: int
    packing: Packing


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpack(path: Path, source: Source, folder: Path) -> UnpackedFile:
    """Unpack a download into `folder`; a plain file stays where it is.

    Raises:
        SourceUnavailableError: the archive is cut; a new download may help.
        SourceDataError: the archive is damaged, hostile, or does not hold exactly the expected file.
    """
    with open_regular_file(path, source.file) as stream:
        size_bytes = os.fstat(stream.fileno()).st_size
        kind = sniff(stream.read(HEAD_BYTES))
        stream.seek(0)
        target = folder / UNPACKED_NAME
        match kind:
            case ContentKind.ZIP:
                with _damage_named(source.file, "zip"):
                    size = _unzip(stream, source, target)
                return UnpackedFile(target, size, Packing.ZIP)
            case ContentKind.GZIP:
                with _damage_named(source.file, "gzip"), gzip.GzipFile(fileobj=stream) as content:
                    size = _Limits.of(source, size_bytes).copy(content, target)
                return UnpackedFile(target, size, Packing.GZIP)
            case _:
                return UnpackedFile(path, size_bytes, Packing.PLAIN)


def _unzip(stream: IO[bytes], source: Source, target: Path) -> int:
    """Extract the only member and return its size in bytes."""
    _check_directory(stream, source.file)
    with zipfile.ZipFile(stream) as archive:
        member = _only_member(archive.infolist(), source.file)
        limits = _Limits.of(source, member.compress_size)
        limits.check(member.file_size)
        with archive.open(member) as content:
            return limits.copy(content, target)


def _check_directory(stream: IO[bytes], name: str) -> None:
    """Look at the end record before `zipfile` reads the list of members into memory."""
    tail_bytes = _END_RECORD.size + (1 << 16)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - tail_bytes))
    tail = stream.read(tail_bytes)
    start = tail.rfind(_END_MAGIC)
    if start < 0 or len(tail) - start < _END_RECORD.size:
        raise SourceUnavailableError(f"{name}: the zip is cut, its end is missing: download it again")
    directory_bytes = _END_RECORD.unpack_from(tail, start)[5]
    # a zip64 record would overrule this number; one file below 4 GiB needs none
    is_zip64 = tail[max(0, start - _ZIP64_LOCATOR_BYTES) : start].startswith(_ZIP64_MAGIC)
    if directory_bytes > MAX_DIRECTORY_BYTES or is_zip64:
        raise SourceDataError(
            f"{name}: the zip's list of members is too long for one file: refused, pack only the one file"
        )


def _only_member(members: list[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """Return the member, which must be the only one and have exactly the expected name."""
    if len(members) != 1 or members[0].filename != name:
        names = ", ".join(ascii(member.filename[:80]) for member in members[:SHOWN_NAMES])
        raise SourceDataError(
            f"{name}: the zip must hold exactly this file but holds {len(members)}: "
            f"{names or 'nothing'}; fix the dataset or source.file"
        )
    member = members[0]
    mode = member.external_attr >> 16
    refusals = (
        (bool(member.flag_bits & 0x1), "is encrypted"),
        (stat.S_IFMT(mode) not in (0, stat.S_IFREG), "is no regular file"),
        (member.compress_type not in _METHODS, "uses an unknown compression"),
    )
    for is_so, what in refusals:
        if is_so:
            raise SourceDataError(f"{name}: the zip's member {what}: refused, pack it plainly")
    return member


@dataclass(frozen=True, slots=True)
class _Limits:
    name: str
    max_bytes: int
    max_ratio: int
    packed_bytes: int

    @classmethod
    def of(cls, source: Source, packed_bytes: int) -> _Limits:
        return cls(source.file, source.max_extracted_bytes, source.max_zip_ratio, packed_bytes)

    def check(self, size: int) -> None:
        """Refuse a size that is too large by itself or for what it was packed from."""
        if size > self.max_bytes:
            raise SourceDataError(
                f"{self.name}: unpacks to more than {self.max_bytes} bytes: refused; "
                "raise max_extracted_bytes if the file is genuine"
            )
        if size > max(RATIO_FREE_BYTES, self.max_ratio * self.packed_bytes):
            raise SourceDataError(
                f"{self.name}: unpacks to more than {self.max_ratio} times its size: refused as "
                "a zip bomb; raise max_zip_ratio if the file is genuine"
            )

    def copy(self, content: _Readable, target: Path) -> int:
        """Write the content to a new file, counting what really comes, not what the archive says."""
        try:
            with disk_errors_named(target, self.name), target.open("xb") as output:
                return sum(output.write(chunk) for chunk in self._checked_chunks(content))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _checked_chunks(self, content: _Readable) -> Iterator[bytes]:
        size = 0
        while chunk := content.read(COPY_BYTES):
            if not size:
                self._refuse_nested(chunk)
            size += len(chunk)
            self.check(size)
            yield chunk

    def _refuse_nested(self, chunk: bytes) -> None:
        if sniff(chunk[:HEAD_BYTES]) in (ContentKind.ZIP, ContentKind.GZIP):
            raise SourceDataError(f"{self.name}: holds an archive inside the archive: refused, pack it only once")


@contextlib.contextmanager
def _damage_named(name: str, what: str) -> Iterator[None]:
    """Name what is wrong with the archive."""
    try:
        yield
    except EOFError as error:
        raise SourceUnavailableError(f"{name}: the {what} is cut: download it again") from error
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, NotImplementedError) as error:
        raise SourceDataError(f"{name}: the {what} is damaged ({error}): upload it again to kaggle") from error
