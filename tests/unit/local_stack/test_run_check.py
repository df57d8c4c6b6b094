from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from include.hubspot_sync.config import SYNCS_DIR
from tools.local_stack import __main__ as commands
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Secrets
from tools.local_stack.run_check import check_parts, check_request
from tools.local_stack.run_dag import Request
from tools.local_stack.up_down import plan_stack


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    shutil.copytree(SYNCS_DIR, tmp_path / "include" / "syncs")
    return Layout(tmp_path)


def request(**conf):
    return Request(None, conf)


def test_request_that_the_dag_would_take_is_accepted(layout):
    check_request(layout, request(mode="plan_only", record_limit=5))


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"mode": "plan"}, r"mode: 'plan' is not one of .*; did you mean plan_only\?; nothing was started$"),
        ({"mod": "replay"}, r"unknown run parameters: mod; did you mean mode\?"),
        ({"record_limit": "5"}, "record_limit: '5' is no whole number"),
    ],
    ids=["value", "name", "type"],
)
def test_wrong_parameter_is_refused_with_the_section_of_the_runbook(layout, conf, message):
    with pytest.raises(StackError, match=message) as caught:
        check_request(layout, request(**conf))

    assert caught.value.heading == "ConfigError"


def test_wrong_definition_is_refused_with_file_and_field(layout):
    path = layout.root / "include" / "syncs" / "baby_names.yaml"
    path.write_text(path.read_text().replace("on_removal: archive", "on_removal: delete"))

    with pytest.raises(
        StackError,
        match=r"include/syncs/baby_names\.yaml: destination\.on_removal: .*'archive' or 'keep', not 'delete'",
    ):
        check_request(layout, request())


def test_missing_definition_is_named(layout):
    (layout.root / "include" / "syncs" / "baby_names.yaml").unlink()

    with pytest.raises(StackError, match="no definition with dag_id baby_names_to_hubspot"):
        check_request(layout, request())


def test_parts_that_are_not_running_are_named(layout):
    stack = plan_stack(layout, Secrets.load(layout), {})
    stack.save(layout)

    with pytest.raises(StackError, match=r"not running: mysql, s3, .*scheduler.*`make up`"):
        check_parts(layout, stack, {"PATH": "/usr/bin:/usr/sbin"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MODE": "plan"}, "ConfigError: run parameter mode: 'plan' is not one of"),
        ({}, "StackError: the stack is not running: start it with `make up`"),
    ],
    ids=["wrong", "no stack"],
)
def test_refused_run_says_why_in_its_line_for_programs_too(layout, capsys, environ, message):
    assert commands._run(layout, environ) == 1

    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {message}")
    result = json.loads(shown.out.removeprefix("RESULT "))
    assert result["message"].startswith(message)
    assert (result["state"], result["run_id"]) == ("failed", None)
