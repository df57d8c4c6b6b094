"""Import what every task needs, once, in the scheduler: a task of LocalExecutor is a fork of it.

What the scheduler has imported costs a task nothing; everything else is imported by each task anew: measured on Airflow
3.3.2, 600 modules and 0.6 of the 0.8 s of CPU time that a task took around its body.

A task must run the code that lies on the disk, also when that was changed after the scheduler began. So a task first
forgets this package when any of its files is no longer as it was. Libraries only change with a new environment, which
needs new processes anyhow.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from pathlib import Path

log = logging.getLogger(__name__)

PACKAGE = "include"
LIBRARIES = (
    "MySQLdb.connections",
    "MySQLdb.cursors",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.decorators.short_circuit",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.timeout",
    "anyio._backends._asyncio",
    "boto3.s3.inject",
    "boto3.s3.transfer",
    "difflib",
    "jinja2.ext",
)
"""What a task imports besides `OWN` and what these import."""
OWN = ("include.hubspot_sync.orchestration.sync_dag", "include.hubspot_sync.orchestration.tasks")
"""The two modules of the package through which a task imports all others."""

_FileState = tuple[int, int]
"""Modification time in ns and size in bytes."""
_imported: dict[Path, _FileState | None] = {}
"""The package's files as they were before they were imported."""


def preload() -> None:
    """Import the tasks' modules; one that cannot be imported is left to the task that needs it, which can say so."""
    began_at, before = time.perf_counter(), len(sys.modules)
    _imported.update((path, _state(path)) for path in _package_files())
    for name in (*LIBRARIES, *OWN):
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  whatever it is: the scheduler must start
            log.warning("not preloaded: %s (%s)", name, error)
    log.info("preloaded %d modules for tasks in %.1f s", len(sys.modules) - before, time.perf_counter() - began_at)


def forget_changed_code() -> None:
    """Forget every module of the package when one of its files was changed, added or removed since it was imported."""
    if not _imported or {path: _state(path) for path in _package_files()} == _imported:
        return
    for name in list(sys.modules):
        if name.partition(".")[0] == PACKAGE:
            del sys.modules[name]


def _package_files() -> list[Path]:
    return list(Path(__file__).parent.parent.rglob("*.py"))


def _state(path: Path) -> _FileState | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
