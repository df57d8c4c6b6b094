"""deploy/aws is applied on an emulator of AWS with the real provider, and a second plan changes nothing.

Needs `terraform` and the provider (`make test-aws` says what is missing); takes some minutes, most of it databases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.deploy_aws.terraform import Terraform, aws_emulator, missing_tool, prepare
from tests.support.hcl import AWS

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool())),
    pytest.mark.timeout(3600),
]

EKS = {
    "compute": "eks",
    "host_name": "airflow.example.com",
    "certificate_arn": "arn:aws:acm:eu-central-1:000000000000:certificate/00000000-0000-0000-0000-000000000000",
    "client_cidrs": ["10.0.0.0/8"],
    "alarm_emails": ["ops@example.com"],
    "admin_role_arns": ["arn:aws:iam::000000000000:role/admin"],
    "mysql_replica_count": 1,
    "early_run_schedule": "cron(0 5 * * ? *)",
}
KNOWN_GAPS: dict[str, set[str]] = {
    "aws_cloudtrail": {"cloud_watch_logs_group_arn", "cloud_watch_logs_role_arn", "tags_all"},
    "aws_cloudwatch_metric_alarm": {
        "actions_enabled",
        "alarm_actions",
        "alarm_description",
        "dimensions",
        "ok_actions",
        "period",
        "statistic",
        "treat_missing_data",
    },
    "aws_db_instance": {"backup_window", "enabled_cloudwatch_logs_exports", "performance_insights_kms_key_id"},
    "aws_eks_node_group": {"disk_size", "launch_template", "update_config"},
    "aws_flow_log": {"iam_role_arn", "log_group_name", "max_aggregation_interval", "tags", "tags_all"},
    "aws_vpc_endpoint": {"private_dns_enabled", "security_group_ids"},
}
"""Type of resource → attributes that MiniStack does not give back as they were set. Any other difference fails."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with aws_emulator(tmp_path_factory.mktemp("emulator")) as address:
        yield address


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, address: str) -> Terraform:
    terraform = prepare(tmp_path_factory.mktemp("eks"), address, EKS)
    terraform.run("apply", "-input=false", "-auto-approve")
    return terraform


def policies(terraform: Terraform) -> dict[str, Mapping[str, Any]]:
    """Return every policy as AWS got it, key policies and those of buckets, topics and trust left out."""
    kinds = {"aws_iam_policy": "policy", "aws_iam_role_policy": "policy"}
    return {
        resource["address"]: json.loads(resource["values"][kinds[resource["type"]]])
        for resource in terraform.state()
        if resource["type"] in kinds
    }


def listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def test_the_code_is_formatted_and_valid(applied: Terraform):
    applied.run("fmt", "-check", "-recursive", str(AWS))
    applied.run("validate")


def test_a_second_plan_changes_nothing(applied: Terraform):
    left = {}
    for name, changed in applied.changes().items():
        kind = re.sub(r"\[[^]]*\]", "", name).split(".")[-2]
        if rest := changed - KNOWN_GAPS.get(kind, set()):
            left[name] = sorted(rest)

    assert left == {}


def test_no_policy_that_aws_got_has_a_wildcard(applied: Terraform):
    found = policies(applied)
    statements = [(name, statement) for name, policy in found.items() for statement in policy["Statement"]]

    assert len(found) > 6
    assert [(name, action) for name, one in statements for action in listed(one["Action"]) if "*" in action] == []
    resources = [(name, resource) for name, one in statements for resource in listed(one["Resource"])]
    starred = [(name, resource) for name, resource in resources if "*" in resource]
    below_a_name = re.compile(r"^arn:aws:s3:::[\w-]+/[^*]*\*$|:log-stream:\*$")
    assert [found for found in starred if not below_a_name.search(found[1])] == []


def test_the_secret_rotates_and_has_no_value_from_terraform(applied: Terraform):
    by_type: dict[str, list[Mapping[str, Any]]] = {}
    for resource in applied.state():
        by_type.setdefault(resource["type"], []).append(resource["values"])

    assert "baby-names/prod/hubspot" in {secret["name"] for secret in by_type["aws_secretsmanager_secret"]}
    assert by_type["aws_secretsmanager_secret_rotation"][0]["rotation_rules"][0]["automatically_after_days"] == 90
    assert "aws_secretsmanager_secret_version" not in by_type


def test_managed_airflow_is_planned(tmp_path_factory: pytest.TempPathFactory, address: str):
    """Only planned: for this service the provider calls a host name that no emulator on loopback has."""
    terraform = prepare(tmp_path_factory.mktemp("mwaa"), address, {"compute": "mwaa"})

    planned = terraform.changes()

    assert planned["module.mwaa[0].aws_mwaa_environment.this"] == {"create"}
    assert [name for name in planned if "module.eks" in name or "module.load_balancer" in name] == []


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        ({"compute": "ecs"}, "compute is eks or mwaa"),
        ({"compute": "eks"}, "host_name is needed with eks"),
        ({"client_cidrs": ["0.0.0.0/0"]}, "not for the whole internet"),
        ({"hubspot_url": "http://api.hubapi.com"}, "begins with https"),
        ({"mysql_version": "8.0"}, "extended support"),
        ({"environment": "Production"}, "lower-case"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_refused(applied: Terraform, variables: Mapping[str, object], refused: str):
    given = {**EKS, **variables}
    if variables == {"compute": "eks"}:
        given |= {"host_name": None}
    (applied.folder / "wrong.tfvars.json").write_text(json.dumps(given), encoding="utf-8")

    ended = applied.run("plan", "-input=false", "-refresh=false", "-var-file=wrong.tfvars.json", allowed=(1,))

    assert refused in " ".join(ended.stderr.replace("│", " ").split())
