"""Landing in S3, on an in-process S3; what S3 refuses is shown by prepared errors."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.response import StreamingBody
from moto import mock_aws

from include.hubspot_sync.errors import ConfigError, SourceDataError, SourceUnavailableError
from include.hubspot_sync.source.landing import Landing, LandingKeys, Manifest, client_config, sha256_of

BUCKET = "landing"
CONTENT = b"YearOfBirth,Name,Sex,Number\n1880,Mary,F,7065\n"
KEYS = LandingKeys.of("owner/names", 2, "names.csv")


def manifest_of(content: bytes = CONTENT, **changes: object) -> Manifest:
    manifest = Manifest(
        dataset="owner/names",
        version=2,
        last_updated="2023-11-01T00:00:00.1234567Z",
        file="names.csv",
        key=KEYS.data,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        source_md5="0" * 32,
        source_etag='"e"',
        source_generation="17",
        created_at="2026-01-01T00:00:00+00:00",
        run="manual__1",
    )
    return dataclasses.replace(manifest, **changes)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    import boto3

    with mock_aws():
        made = boto3.client("s3", region_name="us-east-1", config=client_config())
        made.create_bucket(Bucket=BUCKET)
        yield made


@pytest.fixture
def landing(client: Any) -> Landing:
    return Landing(client, BUCKET)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "names.csv"
    path.write_bytes(CONTENT)
    return path


def test_keys_carry_dataset_and_version():
    assert KEYS.data == "raw/kaggle/dataset=owner__names/version=00002/names.csv"
    assert KEYS.manifest == "raw/kaggle/dataset=owner__names/version=00002/_manifest.json"


def test_landed_file_comes_back_unchanged(landing: Landing, file: Path, tmp_path: Path):
    landed = landing.land(file, manifest_of())

    manifest = landing.read_manifest(KEYS.manifest)
    landing.fetch_to_file(manifest, tmp_path / "copy")
    assert manifest == landed == manifest_of()
    assert (tmp_path / "copy").read_bytes() == CONTENT


def test_data_is_written_before_its_manifest(landing: Landing, file: Path, client: Any):
    written: list[str] = []
    client.meta.events.register("before-call.s3.PutObject", lambda params, **_: written.append(params["url_path"]))

    landing.land(file, manifest_of())

    assert [path.rpartition("/")[2] for path in written] == ["names.csv", "_manifest.json"]


def test_data_carries_its_full_checksum(landing: Landing, file: Path, client: Any):
    sent: list[dict[str, Any]] = []
    client.meta.events.register("provide-client-params.s3.PutObject", lambda params, **_: sent.append(params))

    landing.land(file, manifest_of())

    data, manifest = sent
    assert base64.b64decode(data["ChecksumSHA256"]).hex() == manifest_of().sha256
    assert data["Metadata"] == {"sha256": manifest_of().sha256}
    assert manifest["IfNoneMatch"] == "*"


def test_landing_the_same_bytes_again_changes_nothing(landing: Landing, file: Path, client: Any):
    landing.land(file, manifest_of())
    before = client.head_object(Bucket=BUCKET, Key=KEYS.data)["LastModified"]

    again = landing.land(file, manifest_of(run="manual__2"))

    assert again.run == "manual__1"
    assert client.head_object(Bucket=BUCKET, Key=KEYS.data)["LastModified"] == before


def test_same_version_with_other_bytes_is_refused_and_the_data_stays(landing: Landing, file: Path, client: Any):
    landing.land(file, manifest_of())
    file.write_bytes(b"other")

    with pytest.raises(SourceDataError, match="version 2 was landed before with other bytes"):
        landing.land(file, manifest_of(b"other"))

    assert client.get_object(Bucket=BUCKET, Key=KEYS.data)["Body"].read() == CONTENT


def racing(landing: Landing, client: Any, rival: Manifest) -> None:
    """Let another writer put its manifest just before ours."""

    def put_first(params: dict[str, Any], **_: object) -> None:
        if params["url_path"].endswith("_manifest.json") and not seen:
            seen.append(True)
            client.put_object(Bucket=BUCKET, Key=KEYS.manifest, Body=rival.to_json())

    seen: list[bool] = []
    client.meta.events.register("before-call.s3.PutObject", put_first)


def test_race_with_an_equal_writer_is_a_success(landing: Landing, file: Path, client: Any):
    racing(landing, client, manifest_of(run="rival"))

    assert landing.land(file, manifest_of()).run == "rival"


def test_race_with_another_file_is_refused(landing: Landing, file: Path, client: Any):
    racing(landing, client, manifest_of(b"other"))

    with pytest.raises(SourceDataError, match="with other bytes"):
        landing.land(file, manifest_of())


def test_data_without_manifest_does_not_exist(landing: Landing, client: Any, file: Path):
    client.put_object(Bucket=BUCKET, Key=KEYS.data, Body=b"left by a crash")

    assert landing.read_manifest(KEYS.manifest) is None
    landing.land(file, manifest_of())
    assert client.get_object(Bucket=BUCKET, Key=KEYS.data)["Body"].read() == CONTENT


def test_encryption_key_is_used_for_both_objects(client: Any, file: Path):
    import boto3

    key_id = boto3.client("kms", region_name="us-east-1").create_key()["KeyMetadata"]["KeyId"]

    Landing(client, BUCKET, kms_key_id=key_id).land(file, manifest_of())

    for key in (KEYS.data, KEYS.manifest):
        head = client.head_object(Bucket=BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"].rpartition("/")[2]) == ("aws:kms", key_id)


def test_overwritten_object_is_refused_and_no_copy_stays(landing: Landing, file: Path, client: Any, tmp_path: Path):
    manifest = landing.land(file, manifest_of())
    client.put_object(Bucket=BUCKET, Key=KEYS.data, Body=CONTENT.replace(b"Mary", b"Anna"))

    with pytest.raises(SourceDataError, match="sha256 differs"):
        landing.fetch_to_file(manifest, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_missing_object_is_named(landing: Landing, tmp_path: Path):
    with pytest.raises(SourceDataError, match=r"names\.csv at https://.* the object does not exist"):
        landing.fetch_to_file(manifest_of(), tmp_path / "copy")


def test_copy_into_a_missing_folder_is_named(landing: Landing, file: Path, tmp_path: Path):
    manifest = landing.land(file, manifest_of())

    with pytest.raises(SourceDataError, match="cannot be written"):
        landing.fetch_to_file(manifest, tmp_path / "missing" / "copy")


def test_missing_bucket_says_what_to_set(client: Any, file: Path):
    with pytest.raises(ConfigError, match=r"s3://elsewhere/.*connection aws.*service_config\.s3\.bucket_name"):
        Landing(client, "elsewhere").land(file, manifest_of())


def test_file_beyond_one_request_is_refused(landing: Landing, file: Path):
    with pytest.raises(SourceDataError, match="larger than one S3 request"):
        landing.land(file, manifest_of(size_bytes=6 << 30))


def test_unreachable_s3_names_address_and_connection(file: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    import boto3

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        config = client_config().merge(type(client_config())(retries={"total_max_attempts": 1}))
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", config=config)

        with pytest.raises(SourceUnavailableError, match=rf"at {address} \(connection aws\): no complete answer"):
            Landing(client, BUCKET).land(file, manifest_of())


class Meta:
    endpoint_url = "https://s3.example"


class FailingClient:
    """An S3 client whose every call fails."""

    meta = Meta()

    def __init__(self, error: Exception) -> None:
        self._error = error

    def put_object(self, **kwargs: object) -> Any:
        raise self._error

    def get_object(self, **kwargs: object) -> Any:
        raise self._error


def refusal(code: str, status: int) -> boto.ClientError:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, "GetObject")


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (refusal("AccessDenied", 403), ConfigError, "allow s3:GetObject"),
        (refusal("InvalidAccessKeyId", 403), ConfigError, "access key is unknown"),
        (refusal("SignatureDoesNotMatch", 403), ConfigError, "secret key is wrong"),
        (refusal("ExpiredToken", 400), ConfigError, "has expired"),
        (refusal("PermanentRedirect", 301), ConfigError, "region_name"),
        (refusal("Strange", 400), ConfigError, "refused with Strange"),
        (refusal("SlowDown", 503), SourceUnavailableError, "try again later"),
        (refusal("InternalError", 500), SourceUnavailableError, "try again later"),
        (refusal("", 502), SourceUnavailableError, "answered 502"),
        (refusal("BadDigest", 400), SourceUnavailableError, "damaged on the way"),
        (refusal("ConditionalRequestConflict", 409), SourceUnavailableError, "another write"),
        (boto.NoCredentialsError(), ConfigError, "no credentials"),
        (boto.ReadTimeoutError(endpoint_url="x"), SourceUnavailableError, "ReadTimeoutError"),
        (boto.ParamValidationError(report="x"), ConfigError, "ParamValidationError"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else None,
)
def test_errors_of_s3_say_what_to_do(error: Exception, expected: type[Exception], message: str):
    landing = Landing(FailingClient(error), BUCKET, "aws_other")

    with pytest.raises(expected, match=message) as caught:
        landing.read_manifest(KEYS.manifest)

    assert "https://s3.example (connection aws_other)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_body_that_breaks_off_may_be_read_again(tmp_path: Path):
    class Client(FailingClient):
        def get_object(self, **kwargs: object) -> Any:
            return {"Body": StreamingBody(io.BytesIO(CONTENT[:10]), len(CONTENT))}

    with pytest.raises(SourceUnavailableError, match="no complete answer"):
        Landing(Client(Exception()), BUCKET).fetch_to_file(manifest_of(), tmp_path / "copy")


def test_manifest_survives_its_way_through_json():
    assert Manifest.from_json(manifest_of().to_json(), "key") == manifest_of()


def test_fields_that_a_newer_version_added_are_ignored():
    text = manifest_of().to_json().replace("{", '{"later": 1,', 1)

    assert Manifest.from_json(text, "key") == manifest_of()


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{", manifest_of(sha256="zz").to_json()])
def test_damaged_manifest_names_its_key(text: str):
    with pytest.raises(SourceDataError, match="key: the manifest is damaged"):
        Manifest.from_json(text, "key")


def test_client_waits_for_a_limited_time():
    config = client_config()

    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.retries["total_max_attempts"] <= 3


def test_digest_of_a_file(file: Path):
    assert sha256_of(file) == hashlib.sha256(CONTENT).hexdigest()
