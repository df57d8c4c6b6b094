"""A task process ends with the process that watches it, even when that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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
