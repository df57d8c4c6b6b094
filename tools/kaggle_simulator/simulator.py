"""What both listeners share: settings, versions, faults and the request log."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tools.kaggle_simulator.faults import FaultPlan
from tools.kaggle_simulator.options import DEFAULT_STALL_S, Options
from tools.kaggle_simulator.request_log import RequestLog
from tools.kaggle_simulator.signing import sign_path
from tools.kaggle_simulator.versions import VersionStore

STORAGE_ROOT = "/kaggle-data-sets"
BUNDLE = "archive.zip"
"""Name of the zip with the whole dataset."""
RENAMED_PREFIX = "renamed-"
"""What the fault `renamed` puts before the file's name."""


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a control call can change."""

    token: str
    anonymous: bool
    zip: bool
    """Deliver a single file as `<file>.zip`."""
    url_lifetime_s: float
    stall_s: float = DEFAULT_STALL_S
    """Silence of the fault `stall` before the connection is closed, in seconds."""


@dataclass(slots=True)
class Simulator:
    """The state of one running simulator."""

    options: Options
    store: VersionStore
    log: RequestLog
    storage_url: str
    clock: Callable[[], float] = time.time
    faults: FaultPlan = field(default_factory=FaultPlan)
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = self._start_settings()

    def _start_settings(self) -> Settings:
        return Settings(
            token=self.options.token,
            anonymous=self.options.anonymous,
            zip=self.options.delivery == "zip",
            url_lifetime_s=self.options.url_lifetime,
        )

    def reset(self) -> None:
        """Take back faults, settings and the log; the versions stay."""
        self.faults.replace([])
        self.settings = self._start_settings()
        self.log.clear()

    def accepts(self, authorization: str | None) -> bool:
        """Tell whether these credentials may read the dataset."""
        if authorization is None:
            return self.settings.anonymous
        pair = f"{self.options.user}:{self.options.key}".encode()
        known = (f"Bearer {self.settings.token}", f"Basic {base64.b64encode(pair).decode()}")
        return any(hmac.compare_digest(authorization.encode(), one.encode()) for one in known)

    def download_url(self, version: int, name: str) -> str:
        """Return a signed URL of the file storage."""
        path = sign_path(f"{STORAGE_ROOT}/{version}/{name}", now=self.clock(), lifetime_s=self.settings.url_lifetime_s)
        return self.storage_url + path
