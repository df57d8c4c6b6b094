"""A disk without room: a file system of one page in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.chaos.sequence import SkippedFaultError

_SIZE = "size=4k"


@dataclass(frozen=True, slots=True)
class FullDisk:
    """Mounted at a folder."""

    folder: Path

    def mount(self) -> None:
        """Make it, unless it is there.

        Raises:
            SkippedFaultError: this user or system does not allow it.
        """
        if self.folder.is_mount():
            return
        if os.geteuid() != 0 or shutil.which("mount") is None:
            raise SkippedFaultError("only root may mount a small file system")
        self.folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", _SIZE, "none", str(self.folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603  our own command
            raise SkippedFaultError("a small file system cannot be mounted here")

    def unmount(self) -> None:
        """Take it away, if it is there."""
        if self.folder.is_mount():
            subprocess.run(["umount", str(self.folder)], check=False, capture_output=True)  # noqa: S603, S607
