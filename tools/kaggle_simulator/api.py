"""The dataset API: RPC and REST form, and its faults."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tools.kaggle_simulator.faults import ANSWER_FAULTS, ActiveFault, Call, Fault, Place
from tools.kaggle_simulator.pages import login_page
from tools.kaggle_simulator.simulator import BUNDLE, RENAMED_PREFIX, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from tools.kaggle_simulator.versions import Version

_PREFIXES = ("/v1", "/api/v1")
_REST_METHODS = {
    "view": "GetDataset",
    "list": "ListDatasetFiles",
    "status": "GetDatasetStatus",
    "metadata": "GetDatasetMetadata",
    "download": "DownloadDataset",
}
_READY, _NOT_READY = "READY", "REPROCESSING"


class ApiError(Exception):
    """An answer that is an error in the API's JSON form."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Query:
    """One API request, whichever form it came in."""

    method: str
    owner: str
    slug: str
    version: int | None
    file: str
    wants_raw: bool

    @property
    def call(self) -> Call:
        """Return what faults are chosen by."""
        return Call(Place.API, self.method)


def error_answer(status: int, message: str) -> Response:
    """Return an error in the API's JSON form."""
    return JSONResponse({"code": status, "message": message}, status_code=status)


def _read_query(method: str, values: Mapping[str, Any]) -> Query:
    version = values.get("datasetVersionNumber")
    try:
        number = int(version) if version else None
    except (TypeError, ValueError) as error:
        raise ApiError(400, "datasetVersionNumber is not a number") from error
    return Query(
        method=method,
        owner=str(values.get("ownerSlug", "")),
        slug=str(values.get("datasetSlug", "")),
        version=number,
        file=str(values.get("fileName") or ""),
        wants_raw=str(values.get("raw", "")).lower() == "true",
    )


async def _json_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise ApiError(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise ApiError(400, "the body is not a JSON object")
    return body


def _rate_limited(active: ActiveFault) -> Response:
    message = "Too many requests"
    content: dict[str, Any] = {"code": 429, "message": message}
    if active.order.shape == "google":
        content = {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}}
    return JSONResponse(content, status_code=429)


def _faulty_answer(active: ActiveFault) -> Response:
    """Return the answer of a fault that replaces the regular one."""
    match active.fault:
        case Fault.JSON401:
            answer = error_answer(401, "Unauthenticated")
        case Fault.JSON403:
            answer = error_answer(403, "Permission 'datasets.get' was denied")
        case Fault.JSON404:
            answer = error_answer(404, "Not found")
        case Fault.JSON_CODE_IN_200:
            answer = JSONResponse({"code": 403, "message": "Permission 'datasets.get' was denied"})
        case Fault.RATE429:
            answer = _rate_limited(active)
        case Fault.ERR500:
            answer = Response("upstream unavailable", status_code=503, media_type="text/plain")
        case fault:
            answer = login_page(401 if fault is Fault.HTML401 else 200)
    if active.order.retry_after is not None:
        answer.headers["retry-after"] = str(active.order.retry_after)
    return answer


