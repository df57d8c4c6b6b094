"""The file storage: signed URLs, ranges, checksums, and its faults."""

from __future__ import annotations

import asyncio
import enum
import re
import zlib
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.kaggle_simulator.archives import Variant
from tools.kaggle_simulator.faults import STORAGE_FAULTS, ActiveFault, Call, Fault, Place
from tools.kaggle_simulator.pages import login_page, storage_error
from tools.kaggle_simulator.signing import Verdict, check_signature
from tools.kaggle_simulator.simulator import BUNDLE, RENAMED_PREFIX, STORAGE_ROOT, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from tools.kaggle_simulator.versions import StoredFile, Version

_CHUNK_BYTES = 256 << 10
_WRONG_MD5 = "md5=AAAAAAAAAAAAAAAAAAAAAA=="
_GZIP_WINDOW = 31
_REPLACED = {
    Fault.TWO_MEMBERS: Variant.TWO_MEMBERS,
    Fault.NO_MEMBER: Variant.NO_MEMBER,
    Fault.OTHER_MEMBER: Variant.OTHER_MEMBER,
    Fault.ZIP_BOMB: Variant.ZIP_BOMB,
    Fault.BAD_CRC: Variant.BAD_CRC,
    Fault.ZERO: Variant.EMPTY,
}
_WHOLE_ONLY = {Fault.NORANGE, Fault.IGNORE_RANGE, Fault.ZERO}
"""Faults that send the whole file whatever range is asked for."""


class Break(enum.StrEnum):
    """How a body ends too early."""

    CUT = "cut"
    """Half of it, then the connection is closed."""
    STALL = "stall"
    """Half of it, then silence."""


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a file that is sent: `length` bytes from `start`."""

    start: int
    length: int


class FileAnswer(Response):
    """Streams a part of a file from disk, whole or broken off."""

    def __init__(self, path: Path, span: Span, *, broken: Break | None = None, stall_s: float = 0) -> None:
        super().__init__()
        self._path = path
        self._span = span
        self._broken = broken
        self._stall_s = stall_s
        self.headers["content-length"] = str(span.length)

    def _chunks(self, length: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._span.start)
            while length > 0 and (chunk := file.read(min(_CHUNK_BYTES, length))):
                length -= len(chunk)
                yield chunk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; a broken one ends without its last message, which closes the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            length = self._span.length // 2 if self._broken else self._span.length
            for chunk in self._chunks(length):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if self._broken is Break.STALL:
                await _silence(receive, self._stall_s)
            if self._broken:
                return
        await send({"type": "http.response.body", "body": b""})


class GzipAnswer(FileAnswer):
    """Streams a file compressed, so that its length and checksum headers say nothing about the body."""

    def __init__(self, path: Path, span: Span) -> None:
        super().__init__(path, span)
        del self.headers["content-length"]
        self.headers["content-encoding"] = "gzip"

    def _chunks(self, length: int) -> Iterator[bytes]:
        packer = zlib.compressobj(level=1, wbits=_GZIP_WINDOW)
        for chunk in super()._chunks(length):
            yield packer.compress(chunk)
        yield packer.flush()


async def _silence(receive: Receive, longest_s: float) -> None:
    """Wait until the client goes away, or for so many seconds."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(until_gone(), longest_s)
    except TimeoutError:
        return


