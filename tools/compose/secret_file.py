"""Write the secrets of docker-compose.yaml: `python -m tools.compose.secret_file`, or `make secrets`.

They go to `.env`, which compose reads by itself and git ignores. What stands there already stays, so that a password
still fits the data it protects. Needs nothing but Python: the machine may have only Docker.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parents[2] / ".env"


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


SECRETS: Mapping[str, Callable[[], str]] = {
    "AIRFLOW_ADMIN_PASSWORD": lambda: secrets.token_urlsafe(12),
    "AIRFLOW_API_SECRET_KEY": lambda: secrets.token_hex(32),
    "AIRFLOW_FERNET_KEY": _fernet_key,
    "AIRFLOW_JWT_SECRET": lambda: secrets.token_hex(32),
    "KAGGLE_TOKEN": lambda: f"KGAT_{secrets.token_hex(16)}",
    "MYSQL_PASSWORD": lambda: secrets.token_hex(16),
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(16),
}
"""Variable → what makes its value. Only characters that need no quotes in a URL, in JSON and in the file."""


def make_secrets() -> dict[str, str]:
    """Return a new value for each variable."""
    return {name: make() for name, make in SECRETS.items()}


def add_missing(path: Path) -> list[str]:
    """Append the variables that the file does not set yet; only its owner may read it.

    Returns:
        their names.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    present = {name.strip() for name, sign, value in (line.partition("=") for line in text.splitlines()) if value}
    missing = {name: value for name, value in make_secrets().items() if name not in present}
    if text and not text.endswith("\n"):
        text += "\n"
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.touch(mode=0o600)
    draft.write_text(text + "".join(f"{name}={value}\n" for name, value in missing.items()), encoding="utf-8")
    draft.replace(path)
    return list(missing)


def main() -> int:
    """Complete `.env` and say what was added, never the values."""
    added = add_missing(ENV_FILE)
    print(f".env: {'added ' + ', '.join(added) if added else 'complete, nothing added'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
