"""The erase command on everything real: portal, bucket, tables; and what later runs make of an erased person."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.hubspot_sync.orchestration.erase import main
from include.hubspot_sync.records import record_key
from tests.support.airflow_runs import SMALL_CONTACTS, SyncStack, expected_contacts, mapped
from tests.support.table_texts import tables_with
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.revision import next_version

pytestmark = pytest.mark.integration


def s3_client() -> tuple[Any, str]:
    import boto3
    from botocore.config import Config

    connection = json.loads(os.environ["AIRFLOW_CONN_AWS"])
    extra = connection["extra"]
    client = boto3.client(
        "s3",
        endpoint_url=extra["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id=connection["login"],
        aws_secret_access_key=connection["password"],
        config=Config(s3={"addressing_style": "path"}),
    )
    return client, extra["service_config"]["s3"]["bucket_name"]


def landed_texts() -> list[str]:
    """Return the content of every version of every object in the bucket."""
    client, bucket = s3_client()
    entries = client.list_object_versions(Bucket=bucket).get("Versions", [])
    return [
        client.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])["Body"].read().decode()
        for entry in entries
    ]


@pytest.fixture
def source_file(small_source_file: Path) -> Path:
    return small_source_file


def someone(path: Path) -> tuple[str, str]:
    """Return key and name of a person whose name is in no other one, so that a search finds nobody else."""
    people = sorted((key, contact["firstname"]) for key, contact in expected_contacts(path).items())
    return next(
        (key, name)
        for key, name in people
        if len(name) > 5 and sum(name.lower() in other.lower() for _, other in people) == 1
    )


@pytest.mark.usefixtures("no_waits")
def test_person_is_gone_everywhere_and_stays_gone(
    stack: SyncStack, source_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    client, bucket = s3_client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert stack.run().state == "success"
    key, name = someone(source_file)
    assert tables_with(stack.schema, name) >= {"ledger", "snapshot", "outbox", "staging_baby_names"}
    assert any(name in text for text in landed_texts())

    assert main([key.upper(), "--reason", "ticket 17", "--actor", "ann"]) == 0

    printed = capsys.readouterr().out
    assert "contacts 1\n" in printed
    assert "landed_files 1\n" in printed
    assert name not in printed
    assert key not in stack.contacts()
    assert not any(name in text for text in landed_texts())
    assert tables_with(stack.schema, name, key) == set()
    audited = stack.query("SELECT actor, target FROM audit_event WHERE action = 'erase'")
    assert audited == [("ann", record_key(key).hex())]

    # the next version of the dataset has the person again
    version2 = tmp_path / "version2.csv"
    write_csv(next_version(read_csv(source_file), 5, new=0, changed=0.05, removed=0), version2)
    stack.new_version(path=version2)
    result = stack.run()

    assert result.state == "success"
    check_counts(result.summary, version2, name)
    left = expected_contacts(version2)
    del left[key]
    assert mapped(stack.contacts()) == left
    assert tables_with(stack.schema, name, key) == set()
    check_merged_contact_is_left_alone(stack, capsys)


def check_counts(summary: dict[str, Any], path: Path, name: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert summary["suppressed_lines"] == sum(f",{name}," in line for line in lines) > 0
    assert summary["source_rows"] == len(lines) - 1
    assert summary["records"] == summary["updated"] + summary["unchanged"] == SMALL_CONTACTS - 1
    assert summary["created"] == summary["open"] == summary["archived"] == 0


def check_merged_contact_is_left_alone(stack: SyncStack, capsys: pytest.CaptureFixture[str]) -> None:
    """Deleting it would delete somebody else as well."""
    (first, id_1), (_, id_2) = stack.query("SELECT key_text, hubspot_id FROM ledger ORDER BY key_text LIMIT 2")
    headers = {"Authorization": "Bearer pat-sim-full-access"}
    body = {"primaryObjectId": str(id_1), "objectIdToMerge": str(id_2)}
    url = f"{stack.hubspot_url}/crm/objects/2026-09/contacts/merge"
    httpx.post(url, json=body, headers=headers).raise_for_status()

    assert main([first, "--reason", "ticket 18"]) == 1

    assert "holds other contacts that were merged into it" in capsys.readouterr().err
    assert first in stack.contacts()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([" ", "--reason", "r"], "the key is empty"), (["k", "--reason", "r", "--sync", "x"], "no definition named x")],
)
def test_wrong_orders_are_refused(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 1
    assert says in capsys.readouterr().err
