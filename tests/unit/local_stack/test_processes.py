from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from tools.local_stack import processes
from tools.local_stack.errors import StackError
from tools.local_stack.layout import ROOT

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
LISTING = """
import pathlib, sys
from tools.local_stack import processes
print([process.pid for process in processes.all_of(pathlib.Path(sys.argv[1]))], flush=True)
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    processes.stop(processes.all_of(tmp_path), patience_s=0)


def begin(folder, program, lines=1):
    """Start a program and wait until it has printed so many lines."""
    log = folder / "log"
    process = processes.start([sys.executable, "-c", program], folder=folder, log=log, environ=os.environ)
    while processes.is_alive(process) and log.read_text().count("up") < lines:
        pass
    return process


def test_process_of_the_stack_is_found_by_its_pid(folder):
    process = begin(folder, SLEEP)

    assert processes.find(process.pid, folder) == process


def test_process_of_another_checkout_is_not_ours(folder, tmp_path_factory):
    process = begin(folder, SLEEP)

    assert processes.find(process.pid, tmp_path_factory.mktemp("other")) is None


def test_pid_that_was_given_to_a_stranger_is_not_ours(folder):
    command = [sys.executable, "-c", SLEEP]
    stranger = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        assert processes.find(stranger.pid, folder) is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("pid", [None, 0, 2**22 + 1])
def test_missing_pid_is_no_process(folder, pid):
    assert processes.find(pid, folder) is None


def test_orphan_of_a_killed_parent_is_found(folder):
    parent = begin(folder, PARENT, lines=2)
    [child] = parent.children()
    parent.kill()
    parent.wait()

    assert processes.all_of(folder) == [child]


def test_program_that_asks_is_never_in_the_list(folder):
    log = folder / "log"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}

    asking = processes.start([sys.executable, "-c", LISTING, folder], folder=folder, log=log, environ=environ)
    asking.wait(timeout=10)

    assert log.read_text() == "[]\n"


def test_process_that_ignores_the_polite_signal_is_killed(folder):
    process = begin(folder, STUBBORN)

    processes.stop([process], patience_s=0.1)

    assert not process.is_running()
    assert processes.all_of(folder) == []


def test_process_runs_in_a_session_of_its_own(folder):
    process = begin(folder, SLEEP)

    assert os.getsid(process.pid) == process.pid


def test_stopping_what_has_ended_is_harmless(folder):
    process = begin(folder, SLEEP)
    processes.stop([process])

    processes.stop([process])

    assert not psutil.pid_exists(process.pid)


def test_missing_program_is_one_line(folder):
    with pytest.raises(StackError, match=r"cannot start /no/such/program: No such file"):
        processes.start(["/no/such/program"], folder=folder, log=folder / "log", environ={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fine\nan ERROR here\nlater\n\n", "an ERROR here"),
        ("fine\nlast\n", "last"),
        ("", "the log is empty"),
    ],
    ids=["telling line", "last line", "empty"],
)
def test_telling_line_of_a_log(tmp_path, text, expected):
    log = tmp_path / "log"
    log.write_text(text)

    assert processes.last_line(log, words=("ERROR",)) == expected


def test_missing_log_is_said(tmp_path):
    assert processes.last_line(tmp_path / "none") == "no log was written"


def test_child_of_a_killed_service_is_a_stray_and_that_of_a_running_one_is_not(folder):
    killed, running = begin(folder, PARENT, lines=2), begin(folder, PARENT, lines=4)
    (orphan,) = killed.children()
    killed.kill()
    killed.wait()

    assert processes.strays(folder, [killed.pid, running.pid]) == [orphan]


def test_service_that_nobody_noted_is_a_stray_with_its_children(folder):
    process = begin(folder, PARENT, lines=2)

    assert {found.pid for found in processes.strays(folder, [])} == {
        process.pid,
        *(child.pid for child in process.children()),
    }
