"""The knobs: one typed value per assumption about HubSpot that nobody could confirm."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

ENV_PREFIX = "HUBSPOT_SIM_"
START_ONLY = frozenset({"host", "port", "control_port", "db", "clock", "seed", "port_file", "portal_id"})
"""Knobs that cannot change while the process runs."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_SOMETIMES = re.compile(r"sometimes\((0(\.\d+)?|1(\.0+)?)\)")

Tier = Literal["free", "oauth", "pro", "enterprise", "increase"]


class KnobError(ValueError):
    """A knob is unknown or its value is not allowed."""


@dataclass(frozen=True, slots=True)
class PortalRule:
    """A rule of the portal's admins: when a property has a value, another one is required."""

    name: str
    if_prop: str
    equals: str
    then_required: str


@dataclass(slots=True)
class Settings:
    """Every knob with its default. Times in ms unless the name says otherwise."""

    host: str = "127.0.0.1"  # another one only inside a container
    port: int = 41820
    control_port: str = "same"  # same, off, or a port of its own for /__sim
    port_file: str = ""
    db: str = ":memory:"
    seed: int = 1
    clock: Literal["real", "virtual"] = "real"
    portal_id: int = 4711004
    time_zone: str = "America/New_York"
    tier: Tier = "pro"
    contact_limit: int = 15_000_000
    custom_property_limit: int = 1000
    scenario: str = ""

    # rate limits
    burst_override: int | None = None
    daily_override: int | None = None
    daily_used: int | None = None
    count_rejected_in_window: bool = False
    count_rejected_in_daily: bool = True
    retry_after_on_429: str = "never"  # never, seconds, sometimes(p)
    rate_body_style: Literal["errorType", "category", "both"] = "errorType"
    window: Literal["rolling", "fixed"] = "rolling"
    background_own_rps: float = 0
    background_other_rps: float = 0
    search_counts_burst: bool = False
    latency_429_ms: float = 30
    latency_reject_ms: float = 40
    error_body_style: Literal["full", "minimal", "html"] = "full"

    # latency
    latency: Literal["zero", "fast", "default", "slow", "bimodal", "degrade"] = "default"
    latency_base_ms: float | None = None
    latency_per_row_ms: float | None = None
    latency_median_ms: float | None = None
    latency_p95_ms: float | None = None
    apply_at: Literal["end", "start", "random"] = "end"

    # writes
    empty_inputs: Literal["400", "200_empty"] = "400"
    accept_numbers: bool = False
    mixed_trace_ids: Literal["refuse", "partial"] = "refuse"
    unique_case_insensitive: bool = True
    partial_status: Literal["207", "200"] = "207"
    group_errors: bool = False
    numerrors_mode: Literal["entries", "rows"] = "entries"
    touch_unchanged: bool = False
    archived_upsert: Literal["create_new", "restore", "error409"] = "create_new"
    shuffle_results: bool = True
    echo_trace_id: Literal["errors_only", "true", "false"] = "errors_only"
    return_all_props: bool = False
    echo_key: bool = True
    number_echo: Literal["as_sent", "canonical"] = "as_sent"
    trim_strings: bool = False
    concurrent_write: Literal["423", "409", "serialize"] = "423"
    lock_ms: float = 2000
    locked_rows_per_s: int | None = None
    enforce_rules_all: bool = False
    portal_rules: tuple[PortalRule, ...] = field(default=())

    # other endpoints
    read_duplicates: Literal["400", "ok"] = "400"
    archive_unknown: Literal["204", "207"] = "204"
    search_lag_ms: float = 5000
    merge_new_id: bool = True
    property_lag_ms: float = 0
    usage_fetch_status: Literal["SUCCESS", "CACHED", "FAILURE", "NOTFOUND", "TIMEOUT"] = "SUCCESS"

    def change(self, changes: Mapping[str, object]) -> None:
        """Set knobs; either all of them are valid or none is changed.

        Raises:
            KnobError: a name is unknown or a value is not allowed.
        """
        parsed = {name: parse_knob(name, value) for name, value in changes.items()}
        for name, value in parsed.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Return every knob as plain JSON values."""
        return dataclasses.asdict(self)


KNOBS: dict[str, Any] = typing.get_type_hints(Settings)


def parse_knob(name: str, value: object) -> object:
    """Turn text or a JSON value into the type of this knob.

    Raises:
        KnobError: the name is unknown or the value is not allowed.
    """
    if name not in KNOBS:
        close = difflib.get_close_matches(name, KNOBS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise KnobError(f"unknown knob {name}{hint}")
    try:
        parsed = _convert(KNOBS[name], value)
    except (TypeError, ValueError, KeyError) as error:
        raise KnobError(f"knob {name}: {value!r} is not allowed; {_expected(KNOBS[name])}") from error
    _check_meaning(name, parsed)
    return parsed


def _convert(kind: Any, value: object) -> object:  # noqa: ANN401 - a type expression
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        nothing = value is None or value in {"", "none", "null"}
        return None if nothing else _convert(typing.get_args(kind)[0], value)
    if origin is Literal:
        return _one_of(typing.get_args(kind), value)
    if origin is tuple:
        return _rules(value)
    if kind is bool:
        return _boolean(value)
    if kind is str:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    number = kind(value)
    if number < 0 or number == float("inf") or number != number:  # noqa: PLR0124 - NaN
        raise ValueError
    return number


def _one_of(choices: tuple[str, ...], value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text not in choices:
        raise ValueError
    return text


def _boolean(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError
    return text in _TRUE


def _rules(value: object) -> tuple[PortalRule, ...]:
    items = json.loads(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise TypeError
    return tuple(item if isinstance(item, PortalRule) else PortalRule(**item) for item in items)


def _expected(kind: Any) -> str:  # noqa: ANN401 - a type expression
    if typing.get_origin(kind) is Literal:
        return f"use one of {', '.join(typing.get_args(kind))}"
    return f"use a value of type {getattr(kind, '__name__', str(kind))}"


def _check_meaning(name: str, value: object) -> None:
    """Check what a type cannot say."""
    if name == "retry_after_on_429" and value not in {"never", "seconds"}:
        if not _SOMETIMES.fullmatch(str(value)):
            raise KnobError("knob retry_after_on_429: use never, seconds or sometimes(0.5)")
    elif name == "control_port" and value not in {"same", "off"} and not str(value).isdigit():
        raise KnobError("knob control_port: use same, off or a port number")
    elif name == "time_zone":
        try:
            ZoneInfo(str(value))
        except (OSError, ValueError, KeyError) as error:
            raise KnobError(f"knob time_zone: {value!r} is not a known time zone") from error


def sometimes_probability(knob: str) -> float:
    """Return p of `sometimes(p)`, 1 for `seconds`, 0 for `never`."""
    if knob in {"never", "seconds"}:
        return 1.0 if knob == "seconds" else 0.0
    return float(knob[len("sometimes(") : -1])


def load_settings(config: Path | None, environ: Mapping[str, str], options: Mapping[str, str]) -> Settings:
    """Merge defaults, config file, environment and command line, the last one wins.

    Raises:
        KnobError: the file cannot be read, or a knob is unknown or wrong.
    """
    settings = Settings()
    if config is not None:
        settings.change(_read_config(config))
    settings.change(
        {name.removeprefix(ENV_PREFIX).lower(): value for name, value in environ.items() if name.startswith(ENV_PREFIX)}
    )
    settings.change(options)
    return settings


def _read_config(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KnobError(f"config file {path.name} cannot be read as YAML") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise KnobError(f"config file {path.name} must map knob names to values")
    return {str(name): value for name, value in content.items()}
