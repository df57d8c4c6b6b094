"""Everything that can refuse a run, asked before the stack starts for it or a file is offered."""

from __future__ import annotations

from collections.abc import Mapping

import MySQLdb

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.run_params import refusal
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Stack
from tools.local_stack.mysql import parse_url
from tools.local_stack.run_dag import Request
from tools.local_stack.services import DAG_ID
from tools.local_stack.up_down import airflow_api, status

_NOT_NEEDED = frozenset({"exporter", "triggerer"})
"""Parts without which a run works."""


def check_definitions(layout: Layout) -> SyncDefinition:
    """Check the sync definitions and return that of the stack's DAG.

    Raises:
        StackError: names file and field, and what is allowed.
    """
    try:
        definitions = load_definitions(layout.root / "include" / "syncs")
    except ConfigError as error:
        raise StackError(f"include/syncs/{error}", heading="ConfigError") from error
    for definition in definitions.values():
        if definition.dag_id == DAG_ID:
            return definition
    raise StackError(f"include/syncs has no definition with dag_id {DAG_ID}: put it back", heading="ConfigError")


def check_request(layout: Layout, request: Request) -> None:
    """Check the sync definitions, and mode and parameters of the run against them.

    Raises:
        StackError: names the field or parameter and what is allowed.
    """
    if line := refusal(check_definitions(layout), request.conf):
        raise StackError(f"{line}; nothing was started", heading="ConfigError")


def check_parts(layout: Layout, stack: Stack, environ: Mapping[str, str]) -> None:
    """Check that every part that a run needs is there.

    Raises:
        StackError: names what is missing.
    """
    states = status(layout, environ)
    if stopped := [name for name, state in states.items() if state == "stopped" and name not in _NOT_NEEDED]:
        raise StackError(f"not running: {', '.join(stopped)}: `make up` starts what is missing")
    try:
        parse_url(stack.mysql_url).connect().close()
    except MySQLdb.Error as error:
        raise StackError(f"mysql does not answer: {error.args[-1]}") from error
    api = airflow_api(stack)
    try:
        if not api.has_dag(DAG_ID):
            raise StackError(f"airflow does not know the dag {DAG_ID} yet: `make up` waits for it")
    finally:
        api.close()
