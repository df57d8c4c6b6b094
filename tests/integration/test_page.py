"""The page in Airflow: who may see it, through Airflow's own checks, and what it shows of a real run."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import MySQLdb
import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration import tasks
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.store import rejects
from include.hubspot_sync.store.connection import Database
from tests.support.checkout import Checkout, result_of
from tests.support.whole_runs import whole_run
from tools.local_stack.mysql import MysqlAddress

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
DAG_ID = "baby_names_to_hubspot"
REPLAY = f"/dags/{DAG_ID}/replay"
SAMPLE = {
    "dag_id": DAG_ID, "run_id:int": "1", "name": "page.css", "path:path": "no/such/page", "dag_run_id": "manual__1",
}  # fmt: skip
AS_BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LOADED = """
import sys
sys.path.insert(0, "plugins")
import hubspot_sync_plugin
print([name for name in sys.modules if name.startswith(("include", "airflow.api_fastapi", "fastapi", "MySQLdb"))])
"""


@pytest.fixture(scope="module")
def page_module() -> Any:
    """The page, imported as the API server does it, where a warning of Airflow's own imports is no error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from include.hubspot_sync.orchestration import page

    return page


@pytest.fixture(scope="module")
def paths(page_module: Any) -> list[str]:
    """An address for every route, taken from the page itself so that none can be forgotten."""
    templates = [route.path for route in routes_of(page_module)]
    filled = [re.sub(r"{([^}]+)}", lambda match: SAMPLE[match[1]], template) for template in templates]
    return [*dict.fromkeys(filled), "/docs", "/redoc", "/openapi.json"]


def routes_of(page_module: Any) -> list[Any]:
    """Return every route that the application serves, however it got there."""
    from fastapi.routing import APIRoute

    routes = page_module.build_page().routes
    # what is mounted, or no HTTP, would have routes of its own that nothing here asks for
    assert [route for route in routes if not isinstance(route, APIRoute)] == []
    return list(routes)


@dataclass(frozen=True)
class Page:
    """The page below a host application, as one login sees it."""

    host: Any
    headers: dict[str, str]
    root_path: str = ""

    def ask(self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._ask(method, path, self.headers if headers is None else headers))

    def codes(self, paths: list[str], **request: Any) -> dict[str, int]:
        return {path: self.ask(path, **request).status_code for path in paths}

    def send_form(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        content = urlencode(form)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return asyncio.run(self._ask("POST", path, {**self.headers, **kind, **headers}, content))

    async def _ask(self, method: str, path: str, headers: dict[str, str], content: str = "") -> httpx.Response:
        transport = httpx.ASGITransport(self.host, root_path=self.root_path)
        base_url = f"http://airflow{self.root_path}/hubspot-sync"
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            return await client.request(method, path, headers=headers, content=content)


def login_target(answer: httpx.Response, login_path: str = "/api/v2/auth/login") -> str:
    """Return where the login leads to that an answer leads to."""
    login = urlsplit(answer.headers["location"])
    # without scheme and host it stays on the server that was asked
    assert (login.scheme, login.netloc, login.path) == ("", "", login_path)
    ((name, target),) = parse_qsl(login.query)
    assert name == "next"
    return target


def test_plugin_folder_holds_one_python_file():
    assert [path.name for path in (ROOT / "plugins").rglob("*.py")] == ["hubspot_sync_plugin.py"]


def test_plugin_file_is_light_because_every_task_imports_it():
    command = [sys.executable, "-W", "ignore", "-c", LOADED]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert finished.stdout.strip().splitlines()[-1] == "[]"


# access, in this process: the page below a host application, with Airflow's own checks and tokens


@pytest.fixture
def mysql_connection(schema: MysqlAddress, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    connection = {
        "conn_type": "mysql",
        "host": schema.host,
        "port": schema.port,
        "login": schema.user,
        "password": schema.password,
        "schema": schema.database,
    }
    monkeypatch.setenv("AIRFLOW_CONN_MYSQL", json.dumps(connection))
    return connection


@pytest.fixture
def known_dag(airflow_database: None) -> Iterator[None]:
    """Airflow's row of the DAG, as its DAG processor writes it; the DAG's own tests may have left one."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.get(DagBundleModel, "dags-folder") is None:
            session.add(DagBundleModel(name="dags-folder"))
            session.flush()
        added = session.get(DagModel, DAG_ID) is None
        if added:
            session.add(DagModel(dag_id=DAG_ID, bundle_name="dags-folder"))
    set_dag(is_stale=False, is_paused=False, next_dagrun_create_after=None)
    yield
    if added:
        with create_session() as session:
            session.delete(session.get(DagModel, DAG_ID))


@pytest.fixture
def page_as(
    airflow_database: None, page_module: Any, mysql_connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Return a function: role and the DAGs that may not be read → the page."""
    from airflow.api_fastapi import app as airflow_app
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.applications import Starlette
    from starlette.routing import Mount

    class PickyAuthManager(SimpleAuthManager):
        """Airflow's own manager knows roles only; here some DAGs are refused as well."""

        refused: frozenset[str] = frozenset()

        def is_authorized_dag(self, *, details: Any = None, **arguments: Any) -> bool:
            is_refused = details is not None and details.id in self.refused
            return not is_refused and super().is_authorized_dag(details=details, **arguments)

    manager = PickyAuthManager()
    monkeypatch.setattr(airflow_app._AuthManagerState, "instance", manager)

    def open_page(role: str | None, *refused: str, name: str = "somebody") -> Page:
        manager.refused = frozenset(refused)
        token = manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role))
        host = Starlette(routes=[Mount("/hubspot-sync", page_module.build_page())])
        return Page(host, {"Authorization": f"Bearer {token}"})

    return open_page


