"""One HTTP client for health checks and control calls on loopback."""

from __future__ import annotations

import functools

import httpx


@functools.cache
def client() -> httpx.Client:
    """Return the shared client: making one costs 50 ms, and a proxy must not get between us and loopback."""
    return httpx.Client(trust_env=False, timeout=5)


def answers(url: str) -> bool:
    """Return whether a GET is answered with success."""
    try:
        return client().get(url).is_success
    except httpx.HTTPError:
        return False
