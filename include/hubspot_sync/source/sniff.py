"""Tells what a file really is from its first bytes; names and content types are not to be trusted."""

from __future__ import annotations

import enum

HEAD_BYTES = 1024
"""How much of a file `sniff` wants to see."""

HTML_MESSAGE = "got HTML instead of CSV: check the kaggle credentials and dataset access"


class ContentKind(enum.StrEnum):
    """What the first bytes look like."""

    EMPTY = "empty"
    ZIP = "zip"
    GZIP = "gzip"
    HTML = "html"
    XML = "xml"
    JSON = "json"
    NUL = "nul"
    UTF16_WITHOUT_BOM = "utf16_without_bom"
    TEXT = "text"


def sniff(head: bytes) -> ContentKind:
    """Return what a file is, given its first `HEAD_BYTES` bytes."""
    if not head:
        return ContentKind.EMPTY
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ContentKind.ZIP
    if head.startswith(b"\x1f\x8b"):
        return ContentKind.GZIP
    if not head.strip(b"\x00"):
        return ContentKind.NUL
    if _is_utf16_without_bom(head):
        return ContentKind.UTF16_WITHOUT_BOM
    return _sniff_text(head.removeprefix(b"\xef\xbb\xbf").lstrip().lower())


def _sniff_text(text: bytes) -> ContentKind:
    if text.startswith((b"<?xml", b"<error")):
        return ContentKind.XML
    if text.startswith(b"<"):
        return ContentKind.HTML
    # a header line may be quoted, but it never starts with a bracket
    if text.startswith((b"{", b"[")):
        return ContentKind.JSON
    return ContentKind.TEXT


def _is_utf16_without_bom(head: bytes) -> bool:
    """Every second byte of ASCII text in UTF-16 is NUL."""
    start = head[:64]
    halves = (start[0::2], start[1::2])
    return b"\x00" in start and any(not half.strip(b"\x00") for half in halves)
