"""Signed storage URLs that expire."""

from __future__ import annotations

import enum
import hashlib
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET = b"kaggle simulator"
_UNTIL = "X-Sim-Expires-At"
"""End of the URL in milliseconds since 1970; the other parameters are as Google writes them."""
_SIGNATURE = "X-Goog-Signature"


class Verdict(enum.StrEnum):
    """What a signed URL is worth."""

    VALID = "valid"
    EXPIRED = "expired"
    FORGED = "forged"


def _sign(path: str, until: str) -> str:
    return hmac.new(_SECRET, f"{path}\n{until}".encode(), hashlib.sha256).hexdigest()


def sign_path(path: str, *, now: float, lifetime_s: float) -> str:
    """Return the path, quoted, with a query that makes it valid for `lifetime_s` seconds.

    Args:
        path: path without quoting.
        now: seconds since 1970.
        lifetime_s: seconds until it expires; 0 is expired at once.
    """
    until = str(int((now + lifetime_s) * 1000))
    query = {
        "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
        "X-Goog-Date": f"{datetime.fromtimestamp(now, tz=UTC):%Y%m%dT%H%M%SZ}",
        "X-Goog-Expires": str(int(lifetime_s)),
        "X-Goog-SignedHeaders": "host",
        _UNTIL: until,
        _SIGNATURE: _sign(path, until),
    }
    return f"{quote(path)}?{urlencode(query)}"


def check_signature(path: str, query: Mapping[str, str], *, now: float) -> Verdict:
    """Tell whether a request for this path may be answered."""
    until = query.get(_UNTIL, "")
    if not hmac.compare_digest(query.get(_SIGNATURE, "").encode(), _sign(path, until).encode()):
        return Verdict.FORGED
    return Verdict.EXPIRED if now * 1000 >= int(until) else Verdict.VALID
