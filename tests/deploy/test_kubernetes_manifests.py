"""What the manifests beside the chart promise, read from the files."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from include.hubspot_sync.orchestration.metrics_exporter import DEFAULT_PORT, ExporterSettings
from tests.support.kubernetes import MANIFESTS, objects, pod_weaknesses, weaknesses
from tests.support.prometheus import MONITORING
from tools.kubernetes.monitoring import manifests

OBJECTS = objects()
DEPLOYMENTS = [name for kind, name in OBJECTS if kind == "Deployment"]
NAMESPACED_ELSEWHERE = {"kube-system", "monitoring"}

each_deployment = pytest.mark.parametrize("name", DEPLOYMENTS)


def pod_of(name: str) -> dict[str, Any]:
    return OBJECTS["Deployment", name]["spec"]["template"]


def container_of(name: str) -> dict[str, Any]:
    (container,) = pod_of(name)["spec"]["containers"]
    return container


def test_every_manifest_is_listed():
    listed = set(yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"])

    assert {path.name for path in MANIFESTS.glob("*.yaml")} == listed | {"kustomization.yaml"}
    assert set(DEPLOYMENTS) == {"metrics-exporter", "statsd-exporter"}


@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.name)
def test_manifest_that_is_made_from_another_file_is_current(path):
    assert path.read_text(encoding="utf-8") == manifests()[path], "run `python -m tools.kubernetes`"


def test_rules_are_those_that_are_tested():
    rules = yaml.safe_load((MONITORING / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))

    assert OBJECTS["PrometheusRule", "hubspot-sync"]["spec"] == rules


def test_mapping_is_the_one_that_is_tested():
    mapping = (MONITORING / "statsd" / "mapping.yaml").read_text(encoding="utf-8")

    assert OBJECTS["ConfigMap", "statsd-mapping"]["data"] == {"mapping.yaml": mapping}
    (volume,) = pod_of("statsd-exporter")["spec"]["volumes"]
    assert volume["configMap"]["name"] == "statsd-mapping"
    (mount,) = container_of("statsd-exporter")["volumeMounts"]
    assert container_of("statsd-exporter")["args"] == [f"--statsd.mapping-config={mount['mountPath']}/mapping.yaml"]


@each_deployment
def test_pod_is_confined_and_has_no_token(name):
    spec = pod_of(name)["spec"]

    assert pod_weaknesses(spec["securityContext"]) == []
    assert weaknesses(container_of(name)["securityContext"]) == []
    assert spec["automountServiceAccountToken"] is False
    assert OBJECTS["ServiceAccount", spec["serviceAccountName"]]["automountServiceAccountToken"] is False
    assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))


@each_deployment
def test_container_has_limits_and_probes(name):
    container = container_of(name)

    for kind in ("requests", "limits"):
        assert set(container["resources"][kind]) == {"cpu", "memory", "ephemeral-storage"}
    ports = {port["name"] for port in container["ports"]}
    for probe in ("livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports


@each_deployment
def test_labels_of_a_deployment_are_those_that_everything_else_selects(name):
    labels = pod_of(name)["metadata"]["labels"]
    selected = OBJECTS["Deployment", name]["spec"]["selector"]["matchLabels"]

    assert selected.items() <= labels.items()
    assert OBJECTS["Service", name]["spec"]["selector"] == selected
    assert OBJECTS["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"] == selected
    assert OBJECTS["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"] == selected
    monitored = OBJECTS["ServiceMonitor", name]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= OBJECTS["Service", name]["metadata"]["labels"].items()


@each_deployment
def test_ports_of_service_monitor_and_policy_exist(name):
    ports = {port["name"]: port["containerPort"] for port in container_of(name)["ports"]}
    service = {port["name"]: port for port in OBJECTS["Service", name]["spec"]["ports"]}

    assert {port["targetPort"] for port in service.values()} <= set(ports)
    (endpoint,) = OBJECTS["ServiceMonitor", name]["spec"]["endpoints"]
    assert endpoint["port"] in service
    policy = OBJECTS["NetworkPolicy", name]["spec"]
    open_ports = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert open_ports == set(ports.values())
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}


def test_rules_see_one_of_two_exporters():
    """They say `max without (instance)`: with a label of the pod a count would be doubled."""
    assert OBJECTS["Deployment", "metrics-exporter"]["spec"]["replicas"] == 2
    for kind, name in OBJECTS:
        if kind == "ServiceMonitor":
            (endpoint,) = OBJECTS[kind, name]["spec"]["endpoints"]
            (dropped,) = endpoint["relabelings"]
            assert dropped["action"] == "labeldrop"
            assert {"pod", "container", "endpoint"} <= set(dropped["regex"].split("|"))


def test_exporter_starts_with_this_environment():
    environ = {
        variable["name"]: variable.get("value", "mysql://reader:secret@mysql/hubspot_sync")
        for variable in container_of("metrics-exporter")["env"]
    }

    settings = ExporterSettings.read(environ)

    assert (settings.host, settings.port, settings.is_scheduled) == ("0.0.0.0", DEFAULT_PORT, True)  # noqa: S104
    assert settings.mysql_url
    assert settings.airflow_url == "http://airflow-api-server:8080"
    (secret,) = [v["valueFrom"]["secretKeyRef"] for v in container_of("metrics-exporter")["env"] if "valueFrom" in v]
    assert secret == {"name": "metrics-exporter", "key": "mysql-url"}


def test_nothing_of_airflow_reaches_the_metadata_service():
    """It would hand out the role of the node."""
    for (kind, name), found in OBJECTS.items():
        if kind != "NetworkPolicy":
            continue
        for rule in found["spec"].get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                is_everywhere = block.get("cidr") == "0.0.0.0/0"
                assert not is_everywhere or "169.254.0.0/16" in block["except"], name
                assert not is_everywhere or [port["port"] for port in rule["ports"]] == [443], name


def test_ways_out_of_airflow_are_those_of_its_security_group():
    policy = OBJECTS["NetworkPolicy", "airflow-ways-out"]["spec"]
    ports = {port["port"] for rule in policy["egress"] for port in rule.get("ports", [])}

    assert policy["podSelector"]["matchLabels"] == {"tier": "airflow", "release": "airflow"}
    assert ports == {53, 443, 3306, 5432, 9125}
