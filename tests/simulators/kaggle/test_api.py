"""The dataset API: both request forms, credentials, unknown things, and the download up to the file."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile

import httpx
import pytest

from tools.kaggle_simulator.dataset import csv_chunks
from tools.kaggle_simulator.generator import Profile, make_profile

DATASET = "thedevastator/us-baby-names-by-year-of-birth"
FILE = "babyNamesUSYOB-full.csv"
BEARER = {"Authorization": "Bearer KGAT_kaggle_simulator_token"}
RPC_METHODS = [
    "GetDataset", "GetDatasetStatus", "GetDatasetMetadata", "GetDatasetFilesSummary", "ListDatasetFiles",
    "ListTreeDatasetFiles",
]  # fmt: skip


def basic(pair: str) -> dict:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@pytest.fixture(scope="module")
def version_1() -> bytes:
    return b"".join(csv_chunks(make_profile(Profile.SMALL, 1)))


def test_dataset_names_its_current_version(sim, version_1):
    answer = sim.call("GetDataset").json()

    assert answer["ref"] == DATASET
    assert answer["currentVersionNumber"] == 1
    assert answer["totalBytes"] == len(version_1)
    assert answer["isPrivate"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", answer["lastUpdated"])
    assert answer["versions"] == [
        {
            "versionNumber": 1,
            "creationDate": answer["lastUpdated"],
            "versionNotes": "generated",
            "status": "READY",
        }
    ]


def test_file_list_names_the_file_with_its_columns(sim, version_1):
    [file] = sim.call("ListDatasetFiles", datasetVersionNumber=1).json()["datasetFiles"]

    assert (file["name"], file["totalBytes"], file["fileType"]) == (FILE, len(version_1), ".csv")
    assert [column["name"] for column in file["columns"]] == ["YearOfBirth", "Name", "Sex", "Number"]


def test_status_is_ready(sim):
    assert sim.call("GetDatasetStatus").json() == {"status": "READY"}


@pytest.mark.parametrize("method", RPC_METHODS)
def test_both_prefixes_give_the_same_answer(sim, method):
    answers = [sim.call(method, prefix=prefix) for prefix in ("/v1", "/api/v1")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("verb", "method"),
    [
        ("view", "GetDataset"),
        ("list", "ListDatasetFiles"),
        ("status", "GetDatasetStatus"),
        ("metadata", "GetDatasetMetadata"),
    ],
)
def test_rest_form_answers_like_the_rpc_form(sim, verb, method):
    rest = sim.http.get(f"{sim.url}/api/v1/datasets/{verb}/{DATASET}", headers=BEARER)

    assert rest.status_code == 200
    assert rest.json() == sim.call(method).json()


@pytest.mark.parametrize("suffix", ["", f"/{FILE}"], ids=["bundle", "file"])
def test_rest_download_redirects_to_the_storage(sim, suffix):
    answer = sim.http.get(f"{sim.url}/api/v1/datasets/download/{DATASET}{suffix}", headers=BEARER)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"http://127.0.0.1:{sim.storage_port}/kaggle-data-sets/1/")


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("GetDataset", {"ownerSlug": "nobody"}),
        ("GetDataset", {"datasetSlug": "nothing"}),
        ("ListDatasetFiles", {"datasetVersionNumber": 999}),
        ("DownloadDataset", {"datasetVersionNumber": 999}),
        ("DownloadDataset", {"fileName": "other.csv"}),
        ("DeleteDataset", {}),
    ],
    ids=["owner", "dataset", "version", "version of a download", "file", "method"],
)
def test_unknown_things_are_404_in_json(sim, method, body):
    answer = sim.call(method, **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == 404
    assert answer.json()["message"]


@pytest.mark.parametrize("path", ["/", "/v1/other", "/api/v1/datasets/delete/a/b"])
def test_unknown_routes_are_404_in_json(sim, path):
    answer = sim.http.get(sim.url + path, headers=BEARER)

    assert (answer.status_code, answer.json()["code"]) == (404, 404)


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_body_that_is_no_json_object_is_400(sim, body):
    answer = sim.http.post(f"{sim.url}/v1/datasets.DatasetApiService/GetDataset", content=body, headers=BEARER)

    assert (answer.status_code, answer.json()["code"]) == (400, 400)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (BEARER, 200),
        (basic("simulator:kaggle-simulator-key"), 200),
        ({"Authorization": "Bearer KGAT_wrong"}, 401),
        (basic("simulator:wrong"), 401),
        ({}, 401),
    ],
    ids=["token", "user and key", "wrong token", "wrong key", "none"],
)
def test_credentials(sim, headers, status):
    answer = sim.call("GetDataset", headers=headers)

    assert answer.status_code == status
    assert answer.json().get("code", 200) == status


def test_anonymous_requests_can_be_allowed_but_a_wrong_token_stays_wrong(sim):
    sim.control(anonymous=True)

    assert sim.call("GetDataset", headers={}).status_code == 200
    assert sim.call("GetDataset", headers={"Authorization": "Bearer KGAT_wrong"}).status_code == 401


def test_replaced_token_is_401(sim):
    sim.control(token="KGAT_newer")

    assert sim.call("GetDataset").status_code == 401
    assert sim.call("GetDataset", headers={"Authorization": "Bearer KGAT_newer"}).status_code == 200


@pytest.mark.parametrize(("token", "active"), [("KGAT_kaggle_simulator_token", True), ("KGAT_wrong", False)])
def test_token_can_be_introspected(sim, token, active):
    path = "/v1/security.OAuthService/IntrospectToken"
    answer = sim.http.post(sim.url + path, json={"token": token}).json()

    assert answer["active"] is active
    assert answer.get("username") == ("simulator" if active else None)


@pytest.mark.parametrize("body", [{"raw": True}, {"raw": "true"}])
def test_plain_file_is_what_the_generator_makes(sim, version_1, body):
    answer = sim.download(**body)

    assert answer.content == version_1
    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("body", [{}, {"fileName": ""}], ids=["file", "bundle"])
def test_zip_holds_the_file_and_nothing_else(sim, version_1, body):
    answer = sim.download(**body)

    assert answer.content.startswith(b"PK\x03\x04")
    assert answer.url.path.endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [FILE]
        assert archive.read(FILE) == version_1


def test_single_file_can_be_delivered_plain(sim, version_1):
    sim.control(zip=False)

    assert sim.download().content == version_1


def test_redirect_leaves_the_credentials_behind(sim):
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        answer = client.post(
            f"{sim.url}/v1/datasets.DatasetApiService/DownloadDataset",
            json={"ownerSlug": DATASET.split("/", maxsplit=1)[0], "datasetSlug": DATASET.split("/")[1]},
            headers=BEARER,
        )

    assert answer.status_code == 200
    assert hashlib.md5(answer.content, usedforsecurity=False).hexdigest() == answer.headers["etag"].strip('"')
    api, storage = sim.requests()
    assert (api["port"], api["headers"]["authorization"]) == (sim.port, "Bearer ***")
    assert (storage["port"], storage["headers"].get("authorization")) == (sim.storage_port, None)


def test_health_is_open_and_not_logged(sim):
    for port in (sim.port, sim.storage_port):
        answer = sim.http.get(f"http://127.0.0.1:{port}/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")

    assert sim.requests() == []
