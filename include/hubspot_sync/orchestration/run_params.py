"""The parameters of a run: what they are, and one line about the first that is wrong. Knows no Airflow.

Airflow 3.3.2 checks values when it creates a run, with the text of its JSON schema library, and accepts names that it
does not know and parameters that contradict each other. So the local stack asks here before it asks Airflow, and
`preflight` before it does anything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.records import RunMode

_REPLAY_PARAMS = ("replay_run", "replay_reason", "replay_key")


_REPLAY, _SOURCE, _TRIAL = "Replay of refused records", "Source and proof", "Trial run"
"""Parts of the trigger form that are folded up at first; parameters without one stand open above them."""


@dataclass(frozen=True, slots=True)
class RunParam:
    """One parameter: a whole number, one of some texts, or any text. All but those with a default may stay empty."""

    description: str
    """For the trigger form."""
    section: str | None = None
    """Part of the trigger form."""
    default: str | None = None
    is_number: bool = False
    choices: tuple[str, ...] = ()
    """The allowed texts; empty: any."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the trigger form shows for a choice, where that is more than the choice itself."""
    max_length: int | None = None
    """Longest text in characters."""
    minimum: int | None = None
    """Smallest number."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema by which Airflow checks a value and draws the form.

        The form takes an empty text for a mistake and triggers nothing, unless the type knows null (Airflow 3.3.2).
        """
        kind = "integer" if self.is_number else "string"
        parts: dict[str, Any] = {
            "type": kind if self.default is not None else ["null", kind],
            "enum": [*([None] if self.default is None else []), *map(str, self.choices)] if self.choices else None,
            "values_display": {str(choice): self.labels.get(choice, str(choice)) for choice in self.choices},
            "maxLength": self.max_length,
            "minimum": self.minimum,
            "section": self.section,
        }
        return {name: part for name, part in parts.items() if part}

    def refusal(self, value: object) -> str:
        """Return what is wrong with a value and what is allowed; empty when nothing is."""
        if value is None and self.default is None:
            return ""
        if self.is_number:
            return self._refused_number(value)
        if not isinstance(value, str):
            return f"{value!r} is no text"
        if self.choices and value not in self.choices:
            return f"{value!r} is not one of {', '.join(self.choices)}{_nearest(value, self.choices)}"
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


def _text(description: str, section: str | None = None, *, longest: int) -> RunParam:
    return RunParam(description, section, max_length=longest)


def _number(description: str, section: str | None = None) -> RunParam:
    return RunParam(description, section, is_number=True, minimum=1)


def _bounds(definition: SyncDefinition) -> dict[str, RunParam]:
    return {
        f"{end}_{name}": RunParam(
            f"A trial run: only records whose {name} is {words} this; empty: no limit.", _TRIAL, is_number=True
        )
        for name in definition.destination.filters
        for end, words in (("min", "not below"), ("max", "not above"))
    }


def run_params(definition: SyncDefinition) -> dict[str, RunParam]:
    """Return every parameter of the runs of a sync, by name, in the order of the trigger form."""
    return {
        "mode": RunParam(
            "incremental sends what changed; plan_only sends nothing and keeps a plan to look at; full_resync sends "
            "everything again and archives keyed contacts that no record has; replay tries refused records again.",
            default="incremental",
            choices=(RunMode.INCREMENTAL, RunMode.PLAN_ONLY, RunMode.FULL_RESYNC, RunMode.REPLAY),
        ),
        "plan_run_id": _number(
            "Apply exactly the plan that this run made (the number in the title of the plan's page), or send nothing "
            "when source, mapping, ledger or portal have moved on since; mode stays that of the plan, incremental as a "
            "rule. Empty: whatever the run plans."
        ),
        "approve_guards": _text(
            "Reason for letting this run pass the guards, kept for the audit; empty: the guards stop it.", longest=500
        ),
        "replay_run": _number(
            "With mode replay: only records that HubSpot refused in this run; empty: of every run.", _REPLAY
        ),
        "replay_reason": _text(
            "With mode replay: only records refused for this reason, e.g. INVALID_OPTION; empty: all.",
            _REPLAY,
            longest=64,
        ),
        "replay_key": _text(
            "With mode replay: only the record with this key, e.g. mary-f; empty: all.", _REPLAY, longest=320
        ),
        "dataset_version": _number(
            "Sync this version of the dataset, once; empty: the newest. An older one than was synced needs "
            "allow_older_version as well.",
            _SOURCE,
        ),
        "allow_older_version": _text(
            "Reason for syncing a dataset version older than one already synced, kept for the audit; empty: refused.",
            _SOURCE,
            longest=500,
        ),
        "read_back": RunParam(
            f"How much of what is written is read again; empty: as defined ({definition.delivery.read_back}).",
            _SOURCE,
            choices=tuple(ReadBack),
            labels={ReadBack.SAMPLE: "sample: one batch in ten"},
        ),
        "record_limit": _number(
            "A trial run: send at most so many changes and archive nothing; empty: no limit.", _TRIAL
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
