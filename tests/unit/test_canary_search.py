"""The search for canaries finds each form, and a base64 text with the secret in its middle."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from tests.support.canaries import Leak, encodings, find_leaks

SECRET = "secret/with+odd=characters"
TEXTS = {
    "raw": SECRET,
    "quoted": quote(SECRET, safe=""),
    "hex": SECRET.encode().hex(),
    "reversed": SECRET[::-1],
    "base64_0": base64.b64encode(f"abc{SECRET}xyz".encode()).decode(),
    "base64_1": base64.b64encode(f"abcd{SECRET}xyz".encode()).decode(),
    "base64_2": base64.b64encode(f"abcde{SECRET}xyz".encode()).decode(),
}


def test_every_form_is_tried():
    assert set(encodings(SECRET)) == set(TEXTS)


@pytest.mark.parametrize("form", TEXTS)
def test_form_is_found(form):
    sinks = [("log", f"before {TEXTS[form]} after".encode()), ("other", b"nothing")]

    assert find_leaks({"token": SECRET}, sinks) == {Leak("token", form, "log")}
