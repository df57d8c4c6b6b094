"""# Remove old rows

Once a day, for every sync definition in `include/syncs`, one task `purge_<sync>` removes rows that no run can need any
more, as its `retention` says: changes (`outbox`), batches and snapshots of runs that ended long ago, and rejected
records that were resolved long ago. It never touches the ledger, the runs themselves, their numbers, approvals, or
open rejects.

It works in short transactions with rests between them, so a sync may run at the same time. Its result is the number of
rows by table.

**After a failure, or when it takes too long.** Stop it at any time, clear it or wait for the next day: it goes on where
it was. The first run in an old database takes longest: about a minute for every million rows. Which rows stay and why:
`docs/operations.md`, Retention.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.orchestration.maintenance_dag import build_maintenance_dag

dag: DAG = build_maintenance_dag(load_definitions(), __doc__)
