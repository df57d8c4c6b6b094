"""`--quick` on a real stack: it measures, and a wrong count makes it fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench import runner
from tools.bench.__main__ import main
from tools.bench.process_use import TASKS
from tools.bench.results import Results
from tools.kaggle_simulator.dataset import Dataset
from tools.kaggle_simulator.generator import make_dataset

pytestmark = [pytest.mark.performance, pytest.mark.timeout(600)]


def test_quick_run_measures_cases_and_peers(tmp_path: Path):
    cases = ("quick_read_back", "quick_one_percent", "quick_unchanged")

    status = main(["--quick", "--only", *cases, "peers", "--output", str(tmp_path)])

    results = Results.read(tmp_path / "quick.json")
    assert (status, results.problems) == (0, [])
    assert tuple(results.cases) == cases
    assert all(len(runs) == 1 for runs in results.peers.values())
    full, _, unchanged = (results.cases[name][0] for name in cases)
    assert (full.requests["upsert"], full.requests["read"]) == (200, 200)
    assert 150 < full.most_in_10s <= 190
    assert full.processes[TASKS].cpu_s > unchanged.processes[TASKS].cpu_s > 0
    assert [task.task for task in full.tasks] == ["preflight", "land", "stage", "compute_delta", "deliver", "finish"]
    assert unchanged.requests.keys() == {"other"}


def test_contact_that_is_missing_in_the_file_makes_it_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def one_short(*, rows: int, contacts: int, seed: int) -> Dataset:
        return make_dataset(rows=rows - 1, contacts=contacts - 1, seed=seed)

    monkeypatch.setattr(runner, "make_dataset", one_short)

    status = main(["--quick", "--only", "quick_starter", "--output", str(tmp_path)])

    assert status == 1
    assert "quick_starter: records is 1999 instead of 2000" in capsys.readouterr().err
