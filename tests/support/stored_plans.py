"""Builders: plans as runs keep them."""

from __future__ import annotations

from typing import Any

from include.hubspot_sync.records import (
    FieldChange,
    Operation,
    PlanBasis,
    PlanCost,
    PlanSample,
    RunMode,
    RunPlan,
)


def basis(**changes: Any) -> PlanBasis:
    values: dict[str, Any] = {
        "mode": RunMode.INCREMENTAL,
        "portal_id": 4242,
        "source_version": 3,
        "source_last_updated": "2026-01-01T00:00:00Z",
        "source_sha256": "ab" * 32,
        "mapping_hash": "cd" * 32,
        "snapshot_sum": 11,
        "changes_sum": 22,
        "previous_sum": 33,
        "rejects_sum": 0,
        "active": 100,
        "with_archives": True,
    }
    return PlanBasis(**values | changes)


def run_plan(basis_: PlanBasis | None = None, **changes: Any) -> RunPlan:
    values: dict[str, Any] = {
        "basis": basis_ or basis(),
        "changes": {"create": 5, "update": 3, "archive": 1},
        "records": 120,
        "rejected": 2,
        "quarantined": 1,
        "cost": PlanCost(write_calls=2, read_calls=3, seconds=0.27, daily_limit=1_000, daily_remaining=500),
    }
    return RunPlan(**values | changes)


SAMPLE = PlanSample(Operation.UPDATE, "ada-f", (FieldChange("total_births", "10", "20"),))
