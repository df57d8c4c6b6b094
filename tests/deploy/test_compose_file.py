"""What docker-compose.yaml promises, read from the file: no engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tools.compose.apply_settings import AIRFLOW_URL, S3_URL, settings_values
from tools.compose.secret_file import SECRETS
from tools.hubspot_simulator.__main__ import _parser as hubspot_parser
from tools.hubspot_simulator.settings import Settings
from tools.kaggle_simulator.options import parse_options
from tools.local_stack.airflow_env import airflow_settings
from tools.local_stack.layout import Layout, Secrets
from tools.local_stack.up_down import DEFAULT_PORTS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
MONITORING = {
    "statsd-exporter": "SYNC_STATSD_IMAGE",
    "prometheus": "SYNC_PROMETHEUS_IMAGE",
    "alertmanager": "SYNC_ALERTMANAGER_IMAGE",
    "grafana": "SYNC_GRAFANA_IMAGE",
}
OF_OURS = ("HUBSPOT_SYNC_IMAGE", "SIMULATORS_IMAGE", *MONITORING.values())
SECRET_NAME = re.compile(r"(PASSWORD|TOKEN|SECRET|_KEY|SQL_ALCHEMY_CONN|MYSQL_URL)$")
VALUES = settings_values({"MYSQL_PASSWORD": "p", "KAGGLE_TOKEN": "t"})

each_service = pytest.mark.parametrize("name", SERVICES)


def waits_for(service: dict[str, Any]) -> dict[str, str]:
    """Return service → condition."""
    waits = service.get("depends_on", {})
    if isinstance(waits, list):
        return dict.fromkeys(waits, "service_started")
    return {name: wait["condition"] for name, wait in waits.items()}


ENDING = {
    name
    for service in SERVICES.values()
    for name, condition in waits_for(service).items()
    if condition == "service_completed_successfully"
}


def has_health_check(service: dict[str, Any]) -> bool:
    return "test" in service.get("healthcheck", {})


def test_every_part_of_the_product_is_there():
    commands = " ".join(str(service.get("command")) for service in SERVICES.values())

    assert {"mysql", "postgres", "s3", "hubspot-simulator", "kaggle-simulator"} <= set(SERVICES)
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert component in commands


def test_only_keys_that_the_older_docker_compose_reads():
    assert {key for key in FILE if not key.startswith("x-")} == {"services", "volumes"}


def test_airflow_alertmanager_and_grafana_are_published_on_loopback_and_nothing_else_is():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {
        "airflow-apiserver": ["127.0.0.1:${AIRFLOW_PORT:-8080}:8080"],
        "alertmanager": ["127.0.0.1:${ALERTMANAGER_PORT:-9093}:9093"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


@each_service
def test_service_has_a_health_check_or_ends(name):
    assert has_health_check(SERVICES[name]) != (name in ENDING)


@each_service
def test_job_that_ends_is_not_started_again(name):
    assert SERVICES[name]["restart"] == ("no" if name in ENDING else "unless-stopped")


@each_service
def test_start_waits_only_for_what_can_be_seen(name):
    for other, condition in waits_for(SERVICES[name]).items():
        assert other in SERVICES
        assert condition != "service_healthy" or has_health_check(SERVICES[other]), other


def test_scheduler_starts_after_everything_its_tasks_need():
    def all_before(name: str) -> set[str]:
        direct = set(waits_for(SERVICES[name]))
        return direct.union(*(all_before(other) for other in direct))

    assert all_before("airflow-scheduler") >= {
        *("mysql", "postgres", "s3", "hubspot-simulator", "kaggle-simulator"),
        *("airflow-init", "airflow-apiserver", "airflow-settings"),
    }


@each_service
def test_secrets_have_no_default(name):
    environment = SERVICES[name].get("environment", {})
    secrets = {key: value for key, value in environment.items() if SECRET_NAME.search(key)}
    secrets.pop("MYSQL_RANDOM_ROOT_PASSWORD", None)
    # optional, and empty unless somebody sets it
    assert secrets.pop("HUBSPOT_SYNC_PAGERDUTY_KEY", ":-}").endswith(":-}")

    assert [key for key, value in secrets.items() if not re.search(r"\$\{\w+:\?run make secrets\}", value)] == []


def test_demanded_secrets_are_those_that_make_secrets_writes():
    assert set(re.findall(r"\$\{(\w+):\?run make secrets\}", TEXT)) == set(SECRETS)
    assert [name for name in SECRETS if re.search(rf"\$\{{{name}(:-|-|\}})", TEXT)] == []


@each_service
def test_image_can_be_replaced_and_has_a_fixed_tag(name):
    variable, default = re.fullmatch(r"\$\{(\w+_IMAGE):-([^}]+)\}", SERVICES[name]["image"]).groups()

    assert re.search(r":[\w.-]+$", default)
    assert not default.endswith(":latest")
    assert ("build" in SERVICES[name]) <= (variable in OF_OURS)


@pytest.mark.parametrize("variable", OF_OURS)
def test_own_image_is_built_by_one_service_that_starts_before_the_others(variable):
    users = [name for name, service in SERVICES.items() if variable in service["image"]]
    builders = [name for name in users if "build" in SERVICES[name]]

    assert len(builders) == 1
    # the older docker-compose would try to pull an image that is not built yet
    assert [name for name in users if name not in builders and not waits_for(SERVICES[name])] == []


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_base_of_an_own_image_can_be_replaced(name):
    build = SERVICES[name]["build"]
    dockerfile = (ROOT / build["context"] / build.get("dockerfile", "Dockerfile")).read_text(encoding="utf-8")

    for argument, value in build["args"].items():
        default = re.search(rf"^ARG {argument}=(\S+)$", dockerfile, flags=re.MULTILINE)[1]
        assert value == f"${{{argument}:-{default}}}"


@each_service
def test_service_is_bounded_and_cannot_gain_privileges(name):
    service = SERVICES[name]

    assert {"mem_limit", "cpus", "pids_limit", "logging"} <= set(service)
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert "privileged" not in service


@pytest.mark.parametrize(
    "name", [name for name, service in SERVICES.items() if any(v in service["image"] for v in OF_OURS)]
)
def test_own_images_run_on_a_read_only_root_without_capabilities(name):
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "user" not in SERVICES[name]


def test_data_is_in_named_volumes_and_no_folder_of_the_host_is_mounted():
    mounts = [mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())]

    assert set(mounts) == set(FILE["volumes"])


def test_airflow_components_share_one_configuration():
    common = FILE["x-airflow"]["environment"]
    ours = {name: service for name, service in SERVICES.items() if "HUBSPOT_SYNC_IMAGE" in service["image"]}
    # the exporter runs beside Airflow and gets only what it needs
    parts = [service for name, service in ours.items() if name != "metrics-exporter"]

    assert len(parts) == 5
    assert [part for part in parts if not common.items() <= part["environment"].items()] == []


def test_addresses_of_the_connections_are_services():
    urls = (VALUES["S3_URL"], VALUES["HUBSPOT_URL"], VALUES["KAGGLE_URL"], AIRFLOW_URL)

    assert {VALUES["MYSQL_HOST"], *(urlsplit(url).hostname for url in urls)} <= set(SERVICES)


def test_simulators_are_trusted_and_nothing_else_is():
    trusted = FILE["x-airflow"]["environment"]["HUBSPOT_SYNC_TRUSTED_HOSTS"].split(",")

    assert set(trusted) == {urlsplit(VALUES[name]).hostname for name in ("HUBSPOT_URL", "KAGGLE_URL")}


def test_hubspot_simulator_listens_where_its_connection_points():
    options = hubspot_parser().parse_args(SERVICES["hubspot-simulator"]["command"][3:])

    assert (options.host, urlsplit(VALUES["HUBSPOT_URL"]).port) == ("0.0.0.0", Settings().port)  # noqa: S104


def test_kaggle_simulator_listens_where_its_connection_points():
    options = parse_options(SERVICES["kaggle-simulator"]["command"][3:], {})

    assert (options.host, options.port) == ("0.0.0.0", urlsplit(VALUES["KAGGLE_URL"]).port)  # noqa: S104
    assert options.storage_url == f"http://kaggle-simulator:{options.storage_port}"


def test_s3_listens_where_its_connection_points():
    assert SERVICES["s3"]["environment"]["GATEWAY_PORT"] == str(urlsplit(S3_URL).port)


def test_monitoring_starts_only_when_it_is_asked_for():
    asked = {name for name, service in SERVICES.items() if "profiles" in service}

    assert asked == set(MONITORING)
    assert [SERVICES[name]["profiles"] for name in asked] == [["monitoring"]] * len(asked)
    # nothing that always starts may wait for what does not
    assert [name for name in SERVICES if name not in asked and asked & set(waits_for(SERVICES[name]))] == []


@pytest.mark.parametrize("name", MONITORING)
def test_image_of_monitoring_copies_only_files_that_are_there(name):
    context = ROOT / SERVICES[name]["build"]["context"]
    copies = re.findall(r"^COPY (.+) \S+$", (context / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    copied = [path for paths in copies for path in paths.split()]

    assert copied
    assert [path for path in copied if not (context / path).exists()] == []


def test_prometheus_asks_services_and_loads_the_rules():
    config = yaml.safe_load((ROOT / "deploy/monitoring/prometheus/compose.yaml").read_text(encoding="utf-8"))
    targets = [job["static_configs"][0]["targets"][0] for job in config["scrape_configs"]]
    (source,) = yaml.safe_load(
        (ROOT / "deploy/monitoring/grafana/provisioning/datasources/hubspot_sync.yaml").read_text(encoding="utf-8")
    )["datasources"]

    assert targets == ["metrics-exporter:9464", "statsd-exporter:9102"]
    assert {target.partition(":")[0] for target in targets} <= set(SERVICES)
    assert config["rule_files"] == ["rules.yaml"]
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


def test_alerts_carry_the_environment_that_airflow_names():
    """Else one cause would make two incidents: Airflow and Alertmanager make the key of an incident alike."""
    config = yaml.safe_load((ROOT / "deploy/monitoring/prometheus/compose.yaml").read_text(encoding="utf-8"))
    prometheus = SERVICES["prometheus"]

    assert config["global"]["external_labels"] == {"environment": "${HUBSPOT_SYNC_ENVIRONMENT}"}
    assert "--enable-feature=expand-external-labels" in prometheus["command"]
    of_airflow = FILE["x-airflow"]["environment"]["HUBSPOT_SYNC_ENVIRONMENT"]
    assert prometheus["environment"]["HUBSPOT_SYNC_ENVIRONMENT"] == of_airflow


def test_callbacks_of_the_dag_processor_have_the_time_that_the_local_stack_gives_them(tmp_path: Path):
    layout = Layout(tmp_path)
    layout.folder.mkdir()
    local = airflow_settings(layout, Secrets.load(layout), DEFAULT_PORTS, is_scheduled=False)
    composed = FILE["x-airflow"]["environment"]
    limits = [name for name in local if name.endswith(("__DAG_FILE_PROCESSOR_TIMEOUT", "__STALE_DAG_THRESHOLD"))]

    assert len(limits) == 2
    assert {name: composed.get(name) for name in limits} == {name: local[name] for name in limits}
