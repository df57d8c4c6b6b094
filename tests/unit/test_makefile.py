"""What `make` refuses before it does anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # the tests may run under `make test`, whose flags are not ours
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("variable", ["mode=plan_only", "MOD=plan_only", "file=x.csv"])
def test_mistyped_variable_starts_nothing(variable: str):
    """`make run mode=plan_only` would be a run that writes."""
    refused = make("--dry-run", "run", variable)

    assert refused.returncode != 0
    assert f"unknown variable {variable.partition('=')[0]}" in refused.stderr
    assert refused.stdout == ""


def test_known_variables_are_accepted():
    assert make("--dry-run", "run", "MODE=plan_only", "FILE=x.csv", "CONF={}").returncode == 0


def test_statement_reaches_the_client_as_it_was_written():
    shown = make("--dry-run", "sql", "SQL=SELECT 'a;b' AS \"c d\"")

    assert shown.returncode == 0
    assert shown.stdout.splitlines()[-1].endswith("tools.local_stack sql")


def test_dollar_signs_of_people_reach_the_program():
    """Make would look for a variable of its own, and a query for `$.changes` found nothing and said nothing."""
    texts = {"SQL": "SELECT JSON_EXTRACT(plan, '$.changes')", "CONF": '{"approve_guards": "costs $5 $(HOME)"}'}
    show = "--eval=show: ; @printenv SQL CONF"

    shown = make(show, "show", *(f"{name}={text}" for name, text in texts.items()))

    assert shown.stdout.splitlines() == list(texts.values())
