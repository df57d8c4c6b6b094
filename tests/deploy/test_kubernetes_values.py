"""What the values of Airflow's Helm chart promise, read from the files: no cluster, no helm, no chart is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.hubspot_sync.config import load_definitions
from tests.support.hcl import AWS
from tests.support.kubernetes import KUBERNETES, parts_with, pod_weaknesses, values, weaknesses

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, str] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))[
    "x-airflow-environment"
]
TERRAFORM = (AWS / "compute.tf").read_text(encoding="utf-8")
EXECUTORS = ("celery", "kubernetes")
DIFFERS = {
    "AIRFLOW__CORE__EXECUTOR": "the key `executor` of the chart",
    "AIRFLOW__CORE__FERNET_KEY": "a secret",
    "AIRFLOW__API__SECRET_KEY": "a secret",
    "AIRFLOW__API_AUTH__JWT_SECRET": "a secret",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "a secret",
    "AIRFLOW__API__BASE_URL": "from Terraform",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the Service of the chart",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "a second user, for early runs",
    "AIRFLOW__CORE__PARALLELISM": "several machines",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "a first run with plan_only comes before the schedule",
    "AIRFLOW__METRICS__STATSD_ON": "always on",
    "HUBSPOT_SYNC_SCHEDULE": "always on",
    "HUBSPOT_SYNC_TRUSTED_HOSTS": "of the simulators",
    "HUBSPOT_SYNC_ENVIRONMENT": "from Terraform",
}
"""Variable of docker-compose.yaml → why the cluster has another value or gets it elsewhere."""

each_executor = pytest.mark.parametrize("executor", EXECUTORS)


def environment(found: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in found["env"]}


def components(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every part that runs a pod."""
    workers = found["workers"]
    half = "celery" if found["executor"] == "CeleryExecutor" else "kubernetes"
    names = ("apiServer", "scheduler", "dagProcessor", "triggerer", "migrateDatabaseJob")
    others = [name for name in ("redis", "flower", "cleanup") if found.get(name, {}).get("enabled")]
    return {name: found[name] for name in (*names, *others)} | {"workers": workers[half]}


@each_executor
def test_settings_are_those_of_docker_compose(executor):
    ours = environment(values(executor))

    assert {name: ours.get(name) for name in COMPOSE if name not in DIFFERS} == {
        name: value for name, value in COMPOSE.items() if name not in DIFFERS
    }
    assert {name for name in DIFFERS if ours.get(name) == COMPOSE.get(name)} == set(), "it differs no more"


@each_executor
def test_overlay_replaces_no_list_of_the_common_values(executor):
    """Helm replaces lists: an overlay with `env` would drop every setting."""
    assert environment(values(executor)) == environment(values())
    assert values(executor)["volumeMounts"] == values()["volumeMounts"]


def test_executors_are_the_two_that_the_files_are_called():
    assert [values(name)["executor"] for name in EXECUTORS] == ["CeleryExecutor", "KubernetesExecutor"]
    assert "executor" not in values()


@each_executor
def test_every_container_is_confined(executor):
    found = values(executor)

    assert pod_weaknesses(found["securityContexts"]["pod"]) == []
    assert weaknesses(found["securityContexts"]["containers"]) == []
    for name, part in components(found).items():
        # a context of its own would stand in the place of the common one
        own = part.get("securityContexts")
        assert own is None or pod_weaknesses(own["pod"]) + weaknesses(own["container"]) == [], name


@each_executor
def test_tasks_and_api_server_can_write_where_they_have_to(executor):
    found = values(executor)
    mounted = {mount["name"]: mount["mountPath"] for mount in found["volumeMounts"]}
    assert mounted == {"tmp": "/tmp"}  # noqa: S108  a mount point
    api_server = {mount["name"]: mount["mountPath"] for mount in found["apiServer"]["extraVolumeMounts"]}
    assert "/opt/airflow/logs" in api_server.values()
    assert set(api_server) == {volume["name"] for volume in found["apiServer"]["extraVolumes"]}


@each_executor
def test_every_part_has_requests_and_limits(executor):
    for name, part in components(values(executor)).items():
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(part["resources"][kind]), (name, kind)


@each_executor
def test_parts_with_the_role_have_the_service_accounts_that_it_trusts(executor):
    found = components(values(executor))
    trusted = re.search(r'service_accounts = \[for part in (\[[^]]+\]) : "airflow-\$\{part\}"\]', TERRAFORM)
    assert trusted

    accounts = {found[name]["serviceAccount"]["name"] for name in found if name in {"apiServer", "dagProcessor"}}
    accounts |= {found[name]["serviceAccount"]["name"] for name in ("scheduler", "triggerer", "workers")}
    assert accounts == {f"airflow-{part}" for part in json.loads(trusted[1])}
    # no other part gets one of these names
    names = [part["serviceAccount"]["name"] for part in found.values()]
    assert len(names) == len(set(names))


@each_executor
def test_only_parts_that_ask_kubernetes_get_its_token(executor):
    holders = {
        name
        for name, part in components(values(executor)).items()
        if part["serviceAccount"].get("automountServiceAccountToken", True)
    }

    # the scheduler starts pods, the API server reads their logs, the clean-up removes them
    assert holders == ({"scheduler"} if executor == "celery" else {"scheduler", "apiServer", "cleanup"})


