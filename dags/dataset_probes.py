"""# Ask Kaggle for a new version

The sync runs once a day; this DAG asks Kaggle more often (`probe` in the sync definition), with one request and
without a download. When the newest version is ready and no run of the sync has taken it, the task `ask_kaggle` succeeds
and its asset event starts the sync at once. Otherwise the task is skipped, which starts nothing.

**After a failure** nothing has to be done: the next hour asks again, and the sync's own schedule asks as well.
A sync whose run took the version and failed is not started again by this: repair it and clear its failed task.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.orchestration.probe_dag import build_probe_dag

dags: dict[str, DAG] = {
    f"{definition.name}_probe": build_probe_dag(definition, __doc__)
    for definition in load_definitions().values()
    if definition.probe
}
globals().update(dags)
