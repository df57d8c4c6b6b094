"""The machine that the figures are from."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tools.local_stack.mysql_binary import find_server


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader needs to compare."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    database: str
    load: float
    """Load average of the last five minutes before the first case."""

    def text(self) -> str:
        """Return one sentence."""
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gb:g} GB, {self.system}, Python {self.python}, "
            f"{self.database}; load average before the first case {self.load:g}"
        )


def describe_machine(environ: Mapping[str, str]) -> Machine:
    """Describe this machine and the database server that the stack will use.

    Raises:
        StackError: there is no database server.
    """
    server = find_server(environ)
    return Machine(
        processor=_processor(Path("/proc/cpuinfo")),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        database=f"{server.flavour} {server.version}",
        load=round(os.getloadavg()[1], 2),
    )


def _processor(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
