"""Where the time of a run went."""

from __future__ import annotations

from collections.abc import Mapping

from include.hubspot_sync.records import Phase
from include.hubspot_sync.store.connection import Transaction

_TASKS_IN_A_ROW = (Phase.PREFLIGHT, Phase.LAND, Phase.STAGE, Phase.DELTA, Phase.DELIVER)
"""One after the other; the shards of `deliver` count from the first begin to the last end."""


def add_phases(
    transaction: Transaction, dag_run_key: str, shard: int, seconds: Mapping[Phase, float], *, elapsed_s: float
) -> None:
    """Add what one try of a task spent; shard -1 stands for the tasks around the shards."""
    task = {"dag_run_key": dag_run_key, "shard": shard, "elapsed_us": round(elapsed_s * 1_000_000)}
    for phase, spent_s in seconds.items():
        transaction.execute("phases/add_phase.sql", task | {"phase": phase, "seconds": spent_s})


def breakdown(transaction: Transaction, run_id: int, wall_s: float | None) -> dict[str, float]:
    """Return phase → seconds of a run, those of `Phase` that occurred.

    Tasks count as time on the wall, their parts as the sum over everything that ran at once. `schedule` is what the
    tasks leave of `wall_s`, the time since the DAG run started; after a clear, when the tasks do not follow each other
    any more, it is zero.
    """
    rows = {Phase(row["phase"]): row for row in transaction.rows("phases/select_phases.sql", {"run_id": run_id})}
    found = {
        phase: float(rows[phase]["span_s"] if phase in _TASKS_IN_A_ROW else rows[phase]["seconds"])
        for phase in Phase
        if phase in rows
    }
    if wall_s is not None:
        tasks_s = sum(found.get(phase, 0.0) for phase in _TASKS_IN_A_ROW)
        found = {Phase.SCHEDULE: max(0.0, wall_s - tasks_s)} | found
    return {str(phase): round(seconds, 3) for phase, seconds in found.items()}
