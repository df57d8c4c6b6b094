"""A file that `make run FILE=` offers as the newest version stays there only when a run was started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local_stack.errors import RefusedError, StackError
from tools.local_stack.layout import Layout, Secrets, Stack
from tools.local_stack.offered_file import offer_file
from tools.local_stack.ports import any_free_port
from tools.local_stack.run_dag import Request, run_dag
from tools.local_stack.up_down import plan_stack

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(tmp_path: Path, kaggle_url: str) -> Stack:
    """A stack with nothing but the Kaggle simulator."""
    layout = Layout(tmp_path / "checkout")
    stack = plan_stack(layout, Secrets.load(layout), {})
    stack.kaggle_url = kaggle_url
    stack.airflow_url = f"http://127.0.0.1:{any_free_port()}"
    return stack


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("YearOfBirth,Name,Sex,Number\n1990,Mary,F,10\n", encoding="utf-8")
    return path


def state(stack: Stack) -> dict[str, Any]:
    return httpx.get(f"{stack.kaggle_url}/__sim/state").json()


def test_file_is_the_newest_version_until_it_is_taken_back(stack: Stack, file: Path):
    before = state(stack)["current_version"]

    offered = offer_file(stack, file)

    assert (state(stack)["current_version"], offered.version_before) == (offered.version, before)
    offered.take_back()
    assert state(stack)["current_version"] == before


def test_version_that_came_later_is_left_alone(stack: Stack, file: Path):
    offered = offer_file(stack, file)
    later = offer_file(stack, file)

    offered.take_back()

    assert state(stack)["current_version"] == later.version


def test_file_of_a_run_that_could_not_be_started_is_not_offered(stack: Stack, file: Path):
    before = state(stack)["current_version"]

    with pytest.raises(RefusedError, match="is it running"):
        run_dag(stack, Request(file, {}))

    assert state(stack)["current_version"] == before


def test_file_that_cannot_be_read_is_refused(stack: Stack, tmp_path: Path):
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")

    with pytest.raises(StackError, match="400"):
        offer_file(stack, tmp_path / "broken.csv.gz")
