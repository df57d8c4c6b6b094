"""An event for Sentry is built from what is known to be harmless; everything else, also what is new, stays here."""

from __future__ import annotations

import sys

import pytest

from include.hubspot_sync.orchestration import sentry_events
from include.hubspot_sync.orchestration.sentry_events import safe_event
from include.hubspot_sync.redaction import Redactor


@pytest.fixture(autouse=True)
def _one_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentry_events, "SECRETS", Redactor(["known-secret-1"]))


def event_with(kind: str, module: str, **more: object) -> dict[str, object]:
    frame = {"function": "f", "lineno": 3, "vars": {"contact": "Ann"}, "context_line": "x = 'Ann'", "new_in_3": "Ann"}
    raised = {"type": kind, "module": module, "value": "Ann known-secret-1", "stacktrace": {"frames": [frame]}}
    return {"event_id": "1", "exception": {"values": [raised]}, **more}


@pytest.mark.parametrize(
    ("kind", "module", "text"),
    [
        ("IntegrityError", "MySQLdb", "<left out>"),
        ("KeyError", "builtins", "<left out>"),
        ("ConfigError", "include.hubspot_sync.errors", "Ann <secret>"),
        ("AirflowFailException", "airflow.sdk.exceptions", "Ann <secret>"),
    ],
)
def test_only_our_own_words_are_sent_and_no_secret_in_them(kind, module, text):
    event = safe_event(event_with(kind, module), {})

    assert event
    (raised,) = event["exception"]["values"]
    assert raised["value"] == text
    assert raised["stacktrace"] == {"frames": [{"function": "f", "lineno": 3}]}


def test_what_nobody_knows_is_left_out():
    tags = {"dag_id": "baby_names_to_hubspot", "try_number": 2, "somebody": "Ann"}
    more = dict.fromkeys(("extra", "user", "request", "breadcrumbs", "contexts", "threads", "new_in_3"), "Ann")

    event = safe_event(event_with("KeyError", "builtins", tags=tags, level="error", **more), {})

    assert event
    assert set(event) == {"event_id", "level", "tags", "exception"}
    assert event["tags"] == {"dag_id": "baby_names_to_hubspot", "try_number": "2"}


def test_a_line_of_a_log_is_no_event():
    assert safe_event({"event_id": "1", "logentry": {"message": "Ann"}}, {}) is None


def test_nothing_of_sentry_is_imported_unless_it_is_switched_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)

    sentry_events.watch_events()
