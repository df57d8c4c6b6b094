"""The page inside Airflow's API server: who may see it, what it reads, nothing that it could change.

Airflow leaves the protection of a plugin's routes to the plugin. So every route needs a login that may see plugins, and
every route of a sync needs the right to read its DAG; the interactive documentation of FastAPI, which no dependency
covers, is off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.errors import ConfigError, SyncError
from include.hubspot_sync.observe import page_html, plan_status, run_status
from include.hubspot_sync.observe.page_html import Links, SyncLine
from include.hubspot_sync.observe.run_status import RunStatus
from include.hubspot_sync.orchestration.mysql_hook import SyncMySqlHook
from include.hubspot_sync.store.connection import Database, Transaction

T = TypeVar("T")

ANSWER_TIMEOUT_S = 10
"""Longest wait for one statement: a page that nobody waits for any more must not hold a thread of the API server."""
_CONNECT_ATTEMPTS = 2

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # names of contacts; and a style sheet that is older than its page
    "Cache-Control": "no-store",
}

_may_see_plugins = Depends(requires_access_view(AccessView.PLUGINS))
_may_read_dag = Depends(requires_access_dag(method="GET"))

router = APIRouter(default_response_class=HTMLResponse)


def _links(request: Request) -> Links:
    return Links(page=request.scope["root_path"], airflow=request.scope.get("app_root_path", ""))


LinksDep = Annotated[Links, Depends(_links)]


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


def _line(definition: SyncDefinition) -> SyncLine:
    """Return where a sync stands; one whose database is away must not take the others from the page."""
    line = partial(SyncLine, definition.name, definition.dag_id, definition.description)
    try:
        return line(read(definition, lambda transaction: run_status.read_sync(transaction, definition.name)))
    except SyncError as error:
        return line(None, str(error))


def _run(transaction: Transaction, definition: SyncDefinition, run_id: int) -> RunStatus:
    run = run_status.read_run(transaction, definition.name, run_id)
    if run is None:
        raise HTTPException(404, f"sync {definition.name} has no run {run_id}")
    return run


@router.get("/")
def show_overview(links: LinksDep, user: GetUserDep) -> str:
    """Show every sync whose DAG the user may read."""
    readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    definitions = [definition for definition in load_definitions().values() if definition.dag_id in readable]
    return page_html.overview_page(links, [_line(definition) for definition in definitions])


@router.get("/dags/{dag_id}", dependencies=[_may_read_dag])
def show_sync(links: LinksDep, definition: DefinitionDep) -> str:
    """Show the latest runs of a sync."""
    runs = read(definition, lambda transaction: run_status.read_runs(transaction, definition.name))
    line = SyncLine(definition.name, definition.dag_id, definition.description, None)
    return page_html.sync_page(links, line, runs)


@router.get("/dags/{dag_id}/runs/{run_id:int}", dependencies=[_may_read_dag])
def show_run(links: LinksDep, definition: DefinitionDep, run_id: int) -> str:
    """Show one run with its counts, shards and rejected records."""

    def render(transaction: Transaction) -> str:
        return page_html.run_page(
            links,
            definition.dag_id,
            _run(transaction, definition, run_id),
            run_status.read_progress(transaction, run_id),
            run_status.read_notable_batches(transaction, run_id),
            run_status.read_rejected(transaction, definition.name, run_id),
        )

    return read(definition, render)


@router.get("/dags/{dag_id}/runs/{run_id:int}/plan", dependencies=[_may_read_dag])
def show_plan(links: LinksDep, definition: DefinitionDep, run_id: int) -> str:
    """Show what a run was going to do before it sent anything."""

    def render(transaction: Transaction) -> str:
        run = _run(transaction, definition, run_id)
        return page_html.plan_page(links, definition.dag_id, run, plan_status.read_run_plan(transaction, run_id))

    return read(definition, render)


@router.get("/dags/{dag_id}/runs/{run_id:int}/progress", dependencies=[_may_read_dag])
def show_progress(links: LinksDep, definition: DefinitionDep, run_id: int) -> str:
    """Show only how far a run is; the page of the run asks for it again and again."""

    def render(transaction: Transaction) -> str:
        run = _run(transaction, definition, run_id)
        return page_html.progress_part(links, definition.dag_id, run, run_status.read_progress(transaction, run_id))

    return read(definition, render)


@router.get("/static/{name}")
def send_static(name: str) -> Response:
    """Send the style sheet or the script."""
    if name not in page_html.STATIC_FILES:
        raise HTTPException(404, f"there is no file {name}")
    path, media_type = page_html.STATIC_FILES[name]
    return Response(path.read_bytes(), media_type=media_type)


@router.get("/{path:path}")
def refuse_unknown(path: str) -> str:
    """Answer unknown addresses like the others: who is not logged in learns nothing about them."""
    raise HTTPException(404, f"there is no page {path}")


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(_HEADERS)
    return response


def _show_error(request: Request, error: Exception) -> Response:
    if isinstance(error, AnyHTTPException):
        status, text, headers = error.status_code, error.detail, error.headers
    else:
        status, text, headers = 503, str(error), None
    return HTMLResponse(page_html.error_page(_links(request), status, text), status, headers)


def build_page() -> FastAPI:
    """Return the application that Airflow mounts."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[_may_see_plugins])
    app.include_router(router)
    app.middleware("http")(_add_headers)
    app.add_exception_handler(AnyHTTPException, _show_error)
    app.add_exception_handler(SyncError, _show_error)
    return app