@pytest.fixture
def started(page_module: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs that the page asked Airflow for; there is no scheduler here that would take them."""
    from include.hubspot_sync.orchestration import page_actions

    runs: list[Any] = []

    def trigger(dag_id: str, **arguments: Any) -> Any:
        runs.append((dag_id, arguments["triggering_user_name"], arguments["conf"]))
        return SimpleNamespace(run_id="manual__of_a_test")

    monkeypatch.setattr(page_actions, "trigger_dag", trigger)
    monkeypatch.setattr(page_records(), "_count", lambda *arguments: 1)
    return runs


def page_records() -> Any:
    from include.hubspot_sync.orchestration import page_records

    return page_records


def form_token(page: Page) -> str:
    """Return what the form of a replay brings back to the server."""
    found = re.search(r'name="form_token" value="([^"]+)"', page.ask(REPLAY).text)
    assert found is not None
    return found[1]


def set_dag(**values: Any) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        dag = session.get(DagModel, DAG_ID)
        for name, value in values.items():
            setattr(dag, name, value)


def audited_events() -> list[tuple[str, str, str]]:
    """Return Airflow's own audit entries of the page, and forget them."""
    from airflow.models import Log
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    with create_session() as session:
        chosen = Log.event.like("hubspot_sync%")
        rows = session.execute(select(Log.event, Log.owner, Log.dag_id).where(chosen)).all()
        session.execute(delete(Log).where(chosen))
        return [tuple(row) for row in rows]


def test_nobody_gets_in_without_a_login_and_a_role(page_as: Any, paths: list[str]):
    page = page_as("admin")

    assert len(paths) > 8
    assert page.codes(paths, headers={}) == dict.fromkeys(paths, 401)
    assert page.codes(paths, headers={"Authorization": "Bearer x.y.z"}) == dict.fromkeys(paths, 403)
    assert page_as(None).codes(paths) == dict.fromkeys(paths, 403)


def test_browser_without_login_is_led_to_the_login_and_back(page_as: Any, paths: list[str]):
    page = page_as("admin")

    for login in ({}, {"Authorization": "Bearer x.y.z"}):
        answers = {path: page.ask(path, headers={**AS_BROWSER, **login}) for path in paths}
        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 303)
        nexts = {path: login_target(answer) for path, answer in answers.items()}
        assert nexts == {path: f"/hubspot-sync{path}" for path in paths}
        assert {answer.headers["cache-control"] for answer in answers.values()} == {"no-store"}


