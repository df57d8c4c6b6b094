"""Runs cases on a stack: brings it into the state before, measures, and knows the state after."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tools.bench.airflow_times import task_times
from tools.bench.cases import CHANGED_SHARE, SEED, Case, Source, Suite
from tools.bench.measurement import Measurement, measure
from tools.bench.process_use import ProcessWatch
from tools.bench.stack import BenchStack, FinishedRun
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.generator import SIZES, Profile, Size, make_dataset
from tools.kaggle_simulator.revision import next_version
from tools.local_stack.errors import StackError
from tools.local_stack.result import SUCCESS

_WARM_UP = Case("warm_up", "first tasks of a fresh Airflow take longer", SIZES[Profile.SMALL])


@dataclass
class Runner:
    """Plays cases; the state that one leaves is the beginning of the next where that fits."""

    stack: BenchStack
    suite: Suite
    _state: str = ""
    """Name of the case whose end is the stack's state; empty: unknown."""

    def warm_up(self) -> None:
        """Run everything once with a small dataset, unmeasured.

        Raises:
            StackError: the run fails.
        """
        self._prepare(_WARM_UP)

    def play(self, case: Case) -> Measurement:
        """Measure one run of a case.

        Raises:
            StackError: a part of the stack does not answer, or a run that only leads here fails.
        """
        way = self.suite.way_to(case)
        if way and self._state != way[-1].name:
            for step in way:
                self._prepare(step)
        self._set_up(case)
        self._state = ""
        measurement = self._measure(case)
        self._state = case.name if not measurement.problems else ""
        return measurement

    def _prepare(self, case: Case) -> None:
        self._set_up(case)
        run = self.stack.run(case.run_parameters)
        if run.result["state"] != SUCCESS:
            raise StackError(f"the run of {case.name} failed: {run.result.get('message', '')}")
        self._state = case.name

    def _set_up(self, case: Case) -> None:
        """Bring the stack into the state in which the case's run begins."""
        self.stack.configure(case)
        if case.source is Source.FIRST:
            self.stack.empty()
        if case.source is not Source.SAME:
            file = dataset_file(self.stack.versions, case.size, is_changed=case.source is Source.CHANGED)
            self.stack.publish(file)

    def _measure(self, case: Case) -> Measurement:
        mark, load = self.stack.portal.mark(), os.getloadavg()[0]
        watch = ProcessWatch(dict(self.stack.place.stack.pids))
        with watch.watching():
            run = self.stack.run(case.run_parameters)
        return self._gather(case, run, mark, watch, load)

    def _gather(self, case: Case, run: FinishedRun, mark: int, watch: ProcessWatch, load: float) -> Measurement:
        portal = self.stack.portal
        return measure(
            case,
            run.result,
            portal.traffic_since(mark),
            living=portal.living(),
            processes=watch.use(),
            tasks=task_times(self.stack.airflow_database, run.dag_run_id, run.triggered),
            load_before=round(load, 2),
        )


def dataset_file(folder: Path, size: Size, *, is_changed: bool = False) -> Path:
    """Return a generated file, the same for every call; made the first time.

    Args:
        folder: where files are kept.
        size: rows and contacts.
        is_changed: the version after, in which `CHANGED_SHARE` of the contacts have other numbers.
    """
    path = folder / f"{size.rows}-{size.contacts}-{'changed' if is_changed else 'first'}.csv"
    if path.exists():
        return path
    if is_changed:
        first = read_csv(dataset_file(folder, size))
        write_csv(next_version(first, SEED, changed=CHANGED_SHARE), path)
    else:
        write_csv(make_dataset(rows=size.rows, contacts=size.contacts, seed=SEED), path)
    return path
