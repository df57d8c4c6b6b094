"""Every fault does what the README says, when it is due and no longer."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from pathlib import Path

import httpx
import pytest

from tools.kaggle_simulator.faults import Fault

FILE = "babyNamesUSYOB-full.csv"
README = Path(__file__).resolve().parents[3] / "tools/kaggle_simulator/README.md"


def read_zip(answer: httpx.Response) -> zipfile.ZipFile:
    """Open the zip of an answer that is sound as far as HTTP can tell."""
    assert answer.status_code == 200
    assert hashlib.md5(answer.content, usedforsecurity=False).hexdigest() == answer.headers["etag"].strip('"')
    return zipfile.ZipFile(io.BytesIO(answer.content))


def collect_into(pieces: list[bytes], answer: httpx.Response) -> None:
    for piece in answer.iter_raw():
        pieces.append(piece)  # noqa: PERF402 - the pieces before the error count


def read_broken_body(sim, url: str, error: type[Exception] = httpx.RemoteProtocolError) -> tuple[dict, bytes]:
    """Read an answer whose body ends too early with this error; return its headers and what came."""
    pieces: list[bytes] = []
    with (
        sim.http.stream("GET", url, headers={"Accept-Encoding": "identity"}, timeout=0.5) as answer,
        pytest.raises(error),
    ):
        collect_into(pieces, answer)
    return answer.headers, b"".join(pieces)


def test_readme_lists_every_fault():
    section = README.read_text(encoding="utf-8").partition("## Faults")[2].partition("\n## ")[0]
    first_cells = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))

    assert sorted(re.findall(r"`(\w+)`", first_cells)) == sorted(Fault)


@pytest.mark.parametrize(("fault", "status"), [("json401", 401), ("json403", 403), ("json404", 404)])
def test_json_errors(sim, fault, status):
    sim.control(fault=fault)
    answer = sim.call("GetDataset")

    assert (answer.status_code, answer.json()["code"]) == (status, status)


@pytest.mark.parametrize(("fault", "status"), [("html401", 401), ("html200", 200)])
def test_login_page_instead_of_an_api_answer(sim, fault, status):
    sim.control(fault=fault)
    answer = sim.call("GetDataset")

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_rate_limit_in_kaggles_shape_without_a_wait(sim):
    sim.control(fault="rate429")
    answer = sim.call("GetDataset")

    assert (answer.status_code, answer.json()["code"]) == (429, 429)
    assert "retry-after" not in answer.headers


def test_rate_limit_in_googles_shape_with_a_wait(sim):
    sim.control(fault="rate429", shape="google", retry_after=7)
    answer = sim.call("GetDataset")

    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == 429
    assert answer.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert answer.headers["retry-after"] == "7"


def test_rate_limit_with_a_useless_wait(sim):
    sim.control(fault="rate429", retry_after="soon")

    assert sim.call("GetDataset").headers["retry-after"] == "soon"


def test_server_error(sim):
    sim.control(fault="err500")
    answer = sim.call("GetDataset")

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/plain")


def test_error_inside_a_200(sim):
    sim.control(fault="json_code_in_200")
    answer = sim.call("GetDataset")

    assert (answer.status_code, answer.json()["code"]) == (200, 403)


@pytest.mark.parametrize("order", [{"fault": "gcs_html"}, {"fault": "html200", "place": "storage"}])
def test_login_page_instead_of_the_file(sim, order):
    sim.control(**order)
    answer = sim.download()

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_zero_bytes_with_a_true_checksum(sim):
    sim.control(fault="zero")
    answer = sim.download({"Range": "bytes=10-"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"
    assert answer.headers["etag"] == f'"{hashlib.md5(b"", usedforsecurity=False).hexdigest()}"'
    assert answer.headers["x-goog-hash"] == "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg=="


def test_truncated_body_can_be_resumed(sim):
    whole = sim.download()
    sim.control(fault="truncate", times=1)
    headers, body = read_broken_body(sim, sim.signed_url())

    assert headers["content-length"] == str(len(whole.content))
    assert body == whole.content[: len(whole.content) // 2]
    rest = sim.download({"Range": f"bytes={len(body)}-", "If-Range": headers["etag"]})
    assert rest.status_code == 206
    assert body + rest.content == whole.content


def test_stalled_body_ends_in_the_clients_timeout(sim):
    whole = sim.download()
    sim.control(fault="stall")
    _, body = read_broken_body(sim, sim.signed_url(), httpx.ReadTimeout)

    assert body == whole.content[: len(whole.content) // 2]


def test_stall_ends_after_its_seconds(sim):
    sim.control(fault="stall", stall_s=0.1)
    _, body = read_broken_body(sim, sim.signed_url())

    assert body


def test_wrong_checksum(sim):
    right = sim.download()
    sim.control(fault="badhash")
    answer = sim.download()

    assert answer.content == right.content
    assert answer.headers["x-goog-hash"] != right.headers["x-goog-hash"]
    assert re.fullmatch(r"crc32c=[\w+/]+==,md5=[\w+/]+==", answer.headers["x-goog-hash"])


def test_no_checksum(sim):
    sim.control(fault="nohash")
    answer = sim.download()

    assert answer.status_code == 200
    assert "x-goog-hash" not in answer.headers


def test_expired_url(sim):
    sim.control(fault="expired", times=1)
    url = sim.signed_url()
    first, second = sim.http.get(url), sim.http.get(url)

    assert first.status_code == 400
    assert "<Code>ExpiredToken</Code>" in first.text
    assert second.status_code == 200


def test_url_that_expires_during_a_resume(sim):
    sim.control(faults=[{"fault": "truncate", "times": 1}, {"fault": "expired_range", "times": 1}])
    url = sim.signed_url()
    _, body = read_broken_body(sim, url)
    wanted = {"Range": f"bytes={len(body)}-"}

    assert sim.http.get(url, headers=wanted).status_code == 400
    assert sim.http.get(sim.signed_url(), headers=wanted).status_code == 206


@pytest.mark.parametrize(("fault", "offered"), [("norange", None), ("ignore_range", "bytes")])
def test_range_that_is_not_honoured(sim, fault, offered):
    whole = sim.download()
    sim.control(fault=fault)
    answer = sim.download({"Range": "bytes=10-"})

    assert (answer.status_code, answer.content) == (200, whole.content)
    assert answer.headers.get("accept-ranges") == offered
    assert "content-range" not in answer.headers


def test_gzip_only_for_clients_that_accept_it(sim):
    plain = sim.download(raw=True)
    sim.control(fault="gzipenc")
    with sim.http.stream("GET", sim.signed_url(raw=True), headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())

    assert answer.headers["content-encoding"] == "gzip"
    assert "content-length" not in answer.headers
    assert len(packed) < len(plain.content)
    assert zlib.decompress(packed, wbits=31) == plain.content
    assert sim.download(raw=True).headers.get("content-encoding") is None


@pytest.mark.parametrize("raw", [False, True], ids=["zip", "plain"])
def test_object_that_changes_during_a_resume(sim, raw):
    old = sim.download(raw=raw)
    sim.control(fault="changed_during_resume")
    headers, body = read_broken_body(sim, sim.signed_url(raw=raw))
    second = sim.download({"Range": f"bytes={len(body)}-", "If-Range": headers["etag"]}, raw=raw)

    assert headers["etag"] == old.headers["etag"]
    assert second.status_code == 200
    assert second.headers["etag"] == f'"{hashlib.md5(second.content, usedforsecurity=False).hexdigest()}"'
    assert second.content != old.content
    glued = body + second.content[len(body) :]
    assert glued not in {old.content, second.content}


def test_renamed_file(sim):
    sim.control(fault="renamed")
    [file] = sim.call("ListDatasetFiles").json()["datasetFiles"]

    assert file["name"] == f"renamed-{FILE}"
    assert sim.call("DownloadDataset", fileName=FILE).status_code == 404
    assert sim.download(fileName=file["name"]).status_code == 200


def test_dataset_that_is_not_ready(sim):
    sim.control(fault="notready")

    assert sim.call("GetDatasetStatus").json()["status"] == "REPROCESSING"
    assert sim.call("GetDataset").json()["versions"][0]["status"] == "REPROCESSING"


def test_rollback_names_a_lower_version(sim):
    new = sim.add_version(seed=4, new=0.01)["version"]
    assert sim.call("GetDataset").json()["currentVersionNumber"] == new
    sim.control(fault="rollback", times=1)

    assert sim.call("GetDataset").json()["currentVersionNumber"] == new - 1
    assert sim.call("GetDataset").json()["currentVersionNumber"] == new


def test_rollback_below_version_1_is_refused(sim):
    answer = sim.http.post(f"{sim.url}/__sim", json={"fault": "rollback", "version": 1})

    assert (answer.status_code, answer.json()["code"]) == (409, 409)


def test_new_version_is_listed_before_it_can_be_downloaded(sim):
    new = sim.add_version(seed=5, new=0.01)["version"]
    sim.control(fault="new_version_404", times=1)

    assert sim.call("GetDataset").json()["currentVersionNumber"] == new
    assert sim.download(datasetVersionNumber=1).status_code == 200
    assert sim.call("DownloadDataset", fileName=FILE, datasetVersionNumber=new).status_code == 404
    assert sim.download(datasetVersionNumber=new).status_code == 200


@pytest.mark.parametrize(
    ("fault", "members"),
    [("two_members", [FILE, "second.csv"]), ("no_member", []), ("other_member", ["readme.txt"])],
)
def test_zip_with_other_members(sim, fault, members):
    sim.control(fault=fault)

    with read_zip(sim.download()) as archive:
        assert archive.namelist() == members


def test_zip_bomb_is_small_outside_and_large_inside(sim):
    sim.control(fault="zip_bomb")
    answer = sim.download()

    with read_zip(answer) as archive:
        assert archive.namelist() == [FILE]
        assert archive.infolist()[0].file_size > 100 * len(answer.content)
        assert archive.infolist()[0].file_size > 60_000_000


def test_zip_with_a_wrong_member_checksum(sim):
    sim.control(fault="bad_crc")

    with read_zip(sim.download()) as archive, pytest.raises(zipfile.BadZipFile, match="Bad CRC"):
        archive.read(FILE)


def test_damaged_zip_can_be_read_in_parts(sim):
    sim.control(fault="two_members")
    whole = sim.download()
    part = sim.download({"Range": "bytes=20-", "If-Range": whole.headers["etag"]})

    assert (part.status_code, part.content) == (206, whole.content[20:])


def test_fault_ends_after_its_times(sim):
    sim.control(fault="err500", times=2)

    assert [sim.call("GetDataset").status_code for _ in range(4)] == [503, 503, 200, 200]
    assert sim.state()["faults"] == [{"fault": "err500", "times": 2, "used": 2}]


def test_fault_without_times_lasts_until_it_is_taken_back(sim):
    sim.control(fault="err500")
    assert [sim.call("GetDataset").status_code for _ in range(5)] == [503] * 5

    sim.control(fault=None)
    assert sim.call("GetDataset").status_code == 200


def test_fault_can_let_answers_pass_first(sim):
    sim.control(fault="json403", after=1, times=1)

    assert [sim.call("GetDataset").status_code for _ in range(3)] == [200, 403, 200]


def test_fault_can_be_limited_to_one_method(sim):
    sim.control(fault="json404", only="DownloadDataset")

    assert sim.call("GetDataset").status_code == 200
    assert sim.call("DownloadDataset").status_code == 404


def test_fault_can_end_by_the_clock(sim):
    sim.control(fault="new_version_404", seconds=0.3)
    statuses = set()
    while 302 not in statuses:
        statuses.add(sim.call("DownloadDataset").status_code)

    assert statuses == {404, 302}


def test_faults_of_both_places_work_at_once(sim):
    sim.control(faults=[{"fault": "rate429", "times": 1}, {"fault": "zero", "times": 1}])

    assert sim.call("GetDataset").status_code == 429
    assert sim.download().content == b""
    assert sim.download().content != b""