@pytest.mark.parametrize(
    "path",
    [
        "/?next=https://evil.example",
        "//evil.example/",
        "/%2F%2Fevil.example",
        "/\\evil.example",
        "/?x=%0d%0aLocation:%20https://evil.example",
        "/dags/x%3F/rejects?key=a%26b&state=open",
    ],
)
def test_login_leads_back_to_this_page_only(page_as: Any, path: str):
    answer = page_as("admin").ask(path, headers={**AS_BROWSER, "Host": "evil.example"})

    target = login_target(answer)
    assert target.startswith("/hubspot-sync/")
    assert re.fullmatch(r"[!-~]+", answer.headers["location"])
    if "state=open" in path:
        assert target == f"/hubspot-sync{path}"


def test_page_below_a_path_leads_to_the_login_below_it(page_module: Any, page_as: Any):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    page_as("admin")
    below = Page(Starlette(routes=[Mount("/hubspot-sync", page_module.build_page())]), AS_BROWSER, root_path="/air")

    answer = below.ask(f"/dags/{DAG_ID}?span=day")

    assert login_target(answer, "/air/api/v2/auth/login") == f"/air/hubspot-sync/dags/{DAG_ID}?span=day"


def test_only_a_missing_login_leads_to_the_login(page_as: Any, known_dag: None):
    page = page_as("viewer", DAG_ID)
    as_browser = {**page.headers, **AS_BROWSER}

    assert page.ask("/", headers=as_browser).status_code == 200
    assert page.ask(f"/dags/{DAG_ID}", headers=as_browser).status_code == 403
    assert page.ask("/no/such/page", headers=as_browser).status_code == 404
    # data, scripts and forms get the bare refusal, which names the way for a person who sees it
    for accept in ("*/*", "application/json", "text/css,*/*;q=0.1"):
        assert page.ask("/", headers={"Accept": accept}).status_code == 401
    refused = page.ask(REPLAY, method="POST", headers=AS_BROWSER)
    assert refused.status_code == 401
    assert f'href="/api/v2/auth/login?next=%2Fhubspot-sync%2Fdags%2F{DAG_ID}%2Freplay"' in refused.text


def test_login_that_may_not_read_the_dag_is_refused(page_as: Any, paths: list[str]):
    of_the_dag = [path for path in paths if "/dags/" in path]

    assert page_as("viewer", DAG_ID).codes(of_the_dag) == dict.fromkeys(of_the_dag, 403)
    # run 1 does not exist here: admitted, and told so
    admitted = {path: 404 if "/runs/" in path else 200 for path in of_the_dag}
    # a viewer may start no run
    assert page_as("viewer", "other").codes(of_the_dag) == admitted | {REPLAY: 403}
    assert page_as("user", "other").codes(of_the_dag) == admitted


def test_overview_lists_only_the_dags_that_may_be_read(page_as: Any, known_dag: None):
    assert "Keep HubSpot contacts equal" in page_as("viewer").ask("/").text
    assert "no sync whose DAG you may read" in page_as("viewer", DAG_ID).ask("/").text


def test_nothing_but_get_and_the_replay_is_served(page_as: Any, paths: list[str], page_module: Any):
    page = page_as("admin")
    changing = {(route.path, method) for route in routes_of(page_module) for method in route.methods - {"GET", "HEAD"}}

    assert changing == {("/dags/{dag_id}/replay", "POST")}
    for method in ("PUT", "PATCH", "DELETE"):
        assert page.codes(paths, method=method) == dict.fromkeys(paths, 405)
    others = [path for path in paths if path != REPLAY]
    assert page.codes(others, method="POST") == dict.fromkeys(others, 405)


