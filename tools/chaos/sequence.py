"""A sequence of faults: versions are published and synced while things break, then everything is checked at rest."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
import MySQLdb

from tools.chaos.injected import Injected
from tools.chaos.invariants import Invariants, StaleWrite, Violation
from tools.chaos.kinds import Kind
from tools.chaos.portal import Portal
from tools.chaos.source import Source
from tools.chaos.tables import Tables
from tools.chaos.waiting import wait_until

SUCCESS, FAILED = "success", "failed"
_OVER = frozenset({SUCCESS, FAILED})
_RUN_LIMIT_S = 900.0
_RECOVERY_LIMIT_S = 300.0
_VERSIONS_TO_HIT = 10
"""Runs within which a fault must find something to hit."""


class SkippedFaultError(Exception):
    """This fault cannot be injected here; the message says why."""


class Level(Protocol):
    """A way to run the product and to break it."""

    name: str
    at_start: frozenset[Kind]
    """Kinds that are prepared before a run begins."""

    def trigger(self) -> str:
        """Start a sync run and return its id."""

    def state(self, run: str) -> str:
        """Return `success`, `failed`, or something else while it runs."""

    def inject(self, kind: Kind, run: str) -> Injected | None:
        """Break something now; None when the moment has passed."""

    def rest(self) -> None:
        """Repair everything, wake what was stopped, and wait until no task process is left."""


@dataclass(slots=True)
class SequenceResult:
    """What a sequence did and found."""

    faults: list[Injected] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Kind → why it was not possible."""
    violations: list[Violation] = field(default_factory=list)
    stale_writes: list[StaleWrite] = field(default_factory=list)
    """Older over newer by a process that was stopped between check and send; repaired when there is no violation."""
    runs: list[str] = field(default_factory=list)
    failed_runs: int = 0
    repeated_rows: int = 0
    wall_s: float = 0.0


@dataclass
class Player:
    """Plays sequences, one after the other, on the same system."""

    level: Level
    source: Source
    portal: Portal
    tables: Tables
    invariants: Invariants
    kaggle_url: str
    rng: random.Random
    overlap_share: float
    """Faults that come before the one before has been recovered from."""
    _file: Path = Path()
    _result: SequenceResult = field(default_factory=SequenceResult)

    def play(self, kinds: Sequence[Kind]) -> SequenceResult:
        """Inject these faults, come to rest, and check.

        Raises:
            TimeoutError: a run or a recovery takes so long that something hangs.
        """
        began = time.monotonic()
        self._result = result = SequenceResult()
        repeated = self.invariants.repeated_rows
        run = self._next_run()
        for kind in kinds:
            run = self._hit(kind, run)
        self._wait_for(run)
        # one more version while processes are still stopped: what they wake with is older than what HubSpot holds then
        self._wait_for(self._next_run())
        self.level.rest()
        self._look()
        self._check()
        result.failed_runs = sum(self.level.state(run) == FAILED for run in result.runs)
        result.repeated_rows = self.invariants.repeated_rows - repeated
        result.wall_s = time.monotonic() - began
        return result

    def _hit(self, kind: Kind, run: str) -> str:
        """Inject one fault into the run, or into the next one when this ends first; return the run."""
        limit = len(self._result.runs) + _VERSIONS_TO_HIT
        while len(self._result.runs) <= limit:
            if kind in self.level.at_start:
                self._wait_for(run)
            elif self._is_over(run):
                run = self._next_run()
            try:
                fault = self.level.inject(kind, run)
            except SkippedFaultError as error:
                self._result.skipped[kind] = str(error)
                return run
            if fault is not None:
                run = self._next_run() if kind in self.level.at_start else run
                self._recover(fault, run)
                return run
        raise TimeoutError(f"{_VERSIONS_TO_HIT} runs ended before {kind} could hit one")

    def _recover(self, fault: Injected, run: str) -> None:
        """Wait until rows are confirmed again; now and then let the next fault come before."""
        pending = [other for other in self._result.faults if other.recovered_at is None and not other.is_forgotten]
        for other in [fault, *pending] if pending else []:
            other.is_alone = False
        self._result.faults.append(fault)
        if self.rng.random() < self.overlap_share:
            return
        what = f"a row confirmed after {fault.kind}"
        wait_until(lambda: self._look() or self._is_over(run), limit_s=_RECOVERY_LIMIT_S, what=what)
        for other in self._result.faults:
            other.is_forgotten = True

    def _look(self) -> bool:
        """Look for confirmations that show recoveries; return whether every fault has one."""
        faults = [fault for fault in self._result.faults if fault.recovered_at is None]
        if faults:
            try:
                confirmations = self.tables.confirmations(min(fault.began for fault in faults))
            except MySQLdb.Error:
                return False
            for fault in faults:
                fault.look(confirmations)
        return all(fault.recovered_at for fault in faults)

    def _next_run(self) -> str:
        """Sync the next version, or the same one again when its run failed."""
        if self._result.runs and self.level.state(self._result.runs[-1]) == FAILED:
            return self._trigger()
        self._file = self.source.publish()
        order = {"path": str(self._file)}
        httpx.post(f"{self.kaggle_url}/__sim/versions", json=order, timeout=60, trust_env=False).raise_for_status()
        return self._trigger()

    def _trigger(self) -> str:
        run = self.level.trigger()
        self._result.runs.append(run)
        return run

    def _is_over(self, run: str) -> bool:
        return self.level.state(run) in _OVER

    def _wait_for(self, run: str) -> None:
        wait_until(lambda: self._is_over(run), limit_s=_RUN_LIMIT_S, what=f"the end of run {run}")

    def _check(self) -> None:
        """One clean run for what the faults left, one that must find nothing to do, then the invariants."""
        self.portal.clear_faults()
        self._wait_for(self._trigger())
        before = self._write_calls()
        self._wait_for(self._trigger())
        self._result.violations += self.invariants.check(self._file, writes_of_second_run=self._write_calls() - before)
        for stale in self.invariants.new_stale_writes(self._file):
            if any(self._explains(fault, stale) for fault in self._result.faults):
                self._result.stale_writes.append(stale)
            else:
                self._result.violations.append(Violation("I5", f"an older value went over a newer one: {stale.key}"))

    def _explains(self, fault: Injected, stale: StaleWrite) -> bool:
        """Tell whether a process that this fault had stopped was beyond its lease check already.

        It sends at once when it wakes. A check after the waking would have touched its batch, and must have failed.
        """
        if fault.victim is None or fault.over is None or not fault.explains_write_at(stale.at_ms):
            return False
        return not self.tables.was_touched(fault.victim.run_id, fault.over)

    def _write_calls(self) -> int:
        return int(self.portal.stats()["write_calls"])
