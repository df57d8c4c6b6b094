"""The parameters of a run: what they are, and one line about the first that is wrong. Knows no Airflow.

Airflow checks values when a run is triggered through its API, with the text of its JSON schema library, and accepts
names that it does not know. So `preflight` and the local stack ask here as well.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.records import RunMode

_REPLAY_PARAMS = ("replay_run", "replay_reason", "replay_key")


@dataclass(frozen=True, slots=True)
class RunParam:
    """One parameter: text, or a whole number when the default is None."""

    default: str | None
    description: str
    """For the trigger form."""
    choices: tuple[str, ...] = ()
    """The allowed texts; empty: any."""
    max_length: int | None = None
    """Longest text in characters."""
    minimum: int | None = None
    """Smallest number."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema by which Airflow checks a value and draws the form."""
        if self.default is None:
            return {"type": ["null", "integer"], **({} if self.minimum is None else {"minimum": self.minimum})}
        if self.choices:
            return {"type": "string", "enum": [str(choice) for choice in self.choices]}
        return {"type": "string", "maxLength": self.max_length}

    def refusal(self, value: object) -> str:
        """Return what is wrong with a value and what is allowed; empty when nothing is."""
        if self.default is None:
            return "" if value is None else self._refused_number(value)
        if not isinstance(value, str):
            return f"{value!r} is no text"
        if self.choices and value not in self.choices:
            allowed = ", ".join(choice or "nothing" for choice in self.choices)
            return f"{value!r} is not one of {allowed}{_nearest(value, self.choices)}"
        if self.max_length is not None and len(value) > self.max_length:
            return f"{len(value)} characters are more than the {self.max_length} allowed"
        return ""

    def _refused_number(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{value!r} is no whole number"
        if self.minimum is not None and value < self.minimum:
            return f"{value} is below {self.minimum}"
        return ""


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _bounds(definition: SyncDefinition) -> dict[str, RunParam]:
    return {
        f"{end}_{name}": RunParam(None, f"A trial run: only records whose {name} is {words} this; empty: no limit.")
        for name in definition.destination.filters
        for end, words in (("min", "not below"), ("max", "not above"))
    }


def run_params(definition: SyncDefinition) -> dict[str, RunParam]:
    """Return every parameter of the runs of a sync, by name, in the order of the trigger form."""
    return {
        "mode": RunParam(
            "incremental",
            "incremental sends what changed; full_resync sends everything again and archives keyed "
            "contacts that no record has; plan_only sends nothing; replay tries refused records again.",
            choices=tuple(RunMode),
        ),
        "approve_guards": RunParam(
            "", "Reason for letting this run pass the guards; empty: the guards stop it.", max_length=500
        ),
        "allow_older_version": RunParam(
            "",
            "Reason for syncing a dataset version older than one already synced; empty: refused.",
            max_length=500,
        ),
        "replay_run": RunParam(
            None,
            "With mode replay: only records that HubSpot refused in this run_id; empty: of every run.",
            minimum=1,
        ),
        "replay_reason": RunParam(
            "",
            "With mode replay: only records refused for this reason, e.g. INVALID_OPTION; empty: all.",
            max_length=64,
        ),
        "replay_key": RunParam(
            "", "With mode replay: only the record with this key, e.g. mary-f; empty: all.", max_length=320
        ),
        "dataset_version": RunParam(
            None,
            "Sync this version of the dataset, once; empty: the newest. An older one than was synced needs "
            "allow_older_version as well.",
            minimum=1,
        ),
        "plan_run_id": RunParam(
            None,
            "Apply exactly the plan that this run_id made (mode plan_only), or send nothing when source, "
            "mapping, ledger or portal have moved on since; empty: whatever the run plans.",
            minimum=1,
        ),
        "read_back": RunParam(
            "",
            "How much of what is written is read again: full, sample (one batch in ten) or none; "
            f"empty: as defined ({definition.delivery.read_back}).",
            choices=("", *ReadBack),
        ),
        "record_limit": RunParam(
            None,
            "A trial run: send at most so many changes and archive nothing; empty: no limit.",
            minimum=1,
        ),
        **_bounds(definition),
    }


def refusal(definition: SyncDefinition, conf: Mapping[str, Any]) -> str:
    """Return in one line why a run with these parameters is refused; empty when it is not.

    Args:
        definition: The run's sync.
        conf: What was asked for, without defaults; nothing is taken for granted.
    """
    params = run_params(definition)
    if unknown := sorted(set(conf) - set(params)):
        near = _nearest(unknown[0], params)
        return f"unknown run parameters: {', '.join(unknown)}{near}; the known ones are {', '.join(sorted(params))}"
    for name, value in conf.items():
        if wrong := params[name].refusal(value):
            return f"run parameter {name}: {wrong}"
    return _contradiction(definition, conf)


def _contradiction(definition: SyncDefinition, conf: Mapping[str, Any]) -> str:
    given = {name for name, value in conf.items() if value is not None and str(value).strip()}
    mode = conf.get("mode", RunMode.INCREMENTAL)
    if mode != RunMode.REPLAY and given.intersection(_REPLAY_PARAMS):
        return "replay_run, replay_reason and replay_key choose refused records: set mode to replay as well"
    if "plan_run_id" not in given:
        return ""
    if mode == RunMode.PLAN_ONLY:
        return "plan_run_id applies a plan and mode plan_only sends nothing: leave one of them out"
    if given.intersection({"record_limit", *_bounds(definition)}):
        return "plan_run_id takes the limits of a trial run from the plan: leave record_limit and bounds out"
    return ""
