"""`python -m tools.local_stack up|down|status|logs|run|demo`: the stack without Docker."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from tools.local_stack.console import console, say_error
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Stack
from tools.local_stack.ports import LOOPBACK
from tools.local_stack.result import SUCCESS, Result, build_result, result_line
from tools.local_stack.run_dag import Request, read_request, run_dag
from tools.local_stack.up_down import Session, down, session, status, up

_INTERRUPTED = 130
_COMMANDS = {
    "up": "start the stack and wait until it is healthy; SCHEDULE=1 lets the DAGs' schedules run",
    "down": "stop everything; the data in .local stays",
    "status": "show the health of every part",
    "logs": "follow the logs of every part",
    "run": "trigger one run and wait: FILE= a new dataset version, MODE=, CONF= JSON params",
    "demo": "up, then run",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in _COMMANDS.items():
        commands.add_parser(name, help=text, description=text)
    command = parser.parse_args(arguments).command
    layout = Layout()
    try:
        return _run_command(command, layout, os.environ)
    except StackError as error:
        say_error(str(error))
        return 1
    except KeyboardInterrupt:
        say_error("interrupted; what this command had started is stopped")
        return _INTERRUPTED


def _run_command(command: str, layout: Layout, environ: Mapping[str, str]) -> int:
    match command:
        case "up":
            with session(layout) as current:
                _up(current, environ)
            return 0
        case "down":
            return _down(layout)
        case "status":
            return _status(layout, environ)
        case "logs":
            return _logs(layout)
        case "run":
            return _run(layout, environ)
        case _:
            return _demo(layout, environ)


def _up(current: Session, environ: Mapping[str, str]) -> Stack:
    began = time.monotonic()
    is_scheduled = environ.get("SCHEDULE", "").lower() in ("1", "true", "yes", "on")
    stack = up(current, environ, is_scheduled=is_scheduled)
    console.print(f"Ready in {time.monotonic() - began:.1f} s. Addresses and logins: .local/stack.json")
    console.print(f"Airflow: {stack.airflow_url}  user {stack.airflow_user}, password {stack.airflow_password}")
    console.print(f"Metrics: {_metrics_url(stack)}")
    return stack


def _metrics_url(stack: Stack) -> str:
    return f"http://{LOOPBACK}:{stack.ports.get('metrics', 0)}/metrics"


def _down(layout: Layout) -> int:
    count = down(layout, console.print)
    console.print("Everything is stopped." if count else "Nothing was running.")
    return 0


def _status(layout: Layout, environ: Mapping[str, str]) -> int:
    states = status(layout, environ)
    for name, state in states.items():
        console.print(f"{name:<14} {state}")
    console.print(f"Metrics: {_metrics_url(Stack.need(layout))}")
    return 0 if set(states.values()) == {"healthy"} else 1


def _logs(layout: Layout) -> int:
    logs = sorted(layout.logs.glob("*.log"))
    if not logs:
        raise StackError("no logs yet: start the stack with `make up`")
    follow = ["-F"] if sys.stdout.isatty() else []
    try:
        return subprocess.run(["tail", "-n", "40", *follow, "--", *logs], check=False).returncode  # noqa: S603, S607
    except KeyboardInterrupt:
        return 0


def _run(layout: Layout, environ: Mapping[str, str]) -> int:
    request = None
    try:
        request = read_request(environ)
        result = run_dag(Stack.need(layout), request)
    except StackError as error:
        say_error(str(error))
        result = _nothing_done(request)
    except KeyboardInterrupt:
        say_error("interrupted; a run that was triggered goes on")
        return _INTERRUPTED
    return _finish(result)


def _demo(layout: Layout, environ: Mapping[str, str]) -> int:
    request = None
    try:
        request = read_request(environ)
        with session(layout) as current:
            result = run_dag(_up(current, environ), request)
    except StackError as error:
        say_error(str(error))
        result = _nothing_done(request)
    return _finish(result)


def _nothing_done(request: Request | None) -> Result:
    mode = request.mode if request else "incremental"
    return build_result(run_id=None, mode=mode, dag_state="failed", summary=None, wall_s=0)


def _finish(result: Result) -> int:
    sys.stderr.flush()
    print(result_line(result), flush=True)
    return 0 if result["state"] == SUCCESS else 1


if __name__ == "__main__":
    sys.exit(main())
