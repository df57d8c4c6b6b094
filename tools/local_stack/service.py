"""One background process of the stack: keep it if it is healthy, else start it anew and wait for its health."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tools.local_stack import processes
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Stack

_ERROR_WORDS = ("rror", "CRITICAL", "Exception", "refused", "in use")


@dataclass(frozen=True, slots=True)
class Service:
    """What to run and how to see that it works."""

    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str]
    """Environment of its own, on top of the common one; a change restarts it."""
    is_healthy: Callable[[], bool]
    prepare: Callable[[], None] = lambda: None
    """Work that must be done while it is stopped."""
    timeout_s: float = 120

    @property
    def fingerprint(self) -> str:
        """Return a hash of everything that makes it this service."""
        content = json.dumps([self.command, sorted(self.settings.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Supervisor:
    """Starts services and notes them in the stack file."""

    layout: Layout
    stack: Stack
    environ: Mapping[str, str]
    """Environment that every service gets."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    started: list[psutil.Process] = field(default_factory=list)
    """Processes that this command has started."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self) -> None:
        """Let no further process start, and make everybody who waits give up."""
        with self._lock:
            self.cancelled.set()

    def ensure(self, service: Service) -> str:
        """Leave the service running and healthy.

        Returns:
            `already running` or `started`.

        Raises:
            StackError: it ended or stayed unhealthy; the message has its log's telling line.
        """
        process = processes.find(self.stack.pids.get(service.name), self.layout.folder)
        is_same = self.stack.fingerprints.get(service.name) == service.fingerprint
        if process is not None and is_same and service.is_healthy():
            return "already running"
        if process is not None:
            processes.stop([process, *process.children(recursive=True)])
        service.prepare()
        process = self._start(service)
        self._wait(service, process)
        return "started"

    def _start(self, service: Service) -> psutil.Process:
        with self._lock:
            if self.cancelled.is_set():
                raise StackError("cancelled")
            process = processes.start(
                service.command,
                folder=self.layout.folder,
                log=self.layout.log(service.name),
                environ={**self.environ, **service.settings},
            )
            self.started.append(process)
            self.stack.pids[service.name] = process.pid
            self.stack.fingerprints[service.name] = service.fingerprint
            # noted at once: a crash of this program must not leave a process that nobody knows
            self.stack.save(self.layout)
        return process

    def _wait(self, service: Service, process: psutil.Process) -> None:
        deadline = time.monotonic() + service.timeout_s
        while not service.is_healthy():
            if not processes.is_alive(process):
                raise StackError(f"{service.name} ended: {self._explain(service.name)}")
            if self.cancelled.is_set():
                raise StackError("cancelled")
            if time.monotonic() > deadline:
                waited = f"{service.name} is not healthy after {service.timeout_s:g} s"
                raise StackError(f"{waited}: {self._explain(service.name)}")
            self.cancelled.wait(0.1)

    def _explain(self, name: str) -> str:
        log = self.layout.log(name)
        return f"{processes.last_line(log, words=_ERROR_WORDS)} (log: {log})"

    def run(self, name: str, command: tuple[str, ...], settings: Mapping[str, str]) -> None:
        """Run a program to its end, e.g. a migration.

        Raises:
            StackError: it failed; the message has its log's telling line.
        """
        log = self.layout.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        marker = processes.marks(self.layout.folder)
        process = self._start_program(command, log, {**self.environ, **settings, **marker})
        status = process.wait()
        if self.cancelled.is_set():
            raise StackError("cancelled")
        if status:
            raise StackError(f"{name} failed: {self._explain(name)}")

    def _start_program(
        self, command: tuple[str, ...], log: Path, environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._lock, log.open("ab") as output:
            if self.cancelled.is_set():
                raise StackError("cancelled")
            return subprocess.Popen(  # noqa: S603  the commands are ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                cwd=self.layout.folder,
            )


def program(name: str) -> str:
    """Return a program of the environment that runs this one."""
    return str(Path(sys.executable).parent / name)
