"""`python -m tools.chaos N`: N faults, some against the whole stack, the rest against the engine; SEED= repeats a run.

Of the full-stack faults each kind comes equally often. Writes chaos/results.json, prints a table, and ends with
status 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import shutil
import signal
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.chaos.engine_level import EngineLevel
from tools.chaos.invariants import Invariants
from tools.chaos.kinds import ENGINE_KINDS, STACK_KINDS, Kind, draw_kinds
from tools.chaos.place import WITHOUT_AIRFLOW, Place, make_place
from tools.chaos.portal import Portal
from tools.chaos.report import Report
from tools.chaos.sequence import Player
from tools.chaos.source import Source
from tools.chaos.stack_level import StackLevel
from tools.chaos.tables import Tables
from tools.local_stack.console import console
from tools.local_stack.layout import ROOT
from tools.local_stack.mysql import parse_url

_FAULTS_PER_SEQUENCE = 5
_STACK_FAULTS = 5 * len(STACK_KINDS)
_STACK_LIMIT, _ENGINE_LIMIT = 190, 100
"""Requests in 10 s that the simulated portal allows; so few that a short run without pacing would exceed them."""
_KNOBS = {"KAGGLE_SIM_PROFILE": "small", "HUBSPOT_SIM_SEARCH_LAG_MS": "0"}
_STACK_CONTACTS, _ENGINE_CONTACTS = 3000, 600
_STACK_OVERLAP, _ENGINE_OVERLAP = 0.1, 0.3
"""Share of faults that do not wait until the one before has been recovered from."""
_STACK_DELIVERY = {"batch_size": 10}
"""Small batches, so that a small dataset has many of them; every time is the shipped one."""
_ENGINE_DELIVERY = {
    "batch_size": 10,
    "small_shard_batches": 5,
    "shards_at_once": 3,
    "in_flight": 3,
    "request_timeout_s": 2,
    "lease_s": 1,
    "run_lease_s": 60,
}
"""The same rules with shorter times: a request lives 2 s instead of 10 s, and a lease 1 s instead of 3 s."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults and return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)  # what was started must be stopped
    seed = int(os.environ.get("SEED") or secrets.randbelow(1 << 32))
    console.print(f"SEED={seed}")
    report = Report(seed)
    on_stack = _draw(STACK_KINDS, options.only, min(options.stack, options.faults), seed)
    on_engine = _draw(ENGINE_KINDS, options.only, options.faults - len(on_stack), seed + 1)
    try:
        _play_stack(on_stack, random.Random(seed + 2), report, options.output)  # noqa: S311
        _play_engine(on_engine, random.Random(seed + 3), report, options.output)  # noqa: S311
    except BaseException as error:
        report.broken_off = f"{type(error).__name__}: {error}"
        console.print(traceback.format_exc())
        if not isinstance(error, Exception):
            raise
    finally:
        _show(report, options.output)
    return 0 if report.is_good else 1


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=__doc__)
    parser.add_argument("faults", type=int, help="how many faults")
    parser.add_argument("--stack", type=int, default=_STACK_FAULTS, help="how many of them with Airflow's scheduler")
    parser.add_argument("--only", type=Kind, nargs="+", default=list(Kind), help="kinds to choose from", metavar="KIND")
    parser.add_argument("--output", type=Path, default=ROOT / "chaos", help="folder of results.json")
    return parser


def _draw(kinds: Sequence[Kind], wanted: Sequence[Kind], count: int, seed: int) -> list[Kind]:
    chosen = [kind for kind in kinds if kind in wanted]
    return draw_kinds(chosen, count, random.Random(seed)) if chosen else []  # noqa: S311  faults, no secrets


def _play_stack(kinds: Sequence[Kind], rng: random.Random, report: Report, output: Path) -> None:
    if not kinds:
        return
    with _place(_STACK_DELIVERY, _STACK_LIMIT, output) as place:
        place.start()
        portal, tables, invariants = _observers(place, _STACK_LIMIT)
        level = StackLevel(place, tables, invariants, rng)
        source = Source(rng, place.layout.folder, _STACK_CONTACTS)
        kaggle = place.stack.kaggle_url
        player = Player(level, source, portal, tables, invariants, kaggle, rng, _STACK_OVERLAP)
        _play(player, kinds, report, output)


def _play_engine(kinds: Sequence[Kind], rng: random.Random, report: Report, output: Path) -> None:
    if not kinds:
        return
    with _place(_ENGINE_DELIVERY, _ENGINE_LIMIT, output) as place:
        place.start(WITHOUT_AIRFLOW)
        portal, tables, invariants = _observers(place, _ENGINE_LIMIT)
        level = EngineLevel(place, tables, portal, invariants, rng)
        try:
            level.start()
            source = Source(rng, place.layout.folder, _ENGINE_CONTACTS)
            kaggle = place.stack.kaggle_url
            player = Player(level, source, portal, tables, invariants, kaggle, rng, _ENGINE_OVERLAP)
            _play(player, kinds, report, output)
        finally:
            level.stop()


@contextlib.contextmanager
def _place(delivery: Mapping[str, Any], limit: int, output: Path) -> Iterator[Place]:
    """Yield a copy of the product; it is removed when all went well, else its logs are kept beside the results."""
    folder = Path(tempfile.mkdtemp(prefix="hubspot-sync-chaos-"))
    scratch = folder / "tmp"  # killed tasks leave their temporary files behind
    scratch.mkdir()
    knobs = {**_KNOBS, "HUBSPOT_SIM_BURST_OVERRIDE": str(limit), "TMPDIR": str(scratch)}
    place = make_place(folder, {**os.environ, **knobs}, delivery)
    try:
        yield place
    except BaseException:
        shutil.copytree(place.layout.folder, output / "broken_off", ignore=_not_logs, dirs_exist_ok=True)
        raise
    finally:
        place.down()
        shutil.rmtree(folder, ignore_errors=True)


def _not_logs(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (name.endswith(".log") or (Path(folder) / name).is_dir())]


def _observers(place: Place, limit: int) -> tuple[Portal, Tables, Invariants]:
    mysql = parse_url(place.stack.mysql_url)
    portal, tables = Portal(place.stack.hubspot_url), Tables(mysql)
    folder = place.layout.folder
    invariants = Invariants(
        portal=portal,
        tables=tables,
        secrets=(place.stack.hubspot_token, place.stack.kaggle_token, mysql.password),
        logs=(folder / "logs", folder / "airflow" / "logs", folder / "tries" / "logs"),
        limit=limit,
    )
    return portal, tables, invariants


def _play(player: Player, kinds: Sequence[Kind], report: Report, output: Path) -> None:
    """Play all faults in sequences, and write the results after each: a long run may be broken off."""
    for start in range(0, len(kinds), _FAULTS_PER_SEQUENCE):
        chosen = kinds[start : start + _FAULTS_PER_SEQUENCE]
        result = player.play(chosen)
        report.sequences.append((player.level.name, result))
        report.highest_window = max(report.highest_window, player.invariants.highest_window)
        report.write(output)
        console.print(
            f"{player.level.name} {len(report.faults)} faults, last {', '.join(chosen)}: {len(result.runs)} runs, "
            f"{result.wall_s:.0f} s, violations: {'; '.join(str(v) for v in result.violations) or 'none'}"
        )


def _show(report: Report, output: Path) -> None:
    path = report.write(output)
    console.print(report.table())
    content = report.as_json()
    violations = content["violations"]
    console.print(
        f"{content['faults']} faults, {content['runs']} runs, {len(violations)} violations, "
        f"{content['stale_writes_by_stopped_processes']} stale writes by stopped processes (repaired), "
        f"{content['repeated_rows']} rows repeated, {content['wall_s']} s; SEED={report.seed}; {path}"
    )
    for violation in violations:
        console.print(f"  {violation['invariant']}: {violation['text']}")


if __name__ == "__main__":
    raise SystemExit(main())
