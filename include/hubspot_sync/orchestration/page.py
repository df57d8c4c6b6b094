"""The page inside Airflow's API server: its routes, its headers, and what it says when something is wrong.

Airflow leaves the protection of a plugin's routes to the plugin. So every route needs a login that may see plugins, and
every route of a sync needs the right to read its DAG; the interactive documentation of FastAPI, which no dependency
covers, is off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from include.hubspot_sync.config import SyncDefinition, load_definitions
from include.hubspot_sync.errors import SyncError
from include.hubspot_sync.observe import page_html, plan_status, run_status
from include.hubspot_sync.observe.history import Span, read_history
from include.hubspot_sync.observe.page_html import NextRun, SyncLine
from include.hubspot_sync.observe.run_status import RunStatus
from include.hubspot_sync.orchestration import page_actions
from include.hubspot_sync.orchestration.page_access import (
    DefinitionDep,
    LinksDep,
    asks_for_page,
    links_of,
    login_address,
    may_read_dag,
    read,
)
from include.hubspot_sync.orchestration.page_records import MayTriggerDep
from include.hubspot_sync.orchestration.page_records import router as records_router
from include.hubspot_sync.store.connection import Transaction

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # names of contacts; and a style sheet that is older than its page
    "Cache-Control": "no-store",
}

_may_see_plugins = Depends(requires_access_view(AccessView.PLUGINS))

router = APIRouter(default_response_class=HTMLResponse)


def _line(definition: SyncDefinition, next_run: NextRun | None) -> SyncLine:
    """Return where a sync stands; one whose database is away must not take the others from the page."""
    line = partial(SyncLine, definition.name, definition.dag_id, definition.description, next_run=next_run)
    try:
        return line(read(definition, lambda transaction: run_status.read_sync(transaction, definition.name)))
    except SyncError as error:
        return line(None, problem=str(error))


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
    due = page_actions.next_runs([definition.dag_id for definition in definitions])
    return page_html.overview_page(links, [_line(definition, due.get(definition.dag_id)) for definition in definitions])


@router.get("/dags/{dag_id}", dependencies=[may_read_dag])
def show_sync(links: LinksDep, definition: DefinitionDep, span: Annotated[Span, Query()] = Span.WEEK) -> str:
    """Show the latest runs of a sync and its history."""

    def render(transaction: Transaction) -> str:
        line = SyncLine(definition.name, definition.dag_id, definition.description, None)
        runs = run_status.read_runs(transaction, definition.name)
        return page_html.sync_page(links, line, runs, read_history(transaction, definition.name, span))

    return read(definition, render)


@router.get("/dags/{dag_id}/runs/{run_id:int}", dependencies=[may_read_dag])
def show_run(links: LinksDep, definition: DefinitionDep, run_id: int, triggers: MayTriggerDep) -> str:
    """Show one run with its counts, shards and rejected records."""

    def render(transaction: Transaction) -> str:
        run = _run(transaction, definition, run_id)
        return page_html.run_page(
            links,
            definition.dag_id,
            run,
            run_status.read_live_progress(transaction, run),
            run_status.read_notable_batches(transaction, run_id),
            run_status.read_rejected(transaction, definition.name, run_id),
            may_replay=triggers,
        )

    return read(definition, render)


@router.get("/dags/{dag_id}/runs/{run_id:int}/plan", dependencies=[may_read_dag])
def show_plan(links: LinksDep, definition: DefinitionDep, run_id: int) -> str:
    """Show what a run was going to do before it sent anything."""

    def render(transaction: Transaction) -> str:
        run = _run(transaction, definition, run_id)
        return page_html.plan_page(links, definition.dag_id, run, plan_status.read_run_plan(transaction, run_id))

    return read(definition, render)


@router.get("/dags/{dag_id}/runs/{run_id:int}/progress", dependencies=[may_read_dag])
def show_progress(links: LinksDep, definition: DefinitionDep, run_id: int) -> str:
    """Show only how far a run is; the page of the run asks for it again and again."""

    def render(transaction: Transaction) -> str:
        run = _run(transaction, definition, run_id)
        progress = run_status.read_live_progress(transaction, run)
        return page_html.progress_part(links, definition.dag_id, run, progress)

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
    login = login_address(request, status, text)
    if login and asks_for_page(request):
        return RedirectResponse(login, 303)
    return HTMLResponse(page_html.error_page(links_of(request), status, text, login=login), status, headers)


def build_page() -> FastAPI:
    """Return the application that Airflow mounts."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[_may_see_plugins])
    # this module's router ends with the route that takes every other address
    app.include_router(records_router)
    app.include_router(router)
    app.middleware("http")(_add_headers)
    app.add_exception_handler(AnyHTTPException, _show_error)
    app.add_exception_handler(SyncError, _show_error)
    return app
