from __future__ import annotations

import dataclasses
import os
import sys

import pytest

from tools.local_stack import processes
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Secrets, Stack
from tools.local_stack.service import Service, Supervisor
from tools.local_stack.up_down import Session, plan_stack

TOUCH = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
CRASH = "import sys; sys.exit('error: the port is in use')"


@pytest.fixture
def supervisor(tmp_path):
    layout = Layout(tmp_path)
    stack = plan_stack(layout, Secrets.load(layout), {})
    yield Supervisor(layout, stack, dict(os.environ))
    processes.stop(processes.all_of(layout.folder), patience_s=0)


def touching(folder, **changes):
    """Return a service that is healthy once its process has made a file."""
    sign = folder / "healthy"
    command = (sys.executable, "-c", TOUCH, str(sign))
    service = Service("part", command, {}, sign.exists, lambda: sign.unlink(missing_ok=True), timeout_s=20)
    return dataclasses.replace(service, **changes)


def test_service_is_started_and_noted(supervisor, tmp_path):
    assert supervisor.ensure(touching(tmp_path)) == "started"

    noted = Stack.load(supervisor.layout)
    assert processes.find(noted.pids["part"], supervisor.layout.folder) is not None


def test_healthy_service_is_left_alone(supervisor, tmp_path):
    service = touching(tmp_path)
    supervisor.ensure(service)
    pid = supervisor.stack.pids["part"]

    assert supervisor.ensure(service) == "already running"
    assert supervisor.stack.pids["part"] == pid


def test_changed_setting_restarts_the_service(supervisor, tmp_path):
    supervisor.ensure(touching(tmp_path))
    old = supervisor.stack.pids["part"]

    assert supervisor.ensure(touching(tmp_path, settings={"HUBSPOT_SIM_LATENCY": "fast"})) == "started"
    assert processes.find(old, supervisor.layout.folder) is None


def test_killed_service_is_started_again(supervisor, tmp_path):
    service = touching(tmp_path)
    supervisor.ensure(service)
    processes.stop(processes.all_of(supervisor.layout.folder), patience_s=0)

    assert supervisor.ensure(service) == "started"


def test_service_that_ends_at_once_is_explained_by_its_log(supervisor, tmp_path):
    crashing = touching(tmp_path, command=(sys.executable, "-c", CRASH))

    with pytest.raises(StackError, match=r"part ended: error: the port is in use \(log: .*part\.log\)"):
        supervisor.ensure(crashing)


def test_service_that_never_gets_healthy_is_given_up(supervisor, tmp_path):
    with pytest.raises(StackError, match=r"part is not healthy after 0\.2 s"):
        supervisor.ensure(touching(tmp_path, is_healthy=lambda: False, timeout_s=0.2))


def test_nothing_starts_after_a_cancel(supervisor, tmp_path):
    supervisor.cancel()

    with pytest.raises(StackError, match="cancelled"):
        supervisor.ensure(touching(tmp_path))
    with pytest.raises(StackError, match="cancelled"):
        supervisor.run("job", (sys.executable, "-c", ""), {})
    assert processes.all_of(supervisor.layout.folder) == []


def test_failed_program_is_explained_by_its_log(supervisor):
    with pytest.raises(StackError, match="job failed: error: the port is in use"):
        supervisor.run("job", (sys.executable, "-c", CRASH), {})


def test_undo_stops_only_what_this_command_started(supervisor, tmp_path):
    supervisor.ensure(touching(tmp_path))
    before = frozenset({supervisor.stack.pids["part"]})
    session = Session(supervisor.layout, before, supervisor)
    supervisor.ensure(touching(tmp_path, name="second", is_healthy=lambda: True))

    session.undo()

    assert {process.pid for process in processes.all_of(supervisor.layout.folder)} == before