def test_replay_without_the_form_of_its_page_starts_nothing(page_as: Any, known_dag: None, started: list[Any]):
    page = page_as("user")
    token = form_token(page)
    foreign = form_token(page_as("admin", name="other"))
    page = page_as("user")

    refused = [
        page.send_form(REPLAY, {}),
        page.send_form(REPLAY, {"form_token": ""}),
        page.send_form(REPLAY, {"form_token": foreign}),
        page.send_form(REPLAY, {"form_token": f"{int(time.time()) + 60}.{token.partition('.')[2]}"}),
        page.send_form(REPLAY, {"form_token": token}, **{"Sec-Fetch-Site": "cross-site"}),
        page.send_form(REPLAY, {"form_token": token}, **{"Sec-Fetch-Site": "same-site"}),
    ]

    assert [answer.status_code for answer in refused] == [403] * 6
    assert page.send_form(REPLAY, {"form_token": token}, **{"Content-Type": "text/plain"}).status_code == 415
    assert page.send_form(REPLAY, {"form_token": "x" * 20_000}).status_code == 413
    assert page.send_form(REPLAY, {"form_token": token, "run": "1 OR 1"}).status_code == 422
    assert started == []


def test_wrong_role_starts_no_replay_even_with_a_form(page_as: Any, known_dag: None, started: list[Any]):
    token = form_token(page_as("user"))

    assert page_as("viewer").send_form(REPLAY, {"form_token": token}).status_code == 403
    assert page_as("user", DAG_ID).send_form(REPLAY, {"form_token": token}).status_code == 403
    assert page_as(None).send_form(REPLAY, {"form_token": token}).status_code == 403
    assert started == []


def test_replay_starts_a_run_in_the_name_of_the_user(page_as: Any, known_dag: None, started: list[Any]):
    page = page_as("user")
    audited_events()

    answer = page.send_form(REPLAY, {"form_token": form_token(page), "run": "7", "reason": "X", "key": "ADA-F"})

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/hubspot-sync/dags/{DAG_ID}/started/manual__of_a_test"
    assert started == [
        (DAG_ID, "somebody", {"mode": "replay", "replay_run": 7, "replay_reason": "X", "replay_key": "ada-f"})
    ]
    assert audited_events() == [("hubspot_sync.replay", "somebody", DAG_ID)]


def test_replay_of_everything_narrows_nothing(page_as: Any, known_dag: None, started: list[Any]):
    page = page_as("user")

    page.send_form(REPLAY, {"form_token": form_token(page), "run": "", "reason": "", "key": ""})

    assert [conf for _, _, conf in started] == [{"mode": "replay"}]


def test_replay_that_fits_nothing_any_more_starts_nothing(
    page_as: Any, known_dag: None, started: list[Any], monkeypatch: pytest.MonkeyPatch
):
    page = page_as("user")
    token = form_token(page)
    monkeypatch.setattr(page_records(), "_count", lambda *arguments: 0)

    answer = page.send_form(REPLAY, {"form_token": token, "reason": "X"})

    assert answer.status_code == 409
    assert "nothing was started" in answer.text
    assert started == []


def test_paused_dag_is_told_instead_of_a_run_that_would_wait_for_ever(
    page_as: Any, known_dag: None, started: list[Any]
):
    page = page_as("user")
    token = form_token(page)
    set_dag(is_paused=True)

    answer = page.send_form(REPLAY, {"form_token": token})

    assert answer.status_code == 409
    assert "is paused" in answer.text
    assert started == []


def test_form_of_a_replay_ends_after_two_hours(page_module: Any):
    from include.hubspot_sync.orchestration import page_actions

    token = page_actions.form_token("somebody", DAG_ID, lambda: 1_000.0)
    later = 1_000.0 + page_actions.FORM_LIFETIME_S

    assert page_actions.is_form_token(token, "somebody", DAG_ID, lambda: later - 1)
    assert not page_actions.is_form_token(token, "somebody", DAG_ID, lambda: later)
    assert not page_actions.is_form_token(token, "somebody", "other", lambda: 1_000.0)
    for broken in ("", ".", "1", "\N{ARABIC-INDIC DIGIT ONE}.x", "9" * 5_000 + ".x", token + "0"):
        assert not page_actions.is_form_token(broken, "somebody", DAG_ID, lambda: 1_000.0)


