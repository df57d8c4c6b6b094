"""Debian's Chromium for tests: its program, its flags, and pictures of what it shows."""

from __future__ import annotations

import os
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
ANSWER_MS = 30_000
SCREENSHOTS = "HUBSPOT_SYNC_SCREENSHOTS"
"""Folder for pictures of the pages; the documents show some of them."""


def picture_folder(otherwise: Path) -> Path:
    """Return the folder that pictures go to, made if it is not there."""
    folder = Path(os.environ.get(SCREENSHOTS) or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
