"""Make a DAG from a sync definition: order, pools, retries, timeouts; the work is in `tasks`."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Param, TriggerRule, get_current_context, task
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.timetables.assets import AssetOrTimeSchedule
from airflow.sdk.definitions.timetables.trigger import CronTriggerTimetable

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.orchestration.alerts import PagerDutyNotifier, notifier_arguments
from include.hubspot_sync.orchestration.process_end import end_with_supervisor
from include.hubspot_sync.orchestration.run_params import refusal, run_params
from include.hubspot_sync.orchestration.sentry_events import watch_events

START_DATE = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULE_SWITCH = "HUBSPOT_SYNC_SCHEDULE"
"""`off` leaves every DAG to manual runs: local stacks use it."""
QUEUES_SWITCH = "HUBSPOT_SYNC_QUEUES"
"""`per_sync` sends the tasks of each sync to the Celery queue of its name; other executors know no queues."""
FINISHED_WELL = frozenset({"success", "skipped"})

# before any task begins, which also may fail on its way to its body
watch_events()


def _params(definition: SyncDefinition) -> dict[str, Param]:
    return {
        name: Param(param.default, param.description, **param.schema())
        for name, param in run_params(definition).items()
    }


def _given(name: str) -> str:
    """Return a text of the run's parameters; the form sends null for an empty one."""
    return (get_current_context()["params"][name] or "").strip()


def _identity(definition: SyncDefinition) -> Any:
    """Describe the running task try in plain values."""
    from include.hubspot_sync.orchestration.wiring import TaskIdentity

    context = get_current_context()
    instance = context["ti"]
    return TaskIdentity(
        sync_name=definition.name,
        dag_run_key=f"{instance.dag_id}:{instance.run_id}",
        owner=f"{instance.task_id}[{instance.map_index}] try {instance.try_number}",
        triggered_by=getattr(context["dag_run"], "triggering_user_name", None) or "",
        read_back=_given("read_back"),
        mode=context["params"]["mode"],
        run_began_at=context["dag_run"].start_date,
    )


def _request(definition: SyncDefinition) -> Any:
    from include.hubspot_sync.orchestration.tasks import RunRequest
    from include.hubspot_sync.records import RunMode
    from include.hubspot_sync.store.delta import Bound, Selection

    params = get_current_context()["params"]
    return RunRequest(
        mode=RunMode(params["mode"]),
        approve_guards=_given("approve_guards"),
        allow_older_version=_given("allow_older_version"),
        replay_run=params["replay_run"],
        replay_reason=_given("replay_reason"),
        replay_key=_given("replay_key"),
        dataset_version=params["dataset_version"],
        plan_run_id=params["plan_run_id"],
        selection=Selection(
            params["record_limit"],
            tuple(
                bound
                for name in definition.destination.filters
                if (bound := Bound(name, params[f"min_{name}"], params[f"max_{name}"])) != Bound(name)
            ),
        ),
    )


def _refusal(definition: SyncDefinition) -> str:
    """Airflow accepts unknown keys silently; a typo must not be read as a default."""
    return refusal(definition, get_current_context()["dag_run"].conf or {})


def _failed_tasks() -> list[str]:
    """Return the tasks of this run that did not end well, this one apart; those that only waited for them if alone."""
    instance = get_current_context()["ti"]
    states = instance.get_task_states(dag_id=instance.dag_id, run_ids=[instance.run_id])
    unwell = {
        task_id: str(state)
        for task_id, state in states.get(instance.run_id, {}).items()
        if task_id != instance.task_id and state is not None and str(state) not in FINISHED_WELL
    }
    causes = sorted(task_id for task_id, state in unwell.items() if state != "upstream_failed")
    return causes or sorted(unwell)


def version_asset(definition: SyncDefinition) -> Asset:
    """Return what an event of the probe is about: a version that no run has taken."""
    return Asset(f"{definition.name}_dataset_version")


def _schedule(definition: SyncDefinition) -> Any:
    """Return the schedule of the definition, with the probe's events when there is a probe."""
    if os.environ.get(SCHEDULE_SWITCH) == "off":
        return None
    if definition.probe is None:
        return definition.schedule
    if definition.schedule is None:
        return [version_asset(definition)]
    timetable = CronTriggerTimetable(definition.schedule, timezone="UTC")
    return AssetOrTimeSchedule(timetable=timetable, assets=[version_asset(definition)])


