"""A file as the newest version of the dataset, and back again when nobody used it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tools.local_stack.errors import StackError
from tools.local_stack.layout import Stack
from tools.local_stack.loopback import client

_TIMEOUT_S = 120
"""Hashing and zipping a large file takes a while."""


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file that the Kaggle simulator offers since this command."""

    kaggle_url: str
    version: int
    version_before: int
    """The version that was the current one."""

    def take_back(self) -> None:
        """Let the version before be the current one again, unless somebody has offered another one since.

        Raises:
            StackError: the simulator does not answer.
        """
        if _call(self.kaggle_url, "GET", "/__sim/state")["current_version"] == self.version:
            _call(self.kaggle_url, "POST", "/__sim", {"version": self.version_before})


def offer_file(stack: Stack, file: Path) -> OfferedFile:
    """Let the Kaggle simulator serve the file as the next version of the dataset.

    Raises:
        StackError: the simulator does not answer or refuses the file.
    """
    before = _call(stack.kaggle_url, "GET", "/__sim/state")["current_version"]
    added = _call(stack.kaggle_url, "POST", "/__sim/versions", {"path": str(file.resolve())})
    return OfferedFile(stack.kaggle_url, added["version"], before)


def _call(url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401  JSON
    try:
        answer = client().request(method, f"{url}{path}", json=body, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise StackError(
            f"kaggle simulator: {type(error).__name__}, is the stack running? `make up` starts what is missing"
        ) from error
    if not answer.is_success:
        raise StackError(f"kaggle simulator: {method} {path}: {answer.status_code} {answer.text[:200]}")
    return answer.json()
