"""The few calls of Airflow's REST API that the stack needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import tenacity

from tools.local_stack.errors import RefusedError, StackError

_CREATED = (200, 201)
_CONFLICT = 409
_PAGE = 100


@dataclass(frozen=True, slots=True)
class DagRun:
    """State and times of one DAG run."""

    dag_run_id: str
    state: str
    end: datetime | None

    @property
    def is_over(self) -> bool:
        """Return whether it reached an end."""
        return self.state in ("success", "failed")


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """State of one task or mapped task."""

    task_id: str
    map_index: int
    label: str
    state: str
    try_number: int

    @property
    def name(self) -> str:
        """Return how a person calls it, e.g. `deliver[3]`."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class BusyError(StackError):
    """The server could not do it this time, e.g. because SQLite was locked, or did not answer in time."""


_when_busy = tenacity.retry(
    retry=tenacity.retry_if_exception_type(BusyError),
    stop=tenacity.stop_after_attempt(6),
    wait=tenacity.wait_fixed(1),
    reraise=True,
)
"""For calls that may be made twice."""


class AirflowApi:
    """A logged-in client; its login is renewed when the server says it ended."""

    def __init__(self, url: str, user: str, password: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._login = {"username": user, "password": password}
        # loopback: a proxy of the environment must not get in between
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> dict[str, str]:
        """Return component → status; empty when the API does not answer."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5)
            parts: dict[str, Any] = answer.json() if answer.is_success else {}
        except (httpx.HTTPError, ValueError):
            return {}
        return {name: str(part.get("status")) for name, part in parts.items()}

    def put_connection(self, connection: Mapping[str, Any]) -> None:
        """Create or replace a connection; its extra is a mapping."""
        body = {**connection, "extra": json.dumps(connection.get("extra") or {})}
        self._put("connections", connection["connection_id"], body, body)

    def put_pool(self, name: str, slots: int, description: str) -> None:
        """Create or change a pool."""
        body = {"name": name, "slots": slots, "description": description}
        change = {"pool": name, "slots": slots, "include_deferred": False, "description": description}
        self._put("pools", name, body, change)

    def put_variable(self, key: str, value: str) -> None:
        """Create or change a variable."""
        body = {"key": key, "value": value}
        self._put("variables", key, body, body)

    def has_dag(self, dag_id: str) -> bool:
        """Return whether the DAG has been parsed."""
        return self._call("GET", f"/dags/{dag_id}", allowed=(200, 404)).status_code == httpx.codes.OK

    def import_errors(self) -> list[str]:
        """Return the last line of each DAG import error."""
        errors = self._call("GET", "/importErrors").json()["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    @_when_busy
    def unpause(self, dag_id: str) -> None:
        """Let runs of the DAG start."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> DagRun:
        """Start a run with these params.

        Raises:
            RefusedError: Airflow refuses, e.g. a param has the wrong type; no run was started.
            StackError: Airflow did not answer; a run may have been started.
        """
        body = {"logical_date": None, "conf": dict(conf)}
        return _dag_run(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body).json())

    @_when_busy
    def dag_run(self, dag_id: str, dag_run_id: str) -> DagRun:
        """Return the run as it is now."""
        return _dag_run(self._call("GET", f"/dags/{dag_id}/dagRuns/{dag_run_id}").json())

    @_when_busy
    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstance]:
        """Return every task of the run, mapped ones one by one."""
        path = f"/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances"
        found: list[TaskInstance] = []
        while True:
            page = self._call("GET", path, params={"limit": _PAGE, "offset": len(found)}).json()
            items = page["task_instances"]
            found += [
                TaskInstance(
                    task_id=item["task_id"],
                    map_index=item["map_index"],
                    label=item.get("rendered_map_index") or "",
                    state=item["state"] or "waiting",
                    try_number=item["try_number"],
                )
                for item in items
            ]
            if not items or len(found) >= page["total_entries"]:
                return found

    def log_events(self, dag_id: str, dag_run_id: str, task: TaskInstance) -> list[dict[str, Any]]:
        """Return the log of the task's last try as structured events."""
        path = f"/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        answer = self._call(
            "GET",
            path,
            params={"map_index": task.map_index, "full_content": True},
            headers={"Accept": "application/json"},
        )
        content = answer.json().get("content") or []
        return [event if isinstance(event, dict) else {"event": str(event)} for event in content]

    @_when_busy
    def _put(self, kind: str, name: str, body: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        created = self._call("POST", f"/{kind}", json=body, allowed=(*_CREATED, _CONFLICT))
        if created.status_code == _CONFLICT:
            self._call("PATCH", f"/{kind}/{name}", json=change)

    def _call(
        self,
        method: str,
        path: str,
        *,
        allowed: tuple[int, ...] = _CREATED,
        **options: Any,  # noqa: ANN401  handed to httpx as they are
    ) -> httpx.Response:
        headers = options.pop("headers", {})
        try:
            if "Authorization" not in self._http.headers:
                self._log_in()
            answer = self._http.request(method, f"/api/v2{path}", headers=headers, **options)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self._log_in()
                answer = self._http.request(method, f"/api/v2{path}", headers=headers, **options)
        except httpx.HTTPError as error:
            # a busy machine answers late; only what changes nothing may be asked again
            raise _unanswered(error, method)(
                f"airflow api: {method} {path}: {type(error).__name__}, is it running? `make up` starts what is missing"
            ) from error
        if answer.status_code not in allowed:
            kind = BusyError if answer.is_server_error else RefusedError
            raise kind(f"airflow api: {method} {path}: {answer.status_code} {_detail(answer)}")
        return answer

    def _log_in(self) -> None:
        answer = self._http.post("/auth/token", json=self._login)
        if answer.status_code not in _CREATED:
            raise RefusedError(f"airflow api: login refused ({answer.status_code})")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _unanswered(error: httpx.HTTPError, method: str) -> type[StackError]:
    if isinstance(error, httpx.ReadTimeout) and method == "GET":
        return BusyError
    return RefusedError if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else StackError


def _dag_run(body: Mapping[str, Any]) -> DagRun:
    end = body.get("end_date")
    return DagRun(
        dag_run_id=body["dag_run_id"],
        state=body["state"],
        end=datetime.fromisoformat(end) if end else None,
    )


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    # what follows is the whole schema, for programmers
    return " ".join(str(detail).partition("Failed validating")[0].split())[:300]
