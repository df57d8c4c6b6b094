"""Sizes and checksums of files as Google Cloud Storage states them: MD5 and CRC32C."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78
_ALL_ONES = 0xFFFFFFFF
_LANE_BYTES = 1024
_READ_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Digests:
    """What is known about the bytes of a file."""

    size_bytes: int
    md5: str
    """Hexadecimal."""
    crc32c: int

    @property
    def goog_hash(self) -> str:
        """Return the value of the `x-goog-hash` header."""
        crc, md5 = self.crc32c.to_bytes(4, "big"), bytes.fromhex(self.md5)
        return f"crc32c={base64.b64encode(crc).decode()},md5={base64.b64encode(md5).decode()}"


@cache
def _byte_table() -> Words:
    """Return the CRC of each single byte."""
    import numpy as np

    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


def _shift(states: Words, images: Words) -> Words:
    """Apply a linear map, given as the image of each bit, to every state."""
    import numpy as np

    result = np.zeros_like(states)
    for bit in range(32):
        result ^= images[bit] * ((states >> np.uint32(bit)) & np.uint32(1))
    return result


@cache
def _zeros_map(count: int) -> Words:
    """Return the map that appends `count` zero bytes."""
    import numpy as np

    if count == 0:
        return np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    half = _zeros_map(count // 2)
    images = _shift(half, half)
    if count % 2:
        images = _byte_table()[images & 0xFF] ^ (images >> np.uint32(8))
    return images


def _raw_crc(data: bytes) -> Words:
    """Return the CRC that starts from zero, as an array of one.

    The data is cut into lanes that advance together, one numpy step per byte of a lane; leading
    zeros do not change a CRC that starts from zero, so the front is padded to a power of two.
    """
    import numpy as np

    lanes = 1 << max(0, (len(data) - 1) // _LANE_BYTES).bit_length()
    padded = np.zeros(lanes * _LANE_BYTES, dtype=np.uint8)
    padded[padded.size - len(data) :] = np.frombuffer(data, dtype=np.uint8)
    table, states = _byte_table(), np.zeros(lanes, dtype=np.uint32)
    for column in np.ascontiguousarray(padded.reshape(lanes, _LANE_BYTES).T):
        states = table[(states ^ column) & 0xFF] ^ (states >> np.uint32(8))
    length = _LANE_BYTES
    while states.size > 1:
        states = _shift(states[0::2], _zeros_map(length)) ^ states[1::2]
        length *= 2
    return states


def crc32c(data: bytes, before: int = 0) -> int:
    """Return the CRC32C (Castagnoli) of data that follows bytes with the CRC `before`."""
    import numpy as np

    start = np.array([before ^ _ALL_ONES], dtype=np.uint32)
    return int((_shift(start, _zeros_map(len(data))) ^ _raw_crc(data))[0]) ^ _ALL_ONES


def digest_file(path: Path) -> Digests:
    """Read a file once and return its size and checksums."""
    size_bytes, md5, crc = 0, hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            size_bytes += len(data)
            md5.update(data)
            crc = crc32c(data, crc)
    return Digests(size_bytes, md5.hexdigest(), crc)
