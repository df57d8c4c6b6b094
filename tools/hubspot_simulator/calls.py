"""One request on its way through the pipeline."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tools.hubspot_simulator.limiter import AppLimits
from tools.hubspot_simulator.randomness import RequestRandom
from tools.hubspot_simulator.validation import RowError


class TokenKind(enum.StrEnum):
    """What sort of credential a token is."""

    SERVICE_KEY = "service_key"
    PRIVATE_APP = "private_app"
    OAUTH = "oauth"


@dataclass(slots=True)
class Token:
    """A credential."""

    token: str
    app_id: int
    kind: TokenKind
    scopes: frozenset[str]
    expired: bool = False
    rate_override: int | None = None

    @property
    def limits(self) -> AppLimits:
        """Return what the limiter needs."""
        return AppLimits(self.app_id, self.kind is TokenKind.OAUTH, self.rate_override)


@dataclass(frozen=True, slots=True)
class RowInput:
    """One entry of `inputs[]`."""

    index: int
    id: str
    id_property: str
    trace_id: str
    values: dict[str, str | None]


RowPick = Callable[[RowInput], bool]
"""Says whether a fault hits this row."""


@dataclass(frozen=True, slots=True)
class LateApply:
    """The request gets no real answer now and is applied later, or only in part."""

    after_ms: float
    then_drop: bool


@dataclass(slots=True)
class Effects:
    """What faults do to the application of this request."""

    row_errors: list[tuple[RowPick, RowError]] = field(default_factory=list)
    lost: list[RowPick] = field(default_factory=list)
    wrong: list[RowPick] = field(default_factory=list)
    half: bool = False
    late: LateApply | None = None
    twice_after_ms: float | None = None

    def row_error(self, row: RowInput) -> RowError | None:
        """Return the error that a fault gives this row."""
        return next((error for pick, error in self.row_errors if pick(row)), None)


class Applied(enum.StrEnum):
    """How much of a request was stored."""

    NONE = "none"
    PART = "part"
    ALL = "all"


@dataclass(slots=True)
class Call:
    """A request and everything that was found out about it."""

    seq: int
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    arrived_ms: int
    mono_ms: float
    body_sha256: str
    chance: RequestRandom
    correlation_id: str
    version: str = ""
    endpoint: str = ""
    template: str = "unknown"
    """The path with {id} in the place of ids and names."""
    params: tuple[str, ...] = ()
    token: Token | None = None
    effects: Effects = field(default_factory=Effects)
    n_inputs: int = 0
    n_ok: int = 0
    n_err: int = 0
    applied: Applied = Applied.NONE
    applied_ms: int | None = None
    in_flight: int = 0
    fault_id: str = ""
    rate_headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    """0 until an answer is decided; stays 0 when the connection is dropped."""
    answer_sent: bool = False
    answer_bytes: int = 0
    """Body of the answer, without headers."""
    answered_ms: int = 0

    def query_value(self, name: str, default: str = "") -> str:
        """Return the last value of a query parameter."""
        return self.query.get(name, [default])[-1]

    def query_list(self, name: str) -> list[str]:
        """Return a comma-separated or repeated query parameter."""
        texts: Sequence[str] = self.query.get(name, [])
        return [item for text in texts for item in text.split(",") if item]

    def rows(self, ok: int, errors: int) -> None:
        """Note the outcome of the rows."""
        self.n_ok, self.n_err = ok, errors
        if ok:
            self.applied = Applied.PART if errors else Applied.ALL
