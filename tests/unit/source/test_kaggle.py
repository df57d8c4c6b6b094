"""The Kaggle client against scripted API and storage servers on loopback."""

from __future__ import annotations

import hashlib
import io
import resource
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from include.hubspot_sync.errors import ConfigError, SourceDataError, SourceUnavailableError
from include.hubspot_sync.source.http_exchange import RetryPolicy, Timeouts
from include.hubspot_sync.source.kaggle import (
    DatasetFile,
    DatasetVersion,
    DownloadedFile,
    KaggleAuthError,
    KaggleClient,
    KaggleForbiddenError,
    KaggleIntegrityError,
    KaggleNotFoundError,
    KaggleRateLimitedError,
    KaggleServerError,
)
from include.hubspot_sync.source.kaggle_download import CHUNK_BYTES
from tests.unit.source.scripted_server import (
    Answer,
    Script,
    file_answer,
    json_answer,
    redirect,
    rest_answer,
    scripted_server,
)

DATASET = "owner/names"
FILE = "names.csv"
BODY = b"YearOfBirth,Name,Sex,Number\n" + b"1880,Mary,F,7065\n" * 20_000
CUT = 2 * CHUNK_BYTES
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
HTML = b"<!DOCTYPE html><html><title>Sign in</title></html>"
HTML_HINT = "got HTML instead of CSV: check the kaggle credentials and dataset access"


def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = "Bearer KGAT_canary"
    return request


@dataclass
class Kaggle:
    """The client and both servers."""

    api: Script
    storage: Script
    folder: Path
    waits: list[float] = field(default_factory=list)
    client: KaggleClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.make_client()

    def make_client(self, **changes: object) -> KaggleClient:
        def session() -> requests.Session:
            made = requests.Session()
            made.auth = bearer
            return made

        settings = {
            "base_url": self.api.url,
            "timeouts": Timeouts(connect_s=2, read_s=0.3),
            "retry": RetryPolicy(sleep=self.waits.append),
        }
        return KaggleClient(DATASET, session, **{**settings, **changes})

    def link(self, path: str = "/kaggle-data-sets/2/names.csv?X-Goog-Signature=canary") -> Answer:
        return redirect(self.storage.url + path)

    def download(self) -> DownloadedFile:
        return self.client.download_file(2, FILE, self.folder)


@pytest.fixture
def kaggle(tmp_path: Path) -> Iterator[Kaggle]:
    with scripted_server() as api, scripted_server() as storage:
        yield Kaggle(api, storage, tmp_path)


def test_version_costs_one_request_with_the_names_in_its_body(kaggle: Kaggle):
    kaggle.api.will(
        json_answer(
            {
                "currentVersionNumber": 2,
                "lastUpdated": "2023-11-01T00:00:00.1234567Z",
                "totalBytes": 39,
                "versions": [
                    {"versionNumber": 1, "status": "FAILED"},
                    {"versionNumber": 2, "status": "DATABUNDLE_VERSION_STATUS_READY"},
                ],
            }
        )
    )

    version = kaggle.client.get_dataset_version()

    assert version == DatasetVersion(2, "2023-11-01T00:00:00.1234567Z", 39, "ready")
    assert version.is_ready
    (asked,) = kaggle.api.asked
    assert asked.path == "/v1/datasets.DatasetApiService/GetDataset"
    assert asked.json == {"ownerSlug": "owner", "datasetSlug": "names"}
    assert kaggle.waits == []


@pytest.mark.parametrize(
    ("versions", "status", "is_ready"),
    [
        ([], "", True),
        ([{"versionNumber": 2, "status": "ready"}], "ready", True),
        ([{"versionNumber": 2, "status": "REPROCESSING"}], "reprocessing", False),
        ([{"versionNumber": 1, "status": "REPROCESSING"}], "", True),
    ],
    ids=["unknown", "lower-case", "not-ready", "of-another-version"],
)
def test_version_tells_whether_it_is_ready(kaggle: Kaggle, versions, status, is_ready):
    kaggle.api.will(json_answer({"currentVersionNumber": 2, "versions": versions}))

    version = kaggle.client.get_dataset_version()

    assert (version.status, version.is_ready, version.total_bytes) == (status, is_ready, None)


