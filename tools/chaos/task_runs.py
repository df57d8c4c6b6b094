"""Sync runs without Airflow: the task bodies as processes, retried as Airflow would, only sooner."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tools.chaos.waiting import pause
from tools.local_stack import processes

SUCCESS, FAILED, RUNNING = "success", "failed", "running"
_MAX_TRIES = 60
_POLL_S = 0.05
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 3.0
HEARTBEAT_S = 6.0
"""A stopped try counts as lost after this: the next one begins beside it, as after Airflow's heartbeat timeout."""


@dataclass(eq=False, slots=True)
class Try:
    """One process that works on a task."""

    task: str
    shard: int | None
    owner: str
    process: psutil.Process | None
    """None when it had ended before anybody could look."""
    outcome_file: Path
    stopped_at: float | None = None

    def is_alive(self) -> bool:
        """Tell whether its process has not ended."""
        return self.process is not None and processes.is_alive(self.process)

    def wait(self) -> dict[str, Any] | None:
        """Wait for its end, or until it has been stopped for too long; return its outcome, None when it was killed."""
        while self.is_alive():
            pause(_POLL_S)
            stopped = self.stopped_at
            if stopped is not None and time.monotonic() - stopped > HEARTBEAT_S:
                return None
        try:
            outcome: dict[str, Any] = json.loads(self.outcome_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return outcome

    def send(self, number: int) -> None:
        """Send it a signal; nothing when it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.process is not None:
                self.process.send_signal(number)


def _find(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a try finds: its environment, and how wrong its clock is."""

    environ: Mapping[str, str] = field(default_factory=dict)
    skew_s: float = 0.0


class TaskServer:
    """The process that forks the tries."""

    def __init__(self, folder: Path, environ: Mapping[str, str], work_folder: Path) -> None:
        self._work_folder = work_folder
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        (work_folder / "logs").mkdir(parents=True, exist_ok=True)
        with (work_folder / "logs" / "task-server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tools.chaos.task_server"],
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # signals of the terminal are for the program that cleans up
            )
        if self._read() != "ready":
            raise RuntimeError(f"the task server does not start: see {work_folder / 'logs'}")

    def start(self, task: str, run: str, owner: str, arguments: Mapping[str, Any], conditions: Conditions) -> Try:
        """Start a try."""
        with self._lock:
            number = next(self._numbers)
            outcome = self._work_folder / f"outcome{number}.json"
            order = {
                "task": task,
                "dag_run_key": run,
                "owner": owner,
                "arguments": arguments,
                "environ": conditions.environ,
                "outcome": str(outcome),
                "log": str(self._work_folder / "logs" / "tries.log"),
                "skew_s": conditions.skew_s,
            }
            return Try(task, arguments.get("shard"), owner, _find(self._ask(order)), outcome)

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None  # noqa: S101  opened above
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._read())
        except (OSError, ValueError) as error:
            raise RuntimeError(f"the task server is gone, status {self._process.wait(5)}") from error

    def _read(self) -> str:
        assert self._process.stdout is not None  # noqa: S101  opened above
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End it, and with it every try."""
        self._process.kill()
        self._process.wait()


@dataclass
class TaskRun:
    """One sync run: the order of the tasks, and their retries."""

    key: str
    server: TaskServer
    conditions: Callable[[str, int], Conditions]
    """Returns what a try of a task finds, by task and number of the try."""
    state: str = RUNNING
    tries: list[Try] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Begin; `state` tells when it is over."""
        threading.Thread(target=self._work, daemon=True).start()

    def running(self) -> list[Try]:
        """Return the tries whose processes have not ended."""
        return [one for one in list(self.tries) if one.is_alive()]

    def _work(self) -> None:
        try:
            self._deliver()
            how, _ = self._task("finish", {"failed_tasks": sorted(self.failed)})
            self.state = SUCCESS if how == "done" and not self.failed else FAILED
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            self.state = FAILED
            raise

    def _deliver(self) -> None:
        """Run everything before `finish`; a task that ends otherwise than done ends the way."""
        how, _ = self._task("preflight")
        if how != "done":
            return
        how, manifest = self._task("land")
        if how != "done" or manifest is None:
            return
        how, _ = self._task("stage", {"manifest_key": manifest})
        if how != "done":
            return
        how, shards = self._task("compute_delta")
        if how != "done" or not shards:
            return
        with ThreadPoolExecutor(max_workers=len(shards)) as pool:
            list(pool.map(lambda shard: self._task("deliver", {"shard": shard["shard"]}), shards))

    def _task(self, task: str, arguments: Mapping[str, Any] | None = None) -> tuple[str, Any]:
        arguments = arguments or {}
        delay_s = _FIRST_DELAY_S
        for number in range(1, _MAX_TRIES + 1):
            owner = f"{task}[{arguments.get('shard', -1)}] try {number}"
            one = self.server.start(task, self.key, owner, arguments, self.conditions(task, number))
            self.tries.append(one)
            outcome = one.wait()
            if outcome is not None and outcome["how"] != "retry":
                return self._end(task, outcome)
            pause(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
        return self._end(task, {"how": "failed", "text": f"{_MAX_TRIES} tries were not enough"})

    def _end(self, task: str, outcome: Mapping[str, Any]) -> tuple[str, Any]:
        if outcome["how"] == "failed":
            self.failed.append(task)
            self.errors.append(f"{task}: {outcome['text']}")
        return outcome["how"], outcome.get("result")