def _parse_range(text: str, size: int) -> Span | None:
    """Read a Range header; None when it is to be ignored.

    Raises:
        ValueError: the range lies outside the file.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        length = (min(int(last), size - 1) if last else size - 1) - start + 1
    if length <= 0 or start >= size:
        raise ValueError(text)
    return Span(start, length)


def _etag(file: StoredFile) -> str:
    return f'"{file.digests.md5}"'


def _modified(file: StoredFile) -> str:
    return format_datetime(file.modified, usegmt=True)


def _object_headers(file: StoredFile, fault: Fault | None) -> dict[str, str]:
    headers = {
        "etag": _etag(file),
        "last-modified": _modified(file),
        "x-goog-generation": str(file.generation),
        "x-goog-hash": file.digests.goog_hash,
    }
    if fault is Fault.BADHASH:
        headers["x-goog-hash"] = file.digests.goog_hash.partition("md5=")[0] + _WRONG_MD5
    if fault is Fault.NOHASH:
        del headers["x-goog-hash"]
    if fault is not Fault.NORANGE:
        headers["accept-ranges"] = "bytes"
    return headers


def _requested_part(request: Request, file: StoredFile, fault: Fault | None) -> Span | None:
    """Return the range to send; None sends the whole file.

    Raises:
        ValueError: the range lies outside the file.
    """
    wanted = request.headers.get("range")
    if wanted is None or fault in _WHOLE_ONLY:
        return None
    is_same = request.headers.get("if-range", _etag(file)) in {_etag(file), _modified(file)}
    return _parse_range(wanted, file.digests.size_bytes) if is_same else None


def _out_of_range(size: int) -> Response:
    answer = storage_error(416, "InvalidRange", "The requested range cannot be satisfied.")
    answer.headers["content-range"] = f"bytes */{size}"
    return answer


def _break_of(active: ActiveFault | None) -> Break | None:
    """Tell how the fault breaks the body off."""
    if active is None:
        return None
    if active.fault is Fault.STALL:
        return Break.STALL
    is_first = active.fault is Fault.CHANGED_DURING_RESUME and active.used == 1
    return Break.CUT if is_first or active.fault is Fault.TRUNCATE else None


class Storage:
    """Answers the requests for files."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    async def get(self, request: Request) -> Response:
        """Send a file, or the fault that is due."""
        verdict = check_signature(request.url.path, request.query_params, now=self._sim.clock())
        if verdict is Verdict.FORGED:
            return storage_error(403, "SignatureDoesNotMatch", "Access denied.")
        version = self._sim.store.find(request.path_params["version"])
        file = None if version is None else self._find(version, request.path_params["name"])
        if version is None or file is None:
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        active = self._sim.faults.take(Call(Place.STORAGE, has_range="range" in request.headers), STORAGE_FAULTS)
        fault = active.fault if active else None
        if verdict is Verdict.EXPIRED or fault in {Fault.EXPIRED, Fault.EXPIRED_RANGE}:
            return storage_error(400, "ExpiredToken", "The provided token has expired.")
        if fault in {Fault.HTML200, Fault.GCS_HTML}:
            return login_page(200)
        return self._answer(request, self._object(version, file, active), active)

    def _find(self, version: Version, name: str) -> StoredFile | None:
        own = self._sim.store.file_name
        if name in {own, RENAMED_PREFIX + own}:
            return version.plain
        return version.archive if name in {f"{own}.zip", f"{RENAMED_PREFIX}{own}.zip", BUNDLE} else None

    def _object(self, version: Version, file: StoredFile, active: ActiveFault | None) -> StoredFile:
        """Return the file that is really sent under this name."""
        if active is None:
            return file
        if active.fault in _REPLACED:
            return self._sim.store.variant(version, _REPLACED[active.fault])
        if active.fault is Fault.CHANGED_DURING_RESUME and active.used > 1:
            other = Variant.RESTAMPED if file is version.archive else Variant.EDITED
            return self._sim.store.variant(version, other)
        return file

    def _answer(self, request: Request, file: StoredFile, active: ActiveFault | None) -> Response:
        fault = active.fault if active else None
        headers = _object_headers(file, fault)
        if request.headers.get("if-none-match") == _etag(file):
            return Response(status_code=304, headers=headers)
        size = file.digests.size_bytes
        try:
            part = _requested_part(request, file, fault)
        except ValueError:
            return _out_of_range(size)
        if fault is Fault.GZIPENC and part is None and "gzip" in request.headers.get("accept-encoding", ""):
            answer: FileAnswer = GzipAnswer(file.path, Span(0, size))
        else:
            broken, stall_s = _break_of(active), self._sim.settings.stall_s
            answer = FileAnswer(file.path, part or Span(0, size), broken=broken, stall_s=stall_s)
        if part is not None:
            answer.status_code = 206
            headers["content-range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"
        headers["content-type"] = "application/zip" if request.url.path.endswith(".zip") else "text/csv"
        answer.headers.update(headers)
        return answer


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def storage_app(simulator: Simulator) -> Starlette:
    """Build the application of the storage listener."""
    storage = Storage(simulator)
    return Starlette(
        routes=[
            Route("/health", _health),
            Route(f"{STORAGE_ROOT}/{{version:int}}/{{name}}", storage.get, methods=["GET", "HEAD"]),
        ]
    )
