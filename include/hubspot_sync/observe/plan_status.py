"""What the page shows of a plan: what a run was going to do, its cost, its guards, samples of its changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from include.hubspot_sync.observe.run_status import Reader
from include.hubspot_sync.records import PlanSample, RunPlan, read_plan, read_samples


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """The plan of a run; the time is UTC and the database's."""

    plan: RunPlan
    samples: tuple[PlanSample, ...]
    made_at: datetime
    applies_run_id: int | None
    """The run whose plan this one had to be."""
    applied_by: int | None
    """The last run that was told to apply this plan."""

    @property
    def samples_by_operation(self) -> Mapping[str, tuple[PlanSample, ...]]:
        """Return the samples by operation, without empty ones."""
        return {
            operation: found
            for operation in self.plan.changes
            if (found := tuple(sample for sample in self.samples if sample.operation == operation))
        }


def read_run_plan(reader: Reader, run_id: int) -> PlanStatus | None:
    """Return the plan of a run, None when it has none or retention removed it."""
    rows = reader.rows("page/select_run_plan.sql", {"run_id": run_id})
    if not rows:
        return None
    row = rows[0]
    return PlanStatus(
        plan=read_plan(json.loads(row["plan"])),
        samples=read_samples(json.loads(row["samples"])),
        made_at=row["made_at"],
        applies_run_id=row["applies_run_id"],
        applied_by=row["applied_by"],
    )
