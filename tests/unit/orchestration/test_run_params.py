"""A run that cannot be what was asked for is refused in one line, with what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.orchestration.run_params import refusal, run_params

DEFINITION = load_definitions()["baby_names"]


@pytest.mark.parametrize(
    "conf",
    [
        {},
        {"mode": "plan_only"},
        {"mode": "replay", "replay_run": 3, "replay_reason": "INVALID_OPTION", "replay_key": "mary-f"},
        {"plan_run_id": 42, "dataset_version": 2, "approve_guards": "x" * 500},
        {"read_back": None, "record_limit": 1, "min_first_year": -5, "max_total_births": None},
        {"replay_key": "  "},
    ],
    ids=str,
)
def test_conf_that_the_form_could_send_is_accepted(conf: dict[str, Any]):
    assert refusal(DEFINITION, conf) == ""


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"mod": "replay"}, "unknown run parameters: mod; did you mean mode?; the known ones are allow_older_version"),
        ({"zzz": 1, "aaa": 2}, "unknown run parameters: aaa, zzz; the known ones are"),
        (
            {"mode": "plan-only"},
            "'plan-only' is not one of incremental, plan_only, full_resync, replay; did you mean plan_only?",
        ),
        ({"mode": "x"}, "run parameter mode: 'x' is not one of incremental, plan_only, full_resync, replay"),
        ({"mode": None}, "run parameter mode: None is no text"),
        ({"read_back": "half"}, "run parameter read_back: 'half' is not one of full, sample, none"),
        ({"record_limit": "10"}, "run parameter record_limit: '10' is no whole number"),
        ({"record_limit": True}, "run parameter record_limit: True is no whole number"),
        ({"record_limit": 1.5}, "run parameter record_limit: 1.5 is no whole number"),
        ({"dataset_version": 0}, "run parameter dataset_version: 0 is below 1"),
        ({"approve_guards": "x" * 501}, "run parameter approve_guards: 501 characters are more than the 500 allowed"),
        ({"replay_run": 3}, "set mode to replay as well"),
        ({"plan_run_id": 3, "mode": "plan_only"}, "leave one of them out"),
        ({"plan_run_id": 3, "min_first_year": 1900}, "leave record_limit and bounds out"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_conf_is_one_line_with_what_is_allowed(conf: dict[str, Any], expected: str):
    line = refusal(DEFINITION, conf)

    assert expected in line
    assert "\n" not in line


@pytest.mark.parametrize("value", ["", "a", "plan_only", "full", 0, 1, -1, None, "x" * 501])
def test_our_word_on_a_value_is_that_of_airflow(value: Any):
    from airflow.sdk.definitions.param import Param, ParamValidationError

    for name, param in run_params(DEFINITION).items():
        try:
            Param(param.default, param.description, **param.schema()).resolve(value)
            is_refused = False
        except ParamValidationError:
            is_refused = True
        assert bool(param.refusal(value)) is is_refused, name
