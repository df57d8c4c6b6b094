"""The import rules break when somebody breaks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LINT = Path(sys.executable).parent / "lint-imports"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    for part in ("include", "dags", "tools"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([LINT, "--no-cache"], cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        pytest.param("include/hubspot_sync/records.py", "import include.hubspot_sync.config", "Layers", id="upwards"),
        pytest.param(
            "include/hubspot_sync/store/delta.py", "import include.hubspot_sync.source.kaggle", "Layers", id="siblings"
        ),
        pytest.param("include/hubspot_sync/engine/plan.py", "import airflow", "knows no Airflow", id="airflow below"),
        pytest.param(
            "dags/baby_names_to_hubspot.py", "import include.hubspot_sync.store.runs", "DAG files", id="dag to store"
        ),
        pytest.param(
            "tools/hubspot_simulator/clock.py", "import include.hubspot_sync.records", "independent", id="oracle"
        ),
        pytest.param("tools/chaos/tables.py", "import include.hubspot_sync.records", "checker", id="checker"),
    ],
)
def test_planted_violation_is_found(checkout: Path, path: str, line: str, contract: str):
    file = checkout / path
    original = file.read_text(encoding="utf-8")
    file.write_text(f"{original}\n{line}\n", encoding="utf-8")
    try:
        result = lint(checkout)
    finally:
        file.write_text(original, encoding="utf-8")

    assert result.returncode != 0
    broken = [text for text in result.stdout.splitlines() if text.endswith("BROKEN")]
    assert len(broken) == 1
    assert contract in broken[0]


def test_the_code_as_it_is_keeps_the_rules(checkout: Path):
    result = lint(checkout)

    assert result.returncode == 0, result.stdout
