"""Named fault plans."""

from __future__ import annotations

from tools.hubspot_simulator.answers import Json

_CRM = "^/crm/"
_UPSERT = "batch/upsert"


def _fault(action: Json, phase: str = "pre", path: str = _CRM, **match: Json) -> Json:
    return {"match": {"path_regex": path, **match}, "phase": phase, "action": action}


SCENARIOS: dict[str, list[Json]] = {
    "calm": [],
    "flaky": [
        _fault({"type": "502"}, p=0.01),
        _fault({"type": "drop", "reset": True}, "post_commit", p=0.005),
        _fault({"type": "423"}, p=0.005),
    ],
    "storm": [_fault({"type": "429"}, p=0.3, for_s=600)],
    "outage": [_fault({"type": "503", "body": "html"}, for_s=60)],
    "daily_exhausted": [{"action": {"type": "daily_exhaust"}, "times": 1}],
    "migration_477": [_fault({"type": "477", "retry_after": 86_400})],
    "poison_rows": [
        _fault({"type": "row_error"}, path=_UPSERT, row={"p": 0.01, "sticky": True}),
    ],
    "token_revoked_midway": [{"match": {"nth": [50]}, "action": {"type": "token_expire"}, "times": 1}],
    "slow_brownout": [
        _fault({"type": "delay", "ms": 3000, "max_ms": 8000}, for_s=120),
        _fault({"type": "504"}, p=0.05, for_s=120),
    ],
    "late_writes": [
        _fault({"type": "delayed_apply", "ms": 5000, "max_ms": 40_000}, path=_UPSERT, p=0.02),
    ],
    "silent": [
        _fault({"type": "lost_row"}, path=_UPSERT, row={"p": 0.002}),
        _fault({"type": "wrong_value"}, path=_UPSERT, row={"p": 0.002}),
        _fault({"type": "empty_2xx"}, path=_UPSERT, p=0.002),
    ],
}
