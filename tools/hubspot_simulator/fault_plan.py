"""Fault definitions: which requests, when, and what happens to them."""

from __future__ import annotations

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.hubspot_simulator.answers import Json
from tools.hubspot_simulator.calls import Call, RowInput, RowPick
from tools.hubspot_simulator.limiter import BURST_BY_TIER
from tools.hubspot_simulator.randomness import RandomSource
from tools.hubspot_simulator.settings import PortalRule


class FaultError(ValueError):
    """A fault definition is wrong."""


class Phase(enum.StrEnum):
    """Where in the pipeline a fault acts."""

    PRE_AUTH = "pre_auth"
    PRE = "pre"
    POST_COMMIT = "post_commit"


_ANYWHERE = (Phase.PRE, Phase.PRE_AUTH, Phase.POST_COMMIT)
_STATUS_CODES = ("423", "477", "500", "502", "503", "504", *(str(c) for c in range(520, 527)))
ROW_ACTIONS = frozenset({"lost_row", "wrong_value", "row_error", "apply_half", "delayed_apply", "duplicate_delivery"})
EDITS = frozenset({"results_without_trace", "wrong_count", "foreign_result"})
PORTAL_ACTIONS = frozenset(
    {"token_expire", "token_rotate", "scope_removed", "property_archived", "portal_rule_on",
     "tier_change", "daily_exhaust"}
)  # fmt: skip
PHASES: dict[str, tuple[Phase, ...]] = {
    **dict.fromkeys(("status", "429", *_STATUS_CODES, "drop", "hang", "delay"), _ANYWHERE),
    **dict.fromkeys(("bad_json", "html_200", "empty_2xx"), _ANYWHERE),
    **dict.fromkeys(ROW_ACTIONS, (Phase.PRE,)),
    **dict.fromkeys(EDITS, (Phase.POST_COMMIT,)),
    **dict.fromkeys(PORTAL_ACTIONS, (Phase.PRE_AUTH, Phase.PRE, Phase.POST_COMMIT)),
}
"""Action → phases that it fits; the first one is the default."""

_BODIES = frozenset({"", "json", "full", "minimal", "html", "empty", "truncated", "slow_drip"})
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599
_RULE_KEYS = frozenset(field.name for field in dataclasses.fields(PortalRule))


@dataclass(frozen=True, slots=True)
class RowMatch:
    """Which rows of a request are hit."""

    prop: str = ""
    regex: str = ""
    p: float = 1.0
    sticky: bool = False
    """The same row is hit (or spared) in every request."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests are hit; everything that is given must hold."""

    method: str = ""
    path_regex: str = ""
    nth: tuple[int, ...] = ()
    every: int = 0
    p: float = 1.0
    after_s: float = 0
    for_s: float | None = None
    row: RowMatch | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to a request that is hit; each type reads the fields it knows."""

    type: str
    code: int = 0
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    policy: str = "TEN_SECONDLY_ROLLING"
    retry_after: float | None = None
    s: float = 0
    ms: float = 0
    max_ms: float = 0
    """Upper end when the wait is drawn from ms…max_ms."""
    reset: bool = False
    """End the connection with RST instead of FIN."""
    then: str = "504"
    category: str = "VALIDATION_ERROR"
    error_code: str = "INVALID_OPTION"
    message: str = "The row was refused"
    prop: str = ""
    token: str = ""
    new_token: str = ""
    scope: str = ""
    tier: str = ""
    rule: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """One fault with its counters."""

    id: str
    match: Match
    phase: Phase
    action: Action
    times: int | None = None
    created_ms: float = 0
    seen: int = 0
    """Requests that fit method, path and time."""
    hits: int = 0

    def as_json(self) -> Json:
        """Return definition and counters."""
        shown = dataclasses.asdict(self)
        shown["phase"] = str(self.phase)
        return shown

    def wants(self, call: Call, mono_ms: float) -> bool:
        """Count a request and say whether it is hit (rows are looked at later)."""
        match = self.match
        if self.times is not None and self.hits >= self.times:
            return False
        if (match.method and match.method != call.method) or not self._is_active(mono_ms):
            return False
        if match.path_regex and not re.search(match.path_regex, call.path):
            return False
        self.seen += 1
        if (match.nth or match.every) and not self._is_turn():
            return False
        return match.p >= 1 or call.chance.chance(f"fault:{self.id}") < match.p

    def row_pick(self, call: Call, randomness: RandomSource) -> RowPick:
        """Return the test that says which rows of this request are hit."""
        row_match = self.match.row or RowMatch()

        def pick(row: RowInput) -> bool:
            if not _fits(row_match, row):
                return False
            if row_match.p >= 1:
                return True
            if row_match.sticky:
                return randomness.sticky_chance("row", row.id) < row_match.p
            return call.chance.chance(f"row:{self.id}:{row.id}") < row_match.p

        return pick

    def _is_active(self, mono_ms: float) -> bool:
        age_s = (mono_ms - self.created_ms) / 1000 - self.match.after_s
        return age_s >= 0 and (self.match.for_s is None or age_s < self.match.for_s)

    def _is_turn(self) -> bool:
        every = self.match.every
        return self.seen in self.match.nth or (every > 0 and self.seen % every == 0)


def _fits(match: RowMatch, row: RowInput) -> bool:
    if not match.regex:
        return True
    value = row.id if match.prop in {"", row.id_property} else row.values.get(match.prop)
    return value is not None and re.search(match.regex, value) is not None


def parse_fault(spec: Json, fault_id: str, mono_ms: float) -> Fault:
    """Read one fault definition.

    Raises:
        FaultError: a key is unknown or a value does not fit.
    """
    if not isinstance(spec, dict):
        raise FaultError("a fault must be an object")
    unknown = spec.keys() - {"match", "phase", "action", "times"}
    if unknown:
        raise FaultError(f"unknown fault key {min(unknown)}")
    action = _build(Action, spec.get("action") or {}, "action")
    match = _build(Match, spec.get("match") or {}, "match")
    if action.type not in PHASES:
        raise FaultError(f"unknown action {action.type}; use one of {', '.join(sorted(PHASES))}")
    _check_action(action)
    phases = PHASES[action.type]
    phase = spec.get("phase") or phases[0]
    if phase not in phases:
        raise FaultError(f"action {action.type} fits only the phases {', '.join(phases)}")
    times = spec.get("times")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise FaultError("times must be a whole number from 1")
    return Fault(fault_id, match, Phase(phase), action, times, mono_ms)


def _check_action(action: Action) -> None:
    """Check the fields whose values would fail only when the fault acts."""
    if action.body not in _BODIES:
        raise FaultError(f"action.body must be one of {', '.join(sorted(filter(None, _BODIES)))}")
    if action.code and not _LOWEST_STATUS <= action.code <= _HIGHEST_STATUS:
        raise FaultError("action.code must be a status from 200 to 599")
    if action.then not in {"504", "drop"}:
        raise FaultError("action.then must be 504 or drop")
    if action.type == "tier_change" and action.tier not in BURST_BY_TIER:
        raise FaultError("action.tier must be one of the tiers")
    if action.type == "portal_rule_on" and action.rule.keys() != _RULE_KEYS:
        raise FaultError(f"action.rule needs the keys {', '.join(sorted(_RULE_KEYS))}")
    if not all(isinstance(value, str) for value in (*action.rule.values(), *action.headers.values())):
        raise FaultError("action.rule and action.headers hold texts")


def _build(kind: Any, values: Json, where: str) -> Any:  # noqa: ANN401 - one of three dataclasses
    if not isinstance(values, dict):
        raise FaultError(f"{where} must be an object")
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise FaultError(f"unknown key {where}.{name}")
        if not _is_of(hints[name], value):
            raise FaultError(f"{where}.{name} has a value of the wrong type")
        if name.endswith("regex"):
            _check_regex(value, where)
    built = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    if "row" in built and where == "match":
        built["row"] = _build(RowMatch, values["row"], "match.row")
    if kind is Action and not isinstance(built.get("type"), str):
        raise FaultError("action.type is required")
    return kind(**built)


def _is_of(kind: Any, value: Json) -> bool:  # noqa: ANN401 - a type expression
    origin = typing.get_origin(kind) or kind
    if origin is types.UnionType:
        return value is None or _is_of(typing.get_args(kind)[0], value)
    if origin is tuple:
        return isinstance(value, list) and all(_is_of(int, item) for item in value)
    if isinstance(value, bool):
        return origin is bool
    accepted: dict[Any, Any] = {int: int, str: str, float: (int, float)}
    return isinstance(value, accepted.get(origin, dict))


def _check_regex(text: str, where: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise FaultError(f"{where}: {text} is not a regular expression") from error
