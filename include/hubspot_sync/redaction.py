"""Blank secrets in texts, in every form in which they travel: as they are, quoted, encoded, inside JSON.

Airflow's own masking knows exact texts only and does not reach every place (measured on 3.3.2: URL-quoted and base64
forms, extras under neutral keys, and all that LocalExecutor copies to the scheduler's output stay readable).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

BLANK = "<secret>"
MIN_SECRET_CHARS = 6
"""Shorter ones could be part of any word: a text would become unreadable, and its gaps would tell the secret."""
_BASE64_SHIFTS = {0: 0, 1: 2, 2: 3}
"""Bytes in front of a secret, modulo 3 → characters of the base64 text that those bytes share with it."""
_SHAPES = (
    # what an Authorization header carries, whoever wrote it into a text
    (re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1\2{BLANK}"),
    # user and password of an address
    (re.compile(r"(://)[^\s/@:\"']*:[^\s/@\"']+@"), rf"\1{BLANK}@"),
    # HubSpot's private app tokens and service keys, Kaggle's API tokens
    (re.compile(r"\bpat-[a-z0-9]{2,4}-[0-9a-f]{8}-[0-9a-f-]{20,}", re.IGNORECASE), BLANK),
    (re.compile(r"\bKGAT_[A-Za-z0-9]{16,}"), BLANK),
)


def forms_of(secret: str) -> frozenset[str]:
    """Return the texts by which a secret could be read; empty when it is too short to be told from words."""
    return frozenset(
        form for plain in {secret, secret.strip()} if len(plain) >= MIN_SECRET_CHARS for form in _forms(plain)
    )


def _forms(plain: str) -> Iterator[str]:
    encoded = plain.encode("utf-8", "surrogatepass")
    yield plain
    yield plain[::-1]
    yield quote(encoded, safe="")
    yield quote(encoded)
    yield quote_plus(encoded)
    for inside in (json.dumps(plain), json.dumps(plain, ensure_ascii=False), repr(plain)):
        yield inside[1:-1]
    yield encoded.hex()
    yield encoded.hex().upper()
    for shift in _BASE64_SHIFTS:
        standard = _inside_base64(encoded, shift)
        yield standard
        yield standard.replace("+", "-").replace("/", "_")


def _inside_base64(encoded: bytes, shift: int) -> str:
    """Return the part of a base64 text that depends on the secret alone, e.g. behind `user:` of Basic auth."""
    whole = base64.b64encode(b"\0" * shift + encoded).decode()
    certain = (shift + len(encoded)) * 8 // 6
    return whole[_BASE64_SHIFTS[shift] : certain]


class Redactor:
    """Knows secrets, and blanks them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know these secrets from the beginning."""
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Know these secrets as well."""
        more = self._forms.union(*(forms_of(secret) for secret in secrets))
        if more != self._forms:
            self._forms = more
            # the longest first: a form may be the beginning of another one
            self._pattern = re.compile("|".join(map(re.escape, sorted(more, key=len, reverse=True))))

    def redact(self, text: str) -> str:
        """Return the text without the secrets, and without what has the shape of one."""
        if self._pattern is not None:
            text = self._pattern.sub(BLANK, text)
        for shape, blank in _SHAPES:
            text = shape.sub(blank, text)
        return text

    def redact_bytes(self, content: bytes) -> bytes:
        """Do the same for a text that may not be whole UTF-8."""
        return self.redact(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
