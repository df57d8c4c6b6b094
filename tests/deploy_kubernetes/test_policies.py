"""Policy and schema checks of deploy/kubernetes by other people's tools (`make test-kubernetes` installs them)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.hcl import AWS
from tests.support.kubernetes import MANIFESTS, objects

BIN = Path(__file__).parents[2] / ".local" / "checkov" / "bin"
KUBECTL = shutil.which("kubectl")
SKIPPED = {
    "CKV_K8S_14": "the tag of our image is in kustomization.yaml",
    "CKV_K8S_21": "the namespace is in kustomization.yaml",
    "CKV_K8S_35": "the exporter reads its address from the environment; the secret is of this pod alone",
    "CKV_K8S_43": "whoever installs it knows the digests of his registry",
}
CUSTOM = {"Kustomization", "PrometheusRule", "ServiceMonitor"}
"""Kinds that Kubernetes has no schema for."""

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not (BIN / "kubernetes-validate").exists(), reason="not installed: run make test-kubernetes"),
    pytest.mark.timeout(600),
]


def test_no_policy_check_fails():
    command = [
        BIN / "checkov",
        "-d",
        MANIFESTS,
        "--framework",
        "kubernetes",
        "--skip-download",
        "--quiet",
        "-o",
        "json",
    ]
    done = subprocess.run([*command, "--skip-check", ",".join(SKIPPED)], capture_output=True, text=True, check=False)

    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 100
    assert [(check["check_id"], check["resource"]) for check in report["results"]["failed_checks"]] == []


def test_every_object_fits_the_schema_of_the_cluster_that_terraform_makes():
    version = re.search(
        r'variable "kubernetes_version".*?default += "([\d.]+)"', (AWS / "variables.tf").read_text(), re.DOTALL
    )
    assert version
    files = sorted(MANIFESTS.glob("*.yaml"))
    command = [BIN / "kubernetes-validate", "--strict", "-k", version[1], *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    passed = set(re.findall(r"passed for resource (\w+/[\w-]+)", done.stdout + done.stderr))
    wanted = {f"{kind}/{name}".lower() for kind, name in objects() if kind not in CUSTOM}
    assert passed == wanted


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_kustomize_puts_everything_into_the_namespace_with_the_image_of_ours():
    done = subprocess.run([str(KUBECTL), "kustomize", MANIFESTS], capture_output=True, text=True, check=True)

    built = list(yaml.safe_load_all(done.stdout))
    assert {(one["kind"], one["metadata"]["name"]) for one in built} == set(objects())
    assert {one["metadata"]["namespace"] for one in built} == {"airflow"}
    (exporter,) = [one for one in built if (one["kind"], one["metadata"]["name"]) == ("Deployment", "metrics-exporter")]
    assert re.fullmatch(r"hubspot-sync:\w+", exporter["spec"]["template"]["spec"]["containers"][0]["image"])
