"""What deploy/aws promises, read from its text: no tool and no account is needed."""

from __future__ import annotations

import importlib
import json
import re
import zipfile
from pathlib import Path

import pytest

from include.hubspot_sync.store.connection import SQL_MODE
from tests.support.hcl import AWS, Block, all_blocks, blocks_of
from tools.aws_functions import names, pack

MANAGED = {
    "AWSLambdaVPCAccessExecutionRole",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonRDSEnhancedMonitoringRole",
}
"""Policies of AWS that AWS demands for its own services; docs/deployment.md says why each."""
BELOW_A_NAME = re.compile(
    r"^\$\{[\w.]+\}(/([\w$.{}-]+/)*|:log-stream:)\*$"  # objects of a bucket, streams of a log group
    r"|^arn:[^*]+:log-group:[\w$.{}-]+-\*$"  # the log groups that managed Airflow makes
)
"""A star for what lies below one named resource."""
QUEUE_OF_AWS = "arn:${local.partition}:sqs:${local.region}:*:airflow-celery-*"
"""Of managed Airflow: it belongs to an account of AWS, under a name that AWS chooses."""

TEXT = {path: path.read_text(encoding="utf-8") for path in sorted(AWS.rglob("*.tf")) if ".terraform" not in path.parts}


def statements() -> list[tuple[Block, Block]]:
    """Return every statement with its policy document."""
    found = []
    for document in all_blocks("data", "aws_iam_policy_document"):
        found += [(document, statement) for statement in document.inner("statement")]
        for dynamic in document.inner("dynamic"):
            if dynamic.words[1] == "statement":
                found += [(document, content) for content in dynamic.inner("content")]
    return found


def grants() -> list[tuple[Block, Block]]:
    return [(document, statement) for document, statement in statements() if statement.value("effect") != '"Deny"']


def test_the_reader_sees_every_statement():
    written = sum(len(re.findall(r"^ +actions +=", text, re.MULTILINE)) for text in TEXT.values())

    assert len(statements()) == written > 30


def test_no_grant_has_a_wildcard_in_its_actions():
    wrong = [
        f"{document.name}: {action}"
        for document, statement in grants()
        for action in statement.texts("actions")
        if not re.fullmatch(r"[a-z0-9-]+:[A-Z]\w+", action)
    ]

    assert wrong == []


def test_no_grant_is_for_every_resource():
    wrong = [
        f"{document.name}: {resource}"
        for document, statement in grants()
        for resource in statement.texts("resources")
        if "*" in resource and not BELOW_A_NAME.match(resource) and resource != QUEUE_OF_AWS
    ]

    # in a key policy it means this key
    assert wrong == ["modules/key/main.tf: data aws_iam_policy_document key: *"] * 3


@pytest.mark.parametrize(
    "resource", ["*", "arn:aws:s3:::*", "arn:aws:s3:::bucket*", "${var.arn}*", "arn:*:log-group:*"]
)
def test_what_is_no_named_resource(resource: str):
    assert not BELOW_A_NAME.match(resource)


def test_only_these_policies_of_aws_are_attached():
    attached = set()
    for block in all_blocks("resource", "aws_iam_role_policy_attachment"):
        arn = block.value("policy_arn") or ""
        listed = re.findall(r'"([\w]+)"', block.value("for_each") or "")
        attached |= set(listed) if "each.key" in arn else set(re.findall(r"policy/(?:service-role/)?(\w+)\"", arn))

    assert attached == MANAGED


def test_only_named_service_accounts_may_take_the_role_of_the_pods():
    document = next(block for block in all_blocks("data", "aws_iam_policy_document", "pod_trust"))

    assert {condition.value("test") for condition in document.inner("condition")} == {'"StringEquals"'}
    assert ":sub" in document.body


def test_every_exception_from_a_policy_check_has_a_reason():
    skips = [(path, line) for path, text in TEXT.items() for line in re.findall(r"#checkov:skip=(.*)", text)]

    assert skips
    assert [(path, line) for path, line in skips if len(line.partition(":")[2].split()) < 4] == []


def test_no_group_lets_the_internet_in():
    rules = all_blocks("resource", "aws_vpc_security_group_ingress_rule")

    assert rules
    assert [rule.name for rule in rules if "0.0.0.0/0" in rule.body] == []
    assert [block.name for block in all_blocks("resource", "aws_security_group") if "ingress" in block.body] == []


def test_only_airflow_may_call_the_internet_and_only_by_tls():
    rules = all_blocks("resource", "aws_vpc_security_group_egress_rule")
    open_rules = [rule for rule in rules if "0.0.0.0/0" in rule.body]

    assert [rule.words[2] for rule in open_rules] == ["internet"]
    assert open_rules[0].value("to_port") == "443"
    assert open_rules[0].value("security_group_id") == 'local.group_ids["airflow"]'


@pytest.mark.parametrize("database", all_blocks("resource", "aws_db_instance"), ids=lambda block: block.name)
def test_databases_are_private_and_encrypted(database: Block):
    assert database.value("storage_encrypted") == "true"
    assert database.value("kms_key_id") == "var.key_arn"
    assert database.value("publicly_accessible") == "false"
    assert database.value("deletion_protection") == "var.is_protected"
    assert database.value("password") is None