@each_executor
def test_no_secret_stands_in_the_values(executor):
    found = values(executor)

    for key in ("password", "fernetKey", "apiSecretKey", "jwtSecret", "brokerUrl", "connection", "pass"):
        assert list(parts_with(found, key)) == [], key
    assert found["data"]["metadataSecretName"]
    for key in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"):
        assert found[key], key
    assert (found["postgresql"]["enabled"], found["createUserJob"]["enabled"]) == (False, False)


@each_executor
def test_health_is_the_age_of_the_heartbeat(executor):
    found = values(executor)

    for probe in ("livenessProbe", "startupProbe"):
        assert found["scheduler"][probe]["command"][-1] == "http://127.0.0.1:8974/health"
    assert environment(found)["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    for part, job in (("dagProcessor", "DagProcessorJob"), ("triggerer", "TriggererJob")):
        assert found[part]["livenessProbe"]["command"] == ["airflow", "jobs", "check", "--job-type", job, "--local"]
        # the check itself takes three seconds of a core
        assert found[part]["livenessProbe"]["timeoutSeconds"] >= 30


def test_health_checks_are_those_of_docker_compose():
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]
    found = values("celery")

    for part, service in (("scheduler", "scheduler"), ("dagProcessor", "dag-processor"), ("triggerer", "triggerer")):
        check = services[f"airflow-{service}"]["healthcheck"]["test"]
        assert ["CMD", *found[part]["livenessProbe"]["command"]] == check


@each_executor
def test_network_policies_let_in_who_has_to(executor):
    found = values(executor)
    assert found["networkPolicies"]["enabled"]

    peers = found["apiServer"]["networkPolicy"]["ingress"]["from"]
    cidr = re.search(r'variable "vpc_cidr".*?default += "([^"]+)"', (AWS / "variables.tf").read_text(), re.DOTALL)
    assert cidr
    # without the first no task could reach the execution API
    assert {"podSelector": {"matchLabels": {"tier": "airflow", "release": "airflow"}}} in peers
    assert [peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer] == [cidr[1]]


def test_load_balancer_of_terraform_reaches_the_node_port():
    port = re.search(r"node_port += (\d+)", (AWS / "main.tf").read_text(encoding="utf-8"))
    assert port
    service = values()["apiServer"]["service"]

    assert (service["type"], service["ports"][0]["nodePort"]) == ("NodePort", int(port[1]))


def test_ingress_is_tls_only_with_the_policy_of_terraform():
    found = values("celery", "ingress")
    annotations = found["ingress"]["apiServer"]["annotations"]
    policy = re.search(r'ssl_policy += "([^"]+)"', (AWS / "modules/load_balancer/main.tf").read_text())
    assert policy

    def of(name: str) -> str:
        return annotations[f"alb.ingress.kubernetes.io/{name}"]

    assert json.loads(of("listen-ports")) == [{"HTTPS": 443}]
    assert of("ssl-policy") == policy[1]
    assert of("certificate-arn").startswith("arn:aws:acm:")
    assert "0.0.0.0/0" not in of("inbound-cidrs")
    # beside it no second way in
    assert found["apiServer"]["service"]["type"] == "ClusterIP"
    assert "nodePort" not in found["apiServer"]["service"]["ports"][0]


@each_executor
def test_parts_that_run_twice_lose_one_at_a_time(executor):
    found = values(executor)

    for part in ("apiServer", "scheduler"):
        assert found[part]["replicas"] >= 2, part
        assert found[part]["podDisruptionBudget"] == {"enabled": True, "config": {"maxUnavailable": 1}}, part


def test_celery_has_a_group_of_workers_for_each_sync_and_one_for_the_rest():
    found = values("celery")
    celery = found["workers"]["celery"]

    queues = [one["queue"] for one in celery["sets"]]
    assert sorted(queues) == sorted(definition.name for definition in load_definitions().values())
    assert (celery["enableDefault"], celery["queue"]) == (True, "default")
    assert {"name": "HUBSPOT_SYNC_QUEUES", "value": "per_sync"} in found["dagProcessor"]["env"]
    # names of Kubernetes know no underscore
    assert all(re.fullmatch(r"[a-z0-9-]+", one["name"]) for one in celery["sets"])


def test_fewest_workers_can_hold_all_shards_of_the_pool():
    found = values("celery")
    slots = max(definition.delivery.shards_at_once for definition in load_definitions().values())

    for group in found["workers"]["celery"]["sets"]:
        assert group["keda"]["minReplicaCount"] * found["config"]["celery"]["worker_concurrency"] >= slots
        assert group["keda"]["enabled"]


def test_metrics_of_airflow_go_to_our_exporter_only():
    assert values()["statsd"]["enabled"] is False
    assert environment(values())["AIRFLOW__METRICS__STATSD_ON"] == "True"


def test_chart_version_is_pinned_and_the_same_everywhere():
    named = {
        version
        for path in (*KUBERNETES.glob("*.yaml"), ROOT / "docs" / "deployment.md")
        for version in re.findall(r"(?:--version |[Hh]elm chart )(\d+\.\d+\.\d+)", path.read_text(encoding="utf-8"))
    }

    assert len(named) == 1
    pinned = re.search(r"apache/airflow:([\d.]+)-", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert pinned
    assert values()["airflowVersion"] == pinned[1]
