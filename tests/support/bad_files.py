"""Contents of bad files: the lines of a CSV, and archives that lie."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import zipfile

FILE = "babyNamesUSYOB-full.csv"
HEADER = b"YearOfBirth,Name,Sex,Number\n"
GOOD = b"1880,Mary,F,7065\n"
CONTENT = HEADER + GOOD
TEXT = CONTENT.decode()
STORED = "1880,Mary,F,7065"
"""The good row as it stands in the clean file, without line number and key."""


def rows(*lines: bytes | str) -> bytes:
    """Return a file with one good row and then these lines."""
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    return CONTENT + b"".join(line + b"\n" for line in encoded)


def name_row(name: bytes | str) -> bytes:
    """Return a file whose second row has this name."""
    return rows(b"1880,%b,F,5" % (name.encode() if isinstance(name, str) else name))


def zipped(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def gzipped(content: bytes) -> bytes:
    """Return a gzip that is the same every time."""
    return gzip.compress(content, mtime=0)


def zip_of_link() -> bytes:
    """Return a zip whose member says that it is a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(FILE)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, CONTENT)
    return buffer.getvalue()


def encrypted_zip() -> bytes:
    """Return a zip with the encryption bit set in both headers of its member."""
    packed = bytearray(zipped({FILE: CONTENT}))
    packed[packed.index(b"PK\x03\x04") + 6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def zip_with_bad_crc() -> bytes:
    """Return a zip whose content was changed after the checksum was made."""
    return zipped({FILE: CONTENT}, compression=zipfile.ZIP_STORED).replace(b"Mary", b"Marx")


def zip_with_long_directory() -> bytes:
    """Return a zip that claims a list of members of 1 GiB."""
    packed = bytearray(zipped({FILE: CONTENT}))
    struct.pack_into("<L", packed, len(packed) - 10, 1 << 30)
    return bytes(packed)


def zip_with_many_members(count: int) -> bytes:
    """Return a zip with a list of members that is long in truth."""
    return zipped({f"{number:064d}.csv": b"" for number in range(count)}, compression=zipfile.ZIP_STORED)


def half_a_surrogate_in_utf16() -> bytes:
    """Return UTF-16 in which one character is only half there."""
    text = name_row("Ma#ry").decode().encode("utf-16")
    return text.replace("#".encode("utf-16-le"), b"\x00\xd8")
