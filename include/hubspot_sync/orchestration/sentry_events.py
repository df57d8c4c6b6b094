"""What Sentry may know of a failed task: the class of the error, our own words, and where in the code it was.

Airflow sends errors to Sentry by itself when `[sentry] sentry_on` is set. Its setting `before_send` is handed over as a
text (3.3.2), which makes Sentry's client drop every event; so what an event holds is chosen in an event processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.configuration import conf

from include.hubspot_sync.orchestration.log_redaction import SECRETS

LEFT_OUT = "<left out>"
_KEPT = frozenset(
    {"environment", "event_id", "level", "modules", "platform", "release", "sdk", "server_name", "timestamp"}
)
_TAGS = frozenset({"dag_id", "task_id", "try_number", "operator", "logical_date"})
_FRAME = frozenset({"filename", "abs_path", "function", "module", "lineno", "in_app"})
_OWN_MODULE = "include.hubspot_sync."
_OWN_WORDS = frozenset({"AirflowFailException", "AirflowSkipException"})
"""Airflow's classes in which our errors leave a task, with our text."""


def watch_events() -> None:
    """Let every event of this process pass `safe_event`, if Sentry is switched on; twice is as good as once."""
    if not conf.getboolean("sentry", "sentry_on", fallback=False):
        return
    from sentry_sdk import get_global_scope

    # Airflow makes the client later, at the begin of the task; the scope is there before
    scope = get_global_scope()
    if safe_event not in scope._event_processors:  # noqa: SLF001  a scope forgets all processors beyond twenty
        processor: Any = safe_event  # its own types are of a package that need not be there
        scope.add_event_processor(processor)


def safe_event(event: Mapping[str, Any], _hint: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an event with what is known to be harmless, and nothing else; None: it is not sent.

    Left out are local variables, source lines, breadcrumbs, arguments of the process, users, requests, and the texts of
    errors that are not ours: a driver's may quote a record. Lines of a log are no events, failed tasks are.
    """
    raised = (event.get("exception") or {}).get("values") or []
    if not raised:
        return None
    kept = {name: event[name] for name in _KEPT if name in event}
    tags = {name: str(value) for name, value in dict(event.get("tags") or {}).items() if name in _TAGS}
    safe = {**kept, "tags": tags, "exception": {"values": [_raised(one) for one in raised]}}
    return dict(_redacted(safe))


def _raised(one: Mapping[str, Any]) -> dict[str, Any]:
    kind, module = str(one.get("type")), str(one.get("module") or "")
    is_own = module.startswith(_OWN_MODULE) or kind in _OWN_WORDS
    frames = (one.get("stacktrace") or {}).get("frames") or []
    return {
        "type": kind,
        "module": module,
        "value": str(one.get("value")) if is_own else LEFT_OUT,
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]},
    }


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return SECRETS.redact(value)
        case dict():
            return {name: _redacted(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_redacted(inner) for inner in value]
    return value