def test_mysql_stands_in_two_zones_and_has_what_the_sync_demands():
    module = next(block for block in all_blocks("resource", "aws_db_instance", "this") if "mysql" in block.body)
    text = TEXT[module.path]
    parameters = dict(re.findall(r'^    (\w+)\s+= "(.*)"$', text, re.MULTILINE))

    assert module.value("multi_az") == "true"
    assert parameters["require_secure_transport"] == "ON"
    assert parameters["local_infile"] == "1"
    assert parameters["character_set_server"] == "utf8mb4"
    assert parameters["collation_server"] == "utf8mb4_bin"
    assert set(parameters["sql_mode"].split(",")) == set(SQL_MODE.split(","))
    assert parameters["tls_version"] == "TLSv1.2,TLSv1.3"


def test_buckets_are_all_of_the_one_module():
    assert [block.path.parent.name for block in all_blocks("resource", "aws_s3_bucket")] == ["bucket"]


def test_buckets_refuse_plain_http():
    document = next(
        block for block in all_blocks("data", "aws_iam_policy_document") if block.path.parent.name == "bucket"
    )
    refused = [statement for statement in document.inner("statement") if statement.value("effect") == '"Deny"']

    assert [statement.inner("condition")[0].value("variable") for statement in refused] == [
        '"aws:SecureTransport"',
        '"s3:TlsVersion"',
    ]


def test_the_load_balancer_speaks_tls_only():
    listeners = all_blocks("resource", "aws_lb_listener")

    assert [listener.value("protocol") for listener in listeners] == ['"HTTPS"']
    assert [listener.value("ssl_policy") for listener in listeners] == ['"ELBSecurityPolicy-TLS13-1-2-2021-06"']


def defaults() -> dict[str, str | None]:
    return {block.words[1]: block.value("default") for block in all_blocks("variable") if block.path.parent == AWS}


def test_the_name_of_the_secret_and_its_ninety_days():
    main = TEXT[AWS / "main.tf"]

    assert 'secret_prefix = "baby-names/${var.environment}"' in main
    assert re.search(r"^      hubspot +=.*HUBSPOT_API_KEY", main, re.MULTILINE)
    assert defaults()["environment"] == '"prod"'
    assert defaults()["rotation_days"] == "90"


def test_the_image_reads_connections_with_the_backend_that_says_what_is_wrong():
    from include.hubspot_sync.orchestration.secrets_backend import CONNECTIONS, WORDS, ConnectionSecrets

    compute, main = TEXT[AWS / "compute.tf"], TEXT[AWS / "main.tf"]

    name = f"{ConnectionSecrets.__module__}.{ConnectionSecrets.__qualname__}"
    assert f'AIRFLOW__SECRETS__BACKEND                = "{name}"' in compute
    names = re.search(r"connection_names = \[(.*)\]", main)
    assert names
    # the role of the pods is the credential for AWS
    assert {*re.findall(r'"(\w+)"', names[1])} == {*CONNECTIONS} - {"aws"}
    words = "{ " + ", ".join(f"{field} = {json.dumps(more)}" for field, more in WORDS.items()) + " }"
    assert f"extra_conn_words           = {words}" in compute


def test_values_of_secrets_never_pass_terraform():
    assert all_blocks("resource", "aws_secretsmanager_secret_version") == []


@pytest.mark.parametrize("block", [*all_blocks("variable"), *all_blocks("output")], ids=lambda block: block.name)
def test_every_variable_and_output_is_described(block: Block):
    assert re.fullmatch(r'"[A-Z].*\."', block.value("description") or "")


def test_every_log_group_is_encrypted_and_ends():
    groups = all_blocks("resource", "aws_cloudwatch_log_group")

    assert len(groups) > 4
    assert [
        group.name for group in groups if not group.value("kms_key_id") or not group.value("retention_in_days")
    ] == []


def test_every_module_is_used():
    used = {(block.value("source") or "").strip('"').rpartition("/")[2] for block in all_blocks("module")}

    assert used == {path.name for path in (AWS / "modules").iterdir()}


def test_every_function_that_terraform_names_is_there(tmp_path: Path):
    uses = [block for block in all_blocks("module") if block.value("source") == '"../function"']
    packages = {f"{name}.zip": pack(name, tmp_path) for name in names()}

    assert len(uses) == 3
    for use in uses:
        module, _, function = (use.value("handler") or "").strip('"').rpartition(".")
        with zipfile.ZipFile(packages[(use.value("package") or "").strip('"').rpartition("/")[2]]) as package:
            assert f"{module.replace('.', '/')}.py" in package.namelist()
        assert callable(getattr(importlib.import_module(module), function))


def test_the_same_code_gives_the_same_package(tmp_path: Path):
    for name in names():
        assert pack(name, tmp_path / "one").read_bytes() == pack(name, tmp_path / "two").read_bytes()


def test_functions_need_only_what_lambda_has():
    outside = {
        line
        for path in (AWS / "functions").rglob("*.py")
        for line in re.findall(r"^\s*(?:import|from) ([a-z_0-9]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    standard = {
        "__future__",
        "collections",
        "dataclasses",
        "datetime",
        "http",
        "json",
        "logging",
        "os",
        "typing",
        "urllib",
    }

    assert outside - standard == {"boto3", *names()}


def test_a_block_inside_a_block_is_found():
    inner = blocks_of("a {\n  b {\n    c = 1\n  }\n}\n", AWS / "main.tf")[0].inner("b")

    assert [block.value("c") for block in inner] == ["1"]