def test_overview_tells_when_airflow_starts_the_next_run(page_as: Any, known_dag: None):
    set_dag(next_dagrun_create_after=datetime(2026, 12, 1, 0, 0, tzinfo=UTC))
    due = page_as("viewer").ask("/").text
    set_dag(is_paused=True)

    assert "2026-12-01 00:00:00 UTC" in due
    assert "paused" in page_as("viewer").ask("/").text


def test_rejected_records_are_sent_as_a_file_of_any_size(
    page_as: Any, database: Database, monkeypatch: pytest.MonkeyPatch
):
    from include.hubspot_sync.observe import reject_list

    monkeypatch.setattr(reject_list, "FILE_ROWS", 3)
    lines = [
        RejectedLine(number, "Number", "no_integer", "no number", f"=raw {number}", None) for number in range(2, 12)
    ]
    database.run(lambda t: rejects.insert_rejected_lines(t, 1, "baby_names", "file.csv", lines))

    answer = page_as("viewer").ask(f"/dags/{DAG_ID}/rejects.csv?run=&reason=no_integer&by=&state=open&key=")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="baby_names_rejected.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["line"], row["content"]) for row in rows] == [(str(n), f"'=raw {n}") for n in range(2, 12)]


@pytest.mark.parametrize(
    "query", ["run=x", "run=-1", "run=" + "9" * 30, "by=nobody", "state=gone", "after=x", "after=-1"]
)
def test_filter_that_no_form_sends_is_refused(page_as: Any, query: str):
    for path in ("rejects", "rejects.csv"):
        assert page_as("viewer").ask(f"/dags/{DAG_ID}/{path}?{query}").status_code == 422


def test_unknown_span_and_endless_name_are_refused(page_as: Any):
    assert page_as("viewer").ask(f"/dags/{DAG_ID}?span=year").status_code == 422
    assert page_as("viewer").ask(f"/dags/{DAG_ID}/lineage?name={'x' * 400}").status_code == 422


def test_run_that_is_not_open_yet_is_waited_for(page_as: Any):
    answer = page_as("viewer").ask(f"/dags/{DAG_ID}/started/manual__1")

    assert answer.status_code == 200
    assert "data-reload" in answer.text


def test_dag_without_a_definition_and_missing_run_are_not_found(page_as: Any):
    page = page_as("viewer")

    assert page.ask("/dags/other").status_code == 404
    assert "baby_names has no run 1" in page.ask(f"/dags/{DAG_ID}/runs/1").text
    assert page.ask(f"/dags/{DAG_ID}/runs/one").status_code == 404
    assert page.ask("/static/base.html").status_code == 404


def test_plan_of_a_run_is_shown_where_its_summary_says(
    page_as: Any, definition: SyncDefinition, database: Database, tmp_path: Path
):
    run = whole_run(database, definition, tmp_path, f"{DAG_ID}:first", 1, [(1900, "Ada", "F", 10)])
    path = f"/dags/{DAG_ID}/runs/{run.run_id}/plan"

    answer = page_as("viewer").ask(path)

    assert answer.status_code == 200
    assert ("ada-f" in answer.text, "total_births" in answer.text) == (True, True)
    assert database.run(lambda t: tasks._plan_page(t, definition, run)) == f"{tasks.PAGE_PREFIX}{path}"
    plugin = (ROOT / "plugins" / "hubspot_sync_plugin.py").read_text(encoding="utf-8")
    assert f'URL_PREFIX = "{tasks.PAGE_PREFIX}"' in plugin


