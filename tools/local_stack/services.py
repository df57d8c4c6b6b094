"""The parts of the stack: their commands, settings, health checks and the order in which they start."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import MySQLdb

from tools.local_stack.airflow_api import AirflowApi
from tools.local_stack.airflow_env import SCHEDULE_VARIABLE, airflow_settings
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout, Secrets, write_private
from tools.local_stack.loopback import answers, client
from tools.local_stack.mysql import URL_VARIABLE, MysqlAddress, MysqlServer, parse_url
from tools.local_stack.mysql_binary import find_server
from tools.local_stack.ports import LOOPBACK
from tools.local_stack.service import Service, Supervisor, program
from tools.local_stack.settings_file import apply_objects, pagerduty_values, read_objects
from tools.local_stack.steps import Step

DAG_ID = "baby_names_to_hubspot"
AIRFLOW_PARTS = {
    "api-server": ("api-server",),
    # their own log servers would listen on every address of the machine
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_HEALTH_NAMES = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
_DAG_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Parts:
    """Builds the services and steps of one stack."""

    supervisor: Supervisor
    secrets: Secrets
    api: AirflowApi
    is_scheduled: bool

    @property
    def layout(self) -> Layout:
        """Return where everything lies."""
        return self.supervisor.layout

    @property
    def ports(self) -> Mapping[str, int]:
        """Return part → port."""
        return self.supervisor.stack.ports

    def steps(self) -> list[Step]:
        """Return everything that a start does."""
        return [
            self._mysql_step(),
            Step("schema", self._schema, after=("mysql",)),
            Step("airflow database", self._airflow_database),
            *(self._service(self._airflow(name), after="airflow database") for name in AIRFLOW_PARTS),
            self._service(self._s3()),
            Step("bucket", self._bucket, after=("s3",)),
            self._service(self._hubspot()),
            self._service(self._kaggle()),
            self._service(self._exporter(), after="schema"),
            Step("connections", self._connections, after=("api-server",)),
            Step("dags", self._dags, after=("dag-processor", "connections", "schema", "bucket")),
        ]

    def services(self) -> list[Service]:
        """Return every background process."""
        mysql = self._mysql()
        airflow = [self._airflow(name) for name in AIRFLOW_PARTS]
        others = [self._s3(), self._hubspot(), self._kaggle(), *airflow, self._exporter()]
        return [mysql, *others] if mysql else others

    def _service(self, service: Service, after: str = "") -> Step:
        return Step(service.name, lambda: self.supervisor.ensure(service), (after,) if after else ())

    # MySQL

    def _mysql_step(self) -> Step:
        service = self._mysql()
        if service is not None:
            return self._service(service)
        address = parse_url(self.supervisor.stack.mysql_url)
        return Step("mysql", lambda: _use_server(address))

    def _mysql(self) -> Service | None:
        environ = self.supervisor.environ
        if environ.get(URL_VARIABLE):
            return None
        server = MysqlServer(
            binary=find_server(environ),
            folder=self.layout.folder / "mysql",
            log=self.layout.log("mysql"),
            address=parse_url(self.supervisor.stack.mysql_url),
            environ=environ,
            owner=self.layout.folder,
        )
        return Service("mysql", tuple(server.command()), {}, server.answers, server.prepare)

    def _schema(self) -> str:
        command = (sys.executable, "-m", "include.hubspot_sync.store.migrate")
        self.supervisor.run("schema", command, {URL_VARIABLE: self.supervisor.stack.mysql_url})
        return "up to date"

    # S3 and the simulators

    def _s3(self) -> Service:
        settings = {
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self.ports["s3"]),
            "SERVICES": "s3",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._folder("s3")),
            # on by default, and on every address of the machine
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        health = f"{self.supervisor.stack.s3_url}/_localstack/health"
        return Service("s3", (program("ministack"),), settings, lambda: answers(health))

    def _bucket(self) -> str:
        stack = self.supervisor.stack
        answer = client().put(f"{stack.s3_url}/{stack.bucket}")
        if answer.status_code not in (httpx.codes.OK, httpx.codes.CONFLICT):
            raise StackError(f"bucket {stack.bucket} cannot be created: s3 answers {answer.status_code}")
        return stack.bucket

    def _hubspot(self) -> Service:
        command = (
            *(sys.executable, "-m", "tools.hubspot_simulator"),
            *("--port", str(self.ports["hubspot"])),
            *("--db", str(self.layout.folder / "hubspot.db")),
        )
        return self._simulator("hubspot", "HUBSPOT_SIM_", command, "/__sim/health")

    def _kaggle(self) -> Service:
        command = (
            *(sys.executable, "-m", "tools.kaggle_simulator"),
            *("--port", str(self.ports["kaggle"])),
            *("--storage-port", str(self.ports["kaggle_storage"])),
            *("--folder", str(self._folder("kaggle"))),
        )
        return self._simulator("kaggle", "KAGGLE_SIM_", command, "/health")

    def _simulator(self, name: str, prefix: str, command: tuple[str, ...], health: str) -> Service:
        # the knobs count as settings of the service, so that changing one restarts it
        knobs = {key: value for key, value in self.supervisor.environ.items() if key.startswith(prefix)}
        url = f"http://{LOOPBACK}:{self.ports[name]}{health}"
        if name == "kaggle":
            knobs["KAGGLE_SIM_TOKEN"] = self.supervisor.stack.kaggle_token
        return Service(name, command, knobs, lambda: answers(url))

    def _folder(self, name: str) -> Path:
        folder = self.layout.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # metrics

    def _exporter(self) -> Service:
        # a stack that an older version of this program started has no such port yet
        port = self.ports.get("metrics", 0)
        settings = {
            URL_VARIABLE: self.supervisor.stack.mysql_url,
            "HUBSPOT_SYNC_METRICS_HOST": LOOPBACK,
            "HUBSPOT_SYNC_METRICS_PORT": str(port),
            "HUBSPOT_SYNC_AIRFLOW_URL": self.supervisor.stack.airflow_url,
            SCHEDULE_VARIABLE: "on" if self.is_scheduled else "off",
        }
        command = (sys.executable, "-m", "include.hubspot_sync.orchestration.metrics_exporter")
        return Service("exporter", command, settings, lambda: answers(f"http://{LOOPBACK}:{port}/healthz"))

    # Airflow

    def _airflow_settings(self) -> dict[str, str]:
        return airflow_settings(self.layout, self.secrets, self.ports, is_scheduled=self.is_scheduled)

    def _airflow_database(self) -> str:
        home = self._folder("airflow")
        stack = self.supervisor.stack
        write_private(home / "passwords.json", json.dumps({stack.airflow_user: stack.airflow_password}))
        version = importlib.metadata.version("apache-airflow-core")
        marker = home / "migrated"
        if (home / "airflow.db").exists() and marker.exists() and marker.read_text() == version:
            return f"already at {version}"
        migrate = (program("airflow"), "db", "migrate")
        self.supervisor.run("airflow-db", migrate, self._airflow_settings())
        marker.write_text(version)
        return f"at {version}"

    def _airflow(self, name: str) -> Service:
        command = (program("airflow"), *AIRFLOW_PARTS[name])
        return Service(name, command, self._airflow_settings(), self._airflow_health(name))

    def _airflow_health(self, name: str) -> Callable[[], bool]:
        def is_healthy() -> bool:
            return self.api.health().get(_HEALTH_NAMES.get(name, "metadatabase")) == "healthy"

        return is_healthy

    def _connections(self) -> str:
        objects = read_objects(self.layout.root / "airflow_settings.yaml", self._values())
        apply_objects(self.api, objects)
        return f"{len(objects.connections)} connections, {len(objects.pools)} pool"

    def _values(self) -> dict[str, str]:
        """Return what airflow_settings.yaml may refer to."""
        stack = self.supervisor.stack
        mysql = parse_url(stack.mysql_url)
        return {
            "MYSQL_HOST": mysql.host,
            "MYSQL_PORT": str(mysql.port),
            "MYSQL_USER": mysql.user,
            "MYSQL_PASSWORD": mysql.password,
            "MYSQL_DATABASE": mysql.database,
            # on loopback the product asks for no encryption, and MariaDB has none by itself
            "MYSQL_SSL_MODE": "PREFERRED",
            "S3_URL": stack.s3_url,
            "S3_BUCKET": stack.bucket,
            "S3_ACCESS_KEY": stack.s3_access_key,
            "S3_SECRET_KEY": stack.s3_secret_key,
            "HUBSPOT_URL": stack.hubspot_url,
            "HUBSPOT_TOKEN": stack.hubspot_token,
            "KAGGLE_URL": stack.kaggle_url,
            "KAGGLE_TOKEN": stack.kaggle_token,
            **pagerduty_values(self.supervisor.environ),
        }

    def _dags(self) -> str:
        for _ in range(_DAG_TIMEOUT_S * 4):
            if self.api.has_dag(DAG_ID):
                self.api.unpause(DAG_ID)
                return DAG_ID
            if errors := self.api.import_errors():
                raise StackError(f"a dag cannot be imported: {errors[0]}")
            if self.supervisor.cancelled.wait(0.25):
                raise StackError("cancelled")
        raise StackError(f"dag {DAG_ID} did not appear (log: {self.layout.log('dag-processor')})")


def _use_server(address: MysqlAddress) -> str:
    """Check the server that the user brought; create its schema if it is not there."""
    create = f"CREATE DATABASE IF NOT EXISTS `{address.database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    try:
        address.connect().close()
    except MySQLdb.Error as error:
        unknown_database = 1049
        if error.args[:1] != (unknown_database,):
            raise StackError(f"mysql of {URL_VARIABLE} does not answer: {error.args[-1]}") from error
        connection = MySQLdb.connect(host=address.host, port=address.port, user=address.user, password=address.password)
        connection.query(create)
        connection.close()
    return f"using {address.host}:{address.port}"
