"""Faults: which there are, where each one acts, and when it is due."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Place(enum.StrEnum):
    """The listener that answers."""

    API = "api"
    STORAGE = "storage"


class Fault(enum.StrEnum):
    """What goes wrong; the README says what each one does."""

    JSON401 = "json401"
    JSON403 = "json403"
    JSON404 = "json404"
    HTML401 = "html401"
    RATE429 = "rate429"
    ERR500 = "err500"
    JSON_CODE_IN_200 = "json_code_in_200"
    HTML200 = "html200"
    GCS_HTML = "gcs_html"
    ZERO = "zero"
    TRUNCATE = "truncate"
    STALL = "stall"
    BADHASH = "badhash"
    NOHASH = "nohash"
    EXPIRED = "expired"
    EXPIRED_RANGE = "expired_range"
    NORANGE = "norange"
    IGNORE_RANGE = "ignore_range"
    GZIPENC = "gzipenc"
    CHANGED_DURING_RESUME = "changed_during_resume"
    RENAMED = "renamed"
    NOTREADY = "notready"
    ROLLBACK = "rollback"
    NEW_VERSION_404 = "new_version_404"
    TWO_MEMBERS = "two_members"
    NO_MEMBER = "no_member"
    OTHER_MEMBER = "other_member"
    ZIP_BOMB = "zip_bomb"
    BAD_CRC = "bad_crc"


ANSWER_FAULTS = frozenset({
    Fault.JSON401, Fault.JSON403, Fault.JSON404, Fault.HTML401, Fault.RATE429, Fault.ERR500,
    Fault.JSON_CODE_IN_200, Fault.HTML200,
})  # fmt: skip
"""Faults that replace an API answer as a whole."""
CONTENT_FAULTS = frozenset({Fault.RENAMED, Fault.NOTREADY, Fault.ROLLBACK, Fault.NEW_VERSION_404})
"""Faults that change what the API says about the dataset."""
STORAGE_FAULTS = frozenset(Fault) - ANSWER_FAULTS - CONTENT_FAULTS | {Fault.HTML200}
RANGE_FAULTS = frozenset({Fault.EXPIRED_RANGE, Fault.IGNORE_RANGE})
"""Faults that are due only when a Range is asked for."""


class FaultOrder(BaseModel):
    """One fault as the control call orders it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    """What goes wrong."""
    times: int | None = Field(default=None, ge=1)
    """How many answers it lasts; None is for ever."""
    after: int = Field(default=0, ge=0)
    """How many answers pass unharmed before it starts."""
    seconds: float | None = Field(default=None, gt=0)
    """How long it lasts from now, in seconds; None is for ever."""
    only: str | None = None
    """The API method it is limited to, e.g. `DownloadDataset`."""
    place: Place | None = None
    """The listener it is limited to; matters for html200 only."""
    retry_after: int | str | None = None
    """Retry-After of rate429 and err500; None sends none."""
    shape: Literal["kaggle", "google"] = "kaggle"
    """Body of rate429: `{"code": 429, …}` or `{"error": {"code": 429, …}}`."""


@dataclass(frozen=True, slots=True)
class Call:
    """What decides whether a fault is due."""

    place: Place
    method: str = ""
    has_range: bool = False


@dataclass(slots=True)
class ActiveFault:
    """An ordered fault and what has become of it."""

    order: FaultOrder
    until: float | None
    """Monotonic time at which it ends."""
    passed: int = 0
    """Answers it has let pass."""
    used: int = 0
    """Answers it has spoilt."""

    @property
    def fault(self) -> Fault:
        """Return what goes wrong."""
        return self.order.fault

    def matches(self, call: Call) -> bool:
        """Tell whether it concerns this call at all."""
        return (
            self.order.place in (None, call.place)
            and self.order.only in (None, call.method)
            and (call.has_range or self.fault not in RANGE_FAULTS)
        )

    def is_over(self, now: float) -> bool:
        """Tell whether it has lasted as long as ordered."""
        is_used_up = self.order.times is not None and self.used >= self.order.times
        return is_used_up or (self.until is not None and now >= self.until)


@dataclass(slots=True)
class FaultPlan:
    """The faults that are in force."""

    clock: Callable[[], float] = time.monotonic
    active: list[ActiveFault] = field(default_factory=list)

    def replace(self, orders: list[FaultOrder]) -> None:
        """Forget the former faults and put these in force."""
        now = self.clock()
        self.active = [ActiveFault(order, None if order.seconds is None else now + order.seconds) for order in orders]

    def take(self, call: Call, among: frozenset[Fault]) -> ActiveFault | None:
        """Return the first of these faults that is due, and count this answer; None for none."""
        for active in self.active:
            if active.fault not in among or not active.matches(call) or active.is_over(self.clock()):
                continue
            if active.passed < active.order.after:
                active.passed += 1
                continue
            active.used += 1
            return active
        return None