def test_every_answer_forbids_foreign_content_and_copies(page_as: Any, paths: list[str]):
    page = page_as("viewer")

    for answer in map(page.ask, paths):
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_database_that_is_away_is_said_without_its_address(
    page_as: Any, known_dag: None, mysql_connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_CONN_MYSQL", json.dumps(mysql_connection | {"port": 1}))
    page = page_as("viewer")

    for path, status in (("/", 200), (f"/dags/{DAG_ID}", 503)):
        answer = page.ask(path)
        assert answer.status_code == status
        assert "mysql is not available" in answer.text
        assert mysql_connection["host"] not in answer.text
        assert mysql_connection["password"] not in answer.text


def test_page_cannot_write(page_module: Any, mysql_connection: dict[str, Any], definition: SyncDefinition):
    with pytest.raises(MySQLdb.OperationalError, match="READ ONLY"):
        page_module.read(definition, lambda t: t.execute("runs/update_epoch.sql", {"run_id": 1, "epoch": 1}))


def test_missing_connection_is_named(page_module: Any, definition: SyncDefinition, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AIRFLOW_CONN_MYSQL", raising=False)

    with pytest.raises(ConfigError, match="airflow has no connection mysql"):
        page_module.read(definition, lambda transaction: None)


# the page in the real API server of the local stack


@dataclass(frozen=True)
class RealRun:
    """A stack on which one run has ended, and that run's RESULT line."""

    addresses: dict[str, Any]
    result: dict[str, Any]

    @property
    def page_url(self) -> str:
        return f"{self.addresses['airflow_url']}/hubspot-sync"

    def login(self) -> httpx.Client:
        """Return a client with the cookie that a browser gets."""
        login = {"username": self.addresses["airflow_user"], "password": self.addresses["airflow_password"]}
        answer = httpx.post(f"{self.addresses['airflow_url']}/auth/token", json=login).raise_for_status()
        return httpx.Client(base_url=self.page_url, cookies={"_token": answer.json()["access_token"]})


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRun]:
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    try:
        result = result_of(checkout.stack("demo"))
        assert result["state"] == "success"
        yield RealRun(checkout.addresses(), result)
    finally:
        checkout.stack("down")


def test_anonymous_is_refused_on_every_route_of_the_real_server(real_run: RealRun, paths: list[str]):
    codes = {path: httpx.get(f"{real_run.page_url}{path}").status_code for path in paths}

    assert codes == dict.fromkeys(paths, 401)


def test_browser_of_the_real_server_ends_at_the_login_form(real_run: RealRun):
    path = f"/dags/{DAG_ID}/runs/{real_run.result['run_id']}/plan"
    answer = httpx.get(f"{real_run.page_url}{path}", headers=AS_BROWSER, follow_redirects=True)

    assert answer.status_code == 200
    assert (answer.url.path, answer.url.params["next"]) == ("/auth/login", f"/hubspot-sync{path}")


def test_real_server_shows_the_run_that_just_ended(real_run: RealRun):
    result = real_run.result
    with real_run.login() as client:
        overview = client.get("/").raise_for_status().text
        run = client.get(f"/dags/{DAG_ID}/runs/{result['run_id']}").raise_for_status().text
        progress = client.get(f"/dags/{DAG_ID}/runs/{result['run_id']}/progress").raise_for_status().text
        sync = client.get(f"/dags/{DAG_ID}").raise_for_status().text
        docs = [client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")]

    assert f'href="/hubspot-sync/dags/{DAG_ID}/runs/{result["run_id"]}"' in overview
    assert f'href="/dags/{DAG_ID}"' in overview
    assert '<td class="number">2,000</td>' in overview
    shown = dict(re.findall(r'<th scope="row">([^<]*)</th><td class="number">([^<]*)</td>', run))
    assert (shown["Created"], shown["Verified by read-back"], shown["Open"]) == ("2,000", "2,000", "0")
    assert shown["API calls"] == str(result["api_calls"])
    assert "2,000 of 2,000" in progress
    assert "data-refresh" not in progress
    assert '<span class="state good">done</span>' in sync
    assert docs == [404, 404, 404]


def test_menu_has_the_page(real_run: RealRun):
    with real_run.login() as client:
        plugins = client.get(f"{real_run.addresses['airflow_url']}/api/v2/plugins").raise_for_status().json()["plugins"]

    views = {view["name"]: view for plugin in plugins for view in plugin["external_views"]}
    assert views["HubSpot sync"]["href"] == "hubspot-sync/"
    assert views["HubSpot sync"]["url_route"] == "hubspot-sync"
