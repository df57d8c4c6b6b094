"""A task process ends with the one that watches it, even when that is killed, and in good order when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from include.hubspot_sync.orchestration.process_end import when_told_to_end
from tools.chaos.waiting import wait_until
from tools.local_stack import processes

ROOT = Path(__file__).parent.parent.parent.parent
FORK = """
import os, sys, time
from include.hubspot_sync.orchestration.process_end import end_with_supervisor
if os.fork() == 0:
    {first_line}
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def orphan_of_a_killed_parent(first_line: str) -> psutil.Process:
    """Kill the parent of a forked process and return the process."""
    program = FORK.format(first_line=first_line)
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    return child


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
def test_forked_process_ends_with_its_parent():
    orphan = orphan_of_a_killed_parent("end_with_supervisor()")

    # it may be a zombie that nobody collects, which psutil's own wait would wait for
    wait_until(lambda: not processes.is_alive(orphan), limit_s=5, what="the end of the orphan")


def test_without_it_the_process_goes_on_as_an_orphan():
    orphan = orphan_of_a_killed_parent("pass")

    assert processes.is_alive(orphan)
    orphan.kill()


def test_sigterm_calls_stop_in_the_event_loop_and_the_handler_of_before_comes_back():
    before = signal.getsignal(signal.SIGTERM)

    async def body() -> bool:
        stopped = asyncio.Event()
        with when_told_to_end(stopped.set):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(stopped.wait(), timeout=5)
        return stopped.is_set()

    assert asyncio.run(body())
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_than_the_main_one_leaves_signals_alone():
    failures: list[BaseException] = []

    async def body() -> None:
        with when_told_to_end(lambda: None):
            await asyncio.sleep(0)

    def run() -> None:
        try:
            asyncio.run(body())
        except ValueError as error:  # what the signal module raises there
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures
