"""`python -m tools.bench`: measures the product on a stack of its own, then other ways against the same portal.

Writes bench/results.json and the tables of docs/performance.md; with --quick or --only just the JSON file. Ends with
status 1 when a count was wrong, a limit was exceeded or a 429 appeared; times are never judged.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tools.bench.cases import CASES, QUICK_CASES, Suite
from tools.bench.machine import describe_machine
from tools.bench.peers.race import PEERS, quick_peers
from tools.bench.report import RESULTS, write_page
from tools.bench.results import Results
from tools.bench.session import Plan, Session
from tools.local_stack.console import console, say_error
from tools.local_stack.errors import StackError
from tools.local_stack.layout import ROOT

_PEERS = "peers"
"""Name of the comparison with other ways, beside those of the cases."""
_REPEAT, _QUICK_REPEAT = 3, 1
_WRONG_USE, _INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)  # what was started must be stopped
    try:
        plan = _plan(options)
    except ValueError as error:
        say_error(str(error))
        return _WRONG_USE
    try:
        return _measure(options, plan)
    except (StackError, TimeoutError, httpx.HTTPError) as error:
        say_error(f"{error}; what was measured before is kept")
        return 1
    except KeyboardInterrupt:
        say_error("interrupted; what was started is stopped, what was measured is kept")
        return _INTERRUPTED


def _measure(options: argparse.Namespace, plan: Plan) -> int:
    path: Path = options.output / ("quick.json" if options.quick else RESULTS.name)
    results = Results(
        machine=describe_machine(os.environ),
        command=_command(options),
        commit=_commit(),
        day=f"{datetime.now(tz=UTC):%Y-%m-%d}",
    )
    Session(plan, results, path, os.environ).play()
    if not options.only and not options.quick:
        write_page(results)
    console.print(f"figures: {path}", highlight=False)
    for problem in results.problems:
        say_error(problem)
    return 1 if results.problems else 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases that show counts and limits, in five minutes")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help=f"cases to run, and `{_PEERS}`")
    parser.add_argument("--repeat", type=int, help=f"runs of each (default {_REPEAT}, with --quick {_QUICK_REPEAT})")
    parser.add_argument("--output", type=Path, default=RESULTS.parent, help="folder of the JSON file")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    """Read the options.

    Raises:
        ValueError: a case is unknown or there is nothing to run.
    """
    repeat = (_QUICK_REPEAT if options.quick else _REPEAT) if options.repeat is None else int(options.repeat)
    if repeat < 1:
        raise ValueError(f"--repeat {repeat}: at least 1")
    names = [name for name in options.only if name != _PEERS] if options.only else None
    suite = Suite.choose(QUICK_CASES if options.quick else CASES, names)
    peers = quick_peers() if options.quick else PEERS
    return Plan(suite, peers if not options.only or _PEERS in options.only else (), repeat)


def _command(options: argparse.Namespace) -> str:
    quick = ["--quick"] if options.quick else []
    only = ["--only", *options.only] if options.only else []
    repeat = [f"--repeat {options.repeat}"] if options.repeat else []
    return " ".join(["python -m tools.bench", *quick, *only, *repeat])


def _commit() -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return ""
    return _output(git, "rev-parse", "--short", "HEAD") + ("+" if _output(git, "status", "--porcelain") else "")


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


if __name__ == "__main__":
    raise SystemExit(main())
