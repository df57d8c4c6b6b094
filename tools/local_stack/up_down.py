"""Start, stop and look at the whole stack."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from tools.local_stack import processes
from tools.local_stack.airflow_api import AirflowApi
from tools.local_stack.airflow_env import AIRFLOW_USER, base_environment
from tools.local_stack.console import StepView, console
from tools.local_stack.layout import HUBSPOT_TOKEN, S3_KEY, Layout, Secrets, Stack
from tools.local_stack.mysql import SCHEMA, URL_VARIABLE, USER, MysqlAddress, parse_url, socket_path
from tools.local_stack.ports import LOOPBACK, pick_port
from tools.local_stack.service import Supervisor
from tools.local_stack.services import Parts
from tools.local_stack.steps import run_steps

BUCKET = "hubspot-sync"
DEFAULT_PORTS = {
    "airflow": 8080,
    "mysql": 13306,
    "s3": 14566,
    "hubspot": 41820,
    "kaggle": 41830,
    "kaggle_storage": 41831,
    "worker_logs": 18793,
    "trigger_logs": 18794,
    "metrics": 19464,
}
_OWNERS = {
    "airflow": "api-server",
    "kaggle_storage": "kaggle",
    "worker_logs": "scheduler",
    "trigger_logs": "triggerer",
    "metrics": "exporter",
}
"""Port → the service that holds it, where the names differ."""
_AIRFLOW_PATIENCE_S = 6
"""The triggerer takes 12 s to end by itself, although it has nothing to finish here; the rest takes up to 5 s."""
_STORES = ("mysql", "s3", "hubspot", "kaggle")


@dataclass(slots=True)
class Session:
    """What one command has changed, so that an interrupt can take it back."""

    layout: Layout
    before: frozenset[int]
    """Pids of the stack's processes when the command began."""
    supervisor: Supervisor | None = None

    def undo(self) -> None:
        """Stop every process that this command started, and their children."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not stop the clean-up half-way
        if self.supervisor:
            self.supervisor.cancel()
        ours = [process for process in processes.all_of(self.layout.folder) if process.pid not in self.before]
        processes.stop(ours, patience_s=_AIRFLOW_PATIENCE_S)
        if self.supervisor and not self.before:
            self.layout.stack_file.unlink(missing_ok=True)


@contextlib.contextmanager
def session(layout: Layout) -> Iterator[Session]:
    """Take back what this command started when it is interrupted (Ctrl-C or SIGTERM).

    After the block, what runs keeps running.
    """
    before = frozenset(process.pid for process in processes.all_of(layout.folder))
    current = Session(layout, before)
    old_int = signal.getsignal(signal.SIGINT)
    old_term = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield current
    except KeyboardInterrupt:
        current.undo()
        raise
    finally:
        signal.signal(signal.SIGTERM, old_term)
        signal.signal(signal.SIGINT, old_int)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Let one start or stop of this checkout happen at a time."""
    layout.folder.mkdir(parents=True, exist_ok=True)
    with (layout.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(current: Session, environ: Mapping[str, str], *, is_scheduled: bool) -> Stack:
    """Start what is not running or not healthy, and wait until everything is.

    Raises:
        StackError: a part does not start; what this command had started is stopped again.
    """
    layout = current.layout
    with _alone(layout):
        secrets = Secrets.load(layout)
        stack = plan_stack(layout, secrets, environ)
        _stop_strays(layout, stack)
        current.supervisor = Supervisor(layout, stack, base_environment(layout, environ))
        parts = Parts(current.supervisor, secrets, airflow_api(stack), is_scheduled)
        with StepView("Starting the stack") as view:
            run_steps(parts.steps(), view, current.undo)
        stack.save(layout)
    return stack


def _stop_strays(layout: Layout, stack: Stack) -> None:
    """End what a killed part has left behind, before another one takes its place."""
    if found := strays(layout, stack):
        console.print(f"ending {describe_strays(found)}", markup=False)
        processes.stop(found, patience_s=_AIRFLOW_PATIENCE_S)


def strays(layout: Layout, stack: Stack) -> list[psutil.Process]:
    """Return the processes of this checkout's stack that no running part has."""
    return processes.strays(layout.folder, stack.pids.values())


def describe_strays(found: Sequence[psutil.Process]) -> str:
    """Return how many they are and which."""
    pids = ", ".join(str(process.pid) for process in found)
    kind = "process" if len(found) == 1 else "processes"
    return f"{len(found)} {kind} that a killed part left behind ({pids})"


def airflow_api(stack: Stack) -> AirflowApi:
    """Return a client of the stack's Airflow."""
    return AirflowApi(stack.airflow_url, stack.airflow_user, stack.airflow_password)


def plan_stack(layout: Layout, secrets: Secrets, environ: Mapping[str, str]) -> Stack:
    """Decide every address: that of the last time where it still serves, else the default, else a free one."""
    old = Stack.load(layout)
    ports = _plan_ports(layout, old)
    address = MysqlAddress(LOOPBACK, ports["mysql"], USER, secrets.mysql_password, SCHEMA)
    if url := environ.get(URL_VARIABLE):
        address = parse_url(url)
    return Stack(
        airflow_url=_url(ports["airflow"]),
        airflow_user=AIRFLOW_USER,
        airflow_password=secrets.airflow_password,
        mysql_url=address.url,
        s3_url=_url(ports["s3"]),
        s3_access_key=S3_KEY,
        s3_secret_key=S3_KEY,
        bucket=BUCKET,
        hubspot_url=_url(ports["hubspot"]),
        hubspot_token=HUBSPOT_TOKEN,
        kaggle_url=_url(ports["kaggle"]),
        kaggle_token=secrets.kaggle_token,
        ports=ports,
        pids=dict(old.pids) if old else {},
        fingerprints=dict(old.fingerprints) if old else {},
    )


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _plan_ports(layout: Layout, old: Stack | None) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name, default in DEFAULT_PORTS.items():
        last = old.ports.get(name) if old else None
        pid = old.pids.get(_OWNERS.get(name, name)) if old else None
        if last and processes.find(pid, layout.folder):
            ports[name] = last
            continue
        preferred = [port for port in (last, default) if port]
        ports[name] = pick_port(preferred, taken=ports.values())
    return ports


def down(layout: Layout, say: Callable[[str], None]) -> int:
    """Stop everything of this checkout's stack, orphans included.

    Returns:
        how many processes were stopped.

    Raises:
        StackError: a process does not end.
    """
    with _alone(layout):
        everything = processes.all_of(layout.folder)
        old = Stack.load(layout)
        stores = {old.pids.get(name) for name in _STORES} if old else set()
        # Airflow first: its tasks may still be writing to the others
        airflow = [process for process in everything if process.pid not in stores]
        if airflow:
            say("stopping Airflow")
            processes.stop(airflow, patience_s=_AIRFLOW_PATIENCE_S)
        if everything:
            say("stopping MySQL, S3 and the simulators")
        # a process that is being stopped may still have started another one: look again until nobody is left
        while left := processes.all_of(layout.folder):
            processes.stop(left)
        layout.stack_file.unlink(missing_ok=True)
        socket = socket_path(layout.folder / "mysql")
        if layout.folder not in socket.parents:
            shutil.rmtree(socket.parent, ignore_errors=True)
    return len(everything)


def status(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """Return part → `healthy`, `not healthy` or `stopped`.

    Raises:
        StackError: the stack is not running.
    """
    stack = Stack.need(layout)
    supervisor = Supervisor(layout, stack, base_environment(layout, environ))
    services = Parts(supervisor, Secrets.load(layout), airflow_api(stack), is_scheduled=False).services()
    return {service.name: _state(layout, stack.pids.get(service.name), service.is_healthy) for service in services}


def _state(layout: Layout, pid: int | None, is_healthy: Callable[[], bool]) -> str:
    if processes.find(pid, layout.folder) is None:
        return "stopped"
    return "healthy" if is_healthy() else "not healthy"
