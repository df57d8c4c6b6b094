"""Archives beyond the catalogue of `test_bad_inputs.py`: limits, lies and what is left on disk."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from include.hubspot_sync.errors import SourceDataError, SourceUnavailableError
from include.hubspot_sync.source.archive import Packing, unpack
from tests.unit.source.reader_support import FILE, GOOD, HEADER, SOURCE, gzipped, zipped

CONTENT = HEADER + GOOD


def packed(folder: Path, content: bytes) -> Path:
    path = folder / "download"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "packing"),
    [
        (CONTENT, Packing.PLAIN),
        (gzipped(CONTENT), Packing.GZIP),
        (zipped({FILE: CONTENT}), Packing.ZIP),
        (zipped({FILE: CONTENT}, compression=zipfile.ZIP_STORED), Packing.ZIP),
        (gzipped(HEADER) + gzipped(GOOD), Packing.GZIP),
    ],
    ids=["plain", "gzip", "zip", "stored-zip", "gzip-of-two-parts"],
)
def test_file_is_unpacked(tmp_path: Path, content: bytes, packing: Packing):
    unpacked = unpack(packed(tmp_path, content), SOURCE, tmp_path)

    assert unpacked.packing is packing
    assert unpacked.path.read_bytes() == CONTENT
    assert unpacked.size_bytes == len(CONTENT)


def test_compressible_small_file_is_no_bomb(tmp_path: Path):
    content = HEADER + GOOD * 50_000
    zip_file = zipped({FILE: content})
    assert len(content) < 1 << 20 < 100 * len(content) / len(zip_file) * len(content)

    assert unpack(packed(tmp_path, zip_file), SOURCE, tmp_path).size_bytes == len(content)


@pytest.mark.parametrize("pack", [lambda content: zipped({FILE: content}), gzipped], ids=["zip", "gzip"])
def test_extracted_size_is_limited(tmp_path: Path, pack):
    source = SOURCE.model_copy(update={"max_extracted_bytes": len(CONTENT) - 1})

    with pytest.raises(SourceDataError, match="raise max_extracted_bytes"):
        unpack(packed(tmp_path, pack(CONTENT)), source, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["download"]


def test_bomb_is_refused_with_little_memory(tmp_path: Path):
    path = tmp_path / "download"
    with gzip.open(path, "wb") as stream:
        for _ in range(64):
            stream.write(bytes(b"0" * (1 << 20)))
    tracemalloc.start()

    with pytest.raises(SourceDataError, match="zip bomb"):
        unpack(path, SOURCE, tmp_path)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert [path.name for path in tmp_path.iterdir()] == ["download"]


def test_zip_that_lies_about_its_size_is_refused(tmp_path: Path):
    """The size in the directory is what `zipfile` stops at; the checksum then gives the lie away."""
    content = bytearray(zipped({FILE: CONTENT}, compression=zipfile.ZIP_STORED))
    directory = content.index(b"PK\x01\x02")
    struct.pack_into("<L", content, directory + 24, len(HEADER))

    with pytest.raises(SourceDataError, match="the zip is damaged"):
        unpack(packed(tmp_path, bytes(content)), SOURCE, tmp_path)


def test_zip_with_another_name_inside_than_in_its_directory_is_refused(tmp_path: Path):
    content = zipped({FILE: CONTENT}).replace(FILE.encode(), b"x" * len(FILE), 1)

    with pytest.raises(SourceDataError, match="the zip is damaged"):
        unpack(packed(tmp_path, content), SOURCE, tmp_path)


def test_zip_with_unknown_compression_is_refused(tmp_path: Path):
    content = zipped({FILE: CONTENT}, compression=zipfile.ZIP_LZMA)

    with pytest.raises(SourceDataError, match="unknown compression"):
        unpack(packed(tmp_path, content), SOURCE, tmp_path)


def test_zip_with_damaged_data_is_refused(tmp_path: Path):
    content = bytearray(zipped({FILE: CONTENT * 100}))
    start = 30 + len(FILE)
    content[start : start + 10] = b"\xff" * 10

    with pytest.raises(SourceDataError, match="the zip is damaged"):
        unpack(packed(tmp_path, bytes(content)), SOURCE, tmp_path)


def test_gzip_with_wrong_checksum_is_refused(tmp_path: Path):
    content = bytearray(gzipped(CONTENT))
    content[-8] ^= 1

    with pytest.raises(SourceDataError, match="the gzip is damaged"):
        unpack(packed(tmp_path, bytes(content)), SOURCE, tmp_path)


def test_endless_list_of_members_is_refused_unread(tmp_path: Path):
    content = bytearray(zipped({FILE: CONTENT}))
    struct.pack_into("<L", content, len(content) - 10, 1 << 30)

    with pytest.raises(SourceDataError, match="list of members is too long"):
        unpack(packed(tmp_path, bytes(content)), SOURCE, tmp_path)


def test_zip64_end_record_is_refused(tmp_path: Path):
    content = zipped({FILE: CONTENT})
    locator = b"PK\x06\x07" + bytes(16)

    with pytest.raises(SourceDataError, match="list of members is too long"):
        unpack(packed(tmp_path, content[:-22] + locator + content[-22:]), SOURCE, tmp_path)


def test_zip_without_its_end_may_be_downloaded_again(tmp_path: Path):
    with pytest.raises(SourceUnavailableError, match="download it again"):
        unpack(packed(tmp_path, b"PK\x03\x04" + bytes(100)), SOURCE, tmp_path)


def test_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(SourceDataError, match="cannot be written"):
        unpack(packed(tmp_path, gzipped(CONTENT)), SOURCE, tmp_path / "missing")


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo", "device", "missing"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str):
    path = tmp_path / "download"
    match kind:
        case "symlink":
            path.symlink_to(packed(tmp_path, CONTENT).rename(tmp_path / "real"))
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/null")

    with pytest.raises(SourceDataError, match=r"cannot be opened|is not a regular file"):
        unpack(path, SOURCE, tmp_path)
