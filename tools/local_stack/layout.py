"""Where the stack keeps its things, and what it remembers between two commands."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.local_stack.errors import StackError

ROOT = Path(__file__).resolve().parent.parent.parent
HUBSPOT_TOKEN = "pat-sim-full-access"  # noqa: S105  a made-up credential that only the simulator knows


S3_KEY = "local"
"""Both keys of the local S3, which accepts any."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders and files of one checkout's stack."""

    root: Path = ROOT

    @property
    def folder(self) -> Path:
        """Return the stack's folder, by which its processes are recognised."""
        return self.root / ".local"

    @property
    def logs(self) -> Path:
        """Return the folder of the processes' logs."""
        return self.folder / "logs"

    @property
    def airflow_home(self) -> Path:
        """Return Airflow's home."""
        return self.folder / "airflow"

    @property
    def stack_file(self) -> Path:
        """Return the file that tells other programs where everything is."""
        return self.folder / "stack.json"

    def log(self, name: str) -> Path:
        """Return the log file of a part."""
        return self.logs / f"{name}.log"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Generated once per checkout; the data that they protect outlives a stop."""

    airflow_password: str
    jwt_secret: str
    api_secret_key: str
    fernet_key: str
    mysql_password: str
    kaggle_token: str

    @classmethod
    def load(cls, layout: Layout) -> Secrets:
        """Read them, or make them the first time."""
        path = layout.folder / "secrets.json"
        if path.exists():
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        from cryptography.fernet import Fernet  # noqa: PLC0415  only the first time

        made = cls(
            airflow_password=secrets.token_urlsafe(12),
            jwt_secret=secrets.token_hex(32),
            api_secret_key=secrets.token_hex(32),
            fernet_key=Fernet.generate_key().decode(),
            mysql_password=secrets.token_hex(16),
            kaggle_token=f"KGAT_{secrets.token_hex(16)}",
        )
        write_private(path, json.dumps(asdict(made), indent=2))
        return made


@dataclass(slots=True)
class Stack:
    """A running stack as `.local/stack.json` describes it."""

    airflow_url: str
    airflow_user: str
    airflow_password: str
    mysql_url: str
    s3_url: str
    bucket: str
    hubspot_url: str
    hubspot_token: str
    kaggle_url: str
    kaggle_token: str
    s3_access_key: str = S3_KEY
    """Any pair of keys is accepted."""
    s3_secret_key: str = S3_KEY
    ports: dict[str, int] = field(default_factory=dict)
    """Part → TCP port on loopback."""
    pids: dict[str, int] = field(default_factory=dict)
    """Part → process id."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """Part → hash of the command and settings it was started with."""

    def save(self, layout: Layout) -> None:
        """Write it for other programs; it holds tokens, so only its owner may read it."""
        write_private(layout.stack_file, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, layout: Layout) -> Stack | None:
        """Return the stack of the last `up`, or None."""
        try:
            content: dict[str, Any] = json.loads(layout.stack_file.read_text(encoding="utf-8"))
            return cls(**content)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None  # of another version of this program; processes are found without it

    @classmethod
    def need(cls, layout: Layout) -> Stack:
        """Return the running stack.

        Raises:
            StackError: there is none.
        """
        stack = cls.load(layout)
        if stack is None:
            raise StackError("the stack is not running: start it with `make up`")
        return stack


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