VERSIONS = [{"versionNumber": 1, "creationDate": "2023-10-01T00:00:00Z", "status": "READY"}, {"versionNumber": 2}]


def test_older_version_is_the_one_that_was_asked_for(kaggle: Kaggle):
    kaggle.api.will(json_answer({"currentVersionNumber": 2, "lastUpdated": "x", "versions": VERSIONS}))

    version = kaggle.client.get_dataset_version(1)

    assert version == DatasetVersion(1, "2023-10-01T00:00:00Z", None, "ready", is_newest=False)


def test_version_that_does_not_exist_is_named_with_the_known_ones(kaggle: Kaggle):
    kaggle.api.will(json_answer({"currentVersionNumber": 2, "versions": VERSIONS}))

    with pytest.raises(KaggleNotFoundError, match="no version 7 of owner/names: correct dataset_version; known: 1, 2"):
        kaggle.client.get_dataset_version(7)


def test_status_is_read_without_case_and_prefix(kaggle: Kaggle):
    kaggle.api.will(json_answer({"status": "READY"}), json_answer({"status": "STATUS_READY"}), json_answer({}))

    assert [kaggle.client.get_status() for _ in range(3)] == ["ready", "ready", ""]


def test_files_of_all_pages_are_listed(kaggle: Kaggle):
    kaggle.api.will(
        json_answer({"datasetFiles": [{"name": "a.csv", "totalBytes": "5"}], "nextPageToken": "p2"}),
        json_answer({"datasetFiles": [{"name": "b.csv"}]}),
    )

    files = kaggle.client.list_files(2)

    assert files == (DatasetFile("a.csv", 5), DatasetFile("b.csv", None))
    assert [asked.json.get("pageToken") for asked in kaggle.api.asked] == [None, "p2"]
    assert {asked.json["datasetVersionNumber"] for asked in kaggle.api.asked} == {2}


def test_list_that_carries_an_error_is_tried_again(kaggle: Kaggle):
    kaggle.api.will(json_answer({"errorMessage": "no"}), json_answer({"datasetFiles": [{"name": "a.csv"}]}))

    assert kaggle.client.list_files(2) == (DatasetFile("a.csv", None),)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (json_answer({"code": 401, "message": "no"}, 401), KaggleAuthError, "replaced by a newer one"),
        (Answer(401, HTML, {"Content-Type": "text/html"}), KaggleAuthError, "token of the connection kaggle"),
        (json_answer({"code": 403}, 403), KaggleForbiddenError, "private or its terms"),
        (json_answer({"code": 404}, 404), KaggleNotFoundError, "owner/names: renamed or removed"),
        (json_answer({"code": 403}), KaggleForbiddenError, "answered 403"),
        (json_answer({"error": {"code": 401}}), KaggleAuthError, "answered 401"),
        (redirect("https://evil.example/"), SourceDataError, "redirects elsewhere: refused"),
    ],
    ids=["401", "401-html", "403", "404", "403-in-200", "401-in-200", "redirect"],
)
def test_final_answers_fail_at_once(kaggle: Kaggle, answer, error, message):
    kaggle.api.will(answer)

    with pytest.raises(error, match=message):
        kaggle.client.get_dataset_version()

    assert len(kaggle.api.asked) == 1


TRANSIENT = {
    "429": (json_answer({"code": 429}, 429), KaggleRateLimitedError),
    "429-in-200": (json_answer({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}), KaggleRateLimitedError),
    "503": (Answer(503, b"busy"), KaggleServerError),
    "unknown-status": (Answer(418, b"tea"), KaggleServerError),
    "html-page": (Answer(200, HTML), KaggleIntegrityError),
    "no-json": (Answer(200, b"hello"), KaggleIntegrityError),
    "json-list": (json_answer([1]), KaggleIntegrityError),
    "no-version": (json_answer({"ref": "x"}), KaggleIntegrityError),
    "cut": (Answer(200, b'{"currentVersionNumber": 2}', cut=9), KaggleServerError),
    "silent": (Answer(200, b'{"currentVersionNumber": 2}', cut=9, stall=True), KaggleServerError),
    "too-long": (Answer(200, b" " * (9 << 20)), KaggleIntegrityError),
}


