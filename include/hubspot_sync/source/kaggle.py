"""The Kaggle client: which version a dataset has, and one file of it, verified, on disk.

It knows Kaggle's contract and no Airflow: sessions with credentials, proxies and certificates come from outside.
One verified download costs two requests, the question whether there is anything new one.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.source.http_exchange import (
    RetryPolicy,
    Timeouts,
    no_auth,
    retry_after_s,
    transport_errors_named,
)
from include.hubspot_sync.source.kaggle_answers import (
    DatasetFile,
    DatasetVersion,
    error_code,
    plain_status,
    read_version,
    whole_number,
)
from include.hubspot_sync.source.kaggle_download import DownloadedFile, PartialFile
from include.hubspot_sync.source.kaggle_errors import (
    KaggleAuthError,
    KaggleForbiddenError,
    KaggleIntegrityError,
    KaggleNotFoundError,
    KaggleRateLimitedError,
    KaggleServerError,
    error_of_status,
)
from include.hubspot_sync.source.redirects import check_base_url, check_redirect
from include.hubspot_sync.source.sniff import HEAD_BYTES, HTML_MESSAGE, ContentKind, sniff

__all__ = [
    "DatasetFile",
    "DatasetVersion",
    "DownloadedFile",
    "KaggleAuthError",
    "KaggleClient",
    "KaggleForbiddenError",
    "KaggleIntegrityError",
    "KaggleNotFoundError",
    "KaggleRateLimitedError",
    "KaggleServerError",
]

log = logging.getLogger(__name__)

DEFAULT_BASE_URL = "https://api.kaggle.com"
SERVICE = "/v1/datasets.DatasetApiService/"
DOWNLOAD_NAME = "download"
MAX_ANSWER_BYTES = 8 << 20
MAX_PAGES = 100
PAGE_SIZE = 200
MAX_REDIRECTS = 3
SHOWN_FILES = 20
NO_BODY: Mapping[str, object] = {}

OK, FIRST_ERROR = 200, 400
REDIRECTS = (301, 302, 303, 307, 308)

SessionFactory = Callable[[], requests.Session]


@dataclass(frozen=True, slots=True)
class KaggleClient:
    """Asks Kaggle about one dataset."""

    dataset: str
    """As owner/slug."""
    session_factory: SessionFactory
    """Gives sessions with the credentials of the API; one per request."""
    storage_session_factory: SessionFactory = requests.Session
    """Gives sessions without credentials for the signed addresses."""
    base_url: str = DEFAULT_BASE_URL
    connection_id: str = "kaggle"
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_file_bytes: int = 1 << 30
    extra_hosts: frozenset[str] = frozenset()
    """Hosts of the deployment's own network, which may speak plain http."""

    def __post_init__(self) -> None:
        address = check_base_url(self.base_url, self.connection_id, extra_hosts=self.extra_hosts)
        object.__setattr__(self, "base_url", address)

    def get_dataset_version(self, number: int | None = None) -> DatasetVersion:
        """Return the newest version, or the one with this number; exactly one request when nothing goes wrong.

        Raises:
            KaggleNotFoundError: there is no version with this number.
            SyncError: one of the Kaggle errors.
        """
        return self.retry.run(lambda: read_version(self._ask("GetDataset"), self.dataset, number))

    def get_status(self) -> str:
        """Return the dataset's status in lower case without prefix, e.g. `ready`.

        Raises:
            SyncError: one of the Kaggle errors.
        """
        return self.retry.run(lambda: plain_status(self._ask("GetDatasetStatus").get("status")))

    def list_files(self, version: int) -> tuple[DatasetFile, ...]:
        """Return the files of a version.

        Raises:
            SyncError: one of the Kaggle errors.
        """
        return self.retry.run(lambda: tuple(self._iter_files(version)))

    def download_file(self, version: int, name: str, folder: Path) -> DownloadedFile:
        """Download one file of a version into `folder`, verified; interrupted downloads go on where they stopped.

        Raises:
            KaggleNotFoundError: the file is not there; names the files that are.
            SyncError: another of the Kaggle errors.
        """
        part = PartialFile(folder / DOWNLOAD_NAME, name, self.max_file_bytes)
        part.drop()
        # each attempt asks for a new signed address, because the old one may have expired
        downloaded = self.retry.run(lambda: self._fetch(self._signed_url(version, name), part))
        log.info(
            "kaggle file downloaded dataset=%s version=%d bytes=%d is_zip=%s",
            self.dataset,
            version,
            downloaded.size_bytes,
            downloaded.is_zip,
        )
        return downloaded

    def _ask(self, method: str, body: Mapping[str, object] = NO_BODY) -> dict[str, Any]:
        """Call one method and return its JSON answer."""
        with self._call(method, body) as response:
            self._check_status(response, method)
            return self._read_json(response, method)

    @contextlib.contextmanager
    def _call(self, method: str, body: Mapping[str, object]) -> Iterator[requests.Response]:
        owner, slug = self.dataset.split("/")
        with (
            transport_errors_named(f"kaggle {method}", self.connection_id),
            self.session_factory() as session,
            session.post(
                f"{self.base_url}{SERVICE}{method}",
                json={"ownerSlug": owner, "datasetSlug": slug, **body},
                headers={"Accept": "application/json"},
                timeout=(self.timeouts.connect_s, self.timeouts.read_s),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            yield response

    def _check_status(self, response: requests.Response, method: str) -> None:
        if response.status_code in REDIRECTS:
            # an answer with JSON never redirects; following it would send the credentials elsewhere
            raise SourceDataError(
                f"kaggle {method} redirects elsewhere: refused; check the host of the connection {self.connection_id}"
            )
        if response.status_code != OK:
            raise self._error(response.status_code, method, retry_after_s(response))

    def _error(self, status: int, method: str, wait_s: float | None = None) -> Exception:
        what = f"{method} of {self.dataset}"
        return error_of_status(status, what, connection_id=self.connection_id, retry_after_s=wait_s)

    def _read_json(self, response: requests.Response, method: str) -> dict[str, Any]:
        """Read a JSON object; an error may hide in an answer with status 200."""
        content = self._read_body(response, method)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            is_html = sniff(content[:HEAD_BYTES]) is ContentKind.HTML
            hint = HTML_MESSAGE if is_html else "the answer is no JSON: try again later"
            raise KaggleIntegrityError(f"kaggle {method} of {self.dataset}: {hint}")
        code = error_code(answer)
        if code >= FIRST_ERROR:
            raise self._error(code, method, retry_after_s(response))
        return answer

    def _read_body(self, response: requests.Response, method: str) -> bytes:
        content = b""
        for chunk in response.iter_content(1 << 16):
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise KaggleIntegrityError(f"kaggle {method}: the answer is absurdly long: try again later")
        return content

    def _iter_files(self, version: int) -> Iterator[DatasetFile]:
        token = ""
        for _ in range(MAX_PAGES):
            body = {"datasetVersionNumber": version, "pageSize": PAGE_SIZE}
            page = {"pageToken": token} if token else {}
            answer = self._ask("ListDatasetFiles", {**body, **page})
            if answer.get("errorMessage"):
                raise KaggleServerError(f"kaggle cannot list the files of {self.dataset}: try again later")
            for entry in answer.get("datasetFiles") or ():
                yield DatasetFile(str(entry.get("name", "")), whole_number(entry.get("totalBytes")))
            token = str(answer.get("nextPageToken") or "")
            if not token:
                return

    def _signed_url(self, version: int, name: str) -> str:
        """Ask for the address of a file in the storage; the version pins it."""
        body = {"fileName": name, "datasetVersionNumber": version}
        with self._call("DownloadDataset", body) as response:
            location = response.headers.get("Location", "")
            if response.status_code in REDIRECTS and location:
                return check_redirect(location, asked=self.base_url, extra_hosts=self.extra_hosts)
            try:
                self._check_status(response, "DownloadDataset")
                self._read_json(response, "DownloadDataset")
            except KaggleNotFoundError as error:
                raise self._missing_file_error(version, name, error) from None
        raise KaggleIntegrityError(
            f"kaggle DownloadDataset of {self.dataset}: no redirect to the storage came: try again later"
        )

    def _missing_file_error(
        self, version: int, name: str, error: KaggleNotFoundError
    ) -> KaggleNotFoundError | KaggleServerError:
        """Tell a renamed file from a version whose files are not there yet."""
        try:
            names = [file.name for file in self._iter_files(version)]
        except KaggleNotFoundError:
            return error
        if name in names:
            return KaggleServerError(
                f"{name}: kaggle lists it in version {version} but does not serve it yet: try again later"
            )
        there = ", ".join(ascii(other) for other in names[:SHOWN_FILES]) or "none"
        return KaggleNotFoundError(
            f"{name} is not in version {version} of {self.dataset}, the files there are: {there}; correct source.file"
        )

    def _fetch(self, url: str, part: PartialFile) -> DownloadedFile:
        """Ask the storage, which may send us on within itself, and write what it sends."""
        for _ in range(MAX_REDIRECTS):
            with (
                transport_errors_named(f"download of {part.name}", self.connection_id),
                self.storage_session_factory() as session,
                session.get(
                    url,
                    headers=part.request_headers(),
                    auth=no_auth,
                    timeout=(self.timeouts.connect_s, self.timeouts.read_s),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                if response.status_code not in REDIRECTS:
                    return part.take(response)
                location = response.headers.get("Location", "")
                url = check_redirect(location, asked=url, extra_hosts=self.extra_hosts)
        raise KaggleIntegrityError(f"{part.name}: the storage redirects in a circle: try again later")
