"""A secret is blanked in every form in which it could be read, and nothing else is."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from include.hubspot_sync.redaction import BLANK, Redactor, forms_of

SECRET = 'pa"ss/w+örd\\ =1'

FORMS = {
    "raw": SECRET,
    "quoted": quote(SECRET, safe=""),
    "quoted_path": quote(SECRET),
    "quoted_plus": quote_plus(SECRET),
    "json": json.dumps({"password": SECRET}),
    "json_utf8": json.dumps({"password": SECRET}, ensure_ascii=False),
    "repr": repr({"password": SECRET}),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64_url": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "basic_1": base64.b64encode(f"u:{SECRET}".encode()).decode(),
    "basic_2": base64.b64encode(f"us:{SECRET}".encode()).decode(),
    "basic_3": base64.b64encode(f"use:{SECRET}".encode()).decode(),
    "basic_with_more": base64.b64encode(f"use:{SECRET}:more".encode()).decode(),
    "hex": SECRET.encode().hex(),
    "hex_upper": SECRET.encode().hex().upper(),
    "reversed": SECRET[::-1],
    "header": f"Authorization: Bearer {SECRET}",
    "address": f"mysql://user:{quote(SECRET, safe='')}@host:3306/schema",
}


def readable(secret: str, text: str) -> bool:
    return any(form in text for form in forms_of(secret))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_blanked_and_the_rest_stays(form):
    text = f"before {FORMS[form]} after"
    assert readable(SECRET, text)

    redacted = Redactor([SECRET]).redact(text)

    assert not readable(SECRET, redacted)
    assert BLANK in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer <secret>"),
        ("'authorization': 'Basic dXNlcjpwYXNz'", "'authorization': 'Basic <secret>'"),
        ("mysql://user:pw@host/db", "mysql://<secret>@host/db"),
        ("token pat-na1-01234567-89ab-cdef-0123-456789abcdef!", "token <secret>!"),
        ("KGAT_0123456789abcdef0123", "<secret>"),
        ("https://api.hubapi.com/crm/objects?limit=100", "https://api.hubapi.com/crm/objects?limit=100"),
        ("the bearer of a basic name", "the bearer of a basic name"),
        ("run 42 at 2026-11-30T21:00:00 batch=17", "run 42 at 2026-11-30T21:00:00 batch=17"),
        ("https://host/a@b:c", "https://host/a@b:c"),
    ],
)
def test_shapes_of_secrets_are_blanked_without_knowing_them(text, left):
    assert Redactor().redact(text) == left


def test_blank_around_a_pasted_secret_changes_nothing():
    assert Redactor([" secret-12345\n"]).redact("it is secret-12345") == f"it is {BLANK}"


def test_short_texts_are_no_secrets_that_could_be_blanked():
    assert forms_of("local") == frozenset()
    assert Redactor(["", "local"]).redact("localhost") == "localhost"


def test_longer_secret_that_begins_like_another_one_is_blanked_whole():
    redactor = Redactor(["secret-1"])
    redactor.add(["secret-12345"])

    assert redactor.redact("secret-12345 secret-1") == f"{BLANK} {BLANK}"


def test_bytes_that_are_no_text_stay_as_they_are():
    assert Redactor(["secret-1"]).redact_bytes(b"\xff secret-1 \xfe") == b"\xff <secret> \xfe"
