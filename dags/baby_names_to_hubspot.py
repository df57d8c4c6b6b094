"""# Kaggle dataset → HubSpot contacts

Every sync definition in `include/syncs` becomes one DAG. Each run makes the HubSpot portal equal to the newest version
of the dataset: it sends only what changed since HubSpot last confirmed it, reads back what it wrote, and fails when
anything is left open or differs.

| task | does |
|---|---|
| `preflight` | checks MySQL, token, scopes and properties (creates missing ones), takes the run lock |
| `land` | asks Kaggle for the version; a new one goes to S3. Nothing new and nothing left over: straight to `finish` |
| `stage` | validates every line, loads MySQL, builds one hashed record per contact |
| `compute_delta` | compares with the ledger, queues creates, updates and archives in batches |
| `deliver` | one mapped task per shard, in the pool: send, store HubSpot's answer, read back |
| `finish` | counts every record once, closes the run, fails it when something is open |

**Parameters** (trigger form): `mode`, `approve_guards` and `allow_older_version` (each with a reason);
`replay_run`, `replay_reason` and `replay_key` narrow the mode replay. `dataset_version` syncs another version than the
newest, `plan_run_id` applies exactly the plan of an earlier run or nothing, `read_back` says how much is read again.
`record_limit`, `min_first_year`, `max_first_year`, `min_total_births` and `max_total_births` make it a trial run: it
sends only such records and archives nothing; the next run sends the rest.

**After a failure.** The failed task's log has one line that starts with `error:`: what, where, what to do. Then clear
the failed task with its downstream tasks, or trigger a new run. Both are safe at any time: what HubSpot confirmed is
never sent again, and what is in doubt is read back first. Clearing one `deliver` index leaves its siblings alone.

**Waiting.** "holds the lock" and "still draining" mean that another run writes, or that requests of the last run may
still be on their way; the task's next try waits for it.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.orchestration.sync_dag import build_sync_dag

dags: dict[str, DAG] = {
    definition.dag_id: build_sync_dag(definition, __doc__) for definition in load_definitions().values()
}
globals().update(dags)
