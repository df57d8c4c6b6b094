"""The environment of Airflow and of every other process of the stack."""

from __future__ import annotations

from collections.abc import Mapping

from tools.local_stack.layout import Layout, Secrets
from tools.local_stack.ports import LOOPBACK

AIRFLOW_USER = "admin"
SCHEDULE_VARIABLE = "HUBSPOT_SYNC_SCHEDULE"
ENVIRONMENT_VARIABLE = "HUBSPOT_SYNC_ENVIRONMENT"
_FOREIGN = ("AIRFLOW_", "AWS_", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
_LOCAL_HOSTS = f"{LOOPBACK},localhost"


def base_environment(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment without what would redirect this stack, and with our import path."""
    base = {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}
    base["PYTHONPATH"] = str(layout.root)
    for name in ("NO_PROXY", "no_proxy"):
        base[name] = ",".join(part for part in (environ.get(name, ""), _LOCAL_HOSTS) if part)
    # alerts must not be taken for those of production
    base.setdefault(ENVIRONMENT_VARIABLE, "local")
    return base


def airflow_settings(
    layout: Layout, secrets: Secrets, ports: Mapping[str, int], *, is_scheduled: bool
) -> dict[str, str]:
    """Return Airflow's own settings.

    Args:
        layout: folders.
        secrets: generated keys and the login's password.
        ports: port of `airflow` (API and UI) and of the two log servers, which are off but want distinct ones.
        is_scheduled: let the DAGs' schedules run; otherwise only triggered runs start.
    """
    url = f"http://{LOOPBACK}:{ports['airflow']}"
    home = layout.airflow_home
    return {
        "AIRFLOW_HOME": str(home),
        SCHEDULE_VARIABLE: "on" if is_scheduled else "off",
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{AIRFLOW_USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports["worker_logs"]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports["trigger_logs"]),
        # a hop between two tasks costs up to one idle sleep; the default is 1 s
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # The first callback of a DAG that asks for a connection holds up the DAG processor for seconds of CPU time.
        # With the default of 50 s a busy machine would lose the callback, and take the DAGs for deleted.
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "150",
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "180",
        # A killed supervisor is noticed after 50 to 55 s, by default after 300 to 310 s; with the delay before the next
        # try that makes about a minute. With less the scheduler would give up tasks that only cannot reach the API
        # server while it restarts.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "50",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # The tasks of a killed scheduler begin again 30 to 40 s after its last heartbeat. With a check every 60 s one
        # of five took 97 s.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
        # By default a supervisor kills its task after three failed heartbeats, 42 to 50 s without API server. With
        # twelve the scheduler's limit comes first. Either way the task's next tries go on; they span 16 minutes
        # (`delivery.retries`), so that ten minutes without API server, database or HubSpot fail no run.
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "12",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
