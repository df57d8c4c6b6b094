"""`python -m tools.local_stack up|down|status|logs|sql|run|demo`: the stack without Docker."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from tools.local_stack.console import console, say_error
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Stack
from tools.local_stack.mysql import parse_url
from tools.local_stack.ports import LOOPBACK
from tools.local_stack.result import SUCCESS, Result, build_result, result_line
from tools.local_stack.run_check import check_definitions, check_parts, check_request
from tools.local_stack.run_dag import Request, read_request, run_dag
from tools.local_stack.sql_client import open_sql
from tools.local_stack.up_down import Session, describe_strays, down, session, status, strays, up

_INTERRUPTED = 130
_COMMANDS = {
    "up": "start the stack and wait until it is healthy; SCHEDULE=1 lets the DAGs' schedules run",
    "down": "stop everything; the data in .local stays",
    "status": "show the health of every part",
    "logs": "follow the logs of every part",
    "sql": "open the stack's database in a MySQL client; SQL= runs one text",
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
        return _HANDLERS[command](layout, os.environ)
    except StackError as error:
        say_error(str(error), error.heading)
        return 1
    except KeyboardInterrupt:
        say_error("interrupted; what this command had started is stopped")
        return _INTERRUPTED


def _start(layout: Layout, environ: Mapping[str, str]) -> int:
    check_definitions(layout)
    with session(layout) as current:
        _up(current, environ)
    return 0


def _up(current: Session, environ: Mapping[str, str]) -> Stack:
    began = time.monotonic()
    is_scheduled = environ.get("SCHEDULE", "").lower() in ("1", "true", "yes", "on")
    stack = up(current, environ, is_scheduled=is_scheduled)
    console.print(f"Ready in {time.monotonic() - began:.1f} s. Addresses and logins: .local/stack.json")
    for line in describe_addresses(stack):
        console.print(line, markup=False)
    return stack


def describe_addresses(stack: Stack) -> list[str]:
    """Return the address of every part with its login; the password of MySQL may be that of a server of yours."""
    mysql = parse_url(stack.mysql_url)
    keys = f"access key {stack.s3_access_key}, secret key {stack.s3_secret_key}"
    return [
        f"Airflow: {stack.airflow_url}  user {stack.airflow_user}, password {stack.airflow_password}",
        f"MySQL:   {mysql.host}:{mysql.port}  schema {mysql.database}, user {mysql.user}; `make sql` opens it",
        f"S3:      {stack.s3_url}  bucket {stack.bucket}, {keys}",
        f"HubSpot: {stack.hubspot_url}  token {stack.hubspot_token}",
        f"Kaggle:  {stack.kaggle_url}  token {stack.kaggle_token}",
        f"Metrics: {_metrics_url(stack)}",
    ]


def _metrics_url(stack: Stack) -> str:
    return f"http://{LOOPBACK}:{stack.ports.get('metrics', 0)}/metrics"


def _down(layout: Layout, _environ: Mapping[str, str]) -> int:
    count = down(layout, console.print)
    console.print("Everything is stopped." if count else "Nothing was running.")
    return 0


def _status(layout: Layout, environ: Mapping[str, str]) -> int:
    states = status(layout, environ)
    for name, state in states.items():
        console.print(f"{name:<14} {state}")
    stack = Stack.need(layout)
    if left := strays(layout, stack):
        console.print(f"{'left over':<14} {describe_strays(left)}: `make up` ends them", markup=False)
    for line in describe_addresses(stack):
        console.print(line, markup=False)
    return 0 if set(states.values()) == {"healthy"} else 1


def _logs(layout: Layout, _environ: Mapping[str, str]) -> int:
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
        check_request(layout, request)
        stack = Stack.need(layout)
        check_parts(layout, stack, environ)
        result = run_dag(stack, request)
    except StackError as error:
        result = _refused(request, error)
    except KeyboardInterrupt:
        say_error("interrupted; a run that was triggered goes on")
        return _INTERRUPTED
    return _finish(result)


def _demo(layout: Layout, environ: Mapping[str, str]) -> int:
    request = None
    try:
        request = read_request(environ)
        check_request(layout, request)
        with session(layout) as current:
            result = run_dag(_up(current, environ), request)
    except StackError as error:
        result = _refused(request, error)
    return _finish(result)


def _refused(request: Request | None, error: StackError) -> Result:
    """Say why there is no run, or none that could be followed to its end."""
    say_error(str(error), error.heading)
    mode = request.mode if request else "incremental"
    message = f"{error.heading}: {error}"
    return build_result(run_id=None, mode=mode, dag_state="failed", summary=None, wall_s=0, message=message)


def _finish(result: Result) -> int:
    sys.stderr.flush()
    print(result_line(result), flush=True)
    return 0 if result["state"] == SUCCESS else 1


_HANDLERS: Mapping[str, Callable[[Layout, Mapping[str, str]], int]] = {
    "up": _start,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "sql": open_sql,
    "run": _run,
    "demo": _demo,
}


if __name__ == "__main__":
    sys.exit(main())