def _queue(definition: SyncDefinition) -> dict[str, str]:
    """Return the queue as an argument of tasks; without one Airflow's default queue stays."""
    return {"queue": definition.name} if os.environ.get(QUEUES_SWITCH) == "per_sync" else {}


def _deadline(definition: SyncDefinition) -> list[DeadlineAlert]:
    """Return what raises an alert when a run takes too long; it runs in the triggerer."""
    if definition.deadline_s is None:
        return []
    return [
        DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(seconds=definition.deadline_s),
            callback=AsyncCallback(PagerDutyNotifier, kwargs=notifier_arguments(definition, "deadline")),
            name="run is not over in time",
        )
    ]


def build_sync_dag(definition: SyncDefinition, manual: str | None) -> DAG:
    """Return the DAG of one sync. Nothing is imported, read or connected beyond the definition."""
    delivery = definition.delivery
    with DAG(
        dag_id=definition.dag_id,
        description=definition.description,
        doc_md=manual,
        schedule=_schedule(definition),
        start_date=START_DATE,
        catchup=False,
        max_active_runs=1,
        tags=list(definition.tags),
        params=_params(definition),
        # also when no task could tell: the worker was killed, or `finish` never ran
        on_failure_callback=PagerDutyNotifier.of(definition, "dag"),
        deadline=_deadline(definition),
        render_template_as_native_obj=False,
        default_args={
            "retries": delivery.retries,
            "retry_delay": timedelta(seconds=delivery.retry_delay_s),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(seconds=delivery.max_retry_delay_s),
            "execution_timeout": timedelta(seconds=delivery.task_timeout_s),
            "on_failure_callback": PagerDutyNotifier.of(definition, "task"),
            **_queue(definition),
        },
    ) as dag:

        @task
        def preflight() -> int:
            end_with_supervisor()
            from include.hubspot_sync.orchestration import tasks

            # first, because values that nobody checked may not even make a request
            tasks.refuse_params(_identity(definition), _refusal(definition))
            return tasks.run_preflight(_identity(definition), _request(definition))

        @task.short_circuit(ignore_downstream_trigger_rules=False)
        def land() -> str | None:
            end_with_supervisor()
            from include.hubspot_sync.orchestration import tasks

            return tasks.run_land(_identity(definition), _request(definition))

        @task
        def stage(manifest_key: str) -> int:
            end_with_supervisor()
            from include.hubspot_sync.orchestration import tasks

            return tasks.run_stage(_identity(definition), _request(definition), manifest_key)

        @task.short_circuit(ignore_downstream_trigger_rules=False)
        def compute_delta() -> list[dict[str, int]]:
            end_with_supervisor()
            from include.hubspot_sync.orchestration import tasks

            return tasks.run_compute_delta(_identity(definition), _request(definition))

        # without `multiple_outputs=False` Airflow stores every key of a result as an XCom of its own, each with a call
        # of its API: 29 calls at the end of each run
        @task(pool=delivery.pool, map_index_template="{{ label }}", multiple_outputs=False)
        def deliver(shard: dict[str, int]) -> dict[str, int]:
            end_with_supervisor()
            from include.hubspot_sync.orchestration import tasks

            label = f"shard {shard['shard']}: {shard['rows']} records in {shard['batches']} batches"
            get_current_context()["label"] = label
            return tasks.run_deliver(_identity(definition), shard["shard"], shard.get("in_flight"))

        # it tells PagerDuty itself, with the counts of the run
        @task(trigger_rule=TriggerRule.ALL_DONE, on_failure_callback=[], multiple_outputs=False)
        def finish() -> dict[str, object]:
            end_with_supervisor()
            from include.hubspot_sync.orchestration import tasks

            return tasks.run_finish(_identity(definition), _failed_tasks())

        landed = land()
        staged = stage(landed)
        planned = compute_delta()
        preflight() >> landed
        staged >> planned
        deliver.expand(shard=planned) >> finish()
    return dag
