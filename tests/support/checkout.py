"""A copy of the product with a stack of its own, driven by the commands of the README."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PARTS = ("dags", "include", "plugins", "tools", "airflow_settings.yaml")
FAST = {"HUBSPOT_SIM_LATENCY": "fast", "HUBSPOT_SIM_BURST_OVERRIDE": "1900", "KAGGLE_SIM_PROFILE": "small"}


class Checkout:
    """A copy of the product with a stack of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / part)

    def stack(self, verb: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return subprocess.run(
            [sys.executable, "-m", "tools.local_stack", verb],
            cwd=self.folder,
            env={**kept, **FAST, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def addresses(self) -> dict[str, Any]:
        return json.loads((self.folder / ".local" / "stack.json").read_text(encoding="utf-8"))


def result_of(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    lines = [line for line in finished.stdout.splitlines() if line.startswith("RESULT ")]
    assert len(lines) == 1, finished.stdout + finished.stderr
    assert finished.stdout.rstrip().endswith(lines[0])
    return json.loads(lines[0].removeprefix("RESULT "))