@pytest.mark.parametrize("answer", [answer for answer, _ in TRANSIENT.values()], ids=TRANSIENT)
def test_passing_trouble_is_overcome(kaggle: Kaggle, answer: Answer):
    kaggle.api.will(answer, json_answer({"currentVersionNumber": 2}))

    assert kaggle.client.get_dataset_version().version == 2
    assert len(kaggle.waits) == 1


@pytest.mark.parametrize(("answer", "error"), TRANSIENT.values(), ids=TRANSIENT)
def test_lasting_trouble_fails_after_four_requests(kaggle: Kaggle, answer: Answer, error):
    kaggle.api.will(*[answer] * 4)

    with pytest.raises(error):
        kaggle.client.get_dataset_version()

    assert len(kaggle.api.asked) == 4
    for wait_s, least in zip(kaggle.waits, (2, 4, 8), strict=True):
        assert least <= wait_s <= least + 2


def test_html_instead_of_json_names_the_cause(kaggle: Kaggle):
    kaggle.api.will(*[Answer(200, HTML)] * 4)

    with pytest.raises(KaggleIntegrityError, match=HTML_HINT):
        kaggle.client.get_dataset_version()


def test_retry_after_is_the_least_wait(kaggle: Kaggle):
    kaggle.api.will(json_answer({"code": 429}, 429, Retry_After="30"), json_answer({"currentVersionNumber": 2}))

    kaggle.client.get_dataset_version()

    assert kaggle.waits == [30.0]


def test_retry_after_beyond_the_cap_is_left_to_the_next_try(kaggle: Kaggle):
    kaggle.api.will(json_answer({"code": 429}, 429, Retry_After="3600"))

    with pytest.raises(KaggleRateLimitedError) as caught:
        kaggle.client.get_dataset_version()

    assert caught.value.retry_after_s == 3600
    assert kaggle.waits == []


