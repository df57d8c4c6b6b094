"""Who may see the page, and how it reads: what every route of it stands on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode

from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import Depends, HTTPException, Request

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.observe.page_html import Links
from include.hubspot_sync.orchestration.mysql_hook import SyncMySqlHook
from include.hubspot_sync.store.connection import Database, Transaction

T = TypeVar("T")

ANSWER_TIMEOUT_S = 10
"""Longest wait for one statement: a page that nobody waits for any more must not hold a thread of the API server."""
_CONNECT_ATTEMPTS = 2
_LOGIN_PATH = "/api/v2/auth/login"
_IN_A_QUERY = "=&%+"
_FOREIGN_TOKEN = "Invalid JWT token"  # noqa: S105  Airflow's words for a login of another time or server

may_read_dag = Depends(requires_access_dag(method="GET"))


def links_of(request: Request) -> Links:
    """Return the addresses as the browser of this request needs them."""
    return Links(page=request.scope["root_path"], airflow=request.scope.get("app_root_path", ""))


LinksDep = Annotated[Links, Depends(links_of)]


def login_address(request: Request, status: int, detail: str) -> str:
    """Return where the user of a browser logs in and comes back from; empty when no login would change the answer.

    It is where Airflow's own UI goes with the same two answers, whatever the auth manager is. `next` is always a path
    of this page, never an address that the request brought along; Airflow checks it once more.
    Source: Airflow 3.3.2, `airflow/api_fastapi/core_api/routes/public/auth.py`.
    """
    if status != HTTPStatus.UNAUTHORIZED and (status, detail) != (HTTPStatus.FORBIDDEN, _FOREIGN_TOKEN):
        return ""
    links = links_of(request)
    path = quote(links.page + request.scope["path"].removeprefix(links.page))
    query = quote(request.scope["query_string"], safe=_IN_A_QUERY)
    return f"{links.airflow}{_LOGIN_PATH}?{urlencode({'next': f'{path}?{query}' if query else path})}"


def asks_for_page(request: Request) -> bool:
    """Tell whether a person looks at a page; scripts, style sheets and programs ask for anything or for data."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _definition(dag_id: str) -> SyncDefinition:
    """Return the sync of the DAG in the path, whose reader the route has admitted."""
    for definition in load_definitions().values():
        if definition.dag_id == dag_id:
            return definition
    raise HTTPException(404, f"no sync definition has the DAG {dag_id}")


DefinitionDep = Annotated[SyncDefinition, Depends(_definition)]


def _look(transaction: Transaction, work: Callable[[Transaction], T]) -> T:
    transaction.execute("page/set_read_only.sql")
    return work(transaction)


def read(definition: SyncDefinition, work: Callable[[Transaction], T]) -> T:
    """Run `work` in a transaction of its own that MySQL refuses every write.

    Raises:
        ConfigError: the connection, a right or a table is missing.
        StoreUnavailableError: MySQL does not answer.
    """
    conn_id = definition.connections.mysql
    connect = SyncMySqlHook(conn_id, answer_timeout_s=ANSWER_TIMEOUT_S).get_conn
    # messages reach people who may not read connections, so they name no server
    database = Database(connect, where=f"connection {conn_id}", attempts=_CONNECT_ATTEMPTS)
    with contextlib.closing(database):
        try:
            return database.run(partial(_look, work=work))
        except AirflowNotFoundException:
            raise ConfigError(f"airflow has no connection {conn_id}: create it, or check the secrets backend") from None
