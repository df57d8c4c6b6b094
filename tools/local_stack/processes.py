"""Start, recognise and stop the processes of one stack.

Every process carries the stack's folder in its environment (`MARKER`), inherited by its children: that, never a name
or a bare pid, decides what belongs to this stack.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from tools.local_stack.errors import StackError

MARKER = "HUBSPOT_SYNC_STACK"
"""Environment variable that holds the stack's folder in each of its processes."""


def marks(folder: Path) -> dict[str, str]:
    """Return the environment by which a process of the stack in `folder` is recognised."""
    # Airflow rewrites its process titles; without SPT_NOENV a long one overwrites /proc/<pid>/environ
    return {MARKER: str(folder), "SPT_NOENV": "1"}


def start(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    environ: Mapping[str, str],
    die_with_parent: bool = False,
) -> psutil.Process:
    """Start a background process in a session of its own; its output is appended to `log`.

    Args:
        command: program and arguments.
        folder: the stack's folder, by which the process is recognised later.
        log: file for its output.
        environ: its whole environment.
        die_with_parent: end it when this program ends in any way (for tests).

    Raises:
        StackError: the program cannot be started.
    """
    arguments = [str(part) for part in command]
    if die_with_parent and (setpriv := shutil.which("setpriv")):
        arguments = [setpriv, "--pdeathsig", "KILL", *arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(  # noqa: S603  the commands are ours
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environ, **marks(folder)},
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise StackError(f"cannot start {arguments[0]}: {error.strerror}") from error
    child.returncode = 0  # psutil watches it from here; alive at our exit is what we want, no warning
    return psutil.Process(child.pid)


def belongs_to(process: psutil.Process, folder: Path) -> bool:
    """Return whether this process was started by the stack in `folder`."""
    try:
        return process.environ().get(MARKER) == str(folder)
    except psutil.Error:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Return whether the process runs; one that ended and waits to be collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find(pid: int | None, folder: Path) -> psutil.Process | None:
    """Return the running process with this pid if it is the stack's, else None."""
    try:
        process = psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None
    return process if process and is_alive(process) and belongs_to(process, folder) else None


def all_of(folder: Path) -> list[psutil.Process]:
    """Return every process of the stack, orphans of killed parents included, but not this program itself."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and belongs_to(process, folder) and process.status() != psutil.STATUS_ZOMBIE
    ]


def strays(folder: Path, pids: Iterable[int]) -> list[psutil.Process]:
    """Return the stack's processes that neither are one of the services `pids` nor descend from one.

    A killed scheduler leaves its workers: they wait for it for ever, each with more than 100 MB.
    """
    services = {process.pid for pid in pids if (process := find(pid, folder))}
    return [process for process in all_of(folder) if process.pid not in services and not _descends(process, services)]


def _descends(process: psutil.Process, services: set[int]) -> bool:
    with contextlib.suppress(psutil.Error):
        return not services.isdisjoint(parent.pid for parent in process.parents())
    return False


def stop(processes: Iterable[psutil.Process], *, patience_s: float = 15) -> None:
    """End the processes with SIGTERM, and after `patience_s` seconds with SIGKILL.

    Raises:
        StackError: one survived even that.
    """
    wanted = list(processes)
    for process in wanted:
        _signal(process, force=False)
    alive = _wait_for_end(wanted, patience_s)
    for process in alive:
        _signal(process, force=True)
    alive = _wait_for_end(alive, 5)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise StackError(f"processes {pids} do not end: end them by hand")


def _wait_for_end(wanted: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait, and return those that still run.

    In a container nobody may collect orphans: one that ended stays as a zombie, and counts as ended here.
    """
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while (alive := [process for process in wanted if is_alive(process)]) and time.monotonic() < deadline:
        pause.wait(0.05)
    for process in wanted:
        if process not in alive:
            with contextlib.suppress(psutil.Error):
                process.wait(timeout=0)  # collects a child of ours
    return alive


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        if force:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise StackError(f"process {process.pid} belongs to another user: stop it as that user") from error


def last_line(log: Path, *, words: Sequence[str] = ()) -> str:
    """Return the last line of a log that holds one of the words, else its last non-empty line."""
    try:
        text = log.read_bytes()[-65536:].decode(errors="replace")
    except OSError:
        return "no log was written"
    lines = [line.strip() for line in text.splitlines() if line.strip() and "Aborting" not in line]
    telling = [line for line in lines if any(word in line for word in words)]
    return (telling or lines or ["the log is empty"])[-1]
