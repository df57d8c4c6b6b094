"""The control calls of tests: faults, settings, versions and the request log."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.kaggle_simulator.api import ApiError
from tools.kaggle_simulator.dataset import read_csv
from tools.kaggle_simulator.faults import Fault, FaultOrder
from tools.kaggle_simulator.revision import next_version

if TYPE_CHECKING:
    from starlette.requests import Request

    from tools.kaggle_simulator.simulator import Simulator
    from tools.kaggle_simulator.versions import Version

_FAULT_FIELDS = frozenset(FaultOrder.model_fields) - {"fault"}
_SETTINGS = ("token", "anonymous", "zip", "url_lifetime_s", "stall_s")
Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ControlOrder(_Strict):
    """What `POST /__sim` can change; what is left out stays."""

    reset: bool = False
    """First take back faults, settings and the log; the versions stay."""
    faults: list[FaultOrder] | None = None
    """Faults that replace the former ones; an empty list ends them all."""
    version: int | None = None
    """Version to make the current one."""
    token: str | None = Field(default=None, min_length=1)
    """Token that is accepted from now on."""
    anonymous: bool | None = None
    """Serve requests without credentials."""
    zip: bool | None = None
    """Deliver a single file as a zip."""
    url_lifetime_s: float | None = Field(default=None, ge=0)
    """Seconds until a storage URL expires."""
    stall_s: float | None = Field(default=None, gt=0)
    """Seconds of silence of the fault `stall`."""

    @model_validator(mode="before")
    @classmethod
    def _single_fault(cls, values: object) -> object:
        """Turn `{"fault": …, "times": …}` into a list of one; `{"fault": null}` into none."""
        if not isinstance(values, dict) or "fault" not in values:
            return values
        if "faults" in values:
            raise ValueError("give either fault or faults")
        order = {name: value for name, value in values.items() if name in _FAULT_FIELDS | {"fault"}}
        others = {name: value for name, value in values.items() if name not in order}
        return {**others, "faults": [] if order["fault"] is None else [order]}


class VersionOrder(_Strict):
    """What `POST /__sim/versions` adds: a file, or the next version of a known one."""

    path: Path | None = None
    """CSV or CSV.gz file to add; without it a version is generated."""
    base: int | None = None
    """Version that the generated one comes from; the current one if left out."""
    seed: int = Field(default=1, ge=0)
    """Seed of the generated version."""
    new: float = Field(default=0.0, ge=0, le=1)
    """Contacts that come, as a share of the base's."""
    changed: float = Field(default=0.0, ge=0, le=1)
    """Contacts that change, as a share of the base's."""
    removed: float = Field(default=0.0, ge=0, le=1)
    """Contacts that go, as a share of the base's."""
    notes: str = ""
    """Version notes."""
    last_updated: str | None = None
    """ISO 8601 time with Z; a day after the previous version if left out."""
    make_current: bool = True
    """Make it the current version at once."""


@dataclass(frozen=True, slots=True)
class AddedVersion:
    """A new version, and its counts if it was generated."""

    version: Version
    rows: int | None = None
    contacts: int | None = None


async def _read(request: Request, model: type[Model]) -> Model:
    """Read the body as this model.

    Raises:
        ApiError: 400 with the first mistake and the known keys.
    """
    try:
        return model.model_validate(json.loads(await request.body() or b"{}"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        known = ", ".join(model.model_fields)
        raise ApiError(400, f"{place}: {first['msg']}; known keys: {known}") from error
    except ValueError as error:
        raise ApiError(400, "the body is not JSON") from error


def _describe(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "last_updated": version.last_updated,
        "notes": version.notes,
        "bytes": version.plain.digests.size_bytes,
        "md5": version.plain.digests.md5,
        "zip_bytes": version.archive.digests.size_bytes,
        "zip_md5": version.archive.digests.md5,
    }


class Control:
    """Answers the control calls."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def _state(self) -> dict[str, Any]:
        store, faults = self._sim.store, self._sim.faults.active
        return {
            "dataset": store.dataset,
            "file": store.file_name,
            "storage_url": self._sim.storage_url,
            "current_version": store.current.number,
            "versions": [_describe(version) for version in store.versions],
            "faults": [
                {**one.order.model_dump(mode="json", exclude_defaults=True), "used": one.used} for one in faults
            ],
            "settings": asdict(self._sim.settings) | {"token": "***"},
        }

    async def state(self, _request: Request) -> Response:
        """Answer `GET /__sim/state`."""
        return JSONResponse(self._state())

    async def change(self, request: Request) -> Response:
        """Answer `POST /__sim` with the state after the change."""
        order = await _read(request, ControlOrder)
        rolls_back = any(one.fault is Fault.ROLLBACK for one in order.faults or [])
        target = self._sim.store.current if order.version is None else self._sim.store.find(order.version)
        if target is None:
            raise ApiError(404, f"there is no version {order.version}")
        if rolls_back and self._sim.store.before(target) is target:
            raise ApiError(409, "rollback needs a lower version; add one first")
        if order.reset:
            self._sim.reset()
        self._sim.store.move_to(target.number)
        if order.faults is not None:
            self._sim.faults.replace(order.faults)
        for name in _SETTINGS:
            if (value := getattr(order, name)) is not None:
                setattr(self._sim.settings, name, value)
        return JSONResponse(self._state())

    async def requests(self, request: Request) -> Response:
        """Answer `GET /__sim/requests` with the log, `DELETE` by clearing it."""
        if request.method == "DELETE":
            self._sim.log.clear()
        return JSONResponse({"requests": self._sim.log.entries()})

    async def add_version(self, request: Request) -> Response:
        """Answer `POST /__sim/versions` with what was added."""
        order = await _read(request, VersionOrder)
        try:
            # hashing and zipping take seconds: the listeners go on meanwhile
            added = await run_in_threadpool(self._add, order)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ApiError(400, f"the version cannot be added: {error}") from error
        if order.make_current:
            self._sim.store.move_to(added.version.number)
        counts = {} if added.rows is None else {"rows": added.rows, "contacts": added.contacts}
        return JSONResponse({**_describe(added.version), **counts}, status_code=201)

    def _add(self, order: VersionOrder) -> AddedVersion:
        store = self._sim.store
        if order.path is not None:
            return AddedVersion(store.add_file(order.path, notes=order.notes, last_updated=order.last_updated))
        base = store.current if order.base is None else store.find(order.base)
        if base is None:
            raise ValueError(f"there is no version {order.base}")
        dataset = next_version(
            read_csv(base.plain.path), order.seed, new=order.new, changed=order.changed, removed=order.removed
        )
        added = store.add_dataset(dataset, notes=order.notes, last_updated=order.last_updated)
        return AddedVersion(added, dataset.row_count, dataset.contact_count)

    def routes(self) -> list[Route]:
        """Return the routes of the control calls."""
        return [
            Route("/__sim", self.change, methods=["POST"]),
            Route("/__sim/state", self.state),
            Route("/__sim/requests", self.requests, methods=["GET", "DELETE"]),
            Route("/__sim/versions", self.add_version, methods=["POST"]),
        ]
