"""Processes of this test's own, measured as those of a stack are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tools.bench.process_use import TASKS, ProcessWatch

BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"
SHORT_LIVED = f"""
import subprocess, sys
for _ in range(3):
    subprocess.run([sys.executable, "-c", {BURN.format(0.1)!r}])
print("done", flush=True)
sys.stdin.read()
"""
LARGE_FOR_A_MOMENT = "x = b'x' * 80_000_000; del x\nimport sys\nprint('done', flush=True)\nsys.stdin.read()"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.communicate(timeout=10)


def start(started: list[subprocess.Popen[str]], program: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", f"input()\n{program}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started.append(process)
    return process


def let_work(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_time_of_children_that_ended_counts_for_the_tasks_of_the_scheduler(started: list[subprocess.Popen[str]]):
    scheduler = start(started, SHORT_LIVED)
    watch = ProcessWatch({"scheduler": scheduler.pid})

    with watch.watching():
        let_work(scheduler)

    assert 0.3 <= watch.use()[TASKS].cpu_s < 3


def test_time_of_children_that_ended_counts_for_the_part_itself(started: list[subprocess.Popen[str]]):
    part = start(started, SHORT_LIVED)
    watch = ProcessWatch({"s3": part.pid})

    with watch.watching():
        let_work(part)

    assert watch.use().keys() == {"s3"}
    assert watch.use()["s3"].cpu_s >= 0.3


def test_time_before_the_block_does_not_count():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    watch = ProcessWatch({"s3": os.getpid()})

    with watch.watching():
        pass

    assert watch.use()["s3"].cpu_s < 0.2


def test_peak_of_a_task_between_two_looks_is_seen(started: list[subprocess.Popen[str]]):
    large = start(started, LARGE_FOR_A_MOMENT)
    watch = ProcessWatch({"scheduler": os.getpid()})

    with watch.watching():
        let_work(large)

    assert watch.use()[TASKS].peak_mb > 80


def test_part_that_is_not_there_uses_nothing():
    watch = ProcessWatch({"gone": 2**22 + 1})

    with watch.watching():
        pass

    assert watch.use() == {}
