"""CPU time and memory of the stack's processes during a run, by kind of process."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL_S = 0.25
TASKS = "tasks"
"""Kind of everything below the scheduler: workers, supervisors and the tasks themselves."""
_SCHEDULER = "scheduler"
_HIGHEST = "VmHWM:"


@dataclass(frozen=True, slots=True)
class Use:
    """What the processes of one kind used."""

    cpu_s: float
    """User and system time of all of them, those that have ended included."""
    peak_mb: float
    """Most memory of any single one; pages that it shares with its parent count in full."""


@dataclass(frozen=True, slots=True)
class _Seen:
    kind: str
    own_cpu_s: float
    ended_children_cpu_s: float
    rss_bytes: int


@dataclass
class ProcessWatch:
    """Looks at the process table several times a second.

    The kernel adds the time of a child that was waited for to its parent. So the sum over those alive, own time plus
    that of ended children, loses no short-lived process, however rarely one looks.
    """

    roots: Mapping[str, int]
    """Name of a part → its process id."""
    _began_cpu: Mapping[str, float] = field(default_factory=dict)
    _cpu: Mapping[str, float] = field(default_factory=dict)
    _peaks: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look from the beginning to the end of the block."""
        self._began_cpu = self._look()
        thread = threading.Thread(target=self._look_again, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            self._cpu = self._look()

    def use(self) -> dict[str, Use]:
        """Return kind → what was used within the block."""
        return {
            kind: Use(round(cpu_s - self._began_cpu.get(kind, 0.0), 2), round(self._peaks.get(kind, 0) / 1e6, 1))
            for kind, cpu_s in sorted(self._cpu.items())
        }

    def _look_again(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self._look()

    def _look(self) -> dict[str, float]:
        """Remember the peaks and return kind → CPU seconds so far."""
        seen = see(self.roots)
        for one in seen:
            self._peaks[one.kind] = max(self._peaks.get(one.kind, 0), one.rss_bytes)
        return cpu_by_kind(seen)


def cpu_by_kind(seen: list[_Seen]) -> dict[str, float]:
    """Return kind → CPU seconds; what ended below the scheduler were tasks."""
    total: defaultdict[str, float] = defaultdict(float)
    for one in seen:
        total[one.kind] += one.own_cpu_s
        total[TASKS if one.kind == _SCHEDULER else one.kind] += one.ended_children_cpu_s
    return dict(total)


def see(roots: Mapping[str, int]) -> list[_Seen]:
    """Return the processes with these ids and everything below them."""
    table = {process.pid: process for process in psutil.process_iter(["ppid", "cpu_times", "memory_info"])}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for process in table.values():
        children[process.info["ppid"]].append(process.pid)
    found: list[_Seen] = []
    for name, root in roots.items():
        waiting = [root]
        while waiting:
            pid = waiting.pop()
            waiting += children[pid]
            if pid in table and table[pid].info["cpu_times"] is not None:
                found.append(_seen(_kind(name, is_root=pid == root), table[pid]))
    return found


def _kind(name: str, *, is_root: bool) -> str:
    return TASKS if name == _SCHEDULER and not is_root else name


def _seen(kind: str, process: psutil.Process) -> _Seen:
    cpu, memory = process.info["cpu_times"], process.info["memory_info"]
    rss = memory.rss if memory else 0
    return _Seen(
        kind,
        cpu.user + cpu.system,
        cpu.children_user + cpu.children_system,
        max(rss, highest_rss(process.pid)) if kind == TASKS else rss,
    )


def highest_rss(pid: int) -> int:
    """Return the most memory that a process ever had, in bytes: a task's peak may lie between two looks."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(_HIGHEST):
                return int(line.split()[1]) * 1024
    return 0
