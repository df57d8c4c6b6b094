"""Bodies of the answers that are neither data nor a validation error: 429, 423, 477, 5xx."""

from __future__ import annotations

from http import HTTPStatus

from tools.hubspot_simulator.answers import Answer, Delivery, Json
from tools.hubspot_simulator.calls import Call
from tools.hubspot_simulator.limiter import Policy
from tools.hubspot_simulator.settings import Settings, sometimes_probability

HTML_PAGE = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Error</h1></body></html>"
_TEXTS = {
    Policy.BURST: "You have reached your ten_secondly_rolling limit.",
    Policy.DAILY: "You have reached your daily limit.",
    Policy.SEARCH: "You have reached your secondly limit.",
}
_NAMES = {423: "Locked", 477: "Account migration in progress", 520: "Unknown error"}


def rate_limited(call: Call, policy: str, settings: Settings, *, retry_after_s: float | None) -> Answer:
    """Return a 429; the wait is shown as the knob says."""
    body: dict[str, Json] = {
        "status": "error",
        "message": _TEXTS.get(Policy(policy), "") if policy in set(Policy) else "Too many requests",
    }
    if settings.rate_body_style in {"errorType", "both"}:
        body["errorType"] = "RATE_LIMIT"
    if settings.rate_body_style in {"category", "both"}:
        body["category"] = "RATE_LIMITS"
    if policy:
        body["policyName"] = str(policy)
    body["correlationId"] = call.correlation_id
    body["requestId"] = call.chance.identifier("request_id")
    answer = Answer(429, body)
    if retry_after_s is not None:
        answer.headers["Retry-After"] = f"{retry_after_s:g}"
    return answer


def wait_shown(call: Call, settings: Settings, retry_after_s: float) -> float | None:
    """Return the wait if this 429 shows one."""
    p = sometimes_probability(settings.retry_after_on_429)
    return retry_after_s if call.chance.chance("retry_after") < p else None


def trouble(call: Call, status: int, style: str) -> Answer:
    """Return an error of the platform; style full, minimal, html, empty, truncated or slow_drip."""
    match style:
        case "html":
            return Answer(status, content_type="text/html", raw=HTML_PAGE)
        case "empty":
            return Answer(status, raw=b"")
        case "minimal":
            return Answer(status, {"status": "error", "message": _name(status)})
        case _:
            answer = Answer(status, _full(call, status))
            if style in set(Delivery):
                answer.delivery = Delivery(style)
            return answer


def _full(call: Call, status: int) -> Json:
    return {
        "status": "error",
        "message": _name(status),
        "correlationId": call.correlation_id,
        "category": "LOCKED" if status == HTTPStatus.LOCKED else "INTERNAL_ERROR",
    }


def _name(status: int) -> str:
    if status in _NAMES:
        return _NAMES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
