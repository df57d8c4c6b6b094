"""The routes about single records: the rejected ones, their file, the way of a name, and the replay.

The replay is the only thing on the page that changes anything. It is a POST, needs the right to trigger the DAG and a
form that was shown to the same user, and starts a DAG run; the page itself still writes nothing into MySQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qs

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.models.dag import DagModel
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.observe import lineage, record_pages, reject_list, run_status
from include.hubspot_sync.observe.record_pages import ReplayRequest
from include.hubspot_sync.observe.reject_list import RejectFilter, RejectState, Stage
from include.hubspot_sync.orchestration import page_actions
from include.hubspot_sync.orchestration.page_access import DefinitionDep, LinksDep, may_read_dag, read
from include.hubspot_sync.records import record_key
from include.hubspot_sync.source.key_text import fold_key
from include.hubspot_sync.store.connection import Transaction

MAX_KEY = 320
MAX_REASON = 64
MAX_FORM_BYTES = 16_384
_MAX_DIGITS = 18
"""As many as certainly fit into a BIGINT."""

may_trigger_dag = Depends(requires_access_dag(method="POST", access_entity=DagAccessEntity.RUN))

router = APIRouter(default_response_class=HTMLResponse)


def may_trigger(dag_id: str, user: GetUserDep) -> bool:
    """Tell whether the user may start runs of the DAG in the path, so that nobody is offered what would be refused."""
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
    )


MayTriggerDep = Annotated[bool, Depends(may_trigger)]


def _number(text: str) -> int | None:
    """Return a number as a form sends it; empty is none."""
    digits = text.strip()
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        raise HTTPException(422, "a run is told by its number, or not at all")
    return int(digits)


def _chosen(request: Request) -> RejectFilter:
    """Read the filter of an address; a form sends empty fields for what it does not choose."""
    given = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    try:
        return RejectFilter(
            run_id=_number(given.get("run", "")),
            stage=Stage(given["by"]) if "by" in given else None,
            state=RejectState(given["state"]) if "state" in given else None,
            reason=given.get("reason", "")[:MAX_REASON],
            key_prefix=fold_key(given.get("key", "")[:MAX_KEY]),
            after_id=_number(given.get("after", "")) or 0,
        )
    except ValueError:
        raise HTTPException(422, "the filter has a value that the form does not offer") from None


ChosenDep = Annotated[RejectFilter, Depends(_chosen)]


@router.get("/dags/{dag_id}/rejects", dependencies=[may_read_dag])
def show_rejects(links: LinksDep, definition: DefinitionDep, chosen: ChosenDep, triggers: MayTriggerDep) -> str:
    """Show the rejected records of a sync that fit the filter."""

    def render(transaction: Transaction) -> str:
        return record_pages.rejects_page(
            links,
            definition.dag_id,
            chosen,
            reject_list.read_rejects(transaction, definition.name, chosen),
            reject_list.read_reasons(transaction, definition.name),
            may_replay=triggers,
        )

    return read(definition, render)


def _csv_parts(definition: SyncDefinition, chosen: RejectFilter) -> Iterator[str]:
    """Return the file piece by piece, each read in a transaction of its own, so that no size is too large."""
    following: RejectFilter | None = replace(chosen, after_id=0)
    with_header = True
    while following is not None:
        wanted = following
        page = read(
            definition,
            lambda transaction: reject_list.read_rejects(
                transaction,
                definition.name,
                wanted,  # noqa: B023  the transaction ends before the next round
                reject_list.FILE_ROWS,
            ),
        )
        yield reject_list.csv_text(page.records, with_header=with_header)
        with_header = False
        following = reject_list.next_page(wanted, page)


def _first_and_rest(parts: Iterator[str]) -> Iterator[str]:
    """Read the first piece at once, so that a database that is away is an answer and no broken file."""
    first = next(parts)

    def everything() -> Iterator[str]:
        yield first
        yield from parts

    return everything()


@router.get("/dags/{dag_id}/rejects.csv", dependencies=[may_read_dag])
def send_rejects(definition: DefinitionDep, chosen: ChosenDep) -> Response:
    """Send the rejected records that fit the filter as a file, all of them."""
    headers = {"Content-Disposition": f'attachment; filename="{definition.name}_rejected.csv"'}
    parts = _first_and_rest(_csv_parts(definition, chosen))
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/dags/{dag_id}/lineage", dependencies=[may_read_dag])
def show_lineage(
    links: LinksDep, definition: DefinitionDep, name: Annotated[str, Query(max_length=MAX_KEY)] = ""
) -> str:
    """Show where a name comes from and where it went."""
    wanted = name.strip()
    keys = lineage.candidate_keys(definition, wanted, fold_key) if wanted else ()

    def look(transaction: Transaction) -> list[lineage.Lineage]:
        found = [lineage.read_lineage(transaction, definition, key) for key in keys]
        return [one for one in found if one.is_known]

    found = read(definition, look) if keys else []
    return record_pages.lineage_page(links, definition.dag_id, wanted, found)


def _replay_request(run: str, reason: str, key: str) -> ReplayRequest:
    if len(reason) > MAX_REASON or len(key) > MAX_KEY:
        raise HTTPException(422, "reason or key is too long")
    return ReplayRequest(_number(run), reason.strip(), fold_key(key.strip()))


@router.get("/dags/{dag_id}/replay", dependencies=[may_read_dag, may_trigger_dag])
def confirm_replay(
    links: LinksDep, definition: DefinitionDep, user: GetUserDep, run: str = "", reason: str = "", key: str = ""
) -> str:
    """Ask whether the refused records that are meant shall be sent again."""
    wanted = _replay_request(run, reason, key)
    token = page_actions.form_token(user.get_id(), definition.dag_id)

    def render(transaction: Transaction) -> str:
        count = _count(transaction, definition.name, wanted)
        refused = reject_list.OpenRefused() if count else reject_list.read_open_refused(transaction, definition.name)
        return record_pages.replay_page(links, definition.dag_id, wanted, count, refused, form_token=token)

    return read(definition, render)


def _count(transaction: Transaction, sync_name: str, wanted: ReplayRequest) -> int:
    params = {
        "sync_name": sync_name,
        "run_id": wanted.run_id,
        "reason": wanted.reason or None,
        "record_key": record_key(wanted.key_text) if wanted.key_text else None,
    }
    return int(transaction.rows("page/count_replayable.sql", params)[0]["rejects"])


async def _form(request: Request) -> dict[str, str]:
    """Read a small form; the last value of a field that is there twice counts."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise HTTPException(415, "this address takes only the form of its page")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, "the form is too large")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise HTTPException(422, "the form cannot be read") from None
    return {name: values[-1] for name, values in fields.items()}


