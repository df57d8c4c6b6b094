"""docker-compose.yaml really built and started on the Docker engine that `DOCKER_HOST` names."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.compose.apply_settings import AIRFLOW_USER
from tools.compose.secret_file import make_secrets
from tools.local_stack.airflow_api import AirflowApi, DagRun
from tools.local_stack.ports import pick_port

ROOT = Path(__file__).parents[2]
DAG_ID = "baby_names_to_hubspot"
STANDIN_BASE = "HUBSPOT_SYNC_STANDIN_BASE"
"""Variable: a Debian image with python3-venv, tini and curl, for hosts that cannot pull. Unset: the real images."""
STANDINS = {"AIRFLOW_IMAGE": "airflow", "MYSQL_IMAGE": "mysql", "POSTGRES_IMAGE": "postgres"}
_BUILDKIT = {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}
_SUMMARY = "SELECT summary FROM sync_run ORDER BY run_id DESC LIMIT 1"
_HEALTHY_S = 180
_RUN_S = 300


def compose_program(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the plugin of the Docker client if it is there, else the older program."""
    plugin = ("docker", "compose")
    answer = subprocess.run([*plugin, "version"], env=environ, capture_output=True, check=False)
    return plugin if answer.returncode == 0 else ("docker-compose",)


@dataclass(frozen=True)
class ComposedStack:
    """One project with names, port, secrets and images of its own."""

    project: str
    port: int
    secrets: Mapping[str, str]
    environ: Mapping[str, str]

    @classmethod
    def plan(cls) -> ComposedStack:
        """Choose everything; start nothing."""
        project, port, made = f"hubspot-sync-{secrets.token_hex(4)}", pick_port([], taken=()), make_secrets()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "COMPOSE"))}
        images = {"HUBSPOT_SYNC_IMAGE": f"{project}:test", "SIMULATORS_IMAGE": f"{project}-simulators:test"}
        if base := os.environ.get(STANDIN_BASE):
            images |= {variable: f"hubspot-sync-standin-{name}:test" for variable, name in STANDINS.items()}
            images["PYTHON_IMAGE"] = base
        knobs = {"AIRFLOW_PORT": str(port), "KAGGLE_SIM_PROFILE": "small", "HUBSPOT_SIM_LATENCY": "fast"}
        return cls(project, port, made, {**inherited, **_BUILDKIT, **images, **knobs, **made})

    def run(self, *command: str) -> str:
        """Run a program to its end and return its output; its last lines are the error when it fails."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def compose(self, *arguments: str) -> str:
        """Run a command of compose, whichever version is there."""
        return self.run(*compose_program(self.environ), "--project-name", self.project, *arguments)

    def build(self) -> None:
        """Build the stand-ins if they are wanted, then our own images."""
        if base := os.environ.get(STANDIN_BASE):
            folder = ROOT / "tests/deploy/images"
            for variable, name in STANDINS.items():
                base_argument = ("--build-arg", f"BASE_IMAGE={base}")
                dockerfile = ("--file", str(folder / f"{name}.Dockerfile"))
                self.run("docker", "build", *base_argument, *dockerfile, "--tag", self.environ[variable], str(folder))
        self.compose("build")

    def up(self) -> None:
        """Start everything and wait until every service is healthy or has ended well."""
        self.compose("up", "--detach")
        deadline = time.monotonic() + _HEALTHY_S
        while waiting := self.not_ready():
            assert time.monotonic() < deadline, f"not healthy: {waiting}\n{self.compose('logs', '--tail', '20')}"
            time.sleep(1)  # noqa: TID251  an engine is asked again and again

    def not_ready(self) -> dict[str, str]:
        """Return container → state of those that are neither healthy nor done."""
        states = dict(map(self.state_of, self.containers()))
        return {name: state for name, state in states.items() if state not in ("running healthy", "exited 0")}

    def containers(self) -> list[str]:
        """Return the ids of all containers, ended ones included."""
        return self.run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}").split()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine knows of a container."""
        return json.loads(self.run("docker", "inspect", container))[0]

    def state_of(self, container: str) -> tuple[str, str]:
        """Return service and state."""
        found = self.inspect(container)
        state = found["State"]
        health = state.get("Health", {}).get("Status", "")
        detail = health if state["Status"] == "running" else state["ExitCode"]
        return found["Config"]["Labels"]["com.docker.compose.service"], f"{state['Status']} {detail}"

    def execute(self, service: str, *command: str) -> str:
        """Run a program in a running service."""
        return self.compose("exec", "-T", service, *command)

    def health(self) -> dict[str, str]:
        """Return what Airflow says of its components."""
        with closing(self.api()) as api:
            return api.health()

    def api(self) -> AirflowApi:
        """Return a client of the composed Airflow."""
        return AirflowApi(f"http://127.0.0.1:{self.port}", AIRFLOW_USER, self.secrets["AIRFLOW_ADMIN_PASSWORD"])

    def run_dag(self, **conf: str) -> dict[str, Any]:
        """Trigger the DAG through the REST API, wait for success and return the run's summary."""
        with closing(self.api()) as api:
            run = self._wait_for_end(api, api.trigger(DAG_ID, conf))
            tasks = api.task_instances(DAG_ID, run.dag_run_id)
        assert run.state == "success", tasks
        return self.summary()

    def _wait_for_end(self, api: AirflowApi, run: DagRun) -> DagRun:
        deadline = time.monotonic() + _RUN_S
        while not run.is_over:
            assert time.monotonic() < deadline, run
            time.sleep(0.5)  # noqa: TID251  Airflow is asked again and again
            run = api.dag_run(DAG_ID, run.dag_run_id)
        return run

    def summary(self) -> dict[str, Any]:
        """Return what the last run counted."""
        login = 'MYSQL_PWD="$MYSQL_PASSWORD" mysql --host=127.0.0.1 --user="$MYSQL_USER"'
        return json.loads(
            self.execute("mysql", "sh", "-c", f'{login} --batch --raw --skip-column-names hubspot_sync -e "{_SUMMARY}"')
        )

    def remove(self) -> None:
        """Stop everything and remove containers, volumes, network and the images of this test."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        self.run("docker", "image", "rm", self.environ["HUBSPOT_SYNC_IMAGE"], self.environ["SIMULATORS_IMAGE"])
