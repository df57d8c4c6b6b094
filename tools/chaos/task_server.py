"""`python -m tools.chaos.task_server`: forks a process per task try, so that each can be killed.

Reads one order per line from standard input and writes the pid of the process that carries it out. Airflow is imported
once, here; its scheduler is not involved. The processes end with this one.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import time_machine
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hubspot_sync.orchestration import tasks
from include.hubspot_sync.orchestration.process_end import end_with_supervisor
from include.hubspot_sync.orchestration.wiring import TaskIdentity
from include.hubspot_sync.records import RunMode


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """One try of one task."""

    task: str
    dag_run_key: str
    owner: str
    arguments: Mapping[str, Any]
    environ: Mapping[str, str]
    outcome: str
    """File for the outcome; without it the process was killed."""
    log: str
    skew_s: float = 0.0
    """How far this process's clock is from the true time."""


class Outcome:
    """Words for how a try ended."""

    DONE = "done"
    RETRY = "retry"
    FAILED = "failed"
    SKIPPED = "skipped"


def main() -> int:
    """Serve until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended processes need nobody who collects them
    print("ready", flush=True)
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            _carry_out(order)
        print(pid, flush=True)
    return 0


def _carry_out(order: Order) -> NoReturn:
    end_with_supervisor()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _redirect(order.log)
    os.environ.update(order.environ)
    tempfile.tempdir = None  # chosen anew from this environment
    try:
        if order.skew_s:
            time_machine.travel(_shifted(order.skew_s), tick=True).start()
        outcome = _outcome(order)
        part = Path(f"{order.outcome}.part")
        part.write_text(json.dumps(outcome), encoding="utf-8")
        part.replace(order.outcome)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _shifted(seconds: float) -> float:
    import time  # noqa: PLC0415

    return time.time() + seconds


def _redirect(log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((nothing, 0), (target, 1), (target, 2)):
        os.dup2(source, number)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _outcome(order: Order) -> dict[str, Any]:
    """Run the task's body; what it raises means the same as under Airflow."""
    try:
        return {"how": Outcome.DONE, "result": _run(order)}
    except AirflowSkipException as error:
        return {"how": Outcome.SKIPPED, "text": str(error)}
    except AirflowFailException as error:
        return {"how": Outcome.FAILED, "text": str(error)}
    except Exception as error:  # noqa: BLE001  Airflow retries a task for any error
        traceback.print_exc()
        return {"how": Outcome.RETRY, "text": f"{type(error).__name__}: {error}"}


def _run(order: Order) -> Any:  # noqa: ANN401  whatever a task hands on
    identity = TaskIdentity("baby_names", order.dag_run_key, order.owner)
    request = tasks.RunRequest(RunMode.INCREMENTAL)
    match order.task:
        case "preflight":
            return tasks.run_preflight(identity, request)
        case "land":
            return tasks.run_land(identity, request)
        case "stage":
            return tasks.run_stage(identity, request, order.arguments["manifest_key"])
        case "compute_delta":
            return tasks.run_compute_delta(identity, request)
        case "deliver":
            return tasks.run_deliver(identity, order.arguments["shard"])
        case _:
            return tasks.run_finish(identity, order.arguments["failed_tasks"])


if __name__ == "__main__":
    sys.exit(main())
