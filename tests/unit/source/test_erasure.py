"""A person's lines leave every landed file and every old version of it; what is left is the file as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from include.hubspot_sync.config import SYNCS_DIR, load_definition
from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.erasure import LandedErasure, erase_from_landing
from include.hubspot_sync.source.landing import Landing, LandingKeys, Manifest, client_config

DEFINITION = load_definition(SYNCS_DIR / "baby_names.yaml")
SOURCE, RECORD = DEFINITION.source, DEFINITION.record
BUCKET, KEY = "landing", "mary-f"
HEADER = b"YearOfBirth,Name,Sex,Number\n"
KEPT = b"1880,Anna,F,2604\n1880,Mary,M,27\n1880,Maryann,F,5\n"
CONTENT = (
    HEADER
    + b"1880,Mary,F,7065\n1880,Anna,F,2604\n1880,Mary,M,27\r\n"
    + b'"1881","MARY","F",6919\n'  # another spelling of the same key
    + b"1882,Mary,F,8148\n1882,Mary,F,8148\n"  # a repeated line
    + b"1883,Mary,F,many\n"  # a refused line
    + b"1880,Maryann,F,5\n"
    + b'1884,"Mary",F,"1\n2"\n'  # a refused line that goes over two
)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    import boto3

    with mock_aws():
        made = boto3.client("s3", region_name="us-east-1", config=client_config())
        made.create_bucket(Bucket=BUCKET)
        made.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield made


@pytest.fixture
def landing(client: Any) -> Landing:
    return Landing(client, BUCKET)


def land(landing: Landing, folder: Path, version: int, content: bytes) -> Manifest:
    keys = LandingKeys.of(SOURCE.dataset, version, SOURCE.file)
    path = folder / f"version{version}.csv"
    path.write_bytes(content)
    manifest = Manifest(
        dataset=SOURCE.dataset,
        version=version,
        last_updated="2026-01-01",
        file=SOURCE.file,
        key=keys.data,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        source_md5="",
        source_etag="",
        source_generation="",
        created_at="2026-01-01T00:00:00+00:00",
        run="manual__1",
    )
    return landing.land(path, manifest)


def erase(landing: Landing, folder: Path, key: str = KEY) -> LandedErasure:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    done = erase_from_landing(landing, SOURCE, RECORD, key, scratch)
    assert list(scratch.iterdir()) == []
    return done


def everything(client: Any) -> list[bytes]:
    """Return the content of every version of every object."""
    entries = client.list_object_versions(Bucket=BUCKET)["Versions"]
    return [
        client.get_object(Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"])["Body"].read()
        for entry in entries
    ]


def test_person_leaves_every_version_and_everybody_else_stays(landing: Landing, client: Any, tmp_path: Path):
    before = land(landing, tmp_path, 1, CONTENT)
    untouched = land(landing, tmp_path, 2, HEADER + KEPT)

    done = erase(landing, tmp_path)

    assert done == LandedErasure(files=1, lines=7, old_versions=2)
    now = landing.read_manifest(LandingKeys.of(SOURCE.dataset, 1, SOURCE.file).manifest)
    assert now is not None
    assert (now.predecessor_sha256, now.erased_lines, now.version) == (before.sha256, 7, 1)
    assert (now.last_updated, now.run) == (before.last_updated, "erase")
    landing.fetch_to_file(now, tmp_path / "fetched.csv")
    assert (tmp_path / "fetched.csv").read_bytes() == HEADER + KEPT
    assert landing.read_manifest(LandingKeys.of(SOURCE.dataset, 2, SOURCE.file).manifest) == untouched
    contents = everything(client)
    assert len(contents) == 4
    assert [content for content in contents if b"7065" in content or b"MARY" in content] == []


def test_second_erasure_finds_nothing_and_another_person_makes_a_chain(landing: Landing, tmp_path: Path):
    land(landing, tmp_path, 1, CONTENT)
    erase(landing, tmp_path)
    first = landing.read_manifest(LandingKeys.of(SOURCE.dataset, 1, SOURCE.file).manifest)
    assert first is not None

    assert erase(landing, tmp_path) == LandedErasure(0, 0, 0)
    assert erase(landing, tmp_path, "anna-f").lines == 1

    second = landing.read_manifest(LandingKeys.of(SOURCE.dataset, 1, SOURCE.file).manifest)
    assert second is not None
    assert (second.predecessor_sha256, second.erased_lines) == (first.sha256, 8)


def break_off_before_the_file(landing: Landing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Landing, "replace_data", die)
        with pytest.raises(RuntimeError):
            erase(landing, folder)


def test_erasure_that_broke_off_is_completed_by_the_next(
    landing: Landing, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    land(landing, tmp_path, 1, CONTENT)
    break_off_before_the_file(landing, tmp_path, monkeypatch)
    manifest = landing.read_manifest(LandingKeys.of(SOURCE.dataset, 1, SOURCE.file).manifest)
    assert manifest is not None
    with pytest.raises(SourceDataError, match="not the landed one"):
        landing.fetch_to_file(manifest, tmp_path / "fetched.csv")

    with pytest.raises(SourceDataError, match="somebody else broke off"):
        erase(landing, tmp_path, "anna-f")
    assert erase(landing, tmp_path).lines == 7

    landing.fetch_to_file(manifest, tmp_path / "fetched.csv")
    assert (tmp_path / "fetched.csv").read_bytes() == HEADER + KEPT
    assert [content for content in everything(client) if b"7065" in content] == []


def test_object_that_is_not_the_landed_one_is_left_alone(landing: Landing, client: Any, tmp_path: Path):
    manifest = land(landing, tmp_path, 1, CONTENT)
    client.put_object(Bucket=BUCKET, Key=manifest.key, Body=b"something else")

    with pytest.raises(SourceDataError, match="not the landed one"):
        erase(landing, tmp_path)


def test_more_versions_than_one_page_are_all_deleted(
    landing: Landing, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    land(landing, tmp_path, 1, CONTENT)
    list_versions = client.list_object_versions
    monkeypatch.setattr(client, "list_object_versions", lambda **order: list_versions(**order, MaxKeys=1))

    assert erase(landing, tmp_path).old_versions == 2

    monkeypatch.undo()
    assert len(everything(client)) == 2