@pytest.mark.parametrize("value", ["soon", "-5", "", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_useless_retry_after_is_ignored(kaggle: Kaggle, value: str):
    kaggle.api.will(json_answer({"code": 429}, 429, Retry_After=value), json_answer({"currentVersionNumber": 2}))

    kaggle.client.get_dataset_version()

    assert 2 <= kaggle.waits[0] <= 4


def test_unreachable_host_names_the_connection(kaggle: Kaggle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = kaggle.make_client(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(KaggleServerError, match="host of the connection kaggle"):
            client.get_dataset_version()

    assert len(kaggle.waits) == 3


def test_download_is_verified_and_costs_two_requests(kaggle: Kaggle):
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(file_answer(BODY))

    downloaded = kaggle.download()

    assert downloaded == DownloadedFile(kaggle.folder / "download", len(BODY), MD5, f'"{MD5}"', "17", is_zip=False)
    assert downloaded.path.read_bytes() == BODY
    (link,) = kaggle.api.asked
    assert link.json == {"ownerSlug": "owner", "datasetSlug": "names", "fileName": FILE, "datasetVersionNumber": 2}
    (data,) = kaggle.storage.asked
    assert data.headers["Accept-Encoding"] == "identity"


def test_storage_never_sees_the_credentials(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch):
    netrc = kaggle.folder / "netrc"
    netrc.write_text("default login someone password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(file_answer(BODY))

    kaggle.download()

    assert kaggle.api.asked[0].headers["Authorization"] == "Bearer KGAT_canary"
    assert "Authorization" not in kaggle.storage.asked[0].headers


def test_zip_is_told_by_its_first_bytes(kaggle: Kaggle):
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(file_answer(b"PK\x03\x04 whatever follows"))

    assert kaggle.download().is_zip


def test_cut_download_goes_on_where_it_stopped_with_a_fresh_link(kaggle: Kaggle):
    kaggle.api.will(kaggle.link("/first"), kaggle.link("/second"))
    kaggle.storage.will(file_answer(BODY, cut=CUT), rest_answer(BODY, CUT))

    downloaded = kaggle.download()

    assert downloaded.path.read_bytes() == BODY
    assert downloaded.md5 == MD5
    first, second = kaggle.storage.asked
    assert (first.path, second.path) == ("/first", "/second")
    assert "Range" not in first.headers
    assert second.headers["Range"] == f"bytes={CUT}-"
    assert second.headers["If-Range"] == f'"{MD5}"'


def test_silent_download_goes_on_after_the_read_timeout(kaggle: Kaggle):
    kaggle.api.will(kaggle.link(), kaggle.link())
    kaggle.storage.will(file_answer(BODY, cut=CUT, stall=True), rest_answer(BODY, CUT))

    assert kaggle.download().path.read_bytes() == BODY


def test_link_that_expires_during_a_resume_keeps_the_part(kaggle: Kaggle):
    expired = Answer(400, b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>")
    kaggle.api.will(kaggle.link(), kaggle.link(), kaggle.link())
    kaggle.storage.will(file_answer(BODY, cut=CUT), expired, rest_answer(BODY, CUT))

    assert kaggle.download().path.read_bytes() == BODY
    assert [asked.headers.get("Range") for asked in kaggle.storage.asked] == [None, f"bytes={CUT}-", f"bytes={CUT}-"]


def test_storage_that_ignores_the_range_starts_again(kaggle: Kaggle):
    kaggle.api.will(kaggle.link(), kaggle.link())
    kaggle.storage.will(file_answer(BODY, cut=CUT), file_answer(BODY))

    assert kaggle.download().path.read_bytes() == BODY


def test_file_that_changes_during_a_resume_comes_whole(kaggle: Kaggle):
    changed = BODY.replace(b"Mary", b"Anna")
    kaggle.api.will(kaggle.link(), kaggle.link())
    kaggle.storage.will(file_answer(BODY, cut=CUT), file_answer(changed))

    downloaded = kaggle.download()

    assert downloaded.path.read_bytes() == changed
    assert downloaded.md5 == hashlib.md5(changed, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    "wrong",
    [
        rest_answer(BODY, CUT, headers={"ETag": '"other"'}),
        rest_answer(BODY, CUT - 1),
        rest_answer(BODY, CUT, headers={"Content-Range": "nonsense"}),
        Answer(416),
    ],
    ids=["other-etag", "other-place", "no-place", "416"],
)
def test_wrong_continuation_is_thrown_away(kaggle: Kaggle, wrong: Answer):
    kaggle.api.will(*[kaggle.link()] * 3)
    kaggle.storage.will(file_answer(BODY, cut=CUT), wrong, file_answer(BODY))

    assert kaggle.download().path.read_bytes() == BODY
    assert "Range" not in kaggle.storage.asked[2].headers


def test_storage_without_ranges_is_asked_for_the_whole_file_again(kaggle: Kaggle):
    kaggle.api.will(kaggle.link(), kaggle.link())
    kaggle.storage.will(file_answer(BODY, cut=CUT, headers={"Accept-Ranges": ""}), file_answer(BODY))

    assert kaggle.download().path.read_bytes() == BODY
    assert "Range" not in kaggle.storage.asked[1].headers


def test_missing_hash_is_made_up_for_by_the_etag(kaggle: Kaggle):
    damaged = file_answer(BODY, etag='"' + "0" * 32 + '"', headers={"x-goog-hash": ""})
    kaggle.api.will(kaggle.link(), kaggle.link())
    kaggle.storage.will(damaged, file_answer(BODY, headers={"x-goog-hash": ""}))

    assert kaggle.download().md5 == MD5


def test_length_alone_is_enough_to_verify(kaggle: Kaggle):
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(file_answer(BODY, etag='"opaque"', headers={"x-goog-hash": "crc32c=AAAAAA==,md5=?"}))

    assert kaggle.download().size_bytes == len(BODY)


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


DAMAGED = {
    "html-by-type": (file_answer(HTML, headers={"Content-Type": "text/html; charset=utf-8"}), HTML_HINT),
    "html-by-content": (file_answer(HTML), HTML_HINT),
    "xml-by-type": (file_answer(b"<x/>", headers={"Content-Type": "application/xml"}), "instead of CSV"),
    "xml-by-content": (file_answer(b"<?xml version='1.0'?>"), "got xml instead of CSV"),
    "json-by-content": (file_answer(b'{"code": 403}'), "got json instead of CSV"),
    "zero-bytes": (file_answer(b""), "0 bytes arrived"),
    "wrong-md5": (
        file_answer(BODY, headers={"x-goog-hash": "md5=AAAAAAAAAAAAAAAAAAAAAA=="}),
        "md5 differs from the storage's",
    ),
    "packed-for-transport": (file_answer(BODY, headers={"Content-Encoding": "gzip"}), "packed the file"),
    "nothing-to-verify-with": (
        file_answer(chunked(BODY), etag='"opaque"', headers={"x-goog-hash": "", "Transfer-Encoding": "chunked"}),
        "neither length nor md5",
    ),
}


@pytest.mark.parametrize(("answer", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_download_is_refused_and_nothing_stays(kaggle: Kaggle, answer: Answer, message: str):
    kaggle.api.will(*[kaggle.link()] * 4)
    kaggle.storage.will(*[answer] * 4)

    with pytest.raises(KaggleIntegrityError, match=message):
        kaggle.download()

    assert len(kaggle.storage.asked) == 4
    assert list(kaggle.folder.iterdir()) == []


@pytest.mark.parametrize("answer", [answer for answer, _ in DAMAGED.values()], ids=DAMAGED)
def test_download_damaged_once_is_repeated(kaggle: Kaggle, answer: Answer):
    kaggle.api.will(*[kaggle.link()] * 2)
    kaggle.storage.will(answer, file_answer(BODY))

    assert kaggle.download().path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, KaggleServerError), (403, KaggleServerError), (500, KaggleServerError), (429, KaggleRateLimitedError)],
)
def test_refusal_of_the_storage_is_retried_with_a_fresh_link(kaggle: Kaggle, status: int, error):
    kaggle.api.will(*[kaggle.link()] * 4)
    kaggle.storage.will(*[Answer(status, b"<Error/>")] * 4)

    with pytest.raises(error):
        kaggle.download()

    assert len(kaggle.api.asked) == 4


def test_renamed_file_fails_at_once_and_lists_what_is_there(kaggle: Kaggle):
    kaggle.api.will(
        json_answer({"code": 404}, 404),
        json_answer({"datasetFiles": [{"name": "names-2024.csv"}, {"name": "readme.md"}]}),
    )

    with pytest.raises(KaggleNotFoundError, match=r"names\.csv is not in version 2 .*'names-2024\.csv', 'readme\.md'"):
        kaggle.download()

    assert kaggle.waits == []


def test_missing_version_fails_at_once(kaggle: Kaggle):
    kaggle.api.will(json_answer({"code": 404}, 404), json_answer({"code": 404}, 404))

    with pytest.raises(KaggleNotFoundError, match="404 for DownloadDataset of owner/names"):
        kaggle.download()


def test_file_that_is_listed_but_not_served_yet_is_waited_for(kaggle: Kaggle):
    kaggle.api.will(json_answer({"code": 404}, 404), json_answer({"datasetFiles": [{"name": FILE}]}), kaggle.link())
    kaggle.storage.will(file_answer(BODY))

    assert kaggle.download().size_bytes == len(BODY)
    assert len(kaggle.waits) == 1


def test_download_without_a_redirect_is_refused(kaggle: Kaggle):
    kaggle.api.will(*[json_answer({})] * 4)

    with pytest.raises(KaggleIntegrityError, match="no redirect to the storage came"):
        kaggle.download()


@pytest.mark.parametrize("limit_by", ["announced", "real"])
def test_file_over_the_limit_is_refused_at_once(kaggle: Kaggle, limit_by: str):
    client = kaggle.make_client(max_file_bytes=len(BODY) - 1)
    headers = {"Transfer-Encoding": "chunked"} if limit_by == "real" else {}
    kaggle.api.will(kaggle.link())
    whole = file_answer(BODY, headers=headers)
    kaggle.storage.will(Answer(200, chunked(BODY) if headers else BODY, whole.headers))

    with pytest.raises(SourceDataError, match="raise max_file_bytes"):
        client.download_file(2, FILE, kaggle.folder)

    assert list(kaggle.folder.iterdir()) == []


def test_storage_may_redirect_within_itself(kaggle: Kaggle):
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(redirect("/moved", 307), file_answer(BODY))

    assert kaggle.download().size_bytes == len(BODY)
    assert kaggle.storage.asked[1].path == "/moved"


def test_storage_that_redirects_in_a_circle_is_given_up(kaggle: Kaggle):
    kaggle.api.will(*[kaggle.link()] * 4)
    kaggle.storage.will(*[redirect("/again")] * 12)

    with pytest.raises(KaggleIntegrityError, match="redirects in a circle"):
        kaggle.download()


def test_redirect_to_another_host_is_refused_and_not_asked(kaggle: Kaggle):
    kaggle.api.will(redirect("https://evil.example/names.csv?X-Goog-Signature=canary"))

    with pytest.raises(SourceDataError, match=r"'evil\.example', which is no kaggle storage host") as caught:
        kaggle.download()

    assert "canary" not in str(caught.value)
    assert kaggle.waits == []


def test_redirect_of_the_storage_to_another_host_is_refused(kaggle: Kaggle):
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(redirect("https://evil.example/"))

    with pytest.raises(SourceDataError, match="no kaggle storage host"):
        kaggle.download()


def test_messages_and_logs_never_hold_the_signature(kaggle: Kaggle, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG", logger="include")
    kaggle.api.will(*[kaggle.link()] * 4)
    kaggle.storage.will(*[file_answer(BODY, cut=10, stall=True, headers={"Accept-Ranges": ""})] * 4)

    with pytest.raises(SourceUnavailableError) as caught:
        kaggle.download()

    assert caught.value.__cause__ is None
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("include.")]
    assert len(ours) == 3
    assert "canary" not in "".join([str(caught.value), *ours])


class FailingAdapter(requests.adapters.BaseAdapter):
    """Stands in for the network and raises."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def send(self, *args: object, **kwargs: object) -> requests.Response:
        raise self._error

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), ConfigError),
        (requests.exceptions.SSLError("EOF occurred"), KaggleServerError),
        (requests.exceptions.InvalidHeader("bad"), ConfigError),
        (requests.exceptions.ConnectTimeout("slow"), KaggleServerError),
    ],
    ids=["untrusted-certificate", "tls-broken", "bad-request", "connect-timeout"],
)
def test_transport_errors_say_whether_to_try_again(kaggle: Kaggle, error: Exception, expected: type[Exception]):
    def session() -> requests.Session:
        made = requests.Session()
        made.mount("https://", FailingAdapter(error))
        return made

    client = KaggleClient(DATASET, session, retry=RetryPolicy(attempts=1))

    with pytest.raises(expected, match=r"connection kaggle|try again later"):
        client.get_dataset_version()


def test_every_request_has_time_limits(kaggle: Kaggle):
    seen: list[object] = []

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request, stream=False, timeout=None, **rest):  # noqa: FBT002 - the signature of requests
            seen.append(timeout)
            response = requests.Response()
            response.status_code = 500
            response.raw = io.BytesIO()
            return response

        def close(self) -> None:
            """Nothing is open."""

    def session() -> requests.Session:
        made = requests.Session()
        made.mount("https://", Adapter())
        return made

    client = KaggleClient(DATASET, session, retry=RetryPolicy(attempts=1))
    with pytest.raises(KaggleServerError):
        client.get_dataset_version()

    assert seen == [(5.0, 30.0)]


def test_folder_that_is_gone_is_named(kaggle: Kaggle):
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(file_answer(BODY))

    with pytest.raises(SourceDataError, match="cannot be written"):
        kaggle.client.download_file(2, FILE, kaggle.folder / "missing")


def test_full_disk_is_named_and_the_part_is_dropped(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    kaggle.api.will(kaggle.link())
    kaggle.storage.will(file_answer(BODY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK_BYTES, limit[1]))
    try:
        with pytest.raises(SourceDataError, match=r"names\.csv: .* cannot be written \(File too large\)"):
            kaggle.download()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert list(kaggle.folder.iterdir()) == []
