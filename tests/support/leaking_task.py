"""A process with the log output of an Airflow task, which leaks: `python -m tests.support.leaking_task FILE how`.

Everything is set up as Airflow's task runner does it, up to the point where the supervisor would take the lines: they
go to FILE. `how` is `redacted`, the way of every task body, or `open`, the same without the product's redaction.
"""

from __future__ import annotations

import base64
import logging
import os
import sys
import warnings
from pathlib import Path
from urllib.parse import quote

from airflow.sdk.log import configure_logging

CONNECTIONS = ("hubspot", "mysql", "kaggle", "aws", "pagerduty")
KEYS = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET")


def main(path: str, how: str) -> None:
    """Leak, and log the failure as the task runner does."""
    import structlog

    with Path(path).open("wb", buffering=0) as output:
        configure_logging(json_output=True, output=output, sending_to_supervisor=True)
        # a logger that Airflow used before the task began
        early = structlog.get_logger("task")
        early.info("task begins")
        try:
            run(how)
        except ValueError:
            early.exception("Task failed with exception")


def run(how: str) -> None:
    """Fetch every secret through a hook, and leak it."""
    from include.hubspot_sync.orchestration import task_errors
    from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook

    if how == "open":
        task_errors.redact_output = lambda: None

    @task_errors.reports_errors
    def body() -> None:
        values = [os.environ[key] for key in KEYS]
        for name in CONNECTIONS:
            connection = HubSpotHook.get_connection(name)
            values += [connection.password, *filter(None, [connection.extra_dejson.get("pat")])]
        leak_everywhere(values)

    body()


def leak_everywhere(values: list[str]) -> None:
    """Write secrets in many ways, and end with an error that holds them."""
    import structlog

    for value in values:
        basic = base64.b64encode(f"user:{value}".encode()).decode()
        forms = (value, quote(value, safe=""), basic, f"Bearer {value}", value.encode().hex(), value[::-1])
        for form in forms:
            logging.getLogger("include.hubspot_sync.leak").error("leak %s", form)
            logging.getLogger("botocore.leak").warning("leak %s", {"header": form})
            structlog.get_logger("airflow.leak").error("leak", header=form)
            print("leak", form)  # noqa: T201  that is the point
            print("leak", form, file=sys.stderr)  # noqa: T201  as above
            warnings.warn(f"leak {form}", UserWarning, stacklevel=1)
    try:
        raise KeyError(f"inner {values}")  # noqa: TRY301  both are to be in the traceback
    except KeyError as error:
        raise ValueError(f"outer {values}") from error


if __name__ == "__main__":
    main(*sys.argv[1:])
