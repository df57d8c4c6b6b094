"""A copy of the product with a stack of its own, whose parts can be killed and started again."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tools.local_stack import processes
from tools.local_stack.airflow_env import base_environment
from tools.local_stack.console import StepView
from tools.local_stack.layout import ROOT, Layout, Secrets, Stack
from tools.local_stack.ports import any_free_port
from tools.local_stack.service import Supervisor
from tools.local_stack.services import Parts
from tools.local_stack.steps import run_steps
from tools.local_stack.up_down import DEFAULT_PORTS, airflow_api, down, plan_stack

_COPIED = ("dags", "include", "plugins", "tools", "airflow_settings.yaml")
WITHOUT_AIRFLOW = frozenset({"mysql", "schema", "s3", "bucket", "hubspot", "kaggle"})
"""Steps of a stack that has everything but Airflow."""


@dataclass(frozen=True, slots=True)
class Place:
    """The stack of one copied checkout."""

    layout: Layout
    supervisor: Supervisor
    parts: Parts

    @property
    def stack(self) -> Stack:
        """Return addresses, logins and pids."""
        return self.supervisor.stack

    def start(self, wanted: Collection[str] = ()) -> None:
        """Run the named steps of the start, or all.

        Raises:
            StackError: a part does not start.
        """
        steps = [step for step in self.parts.steps() if not wanted or step.name in wanted]
        with StepView("Starting the stack of the chaos run") as view:
            run_steps(steps, view, self.supervisor.cancel)
        self.stack.save(self.layout)

    def ensure(self, name: str) -> None:
        """Start a part again and wait until it is healthy.

        Raises:
            StackError: it does not start.
        """
        service = next(service for service in self.parts.services() if service.name == name)
        self.supervisor.ensure(service)

    def process(self, name: str) -> psutil.Process | None:
        """Return the part's process, None when it does not run."""
        return processes.find(self.stack.pids.get(name), self.layout.folder)

    def kill(self, name: str) -> None:
        """Kill -9 the part's own process; its children become orphans."""
        if process := self.process(name):
            process.kill()
            process.wait()

    def everything(self) -> list[psutil.Process]:
        """Return every process of the stack, orphans included."""
        return processes.all_of(self.layout.folder)

    def down(self) -> None:
        """Stop everything, and let nothing be started again."""
        self.supervisor.cancel()
        self.parts.api.close()
        down(self.layout, lambda _text: None)


def make_place(folder: Path, environ: Mapping[str, str], delivery: Mapping[str, Any], *, schedule: str = "") -> Place:
    """Copy the product into a folder, with other delivery settings; nothing is started yet.

    Args:
        folder: an empty folder for the copy and its stack.
        environ: the caller's environment plus the simulators' knobs.
        delivery: fields of the definition's `delivery` that differ from the shipped ones.
        schedule: cron text of the DAG's own runs; empty: it has none.
    """
    copy_product(folder)
    change_definition(folder / "include" / "syncs" / "baby_names.yaml", delivery, schedule)
    layout = Layout(root=folder)
    layout.folder.mkdir(parents=True, exist_ok=True)
    secrets = Secrets.load(layout)
    _prefer_free_ports(layout)
    stack = plan_stack(layout, secrets, environ)
    supervisor = Supervisor(layout, stack, base_environment(layout, environ))
    return Place(layout, supervisor, Parts(supervisor, secrets, airflow_api(stack), is_scheduled=bool(schedule)))


def _prefer_free_ports(layout: Layout) -> None:
    """Name ports that nobody else wants: other stacks that start at this moment choose the default ones."""
    Stack(
        airflow_url="",
        airflow_user="",
        airflow_password="",
        mysql_url="",
        s3_url="",
        bucket="",
        hubspot_url="",
        hubspot_token="",
        kaggle_url="",
        kaggle_token="",
        ports={name: any_free_port() for name in DEFAULT_PORTS},
    ).save(layout)


def copy_product(folder: Path, parts: Iterable[str] = _COPIED) -> None:
    """Copy what the stack runs."""
    for part in parts:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / part)


def change_definition(path: Path, delivery: Mapping[str, Any], schedule: str = "") -> None:
    """Write delivery settings and, if there is one, the schedule into a definition."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["delivery"] = {**content.get("delivery", {}), **delivery}
    if schedule:
        content["schedule"] = schedule
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
