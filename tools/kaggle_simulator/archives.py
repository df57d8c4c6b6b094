"""Zip files: the regular ones, and damaged or hostile ones for tests."""

from __future__ import annotations

import enum
import shutil
import struct
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAMP = (2020, 1, 1, 0, 0, 0)
"""Time of every zip member: the same content gives the same bytes."""
_OTHER_STAMP = (2021, 6, 1, 0, 0, 0)
_LEVEL = 1
_COPY_BYTES = 1 << 20
BOMB_BYTES = 64 << 20
_LOCAL_CRC_AT, _CENTRAL_CRC_AT = 14, 16


class Variant(enum.StrEnum):
    """Another form of a version's file, made when a fault asks for it."""

    TWO_MEMBERS = "two_members"
    NO_MEMBER = "no_member"
    OTHER_MEMBER = "other_member"
    ZIP_BOMB = "zip_bomb"
    BAD_CRC = "bad_crc"
    RESTAMPED = "restamped"
    """The same content zipped again: other bytes, other checksum."""
    EDITED = "edited"
    """The plain file with two digits changed."""
    EMPTY = "empty"


def _member(name: str, stamp: tuple[int, int, int, int, int, int] = STAMP) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, stamp)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.create_system = 3  # Unix, whatever the machine: it is part of the bytes
    return member


def _pack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: Path) -> None:
    member.file_size = source.stat().st_size
    with source.open("rb") as plain, archive.open(member, "w") as packed:
        shutil.copyfileobj(plain, packed, _COPY_BYTES)


def _new_zip(target: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)


def write_zip(source: Path, name: str, target: Path) -> None:
    """Write a zip with `source` as its only member, called `name`."""
    with _new_zip(target) as archive:
        _pack(archive, _member(name), source)


def _write_two_members(source: Path, name: str, target: Path) -> None:
    with _new_zip(target) as archive:
        _pack(archive, _member(name), source)
        archive.writestr(_member("second.csv"), b"YearOfBirth,Name,Sex,Number\n")


def _write_no_member(_source: Path, _name: str, target: Path) -> None:
    _new_zip(target).close()


def _write_other_member(source: Path, _name: str, target: Path) -> None:
    write_zip(source, "readme.txt", target)


def _write_restamped(source: Path, name: str, target: Path) -> None:
    with _new_zip(target) as archive:
        _pack(archive, _member(name, _OTHER_STAMP), source)


def _write_empty(_source: Path, _name: str, target: Path) -> None:
    target.write_bytes(b"")


def _write_bomb(_source: Path, name: str, target: Path) -> None:
    line = b"1880,Mary,F,7065\n" * 4096
    with _new_zip(target) as archive, archive.open(_member(name), "w") as packed:
        packed.write(b"YearOfBirth,Name,Sex,Number\n")
        for _ in range(BOMB_BYTES // len(line)):
            packed.write(line)


def _write_bad_crc(source: Path, name: str, target: Path) -> None:
    """Write a zip whose member does not have the checksum that both of its headers state."""
    write_zip(source, name, target)
    with zipfile.ZipFile(target) as archive:
        crc, central_at = archive.infolist()[0].CRC, archive.start_dir
    with target.open("r+b") as file:
        for place in (_LOCAL_CRC_AT, central_at + _CENTRAL_CRC_AT):
            file.seek(place)
            file.write(struct.pack("<I", crc ^ 1))


def _write_edited(source: Path, _name: str, target: Path) -> None:
    """Copy the file and change the last digit of its second and of its last line.

    Both halves differ, so a resume that glues old and new bytes together gives a third file.
    """
    shutil.copyfile(source, target)
    with target.open("r+b") as file:
        file.readline()
        second_end = file.tell() + len(file.readline().rstrip())
        for end in (second_end, target.stat().st_size - len(b"\n")):
            file.seek(max(0, end - 1))
            old = file.read(1)
            file.seek(max(0, end - 1))
            file.write(b"7" if old == b"6" else b"6")


_WRITERS: dict[Variant, Callable[[Path, str, Path], None]] = {
    Variant.TWO_MEMBERS: _write_two_members,
    Variant.NO_MEMBER: _write_no_member,
    Variant.OTHER_MEMBER: _write_other_member,
    Variant.ZIP_BOMB: _write_bomb,
    Variant.BAD_CRC: _write_bad_crc,
    Variant.RESTAMPED: _write_restamped,
    Variant.EDITED: _write_edited,
    Variant.EMPTY: _write_empty,
}


def write_variant(variant: Variant, source: Path, name: str, target: Path) -> None:
    """Write another form of the plain file `source`, called `name` in the dataset."""
    _WRITERS[variant](source, name, target)