class DatasetApi:
    """Answers the calls of the dataset service."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._methods: dict[str, Callable[[Query], Response]] = {
            "GetDataset": self._get_dataset,
            "GetDatasetStatus": self._get_status,
            "GetDatasetMetadata": self._get_metadata,
            "GetDatasetFilesSummary": self._get_summary,
            "ListDatasetFiles": self._list_files,
            "ListTreeDatasetFiles": self._list_tree,
            "DownloadDataset": self._download,
        }

    async def rpc(self, request: Request) -> Response:
        """Answer `POST …/datasets.DatasetApiService/<Method>`."""
        return self._serve(request, _read_query(request.path_params["method"], await _json_body(request)))

    async def rest(self, request: Request) -> Response:
        """Answer `GET …/datasets/<verb>/<owner>/<slug>`."""
        path = request.path_params
        names = {"ownerSlug": path["owner"], "datasetSlug": path["slug"], "fileName": path.get("file", "")}
        method = _REST_METHODS.get(path["verb"], path["verb"])
        return self._serve(request, _read_query(method, {**request.query_params, **names}))

    async def introspect(self, request: Request) -> Response:
        """Answer the question of the official client whether a token is valid."""
        token = (await _json_body(request)).get("token", "")
        if token and token != self._sim.settings.token:
            return JSONResponse({"active": False})
        return JSONResponse({"active": True, "username": self._sim.options.user, "scope": ""})

    def _serve(self, request: Request, query: Query) -> Response:
        if query.method not in self._methods:
            raise ApiError(404, f"there is no method {query.method}")
        if not self._sim.accepts(request.headers.get("authorization")):
            raise ApiError(401, "Unauthenticated")
        if active := self._sim.faults.take(query.call, ANSWER_FAULTS):
            return _faulty_answer(active)
        if f"{query.owner}/{query.slug}" != self._sim.store.dataset:
            raise ApiError(404, f"there is no dataset {query.owner}/{query.slug}")
        return self._methods[query.method](query)

    def _has_fault(self, query: Query, fault: Fault) -> bool:
        return self._sim.faults.take(query.call, frozenset({fault})) is not None

    def _current(self, query: Query) -> Version:
        """Return the version that is said to be current."""
        current = self._sim.store.current
        if self._has_fault(query, Fault.ROLLBACK):
            return self._sim.store.before(current)
        return current

    def _version(self, query: Query) -> Version:
        """Return the version that was asked for."""
        if query.version is None:
            return self._current(query)
        version = self._sim.store.find(query.version)
        if version is None:
            raise ApiError(404, f"there is no version {query.version}")
        return version

    def _status(self, query: Query) -> str:
        return _NOT_READY if self._has_fault(query, Fault.NOTREADY) else _READY

    def _file_name(self, query: Query) -> str:
        own = self._sim.store.file_name
        return RENAMED_PREFIX + own if self._has_fault(query, Fault.RENAMED) else own

    def _get_dataset(self, query: Query) -> Response:
        current, status = self._current(query), self._status(query)
        versions = [
            {
                "versionNumber": version.number,
                "creationDate": version.last_updated,
                "versionNotes": version.notes,
                "status": status if version is current else _READY,
            }
            for version in reversed(self._sim.store.versions)
            if version.number <= current.number
        ]
        return JSONResponse({
            "ref": self._sim.store.dataset,
            "title": query.slug.replace("-", " ").title(),
            "ownerRef": query.owner,
            "currentVersionNumber": current.number,
            "lastUpdated": current.last_updated,
            "totalBytes": current.plain.digests.size_bytes,
            "isPrivate": False,
            "versions": versions,
        })  # fmt: skip

    def _get_status(self, query: Query) -> Response:
        return JSONResponse({"status": self._status(query)})

    def _get_metadata(self, query: Query) -> Response:
        names = {"datasetSlug": query.slug, "ownerUser": query.owner}
        return JSONResponse({"info": {**names, "title": query.slug, "isPrivate": False}})

    def _get_summary(self, query: Query) -> Response:
        size = self._version(query).plain.digests.size_bytes
        types = [{"extension": ".csv", "fileCount": 1, "totalSize": size}]
        return JSONResponse({"filesSummary": {"totalFileCount": 1, "fileTypes": types}})

    def _file(self, query: Query, version: Version) -> dict[str, Any]:
        columns = [{"order": order, "name": name} for order, name in enumerate(version.columns)]
        return {
            "name": self._file_name(query),
            "totalBytes": version.plain.digests.size_bytes,
            "creationDate": version.last_updated,
            "fileType": ".csv",
            "columns": columns,
        }

    def _list_files(self, query: Query) -> Response:
        return JSONResponse({"datasetFiles": [self._file(query, self._version(query))]})

    def _list_tree(self, query: Query) -> Response:
        return JSONResponse({"files": [self._file(query, self._version(query))], "directories": []})

    def _download(self, query: Query) -> Response:
        version = self._version(query)
        is_current = version.number == self._sim.store.current.number
        if is_current and self._has_fault(query, Fault.NEW_VERSION_404):
            raise ApiError(404, "Not found")
        name = self._file_name(query)
        if query.file not in {"", name}:
            raise ApiError(404, f"there is no file {query.file}")
        zipped = f"{name}.zip" if self._sim.settings.zip and not query.wants_raw else name
        return RedirectResponse(
            self._sim.download_url(version.number, zipped if query.file else BUNDLE), status_code=302
        )

    def routes(self) -> list[Route]:
        """Return the routes of both forms."""
        routes = []
        for prefix in _PREFIXES:
            introspect = f"{prefix}/security.OAuthService/IntrospectToken"
            rest = f"{prefix}/datasets/{{verb}}/{{owner}}/{{slug}}"
            routes += [
                Route(f"{prefix}/datasets.DatasetApiService/{{method}}", self.rpc, methods=["POST"]),
                Route(introspect, self.introspect, methods=["POST"]),
                Route(rest, self.rest),
                Route(f"{rest}/{{file:path}}", self.rest),
            ]
        return routes
