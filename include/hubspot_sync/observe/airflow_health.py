"""How Airflow is, as its API tells anybody: the heartbeats of its components."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

log = logging.getLogger(__name__)

HEALTH_PATH = "/api/v2/monitor/health"
"""Needs no login; answers 200 also when a component is unhealthy (Airflow 3.3)."""
ANSWER_TIMEOUT_S = 2.0
COMPONENTS = ("scheduler", "dag_processor", "triggerer")


@dataclass(frozen=True, slots=True)
class AirflowHealth:
    """Whether the API answers, and what it knows."""

    is_up: bool
    heartbeats: Mapping[str, float] = field(default_factory=dict)
    """Component → last heartbeat in seconds since 1970; one that never beat is missing."""


def ask_airflow(url: str, transport: httpx.BaseTransport | None = None) -> AirflowHealth:
    """Ask the API server at this address, once; never raises for what it answers."""
    try:
        with httpx.Client(transport=transport, timeout=ANSWER_TIMEOUT_S, trust_env=False) as client:
            answer = client.get(url.rstrip("/") + HEALTH_PATH)
            return AirflowHealth(answer.is_success, _heartbeats(answer.json()) if answer.is_success else {})
    # something else may answer at this address, with any JSON
    except (httpx.HTTPError, ValueError, TypeError, AttributeError) as error:
        log.debug("airflow does not answer error=%s", type(error).__name__)
        return AirflowHealth(is_up=False)


def _heartbeats(parts: dict[str, Any]) -> dict[str, float]:
    found = {name: parts[name].get(f"latest_{name}_heartbeat") for name in COMPONENTS if parts.get(name)}
    return {name: datetime.fromisoformat(moment).timestamp() for name, moment in found.items() if moment}
