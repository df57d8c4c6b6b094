"""What became of the records of a run, counted from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.hubspot_sync.records import HASH_VERSION, Operation, OutboxState
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.runs import Run

_CONFIRMED = (OutboxState.DELIVERED, OutboxState.VERIFIED, OutboxState.MISMATCHED)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Changes of a run by planned operation and state."""

    counts: Mapping[tuple[Operation, OutboxState], int]

    def confirmed(self, operation: Operation) -> int:
        """Return the changes of one operation that HubSpot's answers named."""
        return sum(self.counts.get((operation, state), 0) for state in _CONFIRMED)

    def planned(self) -> dict[str, int]:
        """Return the changes by operation, whatever became of them."""
        counts = dict.fromkeys(map(str, Operation), 0)
        for (operation, _), count in self.counts.items():
            counts[operation] += count
        return counts

    def in_state(self, *states: OutboxState, upserts_only: bool = False) -> int:
        """Return the changes in any of these states."""
        return sum(
            count
            for (operation, state), count in self.counts.items()
            if state in states and not (upserts_only and operation is Operation.ARCHIVE)
        )


@dataclass(frozen=True, slots=True)
class Untouched:
    """Records of the snapshot that the run had no change for."""

    unchanged: int
    carried_rejects: int
    unexplained: int


def count_outcomes(transaction: Transaction, run_id: int) -> Outcomes:
    """Count the changes of a run; a record that was planned twice counts by its last row."""
    rows = transaction.rows("report/count_outcomes.sql", {"run_id": run_id})
    return Outcomes({(Operation(row["operation"]), OutboxState(row["state"])): int(row["row_count"]) for row in rows})


def count_untouched(transaction: Transaction, run: Run) -> Untouched:
    """Count the records that were left alone, and why."""
    params = {"run_id": run.run_id, "sync_name": run.sync_name, "hash_version": HASH_VERSION}
    row = transaction.rows("report/count_untouched.sql", params)[0]
    return Untouched(int(row["unchanged"]), int(row["carried_rejects"]), int(row["unexplained"]))
