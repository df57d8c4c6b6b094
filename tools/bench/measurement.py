"""What one run of a case showed, and whether it did what it had to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tools.bench.airflow_times import TaskTime
from tools.bench.cases import Case
from tools.bench.portal_log import Traffic
from tools.bench.process_use import TASKS, Use
from tools.local_stack.result import SUCCESS, Result

TASK_PHASES = ("preflight", "land", "stage", "delta", "deliver")
"""Phases that are the body of a task each; they follow one another."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one run."""

    wall_s: float
    """From the trigger to the end of the DAG run."""
    deliver_s: float
    """From the first claim to the last confirmed batch, as the run counts it."""
    prepare_s: float
    """From the landed file to the finished plan: staging, snapshot and comparison."""
    api_s: float
    """From the first arrival of a delivering request to the last answer to one, read-back included."""
    ratio: float | None
    """`api_s` as a multiple of the floor; None when nothing had to be sent."""
    records_per_s: float | None
    """Changes per second of `api_s`."""
    requests: Mapping[str, int]
    """Kind → requests, as the portal logged them."""
    http_429: int
    most_in_10s: int
    """Most arrivals in any 10 s, as the portal logged them."""
    payload_bytes: int | None
    """Bodies of all requests and answers; None when the portal's log does not tell."""
    processes: Mapping[str, Use]
    phases: Mapping[str, float]
    tasks: tuple[TaskTime, ...]
    load_before: float
    """Load average of the last minute when the run began."""
    problems: tuple[str, ...]
    """What was wrong; empty in a good run."""

    @property
    def request_count(self) -> int:
        """Return all requests."""
        return sum(self.requests.values())

    @property
    def cpu_s(self) -> float:
        """Return the CPU seconds of the whole stack."""
        return sum(use.cpu_s for use in self.processes.values())

    @property
    def task_cpu_s(self) -> float:
        """Return the CPU seconds of the tasks and the processes around them."""
        return self.processes[TASKS].cpu_s

    @property
    def task_peak_mb(self) -> float:
        """Return the most memory of any process of a task."""
        return self.processes[TASKS].peak_mb

    @property
    def between_tasks_s(self) -> float:
        """Return the seconds in which no task had a process: Airflow decides what comes next."""
        return self.wall_s - sum(task.took_s for task in self.tasks)

    @property
    def around_bodies_s(self) -> float:
        """Return the seconds that tasks took beyond their bodies: imports, reports to Airflow, all of `finish`."""
        bodies_s = sum(self.phases.get(name, 0.0) for name in TASK_PHASES)
        return sum(task.took_s for task in self.tasks) - bodies_s

    def as_json(self) -> dict[str, Any]:
        """Return the figures for results.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Measurement:
        """Read back what `as_json` wrote."""
        return cls(
            **{
                **content,
                "processes": {kind: Use(**use) for kind, use in content["processes"].items()},
                "tasks": tuple(TaskTime(**task) for task in content["tasks"]),
                "problems": tuple(content["problems"]),
            }
        )


def measure(
    case: Case,
    result: Result,
    traffic: Traffic,
    *,
    living: int,
    processes: Mapping[str, Use],
    tasks: list[TaskTime],
    load_before: float,
) -> Measurement:
    """Put together what was seen of a run."""
    phases: Mapping[str, float] = result.get("phases", {})
    api_s = traffic.delivery_s
    return Measurement(
        wall_s=result["wall_s"],
        deliver_s=result["deliver_s"],
        prepare_s=round(phases.get("stage", 0.0) + phases.get("delta", 0.0), 3),
        api_s=api_s,
        ratio=round(api_s / case.floor_s, 4) if case.floor_s else None,
        records_per_s=round(case.changes / api_s, 1) if case.changes and api_s else None,
        requests=traffic.by_kind,
        http_429=traffic.refused,
        most_in_10s=traffic.most_in_10s,
        payload_bytes=traffic.payload_bytes,
        processes=processes,
        phases=phases,
        tasks=tuple(tasks),
        load_before=load_before,
        problems=tuple(problems(case, result, traffic, living)),
    )


def problems(case: Case, result: Result, traffic: Traffic, living: int) -> list[str]:
    """Name every count that is not what the case says, and every broken limit; times are never judged."""
    wrong = [
        f"{name} is {result[name]} instead of {expected}"
        for name, expected in case.expected.items()
        if result[name] != expected
    ]
    limit = case.portal.limit
    checks = (
        (f"the run ended as {result['state']}: {result.get('message', '')}", result["state"] == SUCCESS),
        (f"the portal holds {living} contacts instead of {case.size.contacts}", living == case.size.contacts),
        (f"{traffic.refused} answers 429", traffic.refused == 0),
        (f"{traffic.most_in_10s} arrivals in 10 s, allowed are {limit}", traffic.most_in_10s <= limit),
        (f"{traffic.writes} writes instead of {case.batches}", traffic.writes == case.batches),
    )
    return wrong + [text for text, is_good in checks if not is_good]
