"""What a task imports has been imported before it was forked; what was changed since is imported anew."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from include.hubspot_sync.orchestration import preload
from tools.local_stack.layout import ROOT

_IMPORTED_BY_A_TASK = """
import sys
import airflow.jobs.scheduler_job_runner
from include.hubspot_sync.orchestration import preload
{first}
before = set(sys.modules)
import dags.baby_names_to_hubspot
import include.hubspot_sync.orchestration.tasks
print(*sorted(set(sys.modules) - before - {{"dags", "dags.baby_names_to_hubspot"}}))
"""
_AFTER_A_CHANGE = """
import pathlib, sys
from include.hubspot_sync.orchestration import preload
preload.preload()
path = pathlib.Path("include/hubspot_sync/records.py")
{change}
preload.forget_changed_code()
print("include.hubspot_sync.records" in sys.modules)
from include.hubspot_sync import records
print(hasattr(records, "ADDED"))
"""
_CHANGE = """path.write_text(path.read_text(encoding="utf-8") + "ADDED = 1", encoding="utf-8")"""


def _lines_of(program: str, folder: Path = ROOT) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_after_preloading_a_task_imports_nothing_but_its_dag_file():
    cold = _lines_of(_IMPORTED_BY_A_TASK.format(first=""))
    warm = _lines_of(_IMPORTED_BY_A_TASK.format(first="preload.preload()"))

    assert len(cold[-1].split()) > 400
    assert warm[-1].split() == []


@pytest.mark.parametrize(("change", "is_kept"), [("", True), (_CHANGE, False)])
def test_task_runs_the_code_on_the_disk(tmp_path: Path, change: str, *, is_kept: bool):
    shutil.copytree(ROOT / "include", tmp_path / "include", ignore=shutil.ignore_patterns("__pycache__"))

    lines = _lines_of(_AFTER_A_CHANGE.format(change=change), tmp_path)

    assert lines[-2:] == [str(is_kept), str(not is_kept)]


def test_what_cannot_be_imported_stops_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preload, "LIBRARIES", ("no_such_library", "json"))
    monkeypatch.setattr(preload, "_imported", {})

    preload.preload()

    assert "not preloaded: no_such_library" in caplog.text