FormDep = Annotated[dict[str, str], Depends(_form)]


def _check_origin(form: dict[str, str], request: Request, user_id: str, dag_id: str) -> None:
    """Refuse a form that this page did not show to this user.

    Raises:
        HTTPException: 403, with what to do.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site != "same-origin" or not page_actions.is_form_token(form.get("form_token", ""), user_id, dag_id):
        raise HTTPException(403, "this form is too old or was not shown to you: open the page of the replay again")


@router.post(
    "/dags/{dag_id}/replay",
    dependencies=[may_read_dag, may_trigger_dag, Depends(action_logging(event="hubspot_sync.replay"))],
)
def start_replay(
    request: Request, links: LinksDep, definition: DefinitionDep, user: GetUserDep, form: FormDep
) -> Response:
    """Start a run that sends refused records again."""
    _check_origin(form, request, user.get_id(), definition.dag_id)
    wanted = _replay_request(form.get("run", ""), form.get("reason", ""), form.get("key", ""))
    if not read(definition, lambda transaction: _count(transaction, definition.name, wanted)):
        raise HTTPException(409, "no open record that HubSpot refused fits this choice any more: nothing was started")
    try:
        dag_run_id = page_actions.start_replay(definition.dag_id, user.get_name(), wanted)
    except page_actions.ActionRefusedError as error:
        raise HTTPException(409, str(error)) from None
    return RedirectResponse(links.started(definition.dag_id, dag_run_id), 303)


@router.get("/dags/{dag_id}/started/{dag_run_id}", dependencies=[may_read_dag])
def await_run(links: LinksDep, definition: DefinitionDep, dag_run_id: str) -> Response:
    """Show that a run is queued, and lead to its page once there is one."""
    dag_run_key = f"{definition.dag_id}:{dag_run_id}"
    run_id = read(definition, lambda transaction: run_status.find_run(transaction, definition.name, dag_run_key))
    if run_id is not None:
        return RedirectResponse(links.run(definition.dag_id, run_id), 303)
    return HTMLResponse(record_pages.started_page(links, definition.dag_id, dag_run_id))
