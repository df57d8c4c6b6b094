"""Reproducible randomness: it depends on the seed and on the request, not on arrival order."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestRandom:
    """Randomness of one request: (seed, purpose, body, how often this body was seen)."""

    root: bytes

    def stream(self, purpose: str) -> random.Random:
        """Return a generator of its own for this purpose."""
        return random.Random(self._digest(purpose))  # noqa: S311 - reproducible, not secret

    def chance(self, purpose: str) -> float:
        """Return one number in [0, 1)."""
        return int.from_bytes(self._digest(purpose)[:7], "big") / (1 << 56)

    def identifier(self, purpose: str) -> str:
        """Return a UUID."""
        return str(uuid.UUID(bytes=self._digest(purpose), version=4))

    def _digest(self, purpose: str) -> bytes:
        return hashlib.blake2b(purpose.encode(), key=self.root, digest_size=16).digest()


class RandomSource:
    """Hands every request its randomness and counts how often a body was seen."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._seen: Counter[bytes] = Counter()

    def for_request(self, request_line: str, body_digest: bytes) -> RequestRandom:
        """Return the randomness of this occurrence of the request."""
        identity = hashlib.blake2b(body_digest + request_line.encode(), digest_size=12).digest()
        self._seen[identity] += 1
        text = f"{self._seed}:{self._seen[identity]}:".encode() + identity
        return RequestRandom(hashlib.blake2b(text, digest_size=32).digest())

    def sticky_chance(self, purpose: str, text: str) -> float:
        """Return a number in [0, 1) that is always the same for this text."""
        digest = hashlib.blake2b(f"{self._seed}:{purpose}:{text}".encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / (1 << 56)

    def forget(self) -> None:
        """Start counting bodies again."""
        self._seen.clear()
