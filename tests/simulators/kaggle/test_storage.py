"""The file storage: headers, ranges, conditions and signed URLs."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from tools.kaggle_simulator.checksums import crc32c


@pytest.fixture
def whole(sim):
    """The complete answer for the plain file."""
    return sim.download(raw=True)


def test_headers_describe_the_file(sim, whole):
    md5 = hashlib.md5(whole.content, usedforsecurity=False)
    crc = crc32c(whole.content).to_bytes(4, "big")

    assert whole.status_code == 200
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert whole.headers["etag"] == f'"{md5.hexdigest()}"'
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["x-goog-generation"].isdigit()
    assert whole.headers["last-modified"].endswith(" GMT")
    assert whole.headers["x-goog-hash"] == (
        f"crc32c={base64.b64encode(crc).decode()},md5={base64.b64encode(md5.digest()).decode()}"
    )


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=1000-", slice(1000, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-99999999", slice(5, None)),
        ("bytes=-99999999", slice(None)),
    ],
)
def test_range_gives_that_part(sim, whole, wanted, part):
    answer = sim.download({"Range": wanted}, raw=True)

    expected = whole.content[part]
    start = range(len(whole.content))[part].start
    assert answer.status_code == 206
    assert answer.content == expected
    assert answer.headers["content-range"] == (f"bytes {start}-{start + len(expected) - 1}/{len(whole.content)}")
    assert answer.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=-0"])
def test_range_outside_the_file_is_416(sim, whole, wanted):
    answer = sim.download({"Range": wanted}, raw=True)

    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(whole.content)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes=-"])
def test_range_that_is_not_understood_is_ignored(sim, whole, wanted):
    answer = sim.download({"Range": wanted}, raw=True)

    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize("header", ["etag", "last-modified"])
def test_if_range_with_the_same_object_resumes(sim, whole, header):
    answer = sim.download({"Range": "bytes=100-", "If-Range": whole.headers[header]}, raw=True)

    assert (answer.status_code, answer.content) == (206, whole.content[100:])


def test_if_range_with_another_object_starts_again(sim, whole):
    answer = sim.download({"Range": "bytes=100-", "If-Range": '"other"'}, raw=True)

    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize(("etag", "status"), [("same", 304), ('"other"', 200)])
def test_if_none_match(sim, whole, etag, status):
    wanted = whole.headers["etag"] if etag == "same" else etag
    answer = sim.download({"If-None-Match": wanted}, raw=True)

    assert answer.status_code == status
    assert answer.headers["etag"] == whole.headers["etag"]
    assert answer.content == (b"" if status == 304 else whole.content)


def test_head_sends_the_headers_only(sim, whole):
    answer = sim.http.head(sim.signed_url(raw=True))

    assert answer.content == b""
    assert answer.headers["content-length"] == str(len(whole.content))
    assert answer.headers["etag"] == whole.headers["etag"]


def test_url_is_signed_and_expires(sim):
    url = sim.signed_url()

    assert re.search(r"X-Goog-Algorithm=GOOG4-RSA-SHA256&.*X-Goog-Expires=900&.*X-Goog-Signature=\w+", url)
    sim.control(url_lifetime_s=0)
    expired = sim.http.get(sim.signed_url())
    assert expired.status_code == 400
    assert expired.headers["content-type"].startswith("application/xml")
    assert "<Code>ExpiredToken</Code>" in expired.text
    assert sim.http.get(url).status_code == 200


@pytest.mark.parametrize(
    "forge",
    [
        lambda url: url.split("?")[0],
        lambda url: url.replace("/1/", "/2/"),
        lambda url: re.sub(r"Expires-At=\d+", "Expires-At=99999999999999", url),
        lambda url: url.replace("X-Goog-Signature=", "X-Goog-Signature=%C3%A9"),
    ],
    ids=["no query", "other version", "longer life", "other signature"],
)
def test_forged_url_is_403(sim, forge):
    answer = sim.http.get(forge(sim.signed_url()))

    assert answer.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


def test_version_in_the_request_pins_the_file(sim):
    old = sim.download(raw=True).content
    new = sim.add_version(seed=3, changed=0.5)["version"]

    assert sim.download(raw=True).content != old
    assert sim.download(raw=True, datasetVersionNumber=1).content == old
    assert sim.download(raw=True, datasetVersionNumber=new).content == sim.download(raw=True).content
