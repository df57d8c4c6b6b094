"""Plans that are kept: what a run was going to do, with samples of its changes, and what it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from include.hubspot_sync.records import FieldChange, Operation, PlanSample, RunPlan, read_plan
from include.hubspot_sync.store.connection import Row, Transaction
from include.hubspot_sync.store.runs import Run


@dataclass(frozen=True, slots=True)
class ChangeSums:
    """The queued changes of a plan."""

    counts: Mapping[str, int]
    """Operation → changes."""
    changes_sum: int
    previous_sum: int
    sample_seqs: tuple[int, ...]
    """Some changes of each operation."""


@dataclass(frozen=True, slots=True)
class RejectSums:
    """The records that a plan leaves out because HubSpot refused them as they are."""

    rejected: int
    rejects_sum: int


def _seqs(text: str | bytes | None) -> list[int]:
    numbers = text.decode() if isinstance(text, bytes) else text
    return [int(number) for number in numbers.split(",")] if numbers else []


def sum_changes(transaction: Transaction, run_id: int, first_batch_no: int) -> ChangeSums:
    """Count the changes of the plan that starts at this batch and sum them up, in one pass."""
    row = transaction.rows("plan/sum_changes.sql", {"run_id": run_id, "first_batch_no": first_batch_no})[0]
    return ChangeSums(
        counts={str(operation): int(row[f"{operation}s"]) for operation in Operation},
        changes_sum=int(row["changes_sum"]),
        previous_sum=int(row["previous_sum"]),
        sample_seqs=tuple(seq for operation in Operation for seq in _seqs(row[f"first_{operation}"])),
    )


def sum_snapshot(transaction: Transaction, run_id: int) -> int:
    """Return a checksum over the records of a run's snapshot."""
    return int(transaction.rows("plan/sum_snapshot.sql", {"run_id": run_id})[0]["snapshot_sum"])


def sum_rejects(transaction: Transaction, run: Run) -> RejectSums:
    """Count the records that are left out because HubSpot refused them, and sum them up."""
    params = {"run_id": run.run_id, "sync_name": run.sync_name}
    row = transaction.rows("plan/sum_rejects.sql", params)[0]
    return RejectSums(int(row["rejected"]), int(row["rejects_sum"]))


def samples(transaction: Transaction, run_id: int, seqs: Sequence[int]) -> tuple[PlanSample, ...]:
    """Return these changes with the properties that differ from what HubSpot holds."""
    if not seqs:
        return ()
    return tuple(map(_sample, transaction.rows("plan/select_samples.sql", {"run_id": run_id, "seqs": list(seqs)})))


def _sample(row: Row) -> PlanSample:
    operation = Operation(row["operation"])
    # a contact that was archived comes back as a new one: what it held then is no value of now
    before = {} if operation is Operation.CREATE else _properties(row["previous_properties"])
    after = _properties(row["properties"])
    names = sorted({*before, *after})
    return PlanSample(
        operation,
        row["key_text"],
        tuple(
            FieldChange(name, before.get(name), after.get(name))
            for name in names
            if before.get(name) != after.get(name)
        ),
    )


def _properties(text: str | bytes | None) -> dict[str, str]:
    properties: dict[str, str] = json.loads(text) if text else {}
    return properties


def keep_plan(
    transaction: Transaction, run_id: int, plan: RunPlan, some: Sequence[PlanSample], *, applies_run_id: int | None
) -> None:
    """Keep the plan of a run in place of an earlier one.

    Args:
        transaction: Open transaction.
        run_id: The run that made it.
        plan: What it does.
        some: Samples of its changes.
        applies_run_id: The run whose plan it had to be; None = any.
    """
    transaction.execute(
        "plan/insert_run_plan.sql",
        {
            "run_id": run_id,
            "fingerprint": plan.basis.fingerprint(),
            "applies_run_id": applies_run_id,
            "plan": json.dumps(asdict(plan)),
            "samples": json.dumps([asdict(sample) for sample in some], ensure_ascii=False),
        },
    )


def find_plan(transaction: Transaction, sync_name: str, run_id: int) -> RunPlan | None:
    """Return the plan that a run of this sync made, None when there is none or retention removed it."""
    row = transaction.row("plan/select_run_plan.sql", {"sync_name": sync_name, "run_id": run_id})
    return read_plan(json.loads(row["plan"])) if row else None


def planned_since(transaction: Transaction, run_id: int) -> int | None:
    """Return the newest run that planned after the plan of this run was made."""
    later = transaction.rows("plan/select_planned_since.sql", {"run_id": run_id})[0]["run_id"]
    return None if later is None else int(later)
